"""The figures: numbers taken from scenarios, each with the words that define it."""

from collections.abc import Callable
from typing import Final, NamedTuple

from neutral_server import Measurement


class Figure(NamedTuple):
    """One number taken from one scenario."""

    key: str  # for the command line
    title: str
    scenario: str
    unit: str
    digits: int
    better: str
    definition: str
    value: Callable[[Measurement], float | None]
    shows_difference: bool = False  # beside the ratio


def _per_second(m: Measurement) -> float:
    return m.invocations / m.seconds


def _mb_per_second(m: Measurement) -> float:
    return m.bytes / m.invocations / m.body_us


def _peak_memory_mib(m: Measurement) -> float:
    return m.peak_memory_kib / 1024


_BURST: Final = (
    "100 chunks of 16 bytes that are ready at once: Penstock's handlers are generators, Node.js "
    "writes all in one turn of its event loop"
)
_THROUGHPUT: Final = (
    "bytes divided by the time from just before /next is answered to the last byte being read; "
    "median over invocations"
)
_START: Final = (
    "files and byte code are cached; median of the round's processes; awslambdaric has a plain "
    "handler, the others one that streams"
)

FIGURES: Final = [
    Figure(
        key="first-byte",
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
        key="small-streamed",
        title="small streamed invocations",
        scenario="small",
        unit="/s",
        digits=0,
        better="higher",
        definition="invocations, back to back, per second of wall-clock time; handler writes one "
        "chunk of 16 bytes",
        value=_per_second,
    ),
    Figure(
        key="cpu-small",
        title="CPU time, small streamed",
        scenario="small",
        unit="us",
        digits=0,
        better="lower",
        definition="CPU time of the runtime's process, all threads, user and system, for the small "
        "streamed invocations; mean per invocation (Linux only)",
        value=lambda m: m.cpu_us,
    ),
    Figure(
        key="small-buffered",
        title="small buffered invocations",
        scenario="message",
        unit="/s",
        digits=0,
        better="higher",
        definition="invocations, back to back, per second of wall-clock time; handler returns a "
        "small JSON object and does not stream",
        value=_per_second,
    ),
    Figure(
        key="large-buffered",
        title="buffered 1 MB string",
        scenario="text",
        unit="us",
        digits=0,
        better="lower",
        definition="from just before /next is answered to the last byte of the response body "
        "being read; handler returns a string of 1,000,000 characters and does not stream; median "
        "over invocations",
        value=lambda m: m.body_us,
    ),
    Figure(
        key="burst-total",
        title="burst of 100, total",
        scenario="burst",
        unit="us",
        digits=0,
        better="lower",
        definition="from just before /next is answered to the last byte of the response body "
        f"being read; {_BURST}; median over invocations",
        value=lambda m: m.body_us,
    ),
    Figure(
        key="burst-first-byte",
        title="burst of 100, first byte",
        scenario="burst",
        unit="us",
        digits=0,
        better="lower",
        definition="from just before /next is answered to the first byte of the response body "
        f"being read; {_BURST}; median over invocations",
        value=lambda m: m.first_byte_us,
    ),
    Figure(
        key="cpu-burst",
        title="CPU time, burst of 100",
        scenario="burst",
        unit="us",
        digits=0,
        better="lower",
        definition="CPU time of the runtime's process, all threads, user and system; "
        f"{_BURST}; mean per invocation (Linux only)",
        value=lambda m: m.cpu_us,
    ),
    Figure(
        key="turns",
        title="100 turns of the loop, total",
        scenario="turns",
        unit="us",
        digits=0,
        better="lower",
        definition="from just before /next is answered to the last byte of the response body "
        "being read; 100 chunks of 16 bytes with a turn of the event loop behind each "
        "(asyncio.sleep(0), setImmediate); median over invocations",
        value=lambda m: m.body_us,
    ),
    Figure(
        key="throughput-64-kib",
        title="throughput, 64 KiB writes",
        scenario="64 KiB",
        unit="MB/s",
        digits=0,
        better="higher",
        definition=f"64 MiB in 1024 writes; {_THROUGHPUT}",
        value=_mb_per_second,
    ),
    Figure(
        key="throughput-1-mib",
        title="throughput, 1 MiB writes",
        scenario="1 MiB",
        unit="MB/s",
        digits=0,
        better="higher",
        definition=f"64 MiB in 64 writes; {_THROUGHPUT}",
        value=_mb_per_second,
    ),
    Figure(
        key="memory-200-mib",
        title="peak memory, 200 MiB",
        scenario="200 MiB",
        unit="MiB",
        digits=1,
        better="lower",
        definition="largest resident set of the process, which streams 200 MiB once, in 64 KiB "
        "writes, each of a new buffer; three rounds at most",
        value=_peak_memory_mib,
    ),
    Figure(
        key="memory-slow-reader",
        title="peak memory, slow reader",
        scenario="slow reader",
        unit="MiB",
        digits=1,
        better="lower",
        definition="largest resident set of the process, which streams 200 MiB once, while the "
        "server pauses for 1 ms after each read of up to 256 KiB; three rounds at most",
        value=_peak_memory_mib,
    ),
    Figure(
        key="start-next",
        title="start to first /next",
        scenario="start",
        unit="ms",
        digits=1,
        better="lower",
        definition="from just before the process is started to its first GET /next being read; "
        f"{_START}",
        value=lambda m: m.start_to_next_ms,
        shows_difference=True,
    ),
    Figure(
        key="start-first-byte",
        title="start to first byte",
        scenario="start",
        unit="ms",
        digits=1,
        better="lower",
        definition="from just before the process is started to the first body byte of its first "
        f"invocation being read, so that work which is put off until then counts too; {_START}",
        value=lambda m: m.start_to_first_byte_ms,
        shows_difference=True,
    ),
]
