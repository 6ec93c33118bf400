"""What a handler writes to: what leaves, when, and what is refused.

Everything that holds for both kinds of stream is tested on both; the sink is a list of the
moves that were made.
"""

from __future__ import annotations

import asyncio

import pytest

from penstock.errors import PreludeError, StreamBrokenError, StreamEndedError
from penstock.messages import Prelude
from penstock.stream import AsyncResponseStream, ResponseStream
from tests.stream_moves import AwaitedMoves, Moves, done, kind, moves, stream

__all__ = ["kind", "moves", "stream"]


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
