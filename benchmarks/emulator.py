"""Compares Penstock's emulator with AWS's own, with bare fronts in C and in Python, and with
ASGI servers.

All have the same runtime behind them and the same caller in front. Every round runs every one
of them once, beginning with another one each time; ratios are taken within a round. Nothing is
judged: what comes out is printed, beside what we aim at. Only an answer that is not whole, or a
front that fails, is an error.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import c_programs
import concurrent_streams
import cpu_use
import fronts
import machine
import stopping
from clients import BENCHMARKS
from fronts import (
    EMULATOR,
    FUNCTION_URL,
    INVOKE,
    INVOKE_STREAM,
    PYTHON,
    RIE,
    UVICORN,
    UVLOOP,
    C,
    Measured,
)
from installing import ClientMissing
from neutral_server import RunFailed

BUILD: Final = BENCHMARKS / ".build"
DEFAULT_ROUNDS: Final = 7
PLACEMENTS: Final = {
    "free": "**free**: the system places front, runtime and caller.",
    "split": "**split**: the front has one CPU; runtime and caller share the other.",
}
STREAMED: Final = f"{EMULATOR}, InvokeWithResponseStream"


class Way(NamedTuple):
    """A front, and the door of it that is called."""

    name: str
    front: str
    request: str


INVOKING: Final = [Way(name, name, INVOKE) for name in (EMULATOR, RIE, C, PYTHON, UVICORN)]
STREAMING: Final = [
    Way(EMULATOR, EMULATOR, FUNCTION_URL),
    Way(STREAMED, EMULATOR, INVOKE_STREAM),
    *(Way(name, name, INVOKE) for name in (C, PYTHON, UVICORN, UVLOOP)),
]


class Figure(NamedTuple):
    """One number, and what it is taken from."""

    key: str
    title: str
    unit: str
    digits: int
    definition: str
    ways: list[Way]
    runtime: str
    chunks: int
    chunk_size: int
    calls: int
    warmup: int
    value: Callable[[Measured], float]


_FIRST_BYTE: Final = "From the request being sent to the first byte of the body being read, median"

FIGURES: Final = [
    Figure(
        *("small", "small calls", "/s", 0),
        "Calls of Invoke, one after the other on one connection, per second; awslambdaric "
        "behind all, with a handler that returns a small JSON object",
        *(INVOKING, "awslambdaric", 1, 16, 3000, 500),
        lambda seen: seen.calls / seen.seconds,
    ),
    Figure(
        *("rate", "64 MiB stream", "MB/s", 0),
        "1024 chunks of 64 KiB, from the request being sent to the end of the answer, median; "
        "the reference client in C behind all",
        *(STREAMING, C, 1024, 65536, 12, 3),
        lambda seen: 67.108864 / seen.total_us * 1e6,
    ),
    Figure(
        *("first-byte", "first byte", "us", 0),
        f"{_FIRST_BYTE}; a stream of one chunk of 16 bytes, by the reference client in C",
        *(STREAMING, C, 1, 16, 3000, 500),
        lambda seen: seen.first_byte_us,
    ),
    Figure(
        *("first-byte-python", "first byte, from Python", "us", 0),
        f"{_FIRST_BYTE}; the same stream by a Python handler on Penstock's runtime",
        *(STREAMING, "penstock", 1, 16, 3000, 500),
        lambda seen: seen.first_byte_us,
    ),
]


class Aim(NamedTuple):
    """A ratio that we want: at least so much, or at most."""

    key: str
    way: str
    compared_with: str
    placement: str
    ratio: float
    is_least: bool

    @property
    def wanted(self) -> str:
        """In signs."""
        return f"{'>=' if self.is_least else '<='} {self.ratio:g}"


# The numbers are those of prototypes that did less than an emulator does.
AIMS: Final = [
    Aim("small", EMULATOR, RIE, "split", 1.3, True),
    Aim("small", EMULATOR, RIE, "free", 1.7, True),
    *(Aim("rate", EMULATOR, C, placement, 0.7, True) for placement in PLACEMENTS),
    *(Aim("rate", EMULATOR, UVICORN, placement, 3.0, True) for placement in PLACEMENTS),
    *(Aim("first-byte", EMULATOR, C, placement, 1.3, False) for placement in PLACEMENTS),
    *(Aim("first-byte-python", EMULATOR, C, placement, 1.3, False) for placement in PLACEMENTS),
]

Values = dict[tuple[str, str, str], list[float]]  # by placement, figure and way, one a round


def main() -> int:
    """Run the command line. Returns the exit status."""
    options = _parse(sys.argv[1:])
    if c_programs.compiler() is None:
        print("skipped: there is no C compiler (cc) to build the caller with")
        return 0
    BUILD.mkdir(exist_ok=True)
    try:
        _compare(options)
    except (c_programs.DoesNotCompile, ClientMissing, RunFailed) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


def _compare(options: argparse.Namespace) -> None:
    needed = {way.front for figure in options.figures for way in figure.ways}
    installed = fronts.install(BUILD, [name for name in fronts.FRONTS if name in needed])
    facts = machine.facts() | {"rounds": str(options.rounds)}
    before = cpu_use.read()
    began = time.monotonic()
    values: Values = {}
    for number in range(options.rounds):
        for placement in options.placements:
            for figure in options.figures:
                _measure(installed, figure, placement, number, options, values)
    idle = _idle_streams(options) if options.idle else None
    facts["taken by others"] = cpu_use.disturbance(before, cpu_use.read())
    print(f"measured in {time.monotonic() - began:.0f} s", file=sys.stderr)
    print("\n".join(f"- {name}: {value}" for name, value in facts.items()))
    for placement in options.placements:
        print(f"\n{PLACEMENTS[placement]}\n\n{_table(values, placement)}")
    print(f"\n{_aims(values)}\n")
    for figure in options.figures:
        print(f"- **{figure.title}** ({figure.unit}): {figure.definition}.")
    if idle is not None:
        print(f"- **{options.streams} idle streams**: the emulator {idle.before};")
        print(f"  with the streams {idle.most}; afterwards {idle.after[-1]}.")
    if options.json:
        rows = [
            {"placement": placement, "figure": key, "way": way, "values": each}
            for (placement, key, way), each in values.items()
        ]
        everything = {"facts": facts, "rows": rows, "idle": idle._asdict() if idle else None}
        options.json.write_text(json.dumps(everything, indent=1) + "\n")


def _measure(
    installed: fronts.Installed,
    figure: Figure,
    placement: str,
    number: int,
    options: argparse.Namespace,
    values: Values,
) -> None:
    """Run every way once."""
    ways = [way for way in figure.ways if way.front in installed.fronts]
    first = number % len(ways)
    share = 10 if options.quick else 1
    cpus = machine.cpus()
    for way in [*ways[first:], *ways[:first]]:
        print(f"{number + 1}: {placement}, {figure.title}, {way.name}", file=sys.stderr)
        work = fronts.Work(
            way.request,
            figure.chunks,
            figure.chunk_size,
            max(1, figure.calls // share),
            figure.warmup // share,
            figure.runtime,
        )
        place = (cpus[1], cpus[0]) if placement == "split" else None
        seen = fronts.measure(installed, way.front, work, place)
        values.setdefault((placement, figure.key, way.name), []).append(figure.value(seen))


def _idle_streams(options: argparse.Namespace) -> concurrent_streams.Seen | None:
    if sys.platform != "linux":
        return None
    print(f"{options.streams} idle streams", file=sys.stderr)
    return concurrent_streams.run(
        streams=options.streams,
        chunks=2,
        pause=2 if options.quick else 8,
        environments=8,
        concurrency=-(-options.streams // 8),
    )


def _table(values: Values, placement: str) -> str:
    lines = ["| figure | front | median | x RIE | x C | x uvicorn |", "| --- " * 6 + "|"]
    for (place, key, way), each in values.items():
        if place != placement:
            continue
        figure = next(figure for figure in FIGURES if figure.key == key)
        cells = [figure.title, way, f"{statistics.median(each):,.{figure.digits}f} {figure.unit}"]
        for other in (RIE, C, UVICORN):
            ratios = _ratios(values, placement, key, way, other)
            if not ratios or other == way:
                cells.append("")
                continue
            told = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            cells.append(told)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _ratios(values: Values, placement: str, key: str, way: str, other: str) -> list[float]:
    """Those of each round; none if either was not measured."""
    ours, theirs = (values.get((placement, key, name), []) for name in (way, other))
    return [a / b for a, b in zip(ours, theirs, strict=True)] if ours and theirs else []


def _aims(values: Values) -> str:
    lines = ["| figure | placement | compared with | aim | seen | reached |", "| --- " * 6 + "|"]
    for aim in AIMS:
        ratios = _ratios(values, aim.placement, aim.key, aim.way, aim.compared_with)
        if not ratios:
            continue
        seen = statistics.median(ratios)
        is_reached = seen >= aim.ratio if aim.is_least else seen <= aim.ratio
        title = next(figure.title for figure in FIGURES if figure.key == aim.key)
        lines.append(
            f"| {title} | {aim.placement} | {aim.compared_with} | {aim.wanted} | {seen:.2f} | "
            f"{'yes' if is_reached else 'no'} |"
        )
    return "\n".join(lines)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; on a mistake, say so and exit."""
    keys = [*(figure.key for figure in FIGURES), "idle"]
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0], epilog=f"figures: {', '.join(keys)}"
    )
    parser.add_argument("--rounds", type=int, help=f"default {DEFAULT_ROUNDS}, quick 1")
    parser.add_argument(
        "--quick", action="store_true", help="one round, free, of a tenth of the calls"
    )
    parser.add_argument("--placement", choices=["both", *PLACEMENTS])
    parser.add_argument("--only", metavar="FIGURE[,FIGURE]", help="measure these figures alone")
    parser.add_argument("--streams", type=int, help="how many idle ones (default 500, quick 40)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every value here")
    options = parser.parse_args(arguments)
    wanted = options.only.split(",") if options.only else keys
    if unknown := sorted(set(wanted) - set(keys)):
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(keys)}")
    options.figures = [figure for figure in FIGURES if figure.key in wanted]
    options.idle = "idle" in wanted
    options.rounds = options.rounds or (1 if options.quick else DEFAULT_ROUNDS)
    options.streams = options.streams or (40 if options.quick else 500)
    options.placement = options.placement or ("free" if options.quick else "both")
    options.placements = [*PLACEMENTS] if options.placement == "both" else [options.placement]
    can_split = len(machine.cpus()) > 1 and fronts.can_be_placed()
    if "split" in options.placements and not can_split:
        print("placement split is skipped: it needs Linux, two CPUs, taskset", file=sys.stderr)
        options.placements = ["free"]
    return options


if __name__ == "__main__":
    stopping.run(main)
