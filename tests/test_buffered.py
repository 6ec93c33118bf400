"""Where nothing streams: one buffered proxy response."""

from __future__ import annotations

import base64
import os
import subprocess
import sys

import pytest

from penstock import HttpResponseStream, Prelude, streamify_response
from tests.handlers import CONTEXT, FAILING, SHAPES, Mishap


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_a_buffered_response_where_nothing_streams(shape):
    assert streamify_response(shape)(["one", " ", "two"], CONTEXT) == {
        "statusCode": 200,
        "headers": {"content-type": "application/octet-stream"},
        "body": "one two",
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize("handler", FAILING)
def test_an_exception_is_raised_where_nothing_streams(handler):
    error = Mishap("half-way")

    with pytest.raises(Mishap) as caught:
        handler({"first": ["one"], "then": error}, None)

    assert caught.value is error


def buffered(*chunks, prelude=None, event=None, content_type=None):
    """The dict that a handler gives which sends all this."""

    @streamify_response
    def handler(event, response_stream, context):
        if content_type is not None:
            response_stream.content_type = content_type
        if prelude is not None:
            HttpResponseStream.from_(response_stream, prelude)
        for chunk in chunks:
            response_stream.write(chunk)

    return handler(event, None)


def test_text_stays_text_with_its_type():
    assert buffered("gr", b"\xc3", b"\xbcn", content_type="text/plain; charset=utf-8") == {
        "statusCode": 200,
        "headers": {"content-type": "text/plain; charset=utf-8"},
        "body": "grün",
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize("body", [b"\xff\xd8\xff", b"text with a \0 in it", b"cut \xc3"])
def test_what_is_no_text_is_base64(body):
    response = buffered(body, content_type="image/jpeg")

    assert response["isBase64Encoded"] is True
    assert base64.b64decode(response["body"]) == body
    assert response["headers"] == {"content-type": "image/jpeg"}


def test_what_is_encoded_is_base64_also_when_it_looks_like_text():
    response = buffered("abc", prelude={"headers": {"Content-Encoding": "identity"}})

    assert (response["body"], response["isBase64Encoded"]) == ("YWJj", True)


def test_no_body_is_an_empty_text():
    response = buffered()

    assert (response["body"], response["isBase64Encoded"]) == ("", False)


def test_status_headers_and_cookies_come_from_the_prelude():
    assert buffered(
        "not here",
        prelude=Prelude(404, {"Content-Type": "text/plain"}, ["a=1", "b=2"]),
        event={"version": "2.0"},
    ) == {
        "statusCode": 404,
        "headers": {"Content-Type": "text/plain"},
        "cookies": ["a=1", "b=2"],
        "body": "not here",
        "isBase64Encoded": False,
    }


def test_the_type_of_the_stream_is_no_type_of_a_response_with_a_prelude():
    assert buffered(prelude={"headers": {"x-tag": "a"}})["headers"] == {"x-tag": "a"}


@pytest.mark.parametrize(
    "event", [{"multiValueHeaders": {"host": ["x"]}}, {"multiValueHeaders": None}]
)
def test_cookies_are_multi_value_headers_for_an_event_that_has_those(event):
    response = buffered(prelude=Prelude(200, cookies=["a=1", "b=2"]), event=event)

    assert response["multiValueHeaders"] == {"set-cookie": ["a=1", "b=2"]}
    assert "cookies" not in response


def test_a_header_in_both_maps_is_in_the_lists_alone_for_an_event_that_has_those():
    prelude = Prelude(200, {"Vary": "x, y", "a": "b"}, (), {"vary": ["x", "y"]})

    response = buffered(prelude=prelude, event={"multiValueHeaders": {}})
    assert response["headers"] == {"a": "b"}
    assert response["multiValueHeaders"] == {"vary": ["x", "y"]}

    response = buffered(prelude=prelude, event={"version": "2.0"})
    assert response["headers"] == {"Vary": "x, y", "a": "b"}


def test_cookies_are_no_multi_value_headers_for_an_event_without_those():
    for event in ({"version": "2.0"}, {}, None, "text", ["multiValueHeaders"]):
        response = buffered(prelude=Prelude(200, cookies=["a=1"]), event=event)

        assert "multiValueHeaders" not in response
        assert response["cookies"] == ["a=1"]


def test_cookies_join_the_multi_value_headers_of_the_prelude():
    prelude = Prelude(
        200, cookies=["b=2"], multi_value_headers={"set-cookie": ["a=1"], "vary": ["x", "y"]}
    )
    response = buffered(prelude=prelude, event={"multiValueHeaders": {}})

    assert response["multiValueHeaders"] == {"set-cookie": ["a=1", "b=2"], "vary": ["x", "y"]}


FALLS_BACK_TWICE = """
from penstock import streamify_response

@streamify_response
def handler(event, context):
    yield "one"

for _ in range(2):
    assert handler({}, None)["body"] == "one"
"""


def log_of(program, **environment):
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return ended.stderr


def test_a_buffered_answer_in_lambda_is_logged_once():
    assert log_of(FALLS_BACK_TWICE, AWS_LAMBDA_RUNTIME_API="127.0.0.1:9001") == (
        "this runtime client does not stream, so the response is sent buffered; "
        "Penstock's own runtime does: set AWS_LAMBDA_EXEC_WRAPPER to its wrapper, or start "
        "`python -m penstock.runtime`\n"
    )
    off = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "PENSTOCK_TAKEOVER": "off"}
    assert log_of(FALLS_BACK_TWICE, **off) == (
        "PENSTOCK_TAKEOVER is off, so the response is sent buffered\n"
    )


def test_a_buffered_answer_elsewhere_is_not_logged():
    assert log_of(FALLS_BACK_TWICE) == ""
