"""What a generator yields, and what it hears at its yield."""

from __future__ import annotations

import traceback

import pytest

from penstock import Prelude, streamify_response
from penstock.errors import PreludeError, StreamBrokenError
from tests.handlers import OCTETS, ONE_TWO, invocation, moves_of

INTEGRATION = "application/vnd.awslambda.http-integration-response"

cleaned = []


@pytest.fixture(autouse=True)
def clean():
    cleaned.clear()


@pytest.fixture(params=["generator", "async generator"])
def yielding(request):
    """Makes a decorated handler that yields `items`, one try around each."""

    def make(*items):
        caught = []

        def generator(event, context):
            try:
                for item in items:
                    try:
                        yield item
                    except Exception as exc:
                        caught.append(exc)
                        if event == "raise":
                            raise
            finally:
                cleaned.append("generator")

        async def async_generator(event, context):
            try:
                for item in items:
                    try:
                        yield item
                    except Exception as exc:
                        caught.append(exc)
                        if event == "raise":
                            raise
            finally:
                cleaned.append("async generator")

        shape = generator if request.param == "generator" else async_generator
        return streamify_response(shape), caught

    return make


def test_a_prelude_that_is_yielded_first_is_the_head(yielding):
    handler, _ = yielding(Prelude(404, {"x-tag": "a"}), "not here")

    assert moves_of(handler) == [
        (
            "begin",
            INTEGRATION,
            [b'{"statusCode":404,"headers":{"x-tag":"a"}}\0\0\0\0\0\0\0\0', b"not here"],
        ),
        ("end",),
    ]


def test_a_prelude_alone_is_a_response_without_a_body(yielding):
    handler, _ = yielding(Prelude(204))

    assert moves_of(handler) == [
        ("begin", INTEGRATION, [b'{"statusCode":204}' + bytes(8)]),
        ("end",),
    ]


def test_a_prelude_that_comes_late_is_an_error_at_its_yield(yielding):
    handler, caught = yielding("one", Prelude(404), "two")

    with invocation() as moves, pytest.raises(PreludeError) as raised:
        handler("raise", None)

    assert str(raised.value) == "a Prelude goes first, before any part of the body"
    assert caught == [raised.value]
    assert moves == [("begin", OCTETS, [b"one"]), ("fail", raised.value)]
    assert len(cleaned) == 1


@pytest.mark.parametrize("item", [5, None, {"a": 1}])
def test_what_cannot_be_sent_is_an_error_at_its_yield(yielding, item):
    handler, caught = yielding("one", item, "two")

    with invocation() as moves, pytest.raises(TypeError) as raised:
        handler("raise", None)

    assert str(raised.value).startswith(
        "a response stream takes str, bytes, bytearray or memoryview, not "
    )
    assert caught == [raised.value]
    assert moves == [("begin", OCTETS, [b"one"]), ("fail", raised.value)]
    assert len(cleaned) == 1


def test_what_cannot_be_sent_first_fails_the_invocation_before_its_response(yielding):
    handler, _ = yielding(5)

    with invocation() as moves, pytest.raises(TypeError):
        handler("raise", None)

    assert moves == []
    assert len(cleaned) == 1


def test_the_traceback_of_what_cannot_be_sent_names_the_line_that_yielded_it(yielding):
    handler, _ = yielding(5)

    with invocation(), pytest.raises(TypeError) as raised:
        handler("raise", None)

    lines = [frame.line for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert "yield item" in lines


def test_a_generator_may_catch_the_error_and_go_on(yielding):
    handler, caught = yielding("one", 5, "two", None)

    assert moves_of(handler) == ONE_TWO
    assert [type(error) for error in caught] == [TypeError, TypeError]


def test_a_generator_hears_at_its_yield_that_the_caller_is_gone(yielding):
    handler, caught = yielding("one", "two")

    with invocation(breaks_at="begin") as moves, pytest.raises(StreamBrokenError) as raised:
        handler("raise", None)

    assert caught == [raised.value]
    assert moves == [("begin", OCTETS, [b"one"])]
    assert len(cleaned) == 1
