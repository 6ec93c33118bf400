"""The work that runtimes are put to, and which clients do it.

A scenario names work that stands under the same name in the handler files. Every scenario
has its own list of clients: who cannot do it, or would only show again what another shows,
is left out.
"""

from typing import Final, NamedTuple

NODE: Final = "Node.js"
AWSLAMBDARIC: Final = "awslambdaric"
C: Final = "C"
ASYNC: Final = "Penstock async"
JOINED: Final = "Penstock joined"
SYNC: Final = "Penstock sync"
TAKEOVER_ASYNC: Final = "takeover async"
TAKEOVER_SYNC: Final = "takeover sync"

KIB: Final = 1 << 10
MIB: Final = 1 << 20


class Scenario(NamedTuple):
    """Work for a runtime: each invocation writes `chunks` chunks of `chunk_size` bytes."""

    name: str
    handler: str
    clients: tuple[str, ...]
    invocations: int
    warmup: int = 0
    chunks: int = 1
    chunk_size: int = 16
    read_pause_us: int = 0
    repeats: int = 1  # processes per client and round
    most_rounds: int = 1000


def scenarios(quick: bool) -> list[Scenario]:
    """All scenarios; with `quick` fewer invocations, but the same work in each."""
    # V8 goes on optimising for a long time: with less warm-up Node.js looks slower than it is.
    small = _times(500, 800) if quick else _times(1500, 2000)
    hundred = _times(100, 150) if quick else _times(300, 400)
    large = _times(3, 4) if quick else _times(10, 10)
    text = _times(12, 12) if quick else _times(60, 30)
    # 200 MiB is the most that Lambda lets a function stream. What a process needs for it hardly
    # differs from round to round.
    most = {"invocations": 1, "chunks": 3200, "chunk_size": 64 * KIB}
    most["most_rounds"] = 1 if quick else 3
    streaming = (NODE, ASYNC, SYNC)
    takeover = (TAKEOVER_ASYNC, TAKEOVER_SYNC)
    return [
        Scenario(
            "start",
            "write",
            (NODE, AWSLAMBDARIC, ASYNC, SYNC, *takeover),
            invocations=1,
            repeats=1 if quick else 3,
        ),
        Scenario("small", "write", (*streaming, *takeover), **small),
        Scenario("message", "message", (NODE, AWSLAMBDARIC, SYNC), **small),
        Scenario(
            "text",
            "text",
            (NODE, AWSLAMBDARIC, SYNC),
            chunk_size=1_000_000,
            **text,
        ),
        Scenario("burst", "burst", (NODE, C, ASYNC, JOINED, SYNC), chunks=100, **hundred),
        Scenario("turns", "turns", (NODE, ASYNC, JOINED), chunks=100, **hundred),
        Scenario("64 KiB", "write", (*streaming, C), chunks=1024, chunk_size=64 * KIB, **large),
        Scenario("1 MiB", "write", (*streaming, C), chunks=64, chunk_size=MIB, **large),
        Scenario("200 MiB", "produce", streaming, **most),
        Scenario("slow reader", "produce", streaming, read_pause_us=1000, **most),
    ]


def _times(invocations: int, warmup: int) -> dict[str, int]:
    return {"invocations": invocations, "warmup": warmup}
