"""`pipeline`: every source, through any transforms, into both kinds of stream."""

from __future__ import annotations

import asyncio
import io
import os
import random
import zlib

import pytest

from penstock import HttpResponseStream, pipeline, streamify_response, testing
from penstock.stream import AsyncResponseStream, ResponseStream
from tests.pipeline_stages import (
    AWAITED_SOURCES,
    SOURCES,
    TEXT,
    TRANSFORMS,
    async_generator,
    run,
    upper,
)
from tests.stream_moves import Moves, kind, moves

__all__ = ["kind", "moves", "run"]

OCTETS = "application/octet-stream"


def chunks_of(moves):
    return [chunk for move in moves[:-1] for chunk in (move[2] if len(move) == 3 else move[1:])]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_every_source_goes_through_every_transform(run, moves, kind, source, transform, tmp_path):
    (tmp_path / "file").write_bytes(TEXT)
    make, expected, undo = TRANSFORMS[transform]

    run(SOURCES[source](tmp_path), *(stage(kind) for stage in make))

    assert undo(b"".join(chunks_of(moves))) == expected
    assert [move[0] for move in moves].count("end") == 1
    assert moves[-1] == ("end",)


@pytest.mark.parametrize("kind", ["awaited"])
@pytest.mark.parametrize("source", AWAITED_SOURCES)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_every_awaited_source_goes_through_every_transform(run, moves, kind, source, transform):
    make, expected, undo = TRANSFORMS[transform]

    run(AWAITED_SOURCES[source](), *(stage(kind) for stage in make))

    assert undo(b"".join(chunks_of(moves))) == expected
    assert moves[-1] == ("end",)


def test_each_item_of_the_source_is_a_chunk_of_the_response_unless_it_is_empty(run, moves):
    run(["", "one", "", b"two", b""])

    assert moves == [("begin", OCTETS, [b"one"]), ("send", b"two"), ("end",)]


@pytest.mark.parametrize("source", ["", b"", [], [b""]])
def test_an_empty_source_is_a_response_without_a_body(run, moves, source):
    run(source)

    assert moves == [("begin", OCTETS, []), ("end",)]


def test_a_file_leaves_in_blocks_of_64_kib(run, moves, tmp_path):
    (tmp_path / "file").write_bytes(bytes(200_000))

    run((tmp_path / "file").open("rb"))

    assert [len(chunk) for chunk in chunks_of(moves)] == [65536, 65536, 65536, 3392]


def test_the_source_is_asked_for_no_item_before_the_last_one_has_left(run, moves):
    sent_when_asked = []

    def source():
        for item in ("one", "two", "three"):
            sent_when_asked.append(len(moves))
            yield item

    run(source())

    assert sent_when_asked == [0, 1, 2]


def test_a_transform_passes_on_what_it_has_at_once(run, moves, kind):
    sent_when_asked = []

    def source():
        for item in (b"one", b"two", b"three"):
            sent_when_asked.append(len(moves))
            yield item

    async def awaited_upper(chunks):
        async for chunk in chunks:
            yield chunk.upper()

    run(source(), upper if kind == "blocking" else awaited_upper)

    assert sent_when_asked == [0, 1, 2]
    assert chunks_of(moves) == [b"ONE", b"TWO", b"THREE"]


def test_what_a_pipe_has_leaves_without_waiting_for_a_whole_block(kind):
    reader, writer = os.pipe()

    @streamify_response
    def blocking(event, response_stream, context):
        pipeline(os.fdopen(reader, "rb"), response_stream)

    @streamify_response
    async def awaits(event, response_stream, context):
        await pipeline(os.fdopen(reader, "rb"), response_stream)

    with testing.stepped(blocking if kind == "blocking" else awaits) as steps:
        for chunk in (b"one", b"two"):
            os.write(writer, chunk)
            assert next(steps) == chunk
        os.close(writer)
        assert list(steps) == []


def test_gzip_can_be_unpacked_as_it_arrives(run, moves):
    original = random.Random(1).randbytes(1_000_000)
    unpacking = zlib.decompressobj(wbits=31)

    run(io.BytesIO(original), zlib.compressobj(wbits=31))
    unpacked = b""
    lengths = []
    for chunk in chunks_of(moves):
        unpacked += unpacking.decompress(chunk)
        assert original.startswith(unpacked)
        lengths.append(len(unpacked))

    assert unpacked == original
    assert unpacking.eof
    # Not all of it came at the end.
    assert any(400_000 < length < 600_000 for length in lengths)


def test_a_prelude_goes_in_front(run, moves, kind):
    stream = ResponseStream(moves) if kind == "blocking" else AsyncResponseStream(moves)
    HttpResponseStream.from_(stream, {"statusCode": 404})

    async def main():
        await pipeline("not here", stream)

    pipeline("not here", stream) if kind == "blocking" else asyncio.run(main())

    assert chunks_of(moves) == [b'{"statusCode":404}' + bytes(8), b"not here"]


def test_a_source_that_has_nothing_yet_is_not_taken_for_one_that_has_ended(run, moves):
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    try:
        os.write(writer, b"one")
        with pytest.raises(BlockingIOError):
            run(open(reader, "rb", buffering=0))  # noqa: SIM115 - pipeline closes it
    finally:
        os.close(writer)

    assert ("end",) not in moves


# What is no stage of a pipeline.


@pytest.mark.parametrize("stages", [(), ("source",), (ResponseStream(Moves()),)])
def test_a_pipeline_needs_a_source_and_a_stream(stages):
    with pytest.raises(TypeError) as caught:
        pipeline(*stages)

    assert str(caught.value) == ("pipeline takes a source, any transforms, and the response stream")


def test_the_last_stage_is_the_stream():
    with pytest.raises(TypeError) as caught:
        pipeline("source", [])

    assert str(caught.value) == "the last stage of a pipeline is the response stream, not list"


@pytest.mark.parametrize("source", [5, None, object()])
def test_a_source_that_is_none_is_named(run, moves, source):
    with pytest.raises(TypeError) as caught:
        run(source)

    assert str(caught.value) == (
        "a pipeline's source is a file object, bytes, a str or an iterable of them, "
        f"not {type(source).__name__}"
    )
    assert moves == []


@pytest.mark.parametrize("transform", [5, None, "gzip"])
def test_a_transform_that_is_none_is_named_before_anything_leaves(run, moves, transform):
    with pytest.raises(TypeError) as caught:
        run("one", zlib.compressobj(), transform)

    assert str(caught.value) == (
        "a pipeline's transform is an object with compress and flush, or a generator "
        f"function, not {type(transform).__name__}"
    )
    assert moves == []


def test_an_item_that_cannot_be_sent_is_named(run, moves):
    with pytest.raises(TypeError, match=r"a response stream takes str, bytes, .* not int"):
        run(["one", 2])

    assert moves == [("begin", OCTETS, [b"one"])]


@pytest.mark.parametrize("kind", ["blocking"])
def test_a_plain_def_cannot_await_its_source(run, moves, kind):
    with pytest.raises(TypeError) as caught:
        run(async_generator())

    assert str(caught.value) == (
        "this handler is a plain def, so its pipeline cannot await async_generator; "
        "make the handler `async def`"
    )
    assert moves == []


@pytest.mark.parametrize("kind", ["awaited"])
def test_an_async_def_cannot_use_a_plain_generator_as_transform(run, moves, kind):
    with pytest.raises(TypeError) as caught:
        run("one", upper)

    assert str(caught.value) == (
        "in an `async def` handler a transform is an async generator function; "
        "'upper' gave generator"
    )
    assert moves == []
