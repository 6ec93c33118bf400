"""The Penstock side of the work in node_handlers.mjs: the same bytes in the same writes.

BENCHMARK_SCENARIO chooses the work and BENCHMARK_STYLE how it is written (`async` or
`sync`). Only the chosen handler is made a streaming one, so that a process pays for what
it uses, as a function with one handler does.
"""

import os
from typing import Any

from penstock import AsyncResponseStream, ResponseStream, streamify_response

BLOCK_SIZE = 65536
BLOCK_COUNT = int(os.environ.get("BENCHMARK_BLOCKS", "0"))
SMALL_CHUNK = b"sixteen bytes..."
BLOCK = b"x" * BLOCK_SIZE


async def one_chunk_async(event: Any, response_stream: AsyncResponseStream, context: Any) -> None:
    """One small chunk: what one invocation costs."""
    await response_stream.write(SMALL_CHUNK)


def one_chunk_sync(event: Any, response_stream: ResponseStream, context: Any) -> None:
    """One small chunk: what one invocation costs."""
    response_stream.write(SMALL_CHUNK)


async def same_block_async(event: Any, response_stream: AsyncResponseStream, context: Any) -> None:
    """The same block over and over: what writing costs."""
    for _ in range(BLOCK_COUNT):
        await response_stream.write(BLOCK)


def same_block_sync(event: Any, response_stream: ResponseStream, context: Any) -> None:
    """The same block over and over: what writing costs."""
    for _ in range(BLOCK_COUNT):
        response_stream.write(BLOCK)


async def new_blocks_async(event: Any, response_stream: AsyncResponseStream, context: Any) -> None:
    """A new block for each write, as when data is produced: what memory it takes."""
    for _ in range(BLOCK_COUNT):
        await response_stream.write(b"x" * BLOCK_SIZE)


def new_blocks_sync(event: Any, response_stream: ResponseStream, context: Any) -> None:
    """A new block for each write, as when data is produced: what memory it takes."""
    for _ in range(BLOCK_COUNT):
        response_stream.write(b"x" * BLOCK_SIZE)


def buffered_sync(event: Any, context: Any) -> dict[str, str]:
    """A small answer that is not streamed."""
    return {"message": "sixteen bytes..."}


def _choose_handler(scenario: str, style: str) -> Any:
    if scenario == "buffered":
        return buffered_sync
    return streamify_response(globals()[f"{scenario}_{style}"])


handler = _choose_handler(os.environ["BENCHMARK_SCENARIO"], os.environ["BENCHMARK_STYLE"])
