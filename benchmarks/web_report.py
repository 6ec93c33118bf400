"""The figures of web apps, and the table of them.

Every figure is taken in each round; a client is compared with `adapt` on Penstock's own
runtime within the round, and its start with that of the app alone.
"""

import statistics
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from neutral_server import Measurement
from web_clients import ADAPT, ALONE, CLIENTS, OWN, Client


class Sample(NamedTuple):
    """One process: who did what, when and where."""

    round: int
    placement: str
    client: Client
    work: str
    measurement: Measurement | None  # None: only memory was taken
    memory_mib: float | None = None


class Figure(NamedTuple):
    """One number taken from one kind of work."""

    key: str
    title: str
    work: str
    unit: str
    digits: int
    better: str
    definition: str
    value: Callable[[Sample], float | None]


def _of(value: Callable[[Measurement], float | None]) -> Callable[[Sample], float | None]:
    return lambda sample: value(sample.measurement) if sample.measurement else None


FIGURES: Final = [
    Figure(
        "first-byte",
        "first byte of a stream",
        "stream",
        "us",
        0,
        "lower",
        "from just before /next is answered to the first byte of the response body being read; "
        "the app sends 20 chunks of 16 bytes and waits 1 ms behind each; median over invocations",
        _of(lambda m: m.first_byte_us),
    ),
    Figure(
        "whole-stream",
        "whole stream",
        "stream",
        "us",
        0,
        "lower",
        "the same to the last byte; 20 ms of it are the app's",
        _of(lambda m: m.body_us),
    ),
    Figure(
        "requests",
        "small requests",
        "json",
        "/s",
        0,
        "higher",
        "invocations, back to back, per second of wall-clock time; the app answers a small JSON "
        "object",
        _of(lambda m: m.invocations / m.seconds),
    ),
    Figure(
        "latency",
        "small request",
        "json",
        "us",
        0,
        "lower",
        "from just before /next is answered to the last byte of that answer; median over "
        "invocations",
        _of(lambda m: m.body_us),
    ),
    Figure(
        "start-next",
        "start to first /next",
        "start",
        "ms",
        1,
        "lower",
        "from just before the process is started to its first GET /next being read; files and "
        "byte code are cached; median of the round's processes",
        _of(lambda m: m.start_to_next_ms),
    ),
    Figure(
        "start-first-byte",
        "start to first byte",
        "start",
        "ms",
        1,
        "lower",
        "the same, on to the first body byte of the first invocation",
        _of(lambda m: m.start_to_first_byte_ms),
    ),
    Figure(
        "memory",
        "memory",
        "memory",
        "MiB",
        1,
        "lower",
        "resident memory of all processes after the small requests, what they share counted "
        "once; Linux only",
        lambda sample: sample.memory_mib,
    ),
]


class Row(NamedTuple):
    """One client's figure. `ratios` are to `adapt`, `differences` to the app alone."""

    placement: str
    figure: Figure
    client: Client
    median: float
    ratios: list[float]
    differences: list[float]


def rows(samples: Sequence[Sample], figures: Sequence[Figure]) -> list[Row]:
    """Every figure of every client, in the order of the report."""
    return [
        _row(samples, placement, figure, client)
        for placement in sorted({sample.placement for sample in samples})
        for figure in figures
        for client in CLIENTS
        if _by_round(samples, placement, figure, client)
    ]


def _row(samples: Sequence[Sample], placement: str, figure: Figure, client: Client) -> Row:
    values = _by_round(samples, placement, figure, client)
    adapt, alone = (
        _by_round(
            samples,
            placement,
            figure,
            next(c for c in CLIENTS if (c.app, c.name) == (client.app, name)),
        )
        for name in (ADAPT, _alone_beside(client))
    )
    ratios = [values[number] / adapt[number] for number in sorted(values.keys() & adapt.keys())]
    differences = [
        values[number] - alone[number] for number in sorted(values.keys() & alone.keys())
    ]
    return Row(placement, figure, client, statistics.median(values.values()), ratios, differences)


def _alone_beside(client: Client) -> str:
    """The row that has the same app under the same runtime, with nothing in between."""
    return ALONE if client.runtime == OWN else "app alone, under AWS's client"


def _by_round(
    samples: Sequence[Sample], placement: str, figure: Figure, client: Client
) -> dict[int, float]:
    values: dict[int, list[float]] = {}
    for sample in samples:
        if (sample.placement, sample.client, sample.work) == (placement, client, figure.work):
            value = figure.value(sample)
            if value is not None:
                values.setdefault(sample.round, []).append(value)
    return {number: statistics.median(some) for number, some in values.items()}


def text(table: Sequence[Row], facts: dict[str, str], placements: dict[str, str]) -> str:
    """The whole report, as Markdown that can be read as it is."""
    parts = ["\n".join(f"- {name}: {value}" for name, value in facts.items())]
    for placement in dict.fromkeys(row.placement for row in table):
        shown = [row for row in table if row.placement == placement]
        parts.append(f"{placements[placement]}\n\n{_table(shown)}")
    figures = dict.fromkeys(row.figure for row in table)
    parts.append(
        "\n".join(
            f"- **{figure.title}** ({figure.unit}, {figure.better} is better): {figure.definition}."
            for figure in figures
        )
    )
    return "\n\n".join(parts)


def _table(shown: Sequence[Row]) -> str:
    lines = [["figure", "better", "app", "behind", "median", "x adapt", "more than the app alone"]]
    lines += [_cells(row) for row in shown]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)


def _cells(row: Row) -> list[str]:
    figure, digits = row.figure, row.figure.digits
    ratio = difference = ""
    if row.ratios and row.client.name != ADAPT:
        ratio = f"{statistics.median(row.ratios):.2f} "
        ratio += f"({min(row.ratios):.2f} to {max(row.ratios):.2f})"
    if row.differences and row.client.does_work:
        difference = f"{statistics.median(row.differences):+.{digits}f} {figure.unit}"
    median = f"{row.median:,.{digits}f} {figure.unit}"
    return [
        *(figure.title, figure.better, row.client.app, row.client.name),
        *(median, ratio, difference),
    ]
