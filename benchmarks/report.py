"""From measurements to a table: per-round ratios, their median and their range."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from figures import FIGURES, Figure
from neutral_server import Measurement

YARDSTICK: Final = "Node.js"


class Sample(NamedTuple):
    """One measurement: who did what, when and where."""

    round: int
    placement: str
    client: str
    scenario: str
    measurement: Measurement


class Row(NamedTuple):
    """One client's figure, and its ratio to the yardstick if that was measured."""

    placement: str
    figure: Figure
    client: str
    median: float
    ratios: list[float]


def rows(samples: Sequence[Sample]) -> list[Row]:
    """Every figure of every client, in the order of the report."""
    return [
        _row(samples, placement, figure, client)
        for placement in _in_order(sample.placement for sample in samples)
        for figure in FIGURES
        for client in _in_order(sample.client for sample in samples)
        if _by_round(samples, placement, figure, client)
    ]


def _in_order(names: Iterator[str]) -> list[str]:
    # The order in which clients are measured changes from round to round.
    return sorted(set(names), key=lambda name: (name != YARDSTICK, name))


def _row(samples: Sequence[Sample], placement: str, figure: Figure, client: str) -> Row:
    values = _by_round(samples, placement, figure, client)
    yardstick = _by_round(samples, placement, figure, YARDSTICK)
    ratios = [values[n] / yardstick[n] for n in sorted(values) if n in yardstick]
    return Row(placement, figure, client, statistics.median(values.values()), ratios)


def _by_round(
    samples: Sequence[Sample], placement: str, figure: Figure, client: str
) -> dict[int, float]:
    """A figure's value per round; the median where a round has several processes."""
    values: dict[int, list[float]] = {}
    for sample in samples:
        if (sample.placement, sample.client) != (placement, client):
            continue
        if sample.scenario == figure.scenario:
            values.setdefault(sample.round, []).append(figure.value(sample.measurement))
    return {number: statistics.median(some) for number, some in values.items()}


def text(table: Sequence[Row], facts: dict[str, str], placements: dict[str, str]) -> str:
    """The report as Markdown."""
    parts = ["\n".join(f"- {name}: {value}" for name, value in facts.items())]
    for placement in dict.fromkeys(row.placement for row in table):
        shown = [row for row in table if row.placement == placement]
        parts.append(f"{placements[placement]}\n\n{_table(shown)}")
    parts.append("How each figure is defined:\n\n" + "\n".join(_definitions()))
    return "\n\n".join(parts)


def _definitions() -> list[str]:
    return [f"- **{f.title}** ({f.unit}, {f.better} is better): {f.definition}." for f in FIGURES]


def _table(shown: Sequence[Row]) -> str:
    lines = [
        ["figure", "better", "client", "median", f"x {YARDSTICK}: median", "min", "max"],
        *(_cells(row) for row in shown),
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(_markdown_line(line, widths) for line in lines)


def _cells(row: Row) -> list[str]:
    median = f"{row.median:,.{row.figure.digits}f} {row.figure.unit}"
    cells = [row.figure.title, row.figure.better, row.client, median]
    if row.client == YARDSTICK or not row.ratios:
        return [*cells, "", "", ""]
    spread = (statistics.median(row.ratios), min(row.ratios), max(row.ratios))
    return [*cells, *(f"{ratio:.2f}" for ratio in spread)]


def _markdown_line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"


def as_json(samples: Sequence[Sample], table: Sequence[Row], facts: dict[str, str]) -> object:
    """Everything, for a program to read."""
    return {
        "facts": facts,
        "figures": {
            f.title: {"unit": f.unit, "better": f.better, "definition": f.definition}
            for f in FIGURES
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
        "samples": [
            sample._asdict() | {"measurement": sample.measurement._asdict()} for sample in samples
        ],
    }
