"""Compares Penstock's runtime with AWS's own runtime clients, side by side.

All do the same work under the same neutral Runtime API server. Every round runs every client
once, and what is reported is the ratio within a round, so that a machine that gets slower or
faster meanwhile does not change the answer. Nothing is judged: what comes out is printed,
beside what we aim at. Only a wrong byte count or a runtime that fails is an error.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import aims
import c_programs
import clients
import command_line
import cpu_use
import machine
import markdown
import neutral_server
import report
import stopping
from clients import BENCHMARKS, HANDLERS, Client
from command_line import Options
from installing import ClientMissing
from neutral_server import Run, RunFailed
from report import Sample
from scenarios import Scenario

BUILD: Final = BENCHMARKS / ".build"
PLACEMENTS: Final = {
    "free": "**free**: the system places server and runtime; both sleep while they wait.",
    "split": "**split**: server and runtime have a CPU each; the server never sleeps.",
}


class Step(NamedTuple):
    """One process to measure."""

    round: int
    placement: str
    scenario: Scenario
    client: Client


def main() -> int:
    """Run the command line. Returns the exit status."""
    options = command_line.parse(sys.argv[1:], (__doc__ or "").partition("\n")[0])
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
    installed = clients.install(options.clients, BUILD)
    if not installed.clients:
        raise ClientMissing("there is no client to measure")
    placements = _possible_placements(options.placements)
    facts = machine.facts() | installed.facts | {"rounds": str(options.rounds)}
    _fill_caches(program, installed.clients, options.work)
    before = cpu_use.read()
    samples = _measure(program, _steps(options, placements, installed.clients))
    facts["taken by others"] = cpu_use.disturbance(before, cpu_use.read())
    table = report.rows(samples, options.figures)
    verdicts = aims.verdicts(table)
    print(markdown.text(table, verdicts, facts, PLACEMENTS))
    if options.json:
        everything = _as_json(samples, table, verdicts, facts)
        options.json.write_text(json.dumps(everything, indent=1) + "\n")


def _possible_placements(wanted: Sequence[str]) -> list[str]:
    if "split" in wanted and len(machine.cpus()) < 2:
        print("placement split is skipped: it needs Linux and two CPUs", file=sys.stderr)
        return ["free"]
    return list(wanted)


def _steps(options: Options, placements: Sequence[str], compared: Sequence[Client]) -> list[Step]:
    """Everything to run, in order. Each round begins with another client."""
    return [
        Step(number, placement, scenario, client)
        for number in range(options.rounds)
        for placement in placements
        for scenario in options.work
        if number < scenario.most_rounds
        for _ in range(scenario.repeats)
        for client in _rotated(compared, number)
        if client.name in scenario.clients
    ]


def _rotated(compared: Sequence[Client], by: int) -> list[Client]:
    first = by % len(compared)
    return [*compared[first:], *compared[:first]]


def _fill_caches(program: Path, compared: Sequence[Client], work: Sequence[Scenario]) -> None:
    """Run every client once unmeasured: byte code is written, files are in memory."""
    for client in compared:
        scenario = next(scenario for scenario in work if client.name in scenario.clients)
        _run(program, Step(0, "free", scenario._replace(invocations=1, warmup=0), client))


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
    cpus = machine.cpus()
    try:
        measurement = neutral_server.measure(
            program,
            client.command(scenario),
            run=Run(
                invocations=scenario.invocations,
                warmup=scenario.warmup,
                expected_bytes=client.expected_bytes(scenario),
                read_pause_us=scenario.read_pause_us,
            ),
            environment=client.environment(scenario),
            folder=HANDLERS,
            cpus=(cpus[0], cpus[1]) if step.placement == "split" else None,
        )
    except RunFailed as exc:
        raise RunFailed(f"{client.name}, {scenario.name}, {step.placement}: {exc}") from exc
    return Sample(step.round, step.placement, client.name, scenario.name, measurement)


def _as_json(
    samples: Sequence[Sample],
    table: Sequence[report.Row],
    verdicts: Sequence[aims.Verdict],
    facts: dict[str, str],
) -> object:
    """Everything, for a program to read."""
    return {
        "facts": facts,
        "figures": {
            figure.title: {
                "key": figure.key,
                "unit": figure.unit,
                "better": figure.better,
                "definition": figure.definition,
            }
            for figure in report.figures_of(table)
        },
        "rows": [
            {
                "placement": row.placement,
                "figure": row.figure.title,
                "client": row.client,
                "median": row.median,
                "ratios_by_round": row.ratios,
            }
            for row in table
        ],
        "aims": [verdict._asdict() for verdict in verdicts],
        "samples": [
            sample._asdict() | {"measurement": sample.measurement._asdict()} for sample in samples
        ],
    }


if __name__ == "__main__":
    stopping.run(main)
