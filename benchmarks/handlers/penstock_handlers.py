"""The Penstock side of the work in node_handlers.mjs: the same bytes in the same writes.

BENCHMARK_SCENARIO chooses the work and BENCHMARK_STYLE how it is written: `sync`, `async`, or
`joined`, which is async with `join_ready=True`. Only the chosen handler is made a streaming
one, so that a process pays for what it uses, as a function with one handler does.
"""

import os
from typing import Any

from penstock import streamify_response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from penstock import AsyncResponseStream, ResponseStream

COUNT = int(os.environ["BENCHMARK_CHUNKS"])
SIZE = int(os.environ["BENCHMARK_CHUNK_SIZE"])
CHUNK = b"x" * SIZE


async def write_async(event: Any, response_stream: "AsyncResponseStream", context: Any) -> None:
    """The same chunk over and over: what writing costs, or, if it is one, an invocation."""
    for _ in range(COUNT):
        await response_stream.write(CHUNK)


def write_sync(event: Any, response_stream: "ResponseStream", context: Any) -> None:
    """The same chunk over and over: what writing costs, or, if it is one, an invocation."""
    for _ in range(COUNT):
        response_stream.write(CHUNK)


async def produce_async(event: Any, response_stream: "AsyncResponseStream", context: Any) -> None:
    """A new chunk for each write, as when data is produced: what memory it takes."""
    for _ in range(COUNT):
        await response_stream.write(b"x" * SIZE)


def produce_sync(event: Any, response_stream: "ResponseStream", context: Any) -> None:
    """A new chunk for each write, as when data is produced: what memory it takes."""
    for _ in range(COUNT):
        response_stream.write(b"x" * SIZE)


async def burst_async(event: Any, context: Any) -> "AsyncIterator[bytes]":
    """Chunks that are all there at once: no turn of the loop between them."""
    for _ in range(COUNT):
        yield CHUNK


def burst_sync(event: Any, context: Any) -> "Iterator[bytes]":
    """Chunks that are all there at once."""
    for _ in range(COUNT):
        yield CHUNK


async def turns_async(event: Any, context: Any) -> "AsyncIterator[bytes]":
    """A turn of the event loop behind each chunk, as when each comes from elsewhere."""
    from asyncio import sleep

    for _ in range(COUNT):
        yield CHUNK
        await sleep(0)


def _choose_handler(scenario: str, style: str) -> Any:
    if style == "joined":
        return streamify_response(join_ready=True)(globals()[f"{scenario}_async"])
    return streamify_response(globals()[f"{scenario}_{style}"])


handler = _choose_handler(os.environ["BENCHMARK_SCENARIO"], os.environ["BENCHMARK_STYLE"])
