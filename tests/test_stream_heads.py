"""What leaves in front of a stream: its content type or its prelude, until the first byte."""

from __future__ import annotations

import pytest

from penstock.errors import HeadSentError, PreludeError, StreamError
from penstock.messages import Prelude
from penstock.stream import HttpResponseStream
from tests.stream_moves import done, kind, moves, stream

__all__ = ["kind", "moves", "stream"]

INTEGRATION = "application/vnd.awslambda.http-integration-response"


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
