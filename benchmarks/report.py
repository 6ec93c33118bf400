"""From measurements to rows: per-round ratios, their median and their range."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from figures import FIGURES, Figure
from neutral_server import Measurement
from scenarios import AWSLAMBDARIC, NODE, C

#: Who the others are compared with. One of them is compared with those before it only.
YARDSTICKS: Final = (NODE, AWSLAMBDARIC, C)


class Sample(NamedTuple):
    """One measurement: who did what, when and where."""

    round: int
    placement: str
    client: str
    scenario: str
    measurement: Measurement


class Row(NamedTuple):
    """One client's figure, and how it compares with each yardstick, round by round."""

    placement: str
    figure: Figure
    client: str
    median: float
    ratios: dict[str, list[float]]
    differences: dict[str, list[float]]


def rows(samples: Sequence[Sample], figures: Sequence[Figure] = FIGURES) -> list[Row]:
    """Every figure of every client, in the order of the report."""
    placements = sorted({sample.placement for sample in samples})
    # The order in which clients are measured changes from round to round.
    clients = sorted({sample.client for sample in samples}, key=_place)
    return [
        _row(samples, placement, figure, client)
        for placement in placements
        for figure in figures
        for client in clients
        if _by_round(samples, placement, figure, client)
    ]


def _place(client: str) -> tuple[int, str]:
    return (YARDSTICKS.index(client) if client in YARDSTICKS else len(YARDSTICKS), client)


def _row(samples: Sequence[Sample], placement: str, figure: Figure, client: str) -> Row:
    values = _by_round(samples, placement, figure, client)
    yardsticks = {
        yardstick: found
        for yardstick in YARDSTICKS[: _place(client)[0]]
        if (found := _by_round(samples, placement, figure, yardstick))
    }
    return Row(
        placement,
        figure,
        client,
        statistics.median(values.values()),
        _compared(values, yardsticks, lambda value, yardstick: value / yardstick),
        _compared(values, yardsticks, lambda value, yardstick: value - yardstick),
    )


def _compared(
    values: dict[int, float],
    yardsticks: dict[str, dict[int, float]],
    compare: Callable[[float, float], float],
) -> dict[str, list[float]]:
    return {
        name: [compare(values[number], found[number]) for number in sorted(values.keys() & found)]
        for name, found in yardsticks.items()
        if values.keys() & found
    }


def _by_round(
    samples: Sequence[Sample], placement: str, figure: Figure, client: str
) -> dict[int, float]:
    """A figure's value per round; the median where a round has several processes."""
    values: dict[int, list[float]] = {}
    for sample in samples:
        if (sample.placement, sample.client) != (placement, client):
            continue
        value = figure.value(sample.measurement) if sample.scenario == figure.scenario else None
        if value is not None:
            values.setdefault(sample.round, []).append(value)
    return {number: statistics.median(some) for number, some in values.items()}


def figures_of(table: Iterable[Row]) -> list[Figure]:
    """The figures that a table shows."""
    return list({row.figure.key: row.figure for row in table}.values())
