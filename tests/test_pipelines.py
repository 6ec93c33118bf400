"""`pipeline`: every source, through any transforms, into both kinds of stream."""

from __future__ import annotations

import asyncio
import bz2
import io
import lzma
import os
import random
import zlib

import pytest

from penstock import HttpResponseStream, pipeline, streamify_response, testing
from penstock.errors import StreamBrokenError
from penstock.stream import AsyncResponseStream, ResponseStream

OCTETS = "application/octet-stream"


class Moves(list):
    """A blocking sink that writes down what it is asked for, and may break at a send."""

    breaks = False

    def begin(self, content_type, chunks):
        self.append(("begin", content_type, chunks))

    def send(self, data):
        self.append(("send", data))
        if self.breaks:
            raise StreamBrokenError("the caller is gone")

    def end(self):
        self.append(("end",))


class AwaitedMoves(Moves):
    async def begin(self, content_type, chunks):
        Moves.begin(self, content_type, chunks)

    async def send(self, data):
        Moves.send(self, data)

    async def end(self):
        Moves.end(self)


@pytest.fixture(params=["blocking", "awaited"])
def kind(request):
    return request.param


@pytest.fixture
def moves(kind):
    return Moves() if kind == "blocking" else AwaitedMoves()


@pytest.fixture
def run(kind, moves):
    """Runs a pipeline of the given stages into a stream of the kind under test."""

    def run(*stages):
        if kind == "blocking":
            pipeline(*stages, ResponseStream(moves))
            return

        async def main():
            await pipeline(*stages, AsyncResponseStream(moves))

        asyncio.run(main())

    return run


def chunks_of(moves):
    return [chunk for move in moves[:-1] for chunk in (move[2] if len(move) == 3 else move[1:])]


# Sources. Each gives the same text.

TEXT = b"eins zw\xc3\xb6lf"


def generator():
    yield "eins "
    yield b"zw"
    yield bytearray(b"\xc3")
    yield memoryview(b"\xb6lf")


class Readable:
    """The least that a file object can be."""

    def __init__(self):
        self._left = [b"eins ", b"zw\xc3\xb6lf"]

    def read(self, size):
        return self._left.pop(0) if self._left else b""


class Iterable:
    def __iter__(self):
        return generator()


SOURCES = {
    "str": lambda folder: "eins zwölf",
    "bytes": lambda folder: TEXT,
    "bytearray": lambda folder: bytearray(TEXT),
    "memoryview": lambda folder: memoryview(TEXT),
    "list": lambda folder: ["eins ", b"zw", "ölf"],
    "tuple": lambda folder: (TEXT,),
    "generator": lambda folder: generator(),
    "map": lambda folder: map(str.lower, ["EINS ", "ZWÖLF"]),
    "iterable": lambda folder: Iterable(),
    "binary file": lambda folder: open(folder / "file", "rb"),  # noqa: SIM115 - pipeline closes
    "unbuffered file": lambda folder: open(folder / "file", "rb", buffering=0),  # noqa: SIM115
    "text file": lambda folder: open(folder / "file", encoding="utf-8"),  # noqa: SIM115
    "BytesIO": lambda folder: io.BytesIO(TEXT),
    "StringIO": lambda folder: io.StringIO("eins zwölf"),
    "readable": lambda folder: Readable(),
}


async def async_generator():
    for item in generator():
        await asyncio.sleep(0)
        yield item


class AwaitedReadable(Readable):
    async def read(self, size):
        await asyncio.sleep(0)
        return super().read(size)


class ReadableAndIterable(AwaitedReadable):
    """As `asyncio.StreamReader`, which iterates by lines."""

    def __aiter__(self):
        raise AssertionError("a file object is read in blocks, not by lines")


AWAITED_SOURCES = {
    "async generator": async_generator,
    "awaited readable": AwaitedReadable,
    "stream reader": ReadableAndIterable,
}


# Transforms. Each comes with what undoes it.


def upper(chunks):
    for chunk in chunks:
        yield chunk.upper()


def exclaim(chunks):
    yield from chunks
    yield "!"


def awaited(transform):
    """The async generator function that does what a generator function does."""

    async def changed(chunks):
        for item in transform([chunk async for chunk in chunks]):
            yield item

    return changed


def gzip(kind):
    return zlib.compressobj(wbits=31)


def function(transform):
    return lambda kind: transform if kind == "blocking" else awaited(transform)


TRANSFORMS = {
    "none": ([], TEXT, lambda body: body),
    "gzip": ([gzip], TEXT, lambda body: zlib.decompress(body, wbits=31)),
    "bz2": ([lambda kind: bz2.BZ2Compressor()], TEXT, bz2.decompress),
    "lzma": ([lambda kind: lzma.LZMACompressor()], TEXT, lzma.decompress),
    "function": ([function(upper)], b"EINS ZW\xc3\xb6LF", lambda body: body),
    "two functions": (
        [function(upper), function(exclaim)],
        b"EINS ZW\xc3\xb6LF!",
        lambda body: body,
    ),
    "function, then gzip": (
        [function(exclaim), gzip],
        TEXT + b"!",
        lambda body: zlib.decompress(body, wbits=31),
    ),
}


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


# Closing.


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
    moves.breaks = True

    with pytest.raises(StreamBrokenError):
        run(source(closed, "one", "two", "three"))

    assert closed == ["source"]
    assert moves == [("begin", OCTETS, [b"one"]), ("send", b"two")]


def test_a_file_is_closed_also_when_something_fails(run, moves, tmp_path):
    (tmp_path / "file").write_bytes(bytes(200_000))
    whole = (tmp_path / "file").open("rb")
    run(whole)
    moves.breaks = True
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
    moves.breaks = True

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
