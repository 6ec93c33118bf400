"""Compares ways of putting a web app behind Lambda's events, side by side.

FastAPI and Flask, each behind Penstock's `adapt`, behind an adapter that buffers (Mangum,
apig-wsgi), and behind a web server of its own with a proxy in front, which is how AWS's Lambda
Web Adapter works. Every round runs every one of them once; ratios are taken within a round.
Nothing is judged: what comes out is printed.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import c_programs
import cpu_use
import machine
import neutral_server
import stopping
import web_report
from installing import ClientMissing
from neutral_server import Run, RunFailed
from web_clients import CLIENTS, WEB, Client, Installed, Stream, Work, versions
from web_report import FIGURES, Sample

BUILD: Final = Path(__file__).parent.resolve() / ".build"
DEFAULT_ROUNDS: Final = 9
QUICK_ROUNDS: Final = 2
PLACEMENTS: Final = {
    "free": "**free**: the system places server and client; both sleep while they wait.",
    "split": "**split**: the server has one CPU and never sleeps; the client has the other, "
    "with all its processes.",
}


class Options(NamedTuple):
    """What was asked for."""

    rounds: int
    is_quick: bool
    placements: list[str]
    figures: list[web_report.Figure]
    clients: list[Client]
    json: Path | None

    @property
    def work(self) -> list[Work]:
        """The work that the figures need."""
        some = {"invocations": 60, "warmup": 40} if self.is_quick else {}
        every = [
            Work("stream", "/stream", **(some and {"invocations": 15, "warmup": 5}) or _STREAMS),
            Work("json", "/json", **some or _REQUESTS),
            Work("start", "/json", repeats=1 if self.is_quick else 3),
            Work("memory", "/json", **some or {"invocations": 1000}),
        ]
        needed = {figure.work for figure in self.figures}
        return [work for work in every if work.name in needed]


_STREAMS: Final = {"invocations": 60, "warmup": 10}
_REQUESTS: Final = {"invocations": 1000, "warmup": 500}


class Step(NamedTuple):
    """One process to measure."""

    round: int
    placement: str
    work: Work
    client: Client


def main() -> int:
    """Run the command line. Returns the exit status."""
    options = _parse(sys.argv[1:])
    if c_programs.compiler() is None:
        print("skipped: there is no C compiler (cc) to build the neutral server with")
        return 0
    BUILD.mkdir(exist_ok=True)
    try:
        _compare(options)
    except (c_programs.DoesNotCompile, ClientMissing, RunFailed) as exc:
        return _complain(str(exc))
    return 0


def _complain(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1


def _compare(options: Options) -> None:
    """Measure and print."""
    program = neutral_server.build(BUILD)
    installed = Installed(BUILD, Stream())
    facts = machine.facts() | versions() | {"rounds": str(options.rounds)}
    expected = _look_at_answers(installed, options)
    before = cpu_use.read()
    samples = _measure(program, installed, _steps(options), expected)
    facts["taken by others"] = cpu_use.disturbance(before, cpu_use.read())
    table = web_report.rows(samples, options.figures)
    print(web_report.text(table, facts, PLACEMENTS))
    if options.json:
        options.json.write_text(json.dumps(_as_json(samples, table, facts), indent=1) + "\n")


def _look_at_answers(installed: Installed, options: Options) -> dict[tuple[Client, str], int]:
    """How long each client's answers are, which also fills the caches. Raises RunFailed."""
    paths = {work.path: work for work in options.work}
    return {
        (client, path): len(installed.probe(client, work).answer)
        for client in options.clients
        for path, work in paths.items()
    }


def _steps(options: Options) -> list[Step]:
    """Everything to run, in order. Each round begins with another client."""
    return [
        Step(number, placement, work, client)
        for number in range(options.rounds)
        for placement in options.placements
        for work in options.work
        if work.name != "memory" or (number < 3 and placement == options.placements[0])
        for _ in range(work.repeats)
        for client in _rotated(options.clients, number)
        if client.does_work or work.name in ("start", "memory")
    ]


def _rotated(compared: Sequence[Client], by: int) -> list[Client]:
    first = by % len(compared)
    return [*compared[first:], *compared[:first]]


