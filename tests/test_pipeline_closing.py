"""What a pipeline has opened it closes, whatever becomes of it, and before an error is raised."""

from __future__ import annotations

import asyncio

import pytest

from penstock import pipeline, streamify_response, testing
from penstock.errors import StreamBrokenError
from penstock.stream import AsyncResponseStream, ResponseStream
from tests.pipeline_stages import AwaitedReadable, run
from tests.stream_moves import kind, moves

__all__ = ["kind", "moves", "run"]

OCTETS = "application/octet-stream"


def closing_source(closed, *items):
    try:
        for item in items:
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        closed.append("source")


async def closing_async_source(closed, *items):
    try:
        for item in items:
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        closed.append("source")


every_kind_of_source = pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("blocking", closing_source),
        ("awaited", closing_source),
        ("awaited", closing_async_source),
    ],
)


@every_kind_of_source
def test_the_source_is_closed_at_the_end(run, source):
    closed = []
    run(source(closed, "one"))

    assert closed == ["source"]


@every_kind_of_source
def test_the_source_is_closed_when_it_fails(run, moves, source):
    closed = []
    error = ValueError("of the source")

    with pytest.raises(ValueError, match="of the source") as caught:
        run(source(closed, "one", error))

    assert caught.value is error
    assert closed == ["source"]
    assert moves == [("begin", OCTETS, [b"one"])]


@every_kind_of_source
def test_the_source_is_closed_when_the_caller_is_gone(run, moves, source):
    closed = []
    moves.breaks_at = "send"

    with pytest.raises(StreamBrokenError):
        run(source(closed, "one", "two", "three"))

    assert closed == ["source"]
    assert moves == [("begin", OCTETS, [b"one"]), ("send", b"two")]


def test_a_file_is_closed_also_when_something_fails(run, moves, tmp_path):
    (tmp_path / "file").write_bytes(bytes(200_000))
    whole = (tmp_path / "file").open("rb")
    run(whole)
    moves.breaks_at = "send"
    cut = (tmp_path / "file").open("rb")
    with pytest.raises(StreamBrokenError):
        run(cut)

    assert whole.closed
    assert cut.closed


@pytest.mark.parametrize("kind", ["awaited"])
@pytest.mark.parametrize("name", ["close", "aclose"])
def test_a_close_that_is_awaited_is_awaited(run, kind, name):
    closed = []
    source = AwaitedReadable()

    async def close():
        await asyncio.sleep(0)
        closed.append(name)

    setattr(source, name, close)
    run(source)

    assert closed == [name]


def closing_transform(closed, fails=None):
    def transform(chunks):
        try:
            for chunk in chunks:
                if fails is not None:
                    raise fails
                yield chunk
        finally:
            closed.append("transform")

    return transform


def closing_async_transform(closed, fails=None):
    async def transform(chunks):
        try:
            async for chunk in chunks:
                if fails is not None:
                    raise fails
                yield chunk
        finally:
            closed.append("transform")

    return transform


@pytest.fixture
def transform(kind):
    return closing_transform if kind == "blocking" else closing_async_transform


def test_an_error_of_a_transform_closes_the_source_and_leaves_the_stream_open(
    run, moves, transform
):
    closed = []
    error = ValueError("of the transform")

    with pytest.raises(ValueError, match="of the transform") as caught:
        run(closing_source(closed, "one"), transform(closed, fails=error))

    assert caught.value is error
    assert sorted(closed) == ["source", "transform"]
    assert moves == []


def test_transforms_are_closed_before_the_error_is_raised(kind, moves):
    closed = []
    moves.breaks_at = "send"

    def blocking():
        with pytest.raises(StreamBrokenError) as held:
            pipeline(
                closing_source(closed, "one", "two", "three"),
                closing_transform(closed),
                closing_transform(closed),
                ResponseStream(moves),
            )
        return sorted(closed), held

    async def awaits():
        with pytest.raises(StreamBrokenError) as held:
            await pipeline(
                closing_async_source(closed, "one", "two", "three"),
                closing_async_transform(closed),
                closing_async_transform(closed),
                AsyncResponseStream(moves),
            )
        # Now, and not only when the loop is shut down.
        return sorted(closed), held

    closed_by_then, _ = blocking() if kind == "blocking" else asyncio.run(awaits())

    assert closed_by_then == ["source", "transform", "transform"]


def test_after_an_error_the_handler_may_still_write(kind):
    @streamify_response
    def blocking(event, response_stream, context):
        with pytest.raises(ValueError, match="half-way"):
            pipeline(closing_source([], "one", ValueError("half-way")), response_stream)
        response_stream.write(" and sorry")

    @streamify_response
    async def awaits(event, response_stream, context):
        with pytest.raises(ValueError, match="half-way"):
            await pipeline(closing_source([], "one", ValueError("half-way")), response_stream)
        await response_stream.write(" and sorry")

    assert testing.run(blocking if kind == "blocking" else awaits).text == "one and sorry"


def test_an_error_of_the_source_fails_the_response():
    @streamify_response
    def handler(event, response_stream, context):
        pipeline(closing_source([], "one", ValueError("half-way")), response_stream)

    with pytest.raises(ValueError, match="half-way") as caught:
        testing.run(handler)

    assert caught.value.__notes__ == ["penstock.testing: sent before: [b'one']"]
