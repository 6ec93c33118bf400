"""What we want to reach: ratios to another client, and whether a run shows them.

The numbers are what prototypes of each design reached under a server like this one, with room
for what a finished runtime does besides. They are aims, not limits: a run that misses one has
not failed.
"""

import statistics
from collections.abc import Sequence
from typing import Final, NamedTuple

from report import Row
from scenarios import ASYNC, AWSLAMBDARIC, JOINED, NODE, SYNC, C


class Aim(NamedTuple):
    """A client's ratio to another one, in the figure `key`; None: no aim in that placement."""

    key: str
    client: str
    compared_with: str
    free: float | None
    split: float | None


class Verdict(NamedTuple):
    """An aim beside what was seen in one placement."""

    title: str
    client: str
    compared_with: str
    placement: str
    wanted: str
    seen: float
    is_reached: bool


AIMS: Final = [
    Aim("first-byte", ASYNC, NODE, free=0.5, split=0.35),
    Aim("first-byte", SYNC, NODE, free=0.5, split=0.35),
    Aim("small-streamed", ASYNC, NODE, free=2.3, split=3.5),
    Aim("small-streamed", SYNC, NODE, free=2.3, split=3.5),
    Aim("small-buffered", SYNC, NODE, free=1.5, split=1.5),
    Aim("small-buffered", SYNC, AWSLAMBDARIC, free=1.2, split=1.2),
    Aim("large-buffered", SYNC, AWSLAMBDARIC, free=0.9, split=0.9),
    Aim("burst-total", JOINED, NODE, free=0.6, split=0.6),
    # Node.js joins the writes of one turn. A plain generator cannot be joined: nobody knows
    # whether its next item will block. So the kernel's price per write is the measure.
    Aim("burst-total", SYNC, C, free=None, split=1.25),
    Aim("turns", ASYNC, NODE, free=1.0, split=1.0),
    Aim("turns", JOINED, NODE, free=1.0, split=1.0),
    Aim("throughput-64-kib", ASYNC, NODE, free=1.25, split=1.25),
    Aim("throughput-64-kib", SYNC, NODE, free=1.25, split=1.25),
    Aim("throughput-64-kib", SYNC, C, free=None, split=0.85),
    Aim("throughput-1-mib", ASYNC, NODE, free=None, split=0.95),
    Aim("throughput-1-mib", SYNC, NODE, free=None, split=0.95),
    Aim("memory-200-mib", ASYNC, NODE, free=0.3, split=0.3),
    Aim("memory-200-mib", SYNC, NODE, free=0.2, split=0.2),
    Aim("memory-slow-reader", ASYNC, NODE, free=0.3, split=0.3),
    Aim("memory-slow-reader", SYNC, NODE, free=0.2, split=0.2),
    # asyncio alone costs more than all of AWS's client: an async handler cannot be level.
    Aim("start-next", ASYNC, AWSLAMBDARIC, free=1.55, split=1.55),
    Aim("start-next", SYNC, AWSLAMBDARIC, free=0.8, split=0.8),
    Aim("start-first-byte", SYNC, NODE, free=0.75, split=0.75),
]


def verdicts(table: Sequence[Row]) -> list[Verdict]:
    """Every aim for which the run has a ratio, in every placement that has one."""
    return [
        _verdict(row, aim, wanted)
        for aim in AIMS
        for row in table
        if (row.figure.key, row.client) == (aim.key, aim.client)
        if aim.compared_with in row.ratios
        for wanted in [{"free": aim.free, "split": aim.split}[row.placement]]
        if wanted is not None
    ]


def _verdict(row: Row, aim: Aim, wanted: float) -> Verdict:
    seen = statistics.median(row.ratios[aim.compared_with])
    is_lower_better = row.figure.better == "lower"
    return Verdict(
        title=row.figure.title,
        client=aim.client,
        compared_with=aim.compared_with,
        placement=row.placement,
        wanted=f"at {'most' if is_lower_better else 'least'} {wanted:.2f}",
        seen=seen,
        is_reached=seen <= wanted if is_lower_better else seen >= wanted,
    )