def _measure(
    program: Path,
    installed: Installed,
    steps: Sequence[Step],
    expected: dict[tuple[Client, str], int],
) -> list[Sample]:
    samples = []
    began = time.monotonic()
    for done, step in enumerate(steps):
        if done % 20 == 0 or sys.stderr.isatty():
            what = f"{step.placement}, {step.work.name}, {step.client.app}, {step.client.name}"
            print(f"[{done + 1}/{len(steps)}] {what}", file=sys.stderr, flush=True)
        samples.append(_run(program, installed, step, expected))
    print(f"measured in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return samples


def _run(
    program: Path,
    installed: Installed,
    step: Step,
    expected: dict[tuple[Client, str], int],
) -> Sample:
    client, work = step.client, step.work
    if work.name == "memory":
        memory = installed.probe(client, work, work.invocations).memory_mib
        return Sample(step.round, step.placement, client, work.name, None, memory)
    cpus = machine.cpus()
    try:
        measurement = neutral_server.measure(
            program,
            installed.command(client, work),
            run=Run(work.invocations, work.warmup, expected[client, work.path]),
            environment=installed.environment(client, work),
            folder=WEB,
            cpus=(cpus[0], cpus[1]) if step.placement == "split" else None,
        )
    except RunFailed as exc:
        raise RunFailed(f"{client.app}, {client.name}, {work.name}: {exc}") from exc
    return Sample(step.round, step.placement, client, work.name, measurement)


def _as_json(
    samples: Sequence[Sample], table: Sequence[web_report.Row], facts: dict[str, str]
) -> object:
    """Everything, for a program to read."""
    return {
        "facts": facts,
        "rows": [
            {
                "placement": row.placement,
                "figure": row.figure.title,
                "unit": row.figure.unit,
                "better": row.figure.better,
                "app": row.client.app,
                "behind": row.client.name,
                "median": row.median,
                "ratios_to_adapt": row.ratios,
                "median_difference_to_app_alone": statistics.median(row.differences)
                if row.differences
                else None,
            }
            for row in table
        ],
        "samples": [
            {
                "round": sample.round,
                "placement": sample.placement,
                "app": sample.client.app,
                "behind": sample.client.name,
                "work": sample.work,
                "memory_mib": sample.memory_mib,
                "measurement": sample.measurement._asdict() if sample.measurement else None,
            }
            for sample in samples
        ],
    }


def _parse(arguments: Sequence[str]) -> Options:
    """Read the command line; on a mistake, say so and exit."""
    apps = sorted({client.app.lower() for client in CLIENTS})
    keys = [figure.key for figure in FIGURES]
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0],
        epilog=f"figures: {', '.join(keys)}; apps: {', '.join(apps)}",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        help=f"how often each is run (default {DEFAULT_ROUNDS}, quick {QUICK_ROUNDS})",
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds and invocations")
    parser.add_argument("--placement", choices=["both", *PLACEMENTS], default="both")
    parser.add_argument("--only", metavar="FIGURE[,FIGURE]", help="measure these figures alone")
    parser.add_argument("--apps", metavar="APP[,APP]", help="run these apps alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement here")
    given = parser.parse_args(arguments)
    rounds = given.rounds or (QUICK_ROUNDS if given.quick else DEFAULT_ROUNDS)
    if rounds < 1:
        parser.error(f"--rounds is 1 or more, not {rounds}")
    if given.json and not given.json.resolve().parent.is_dir():
        parser.error(f"there is no folder {given.json.resolve().parent}")
    wanted = given.only.split(",") if given.only else keys
    wanted_apps = given.apps.split(",") if given.apps else apps
    for asked, there in ((wanted, keys), (wanted_apps, apps)):
        if unknown := sorted(set(asked) - set(there)):
            parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(there)}")
    placements = list(PLACEMENTS) if given.placement == "both" else [given.placement]
    if "split" in placements and len(machine.cpus()) < 2:
        print("placement split is skipped: it needs Linux and two CPUs", file=sys.stderr)
        placements = ["free"]
    return Options(
        rounds=rounds,
        is_quick=given.quick,
        placements=placements,
        figures=[figure for figure in FIGURES if figure.key in wanted],
        clients=[client for client in CLIENTS if client.app.lower() in wanted_apps],
        json=given.json,
    )


if __name__ == "__main__":
    stopping.run(main)
