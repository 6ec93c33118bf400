"""`streamify_response`: four shapes of handler, one callable, and what has none of the shapes."""

from __future__ import annotations

import asyncio
from functools import wraps

import pytest

from penstock import streamify_response
from penstock.errors import HandlerShapeError, PenstockError, StreamError
from tests.handlers import (
    CONTEXT,
    OCTETS,
    ONE_TWO,
    SHAPES,
    coroutine_function,
    invocation,
    moves_of,
    plain_function,
)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_sends_chunk_by_chunk_and_ends(shape):
    handler = streamify_response(shape)

    assert moves_of(handler, ["one", b"two"]) == ONE_TWO


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_may_send_nothing(shape):
    handler = streamify_response(shape)

    assert moves_of(handler, []) == [("begin", OCTETS, []), ("end",)]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_answers_one_invocation_after_the_other(shape):
    handler = streamify_response(shape)

    for _ in range(3):
        assert moves_of(handler, ["one", b"two"]) == ONE_TWO


@pytest.mark.parametrize("shape", SHAPES)
def test_what_comes_back_has_the_name_of_the_handler_and_needs_no_loop(shape):
    handler = streamify_response(shape)

    assert handler.__name__ == shape.__name__
    assert handler.__wrapped__ is shape
    assert not asyncio.iscoroutinefunction(handler)


def test_a_generator_is_asked_for_no_chunk_before_the_last_one_has_left():
    progress = []

    @streamify_response
    def handler(event, context):
        for chunk in ("one", "two"):
            progress.append(("asked", len(moves)))
            yield chunk

    with invocation() as moves:
        handler(None, None)

    assert progress == [("asked", 0), ("asked", 1)]


def test_parentheses_without_options_change_nothing():
    @streamify_response()
    def handler(event, context):
        yield "one"

    with invocation() as moves:
        handler(None, CONTEXT)

    assert moves[0] == ("begin", OCTETS, [b"one"])


# One response to one invocation.


@pytest.mark.parametrize("inner", SHAPES)
@pytest.mark.parametrize("started", [False, True])
def test_a_second_stream_for_the_same_invocation_is_refused(inner, started):
    nested = streamify_response(inner)

    @streamify_response
    def handler(event, response_stream, context):
        if started:
            response_stream.write("one")
        with pytest.raises(StreamError, match="has a response stream already"):
            nested(["nested"], CONTEXT)
        response_stream.end()

    moves = moves_of(handler)

    assert moves == [("begin", OCTETS, [b"one"] if started else []), ("end",)]


def test_a_handler_that_was_decorated_twice_is_refused():
    with invocation(), pytest.raises(HandlerShapeError):
        streamify_response(streamify_response(plain_function))(["one"], CONTEXT)


# Shapes that cannot stream.


def no_stream(event, context):
    pass


async def no_stream_to_await(event, context):
    pass


def generator_with_a_stream(event, response_stream, context):
    yield


async def async_generator_with_a_stream(event, response_stream, context):
    yield


def nothing_at_all():
    pass


def one_argument(event):
    yield


def four_arguments(a, b, c, d):
    pass


def four_arguments_or_more(a, b, c, d, e=5):
    pass


def a_keyword_nobody_gives(event, response_stream, context, *, client):
    pass


@pytest.mark.parametrize(
    ("function", "what_it_is"),
    [
        (no_stream, "no_stream is a def without yield that takes 2 arguments"),
        (no_stream_to_await, "no_stream_to_await is an async def that takes 2 arguments"),
        (
            generator_with_a_stream,
            "generator_with_a_stream is a generator that takes 3 arguments",
        ),
        (
            async_generator_with_a_stream,
            "async_generator_with_a_stream is an async generator that takes 3 arguments",
        ),
        (nothing_at_all, "nothing_at_all is a def without yield that takes 0 arguments"),
        (one_argument, "one_argument is a generator that takes 1 argument"),
        (four_arguments, "four_arguments is a def without yield that takes 4 arguments"),
        (
            four_arguments_or_more,
            "four_arguments_or_more is a def without yield that takes 4 or more arguments",
        ),
    ],
)
def test_a_function_of_another_shape_is_refused_and_shown_the_four(function, what_it_is):
    with pytest.raises(HandlerShapeError) as caught:
        streamify_response(function)

    assert str(caught.value) == (
        f"{what_it_is}, which is none of the shapes that can stream:\n"
        "    async def handler(event, response_stream, context): ..."
        "   # await response_stream.write(...)\n"
        "    def handler(event, response_stream, context): ..."
        "         # response_stream.write(...)\n"
        "    def handler(event, context): ..."
        "                          # yield ...\n"
        "    async def handler(event, context): ..."
        "                    # yield ..."
    )


def test_a_function_that_needs_more_than_the_runtime_gives_is_refused():
    with pytest.raises(HandlerShapeError):
        streamify_response(a_keyword_nobody_gives)


@pytest.mark.parametrize("thing", [print, len, 5, "handler"])
def test_what_is_no_python_function_is_refused_and_shown_the_four_shapes(thing):
    with pytest.raises(HandlerShapeError) as caught:
        streamify_response(thing)

    assert str(caught.value).startswith(
        f"{thing!r} is no Python function; the shapes that can stream are:\n    async def"
    )


def test_a_shape_error_is_a_type_error():
    with pytest.raises(TypeError) as caught:
        streamify_response(no_stream)

    assert isinstance(caught.value, PenstockError)


def test_a_decorator_inside_that_takes_only_event_and_context_is_named():
    def logged(function):
        @wraps(function)
        def wrapper(event, context):
            return function(event, context)

        return wrapper

    with pytest.raises(HandlerShapeError) as caught:
        streamify_response(logged(coroutine_function))

    assert str(caught.value).endswith(
        "logged.<locals>.wrapper, which does not take what a handler that streams is given; "
        "put @streamify_response below that decorator, innermost"
    )


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_context_in_the_stream_s_place_is_refused(kind):
    names: dict = {}
    exec(f"{kind} handler(event, context, response_stream): pass", names)

    with pytest.raises(HandlerShapeError, match="the stream is the second argument"):
        streamify_response(names["handler"])
