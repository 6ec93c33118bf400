"""Compares Penstock's runtime with AWS's own Node.js runtime client, side by side.

Both run the same work under the same neutral Runtime API server. Every round runs every
client once, and what is reported is the ratio within a round, so that a machine that gets
slower or faster meanwhile does not change the answer. Nothing is judged: what comes out is
printed. Only a wrong byte count or a runtime that fails is an error.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import clients
import cpu_use
import neutral_server
import report
from clients import BENCHMARKS, HANDLERS, Client, ClientMissing
from figures import Scenario, scenarios
from neutral_server import Run, RunFailed
from report import Sample

BUILD: Final = BENCHMARKS / ".build"
DEFAULT_ROUNDS: Final = 9
QUICK_ROUNDS: Final = 2
PLACEMENTS: Final = {
    "free": "**free**: the system places server and runtime; both sleep while they wait.",
    "split": "**split**: server and runtime have a CPU each; the server never sleeps.",
}
EXAMPLES: Final = """\
examples:
  python benchmarks/runtime_clients.py                 # everything, under 5 minutes
  python benchmarks/runtime_clients.py --quick         # a first look, under a minute
  python benchmarks/runtime_clients.py --rounds 15 --placement split
  python benchmarks/runtime_clients.py --json results.json

The first run installs the official Node.js client into benchmarks/node/node_modules,
which takes about a minute more. Without a C compiler nothing is measured; without npm
only Penstock is.
"""


class Step(NamedTuple):
    """One process to measure."""

    round: int
    placement: str
    scenario: Scenario
    client: Client


def main() -> int:
    """Run the command line. Returns the exit status."""
    options = _parse(sys.argv[1:])
    if neutral_server.compiler() is None:
        print("skipped: there is no C compiler (cc) to build the neutral server with")
        return 0
    BUILD.mkdir(exist_ok=True)
    try:
        program = neutral_server.build(BUILD)
        compared = _compared_clients()
        placements = _possible_placements(options.placement)
        work = scenarios(options.quick)
        facts = _facts(compared, options.rounds)
        _fill_caches(program, compared, work[0])
        before = cpu_use.read()
        samples = _measure(program, _steps(options.rounds, placements, work, compared))
    except subprocess.CalledProcessError as exc:
        return _complain(f"the neutral server does not compile: {exc}")
    except (ClientMissing, RunFailed) as exc:
        return _complain(str(exc))
    except KeyboardInterrupt:
        return _complain("stopped")
    facts["taken by others"] = cpu_use.disturbance(before, cpu_use.read())
    table = report.rows(samples)
    print(report.text(table, facts, PLACEMENTS))
    if options.json:
        options.json.write_text(json.dumps(report.as_json(samples, table, facts), indent=1) + "\n")
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0],
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--rounds",
        type=_positive,
        help=f"how often every client is run (default {DEFAULT_ROUNDS}, quick {QUICK_ROUNDS})",
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds and invocations")
    parser.add_argument(
        "--placement",
        choices=["both", *PLACEMENTS],
        default="both",
        help="who decides on which CPU things run: free, the system; split, a CPU each",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement here")
    options = parser.parse_args(arguments)
    if options.json and not options.json.resolve().parent.is_dir():
        parser.error(f"there is no folder {options.json.resolve().parent}")
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else DEFAULT_ROUNDS)
    return options


def _positive(number: str) -> int:
    value = int(number)
    if value < 1:
        raise ValueError(number)
    return value


def _complain(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1


def _compared_clients() -> list[Client]:
    compared = clients.penstock_clients(BUILD)
    try:
        compared.append(clients.node_client(BUILD))
    except ClientMissing as exc:
        print(f"the Node.js side is skipped, so there are no ratios: {exc}", file=sys.stderr)
    return compared


def _cpus() -> list[int]:
    if sys.platform == "linux":
        return sorted(os.sched_getaffinity(0))
    return []


def _possible_placements(wanted: str) -> list[str]:
    chosen = list(PLACEMENTS) if wanted == "both" else [wanted]
    if "split" in chosen and len(_cpus()) < 2:
        print("placement split is skipped: it needs Linux and two CPUs", file=sys.stderr)
        chosen.remove("split")
    return chosen or ["free"]


def _steps(
    rounds: int, placements: Sequence[str], work: Sequence[Scenario], compared: Sequence[Client]
) -> list[Step]:
    """Everything to run, in order. Each round begins with another client."""
    return [
        Step(number, placement, scenario, client)
        for number in range(rounds)
        for placement in placements
        for scenario in work
        for _ in range(scenario.repeats)
        for client in _rotated(compared, number)
        if client.can_run(scenario)
    ]


def _rotated(compared: Sequence[Client], by: int) -> list[Client]:
    first = by % len(compared)
    return [*compared[first:], *compared[:first]]


def _fill_caches(program: Path, compared: Sequence[Client], scenario: Scenario) -> None:
    """Run every client once unmeasured: byte code is written, files are in memory."""
    for client in compared:
        _run(program, Step(0, "free", scenario, client))


def _measure(program: Path, steps: Sequence[Step]) -> list[Sample]:
    samples = []
    began = time.monotonic()
    for done, step in enumerate(steps):
        _show_progress(done, len(steps), began, step)
        samples.append(_run(program, step))
    print(f"\nmeasured in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return samples


def _show_progress(done: int, total: int, began: float, step: Step) -> None:
    what = f"round {step.round + 1}, {step.placement}, {step.scenario.name}, {step.client.name}"
    seconds = time.monotonic() - began
    left = f", about {seconds / done * (total - done):.0f} s left" if done > 9 else ""
    line = f"[{done + 1}/{total}] {what}{left}"
    if sys.stderr.isatty():
        print(f"\r{line:<79}", end="", file=sys.stderr, flush=True)
    elif done % 20 == 0:
        print(line, file=sys.stderr, flush=True)


def _run(program: Path, step: Step) -> Sample:
    scenario, client = step.scenario, step.client
    cpus = _cpus()
    try:
        measurement = neutral_server.measure(
            program,
            client.command,
            run=Run(
                invocations=scenario.invocations,
                warmup=scenario.warmup,
                expected_bytes=client.expected_bytes(scenario),
                read_pause_us=scenario.read_pause_us,
            ),
            environment=client.environment_for(scenario),
            folder=HANDLERS,
            cpus=(cpus[0], cpus[1]) if step.placement == "split" else None,
        )
    except RunFailed as exc:
        raise RunFailed(f"{client.name}, {scenario.name}, {step.placement}: {exc}") from exc
    return Sample(step.round, step.placement, client.name, scenario.name, measurement)


def _facts(compared: Sequence[Client], rounds: int) -> dict[str, str]:
    facts = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{platform.system()} {platform.release()}, {platform.machine()}, "
        f"{_processor()}",
        "CPUs": f"{len(_cpus()) or os.cpu_count()} of {os.cpu_count()} usable",
        "C compiler": f"{neutral_server.compiler()}",
        "Python": platform.python_version(),
        "Penstock": clients.penstock_version(compared[0]),
    }
    if git := shutil.which("git"):
        facts["commit"] = _commit(git)
    for client in compared:
        if client.name == report.YARDSTICK:
            facts |= clients.node_versions(client)
    return facts | {"rounds": str(rounds)}


def _commit(git: str) -> str:
    described = subprocess.run(
        [git, "describe", "--always", "--dirty", "--tags"],
        cwd=BENCHMARKS,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "none"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"


if __name__ == "__main__":
    sys.exit(main())
