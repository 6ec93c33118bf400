"""What a handler writes to: what leaves, when, and what is refused.

Everything that holds for both kinds of stream is tested on both; the sink is a list of the
moves that were made.
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import json
import zipfile
from inspect import iscoroutine

import pytest

from penstock.errors import (
    HeadSentError,
    PreludeError,
    StreamBrokenError,
    StreamEndedError,
    StreamError,
)
from penstock.messages import Prelude
from penstock.stream import AsyncResponseStream, HttpResponseStream, ResponseStream

INTEGRATION = "application/vnd.awslambda.http-integration-response"


class Moves(list):
    """A sink that writes down what it is asked for, and may break at one of the moves."""

    breaks_at = None

    def begin(self, content_type, chunks):
        self._make("begin", content_type, chunks)

    def send(self, data):
        self._make("send", data)

    def end(self):
        self._make("end")

    def fail(self, error):
        self._make("fail", error)

    def _make(self, name, *what):
        self.append((name, *what))
        if self.breaks_at == name:
            raise StreamBrokenError("the caller is gone")


class AwaitedMoves(Moves):
    """The same, awaited."""

    async def begin(self, content_type, chunks):
        self._make("begin", content_type, chunks)

    async def send(self, data):
        self._make("send", data)

    async def end(self):
        self._make("end")

    async def fail(self, error):
        self._make("fail", error)


@pytest.fixture(params=["blocking", "awaited"])
def kind(request):
    return request.param


@pytest.fixture
def moves(kind):
    return Moves() if kind == "blocking" else AwaitedMoves()


@pytest.fixture
def stream(kind, moves):
    return ResponseStream(moves) if kind == "blocking" else AsyncResponseStream(moves)


def done(call):
    """The result of a call that may have to be awaited."""
    if not iscoroutine(call):
        return call

    async def main():
        return await call

    return asyncio.run(main())


def test_the_head_leaves_with_the_first_chunk_and_each_chunk_by_itself(stream, moves):
    assert moves == []
    done(stream.write("one"))
    assert moves == [("begin", "application/octet-stream", [b"one"])]
    done(stream.write("two"))
    assert moves[1:] == [("send", b"two")]
    done(stream.write("three"))
    done(stream.end())
    assert moves[2:] == [("send", b"three"), ("end",)]


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        ("grün", b"gr\xc3\xbcn"),
        (b"\xff\x00", b"\xff\x00"),
        (bytearray(b"array"), b"array"),
        (memoryview(b"a view")[2:], b"view"),
        (memoryview(b"a-b-c-")[::2], b"abc"),
    ],
)
def test_text_leaves_as_utf_8_and_bytes_as_they_are(stream, moves, data, sent):
    assert done(stream.write(data)) == len(sent)
    assert done(stream.write(data)) == len(sent)

    assert moves == [("begin", "application/octet-stream", [sent]), ("send", sent)]
    assert [type(moves[0][2][0]), type(moves[1][1])] == [bytes, bytes]


def test_a_buffer_may_be_filled_again_after_the_write(stream, moves):
    buffer = bytearray(b"one")
    done(stream.write(buffer))
    buffer[:] = b"two"
    done(stream.write(memoryview(buffer)))
    buffer[:] = b"xxx"

    assert moves == [("begin", "application/octet-stream", [b"one"]), ("send", b"two")]


def test_an_empty_write_sends_the_head_once_and_never_a_chunk(stream, moves):
    # An empty chunk would end a chunked body.
    assert done(stream.write("")) == 0
    assert moves == [("begin", "application/octet-stream", [])]
    done(stream.write(b""))
    done(stream.write(bytearray()))
    assert moves[1:] == []


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (5, "int"),
        (None, "NoneType; leave out what is None"),
        (object(), "object"),
        ({"a": 1}, "dict; for JSON write json.dumps(...)"),
        ([b"a"], "list; for JSON write json.dumps(...)"),
    ],
)
def test_anything_else_is_a_type_error_and_nothing_is_sent(stream, moves, data, found):
    with pytest.raises(TypeError) as caught:
        done(stream.write(data))

    assert str(caught.value) == (
        f"a response stream takes str, bytes, bytearray or memoryview, not {found}"
    )
    assert moves == []
    assert not stream.started


def test_a_prelude_cannot_be_written_as_a_chunk(stream, moves):
    with pytest.raises(PreludeError) as caught:
        done(stream.write(Prelude(200)))

    assert str(caught.value) == "a Prelude goes first, before any part of the body"
    assert moves == []


def test_a_response_without_a_body_has_a_head_and_an_end(stream, moves):
    done(stream.end())

    assert moves == [("begin", "application/octet-stream", []), ("end",)]


def test_the_end_may_bring_the_last_chunk(stream, moves):
    done(stream.write("one"))
    done(stream.end("two"))

    assert moves[1:] == [("send", b"two"), ("end",)]


def test_ending_twice_ends_once(stream, moves):
    done(stream.write("one"))
    done(stream.end())
    done(stream.end())

    assert moves[1:] == [("end",)]


@pytest.mark.parametrize("late", ["write", "end"])
def test_a_chunk_after_the_end_is_refused(stream, moves, late):
    done(stream.end("one"))

    with pytest.raises(StreamEndedError) as caught:
        done(getattr(stream, late)("late"))

    assert str(caught.value) == "cannot write: the response stream was ended"
    assert moves == [("begin", "application/octet-stream", [b"one"]), ("end",)]


def test_the_stream_knows_how_far_it_is(stream):
    assert (stream.started, stream.ended, stream.closed) == (False, False, False)
    done(stream.write("one"))
    assert (stream.started, stream.ended, stream.closed) == (True, False, False)
    done(stream.end())
    assert (stream.started, stream.ended, stream.closed) == (True, True, True)


def test_the_stream_can_be_written_but_not_read_or_wound_back(stream):
    assert stream.writable() is True
    assert stream.readable() is False
    assert stream.seekable() is False


def test_the_stream_shows_how_far_it_is(stream):
    stream.content_type = "text/plain"
    assert repr(stream) == f"<{type(stream).__name__} waiting, text/plain>"
    done(stream.write("one"))
    assert repr(stream) == f"<{type(stream).__name__} streaming, text/plain>"
    done(stream.end())
    assert repr(stream) == f"<{type(stream).__name__} ended, text/plain>"


def test_a_flush_sends_the_head_and_nothing_ever_waits_for_one(stream, moves):
    stream.content_type = "text/plain"
    done(stream.flush())
    assert moves == [("begin", "text/plain", [])]
    done(stream.flush())
    done(stream.write("one"))
    done(stream.flush())
    done(stream.end())
    done(stream.flush())
    assert moves[1:] == [("send", b"one"), ("end",)]


def test_the_content_type_leaves_with_the_head(stream, moves):
    stream.content_type = "text/plain; charset=utf-8"
    assert stream.content_type == "text/plain; charset=utf-8"
    done(stream.write("one"))

    assert moves == [("begin", "text/plain; charset=utf-8", [b"one"])]


def test_the_content_type_can_be_set_as_in_node(stream, moves):
    stream.set_content_type("text/html")
    done(stream.end())

    assert moves[0] == ("begin", "text/html", [])


def test_the_content_type_cannot_change_after_the_first_byte(stream):
    done(stream.write("one"))

    with pytest.raises(HeadSentError) as caught:
        stream.content_type = "text/plain"
    assert str(caught.value) == (
        "cannot set the content type: the first byte of the response has left already; "
        "set it before the first write"
    )
    with pytest.raises(HeadSentError):
        stream.set_content_type("text/plain")


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\0", "a\tb", "é", None, b"text/plain"])
def test_a_content_type_that_is_not_one_line_of_ascii_is_refused(stream, value):
    with pytest.raises(ValueError, match="a content type is") as caught:
        stream.content_type = value

    assert str(caught.value) == f"a content type is one line of ASCII, not {value!r}"
    assert stream.content_type == "application/octet-stream"


def test_the_content_type_of_a_response_with_a_prelude_belongs_into_its_headers(stream):
    HttpResponseStream.from_(stream, {"statusCode": 200})

    with pytest.raises(StreamError) as caught:
        stream.content_type = "text/plain"
    assert str(caught.value) == (
        "this response has a prelude: put content-type into its headers instead"
    )


def test_the_prelude_leaves_with_the_first_byte_of_the_body(stream, moves):
    HttpResponseStream.from_(
        stream, {"statusCode": 404, "headers": {"x-tag": "a"}, "cookies": ["b=1"]}
    )
    assert moves == []
    done(stream.write("not here"))

    assert moves == [
        (
            "begin",
            INTEGRATION,
            [
                b'{"statusCode":404,"headers":{"x-tag":"a"},"cookies":["b=1"]}\0\0\0\0\0\0\0\0',
                b"not here",
            ],
        )
    ]
    done(stream.write("at all"))
    assert moves[1:] == [("send", b"at all")]


@pytest.mark.parametrize("without_a_body", ["end", "flush"])
def test_the_prelude_leaves_when_there_is_no_body(stream, moves, without_a_body):
    HttpResponseStream.from_(stream, Prelude(204))
    done(getattr(stream, without_a_body)())

    assert moves[0] == ("begin", INTEGRATION, [b'{"statusCode":204}' + bytes(8)])


def test_the_stream_with_a_prelude_is_the_same_stream(stream):
    assert HttpResponseStream.from_(stream, {"statusCode": 200}) is stream


def test_the_last_prelude_before_the_first_byte_counts(stream, moves):
    HttpResponseStream.from_(stream, {"statusCode": 200, "cookies": ["a=1"]})
    HttpResponseStream.from_(stream, {"statusCode": 500})
    done(stream.end())

    assert moves[0] == ("begin", INTEGRATION, [b'{"statusCode":500}' + bytes(8)])


def test_a_prelude_after_the_first_byte_is_refused(stream, moves):
    done(stream.write("one"))

    with pytest.raises(HeadSentError) as caught:
        HttpResponseStream.from_(stream, {"statusCode": 404})

    assert str(caught.value) == (
        "cannot set the prelude: the first byte of the response has left already; "
        "set it before the first write"
    )
    done(stream.end())
    assert moves == [("begin", "application/octet-stream", [b"one"]), ("end",)]


def test_a_prelude_that_is_too_large_is_refused_when_it_is_set(stream, moves):
    with pytest.raises(PreludeError, match="Lambda's front doors read at most 16384"):
        HttpResponseStream.from_(stream, {"headers": {"x": "y" * 16384}})

    done(stream.end())
    assert moves == [("begin", "application/octet-stream", []), ("end",)]


def test_a_prelude_that_cannot_be_sent_is_refused_when_it_is_set(stream):
    with pytest.raises(PreludeError, match="statusCode must be from 100 to 599, not 42"):
        HttpResponseStream.from_(stream, {"statusCode": 42})

    assert stream.content_type == "application/octet-stream"


def test_from_takes_the_stream_first():
    with pytest.raises(TypeError) as caught:
        HttpResponseStream.from_({"statusCode": 200}, object())

    assert str(caught.value) == (
        "HttpResponseStream.from_ takes the response stream first, then the metadata, not dict"
    )


@pytest.mark.parametrize("move", ["begin", "send"])
def test_a_write_that_cannot_be_delivered_raises_and_so_does_every_later_one(stream, moves, move):
    moves.breaks_at = move
    if move == "send":
        done(stream.write("one"))

    with pytest.raises(StreamBrokenError, match="the caller is gone"):
        done(stream.write("two"))
    made = list(moves)

    with pytest.raises(StreamBrokenError) as caught:
        done(stream.write("three"))
    assert str(caught.value) == "cannot write: the response can no longer be delivered"
    with pytest.raises(StreamBrokenError):
        done(stream.end("four"))
    done(stream.end())
    done(stream.flush())
    assert moves == made
    assert stream.ended


def test_an_end_that_is_not_taken_raises(stream, moves):
    moves.breaks_at = "end"
    done(stream.write("one"))

    with pytest.raises(StreamBrokenError, match="the caller is gone"):
        done(stream.end())

    with pytest.raises(StreamBrokenError):
        done(stream.write("two"))


def test_a_broken_stream_is_a_connection_error_too(stream, moves):
    moves.breaks_at = "begin"

    with pytest.raises(ConnectionError):
        done(stream.write("one"))


def test_a_failure_in_mid_response_is_told_once(stream, moves):
    error = ValueError("half-way")
    done(stream.write("one"))
    done(stream._fail(error))
    done(stream._fail(ValueError("again")))

    assert moves[1:] == [("fail", error)]
    assert stream.ended
    with pytest.raises(StreamBrokenError):
        done(stream.write("two"))
    done(stream.end())
    assert moves[1:] == [("fail", error)]


def test_a_failure_before_the_first_byte_or_after_the_end_is_not_told_here(kind):
    for ended in (False, True):
        moves = Moves() if kind == "blocking" else AwaitedMoves()
        stream = ResponseStream(moves) if kind == "blocking" else AsyncResponseStream(moves)
        if ended:
            done(stream.end("all"))
        done(stream._fail(ValueError("elsewhere")))

        assert "fail" not in [move[0] for move in moves]


def test_two_tasks_may_write_at_once():
    moves = AwaitedMoves()
    stream = AsyncResponseStream(moves)

    async def main():
        await asyncio.gather(*(stream.write(name) for name in ("a", "b", "c")))
        await stream.end()

    asyncio.run(main())

    assert moves == [
        ("begin", "application/octet-stream", [b"a"]),
        ("send", b"b"),
        ("send", b"c"),
        ("end",),
    ]


# A blocking stream is a file object for whatever writes to one.


@pytest.fixture
def file_moves():
    return Moves()


@pytest.fixture
def file(file_moves):
    return ResponseStream(file_moves)


def body(moves):
    return b"".join(b"".join(m[2]) if m[0] == "begin" else m[1] for m in moves if len(m) > 1)


def test_csv_rows_leave_one_by_one(file, file_moves):
    rows = csv.writer(file)
    rows.writerow(["a", "b"])
    assert file_moves == [("begin", "application/octet-stream", [b"a,b\r\n"])]
    rows.writerow([1, 2])
    assert file_moves[1:] == [("send", b"1,2\r\n")]


def test_print_writes_to_it(file, file_moves):
    print("one", 2, file=file, flush=True)

    assert body(file_moves) == b"one 2\n"


def test_json_is_dumped_to_it(file, file_moves):
    json.dump({"a": [1, 2]}, file)

    assert body(file_moves) == b'{"a": [1, 2]}'


def test_lines_are_written_to_it(file, file_moves):
    file.writelines(["one\n", b"two\n"])

    assert file_moves == [("begin", "application/octet-stream", [b"one\n"]), ("send", b"two\n")]


def test_a_zip_file_is_written_to_it(file, file_moves):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "one")
        before_the_second = len(file_moves)
        archive.writestr("b.txt", "two")

    assert before_the_second > 0
    with zipfile.ZipFile(io.BytesIO(body(file_moves))) as archive:
        assert archive.read("a.txt") == b"one"
        assert archive.read("b.txt") == b"two"


def test_gzip_is_written_to_it(file, file_moves):
    with gzip.open(file, "wb") as zipped:
        zipped.write(b"one")

    assert gzip.decompress(body(file_moves)) == b"one"
    assert not file.ended


def test_a_text_wrapper_around_it_closes_it(file, file_moves):
    with io.TextIOWrapper(file, encoding="latin-1", write_through=True) as text:
        text.write("grün")

    assert body(file_moves) == b"gr\xfcn"
    assert file_moves[-1] == ("end",)


def test_closing_it_ends_the_response(file, file_moves):
    file.write("one")
    file.close()
    file.close()

    assert file_moves[1:] == [("end",)]
