"""The command line: what to run, how often and where."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from figures import FIGURES, Figure
from scenarios import (
    ASYNC,
    AWSLAMBDARIC,
    JOINED,
    NODE,
    SYNC,
    TAKEOVER_ASYNC,
    TAKEOVER_SYNC,
    C,
    Scenario,
    scenarios,
)

DEFAULT_ROUNDS: Final = 9
QUICK_ROUNDS: Final = 2
PLACEMENTS: Final = ("free", "split")
CLIENTS: Final = {
    "node": NODE,
    "awslambdaric": AWSLAMBDARIC,
    "c": C,
    "penstock-async": ASYNC,
    "penstock-joined": JOINED,
    "penstock-sync": SYNC,
    "takeover-async": TAKEOVER_ASYNC,
    "takeover-sync": TAKEOVER_SYNC,
}
EXAMPLES: Final = f"""\
figures: {", ".join(figure.key for figure in FIGURES)}
clients: {", ".join(CLIENTS)}
A name's beginning, up to a dash, stands for all that begin so: start, penstock, takeover.

examples:
  python benchmarks/runtime_clients.py                 # everything, under 8 minutes
  python benchmarks/runtime_clients.py --quick         # a first look, under a minute
  python benchmarks/runtime_clients.py --only first-byte --placement split --rounds 5
  python benchmarks/runtime_clients.py --only burst --clients node,penstock
  python benchmarks/runtime_clients.py --json results.json

The first run installs the official Node.js client into benchmarks/node/node_modules, which
takes about a minute more, and AWS's Python client. A client that cannot be installed is left
out, and so are the ratios to it. Without a C compiler nothing is measured.
"""


class Options(NamedTuple):
    """What was asked for."""

    rounds: int
    placements: list[str]
    figures: list[Figure]
    clients: list[str]
    work: list[Scenario]
    json: Path | None


def parse(arguments: Sequence[str], description: str) -> Options:
    """Read the command line; on a mistake, say so and exit."""
    parser = argparse.ArgumentParser(
        description=description,
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
    parser.add_argument("--only", metavar="FIGURE[,FIGURE]", help="measure these figures alone")
    parser.add_argument("--clients", metavar="CLIENT[,CLIENT]", help="run these clients alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement here")
    given = parser.parse_args(arguments)
    if given.json and not given.json.resolve().parent.is_dir():
        parser.error(f"there is no folder {given.json.resolve().parent}")
    figures = {figure.key: figure for figure in FIGURES}
    try:
        chosen = [figures[key] for key in _chosen("--only", given.only, list(figures))]
        clients = [CLIENTS[key] for key in _chosen("--clients", given.clients, list(CLIENTS))]
    except ValueError as exc:
        parser.error(str(exc))
    work = _work(chosen, clients, given.quick)
    if not work:
        parser.error(f"none of these figures is taken from {', '.join(clients)}")
    return Options(
        rounds=given.rounds or (QUICK_ROUNDS if given.quick else DEFAULT_ROUNDS),
        placements=list(PLACEMENTS) if given.placement == "both" else [given.placement],
        figures=chosen,
        clients=[name for name in clients if any(name in scenario.clients for scenario in work)],
        work=work,
        json=given.json,
    )


def _positive(number: str) -> int:
    value = int(number)
    if value < 1:
        raise ValueError(number)
    return value


def _chosen(option: str, given: str | None, names: Sequence[str]) -> list[str]:
    """The names that were asked for, in their own order; all if nothing was given."""
    if given is None:
        return list(names)
    wanted = [part.strip() for part in given.split(",")]
    for part in wanted:
        if not any(_stands_for(part, name) for name in names):
            raise ValueError(f"{option}: there is no {part!r}; there are {', '.join(names)}")
    return [name for name in names if any(_stands_for(part, name) for part in wanted)]


def _stands_for(part: str, name: str) -> bool:
    return name == part or name.startswith(f"{part}-")


def _work(figures: Sequence[Figure], clients: Sequence[str], quick: bool) -> list[Scenario]:
    """The scenarios that these figures need, with these clients only."""
    needed = {figure.scenario for figure in figures}
    narrowed = [
        scenario._replace(clients=tuple(name for name in scenario.clients if name in clients))
        for scenario in scenarios(quick)
        if scenario.name in needed
    ]
    return [scenario for scenario in narrowed if scenario.clients]
