"""`pipeline`: from a source, through transforms, into a response stream."""

from __future__ import annotations

from contextlib import AsyncExitStack, ExitStack

from .stream import AsyncResponseStream, ResponseStream, encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
    from typing import Any

# Node's file streams read 64 KiB at a time, too.
BLOCK_SIZE = 65536


def pipeline(*stages: Any) -> Any:
    """`pipeline(source, *transforms, response_stream)`: send it all, then end the stream.

    In a plain handler it blocks; in an `async def` handler it is awaited, and files are
    read in a thread so that the event loop goes on.

    The source is a file object (read 64 KiB at a time), bytes or a `str`, an iterable of
    them, or, when awaited, an async iterable of them. It is closed at the end.
    A transform is an object with `compress` and `flush` (`zlib.compressobj(wbits=31)` makes
    gzip), or a generator function that takes the chunks and yields others (an async
    generator function when awaited).
    An error of the source or of a transform is raised here; the stream is then not ended,
    so the response counts as failed.

    Raises:
        TypeError: a stage is nothing of the above.
    """
    if len(stages) < 2:
        raise TypeError("pipeline takes a source, any transforms, and the response stream")
    source, *transforms, stream = stages
    if isinstance(stream, ResponseStream):
        return _run(source, transforms, stream)
    if isinstance(stream, AsyncResponseStream):
        return stream._to_be_awaited(lambda number: _run_async(number, source, transforms, stream))
    raise TypeError(
        f"the last stage of a pipeline is the response stream, not {type(stream).__name__}"
    )


def _run(source: Any, transforms: list[Any], stream: ResponseStream) -> None:
    with ExitStack() as closing:
        closing.callback(_close, source)
        chunks = _chunks(source)
        closing.callback(chunks.close)
        for transform in transforms:
            chunks = _transformed(transform, chunks)
            closing.callback(chunks.close)
        for data in chunks:
            if data:
                stream.write(data)
        stream.end()


def _chunks(source: Any) -> Generator[bytes, None, None]:
    if isinstance(source, (str, bytes, bytearray, memoryview)):
        yield encoded(source)
    elif hasattr(source, "read"):
        read = getattr(source, "read1", source.read)
        while data := _checked(read(BLOCK_SIZE)):
            yield encoded(data)
    elif hasattr(source, "__iter__"):
        for item in source:
            yield encoded(item)
    elif hasattr(source, "__aiter__"):
        raise TypeError(
            "this handler is a plain def, so its pipeline cannot await "
            f"{type(source).__name__}; make the handler `async def`"
        )
    else:
        raise _no_source(source)


def _transformed(transform: Any, chunks: Iterator[bytes]) -> Generator[bytes, None, None]:
    if hasattr(transform, "compress"):
        for data in chunks:
            yield transform.compress(data)
        yield transform.flush()
    elif callable(transform):
        changed = transform(chunks)
        if hasattr(changed, "__aiter__"):
            raise TypeError(
                "this handler is a plain def, so the transforms of its pipeline are plain "
                f"generator functions; {getattr(transform, '__name__', transform)!r} is async"
            )
        try:
            for item in changed:
                yield encoded(item)
        finally:
            _close(changed)
    else:
        raise _no_transform(transform)


async def _run_async(
    number: int, source: Any, transforms: list[Any], stream: AsyncResponseStream
) -> None:
    stream._not_begun.pop(number, None)
    async with AsyncExitStack() as closing:
        closing.push_async_callback(_close_async, source)
        chunks = _chunks_async(source)
        closing.push_async_callback(chunks.aclose)
        for transform in transforms:
            chunks = _transformed_async(transform, chunks)
            closing.push_async_callback(chunks.aclose)
        async for data in chunks:
            if data:
                await stream.write(data)
        await stream.end()


async def _chunks_async(source: Any) -> AsyncGenerator[bytes, None]:
    if hasattr(source, "__aiter__") and not hasattr(source, "read"):
        async for item in source:
            yield encoded(item)
    elif hasattr(source, "read"):
        from asyncio import to_thread

        read = getattr(source, "read1", source.read)
        while True:
            data = await to_thread(read, BLOCK_SIZE)
            if hasattr(data, "__await__"):
                data = await data
            if not _checked(data):
                break
            yield encoded(data)
    else:
        for item in _chunks(source):
            yield item


async def _transformed_async(
    transform: Any, chunks: AsyncIterator[bytes]
) -> AsyncGenerator[bytes, None]:
    if hasattr(transform, "compress"):
        async for data in chunks:
            yield transform.compress(data)
        yield transform.flush()
    elif callable(transform):
        changed = transform(chunks)
        if not hasattr(changed, "__aiter__"):
            raise TypeError(
                "in an `async def` handler a transform is an async generator function; "
                f"{getattr(transform, '__name__', transform)!r} gave {type(changed).__name__}"
            )
        try:
            async for item in changed:
                yield encoded(item)
        finally:
            await _close_async(changed)
    else:
        raise _no_transform(transform)


def _checked(data: Any) -> Any:
    """What a file gave; None is not its end, but that it has nothing yet."""
    if data is None:
        raise BlockingIOError(
            "the source is a non-blocking file that has nothing to read yet; "
            "make it a blocking one, or an async iterable"
        )
    return data


def _close(source: Any) -> None:
    close = getattr(source, "close", None)
    if close is not None:
        close()


async def _close_async(source: Any) -> None:
    close = getattr(source, "aclose", getattr(source, "close", None))
    if close is not None:
        closing = close()
        if hasattr(closing, "__await__"):
            await closing


def _no_source(source: object) -> TypeError:
    return TypeError(
        "a pipeline's source is a file object, bytes, a str or an iterable of them, "
        f"not {type(source).__name__}"
    )


def _no_transform(transform: object) -> TypeError:
    return TypeError(
        "a pipeline's transform is an object with compress and flush, or a generator "
        f"function, not {type(transform).__name__}"
    )
