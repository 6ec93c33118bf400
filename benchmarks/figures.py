"""What is measured: the scenarios that runtimes go through and the figures taken from them.

A scenario is work that a handler does, under the same name in both handler files. A
figure is one number of a scenario's measurement, with the words that define it.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from neutral_server import Measurement

BLOCK_SIZE: Final = 65536  # as in the handlers
SMALL_BYTES: Final = 16
STREAMED_BLOCKS: Final = 3200  # 200 MiB, the most that Lambda lets a function stream
MIB: Final = 1 << 20


class Scenario(NamedTuple):
    """Work for a runtime. `blocks` is for handlers that write blocks of BLOCK_SIZE."""

    name: str
    handler: str
    invocations: int
    warmup: int = 0
    blocks: int = 0
    read_pause_us: int = 0
    repeats: int = 1  # processes per client and round


class Figure(NamedTuple):
    """One number taken from one scenario."""

    title: str
    scenario: str
    unit: str
    digits: int
    better: str
    definition: str
    value: Callable[[Measurement], float]


def scenarios(quick: bool) -> list[Scenario]:
    """All scenarios; with `quick` fewer invocations, but the same work in each."""
    small = 500 if quick else 1500
    # V8 goes on optimising for a long time: with less warm-up Node.js looks slower than it is.
    return [
        Scenario("start", "one_chunk", invocations=1, repeats=3),
        Scenario("small", "one_chunk", invocations=small, warmup=2000),
        Scenario("buffered", "buffered", invocations=small, warmup=2000),
        Scenario("blocks", "same_block", invocations=4 if quick else 12, warmup=10, blocks=1024),
        Scenario("large", "new_blocks", invocations=1, blocks=STREAMED_BLOCKS),
        Scenario(
            "slow reader", "new_blocks", invocations=1, blocks=STREAMED_BLOCKS, read_pause_us=1000
        ),
    ]


def _per_second(m: Measurement) -> float:
    return m.invocations / m.seconds


def _peak_memory_mib(m: Measurement) -> float:
    return m.peak_memory_kib / 1024


FIGURES: Final = [
    Figure(
        title="first byte",
        scenario="small",
        unit="us",
        digits=0,
        better="lower",
        definition="from just before /next is answered to the first byte of the response body "
        "being read; handler writes one chunk of 16 bytes; median over invocations",
        value=lambda m: m.first_byte_us,
    ),
    Figure(
        title="small streamed invocations",
        scenario="small",
        unit="/s",
        digits=0,
        better="higher",
        definition="invocations of the same handler, back to back, per second of wall-clock time",
        value=_per_second,
    ),
    Figure(
        title="small buffered invocations",
        scenario="buffered",
        unit="/s",
        digits=0,
        better="higher",
        definition="the same for a handler that returns a small JSON object and does not stream",
        value=_per_second,
    ),
    Figure(
        title="throughput, 64 KiB writes",
        scenario="blocks",
        unit="MB/s",
        digits=0,
        better="higher",
        definition="64 MiB in 1024 writes; bytes divided by the time from just before /next is "
        "answered to the last byte being read; median over invocations",
        value=lambda m: m.bytes / m.invocations / m.body_us,
    ),
    Figure(
        title="peak memory, 200 MiB",
        scenario="large",
        unit="MiB",
        digits=1,
        better="lower",
        definition="largest resident set of the process, which streams 200 MiB once, in 64 KiB "
        "writes, each of a new buffer",
        value=_peak_memory_mib,
    ),
    Figure(
        title="peak memory, slow reader",
        scenario="slow reader",
        unit="MiB",
        digits=1,
        better="lower",
        definition="the same while the server pauses for 1 ms after each read of up to 256 KiB",
        value=_peak_memory_mib,
    ),
    Figure(
        title="start to first /next",
        scenario="start",
        unit="ms",
        digits=1,
        better="lower",
        definition="from just before the process is started to its first GET /next being read; "
        "files and byte code are cached; median of 3 processes per round",
        value=lambda m: m.start_to_next_ms,
    ),
    Figure(
        title="start to first byte",
        scenario="start",
        unit="ms",
        digits=1,
        better="lower",
        definition="the same, on to the first body byte of the first invocation (16 bytes), so "
        "that work which is put off until then counts too",
        value=lambda m: m.start_to_first_byte_ms,
    ),
]
