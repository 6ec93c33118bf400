"""`streamify_response`: four shapes of handler, one callable, and nothing that gets lost."""

from __future__ import annotations

import asyncio
import base64
import contextvars
import os
import subprocess
import sys
import threading
import traceback
from contextlib import contextmanager
from functools import partial, wraps

import pytest

from penstock import HttpResponseStream, Prelude, pipeline, streamify_response
from penstock.errors import (
    HandlerShapeError,
    PenstockError,
    PreludeError,
    StreamBrokenError,
    StreamEndedError,
    StreamError,
)
from penstock.stream import AsyncResponseStream, ResponseStream, current_responder

INTEGRATION = "application/vnd.awslambda.http-integration-response"
OCTETS = "application/octet-stream"
CONTEXT = object()


class Responder:
    """Answers one invocation with a list of the moves; its sinks may break at one of them."""

    def __init__(self, breaks_at=None, breaks_with=StreamBrokenError):
        self.moves = []
        self.breaks_at = breaks_at
        self.breaks_with = breaks_with
        self._given = False

    def blocking_sink(self):
        if self._given:
            raise StreamError("this invocation has a response stream already")
        self._given = True
        return self

    def async_sink(self):
        return AwaitedSink(self.blocking_sink())

    def begin(self, content_type, chunks):
        self._make("begin", content_type, chunks)

    def send(self, data):
        self._make("send", data)

    def end(self):
        self._make("end")

    def fail(self, error):
        self._make("fail", error)

    def _make(self, name, *what):
        self.moves.append((name, *what))
        if self.breaks_at == name:
            raise self.breaks_with("the caller is gone")


class AwaitedSink:
    def __init__(self, responder):
        self._responder = responder

    async def begin(self, content_type, chunks):
        self._responder.begin(content_type, chunks)

    async def send(self, data):
        self._responder.send(data)

    async def end(self):
        self._responder.end()

    async def fail(self, error):
        self._responder.fail(error)


@contextmanager
def invocation(breaks_at=None, breaks_with=StreamBrokenError):
    """An invocation that streams, as the runtime sets it up; gives the moves."""
    responder = Responder(breaks_at, breaks_with)
    token = current_responder.set(responder)
    try:
        yield responder.moves
    finally:
        current_responder.reset(token)


def moves_of(handler, event=None):
    """What a handler that returns normally made of its response."""
    with invocation() as moves:
        assert handler(event, CONTEXT) is None
    return moves


ONE_TWO = [("begin", OCTETS, [b"one"]), ("send", b"two"), ("end",)]


# The four shapes. Each writes the two items of its event.


async def coroutine_function(event, response_stream, context):
    assert type(response_stream) is AsyncResponseStream
    assert context is CONTEXT
    for item in event:
        await response_stream.write(item)


def plain_function(event, response_stream, context):
    assert type(response_stream) is ResponseStream
    assert context is CONTEXT
    for item in event:
        response_stream.write(item)


def generator_function(event, context):
    assert context is CONTEXT
    yield from event


async def async_generator_function(event, context):
    assert context is CONTEXT
    for item in event:
        yield item


SHAPES = [coroutine_function, plain_function, generator_function, async_generator_function]


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


# Everything a handler may be made of.


def unchanged(function):
    """A decorator that forgets nothing and knows nothing."""

    @wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


class Methods:
    """The four shapes as methods, plain and decorated."""

    async def coroutine(self, event, response_stream, context):
        await response_stream.write("one")
        await response_stream.write("two")

    def plain(self, event, response_stream, context):
        response_stream.write("one")
        response_stream.write("two")

    def generator(self, event, context):
        yield from ("one", "two")

    async def async_generator(self, event, context):
        yield "one"
        yield "two"

    @classmethod
    def of_the_class(cls, event, context):
        yield from ("one", "two")

    @staticmethod
    def of_nobody(event, context):
        yield from ("one", "two")

    @unchanged
    async def decorated_coroutine(self, event, response_stream, context):
        await response_stream.write("one")
        await response_stream.write("two")

    @unchanged
    def decorated_generator(self, event, context):
        yield from ("one", "two")

    @unchanged
    @unchanged
    def decorated_twice(self, event, response_stream, context, punctuation=""):
        response_stream.write("one" + punctuation)
        response_stream.write("two")


@pytest.mark.parametrize("name", [name for name in vars(Methods) if not name.startswith("__")])
def test_a_handler_may_be_a_method(name):
    handler = streamify_response(getattr(Methods(), name))

    assert moves_of(handler) == ONE_TWO


class Callable:
    def __call__(self, event, context):
        yield from ("one", "two")


class AwaitedCallable:
    async def __call__(self, event, response_stream, context):
        await response_stream.write("one")
        await response_stream.write("two")


class StaticCallable:
    @staticmethod
    def __call__(event, context):
        yield from ("one", "two")


class DecoratedCallable:
    @unchanged
    def __call__(self, event, response_stream, context, second="two"):
        response_stream.write("one")
        response_stream.write(second)


class CallableWithADefault:
    def __call__(self, event, context, first="one"):
        yield from (first, "two")


class CallableWithAFunc:
    """Has the attributes of a `functools.partial` by accident."""

    func = "the cosine"
    args = None

    def __call__(self, event, context):
        yield from ("one", "two")


@pytest.mark.parametrize(
    "make",
    [
        Callable,
        AwaitedCallable,
        StaticCallable,
        DecoratedCallable,
        CallableWithADefault,
        CallableWithAFunc,
    ],
)
def test_a_handler_may_be_an_object_that_is_called(make):
    assert moves_of(streamify_response(make())) == ONE_TWO


def with_a_client_first(client, event, response_stream, context):
    response_stream.write(client)
    response_stream.write("two")


def with_a_client_last(event, context, client):
    yield from (client, "two")


async def with_a_client_by_name(event, response_stream, context, *, client):
    await response_stream.write(client)
    await response_stream.write("two")


def with_more_than_one(first, client, event, context):
    yield from (first, client)


class WithAClient:
    def method(self, client, event, context):
        yield from (client, "two")


@pytest.mark.parametrize(
    "make",
    [
        lambda: partial(with_a_client_first, "one"),
        lambda: partial(with_a_client_last, client="one"),
        lambda: partial(with_a_client_by_name, client="one"),
        lambda: partial(partial(with_more_than_one, "one"), "two"),
        lambda: partial(WithAClient().method, "one"),
        lambda: partial(unchanged(with_a_client_first), "one"),
        lambda: unchanged(partial(with_a_client_first, "one")),
        lambda: unchanged(unchanged(partial(with_a_client_first, "one"))),
    ],
    ids=[
        "first",
        "by name",
        "keyword only",
        "twice",
        "of a method",
        "of a wrapper",
        "in a wrapper",
        "in two wrappers",
    ],
)
def test_a_handler_may_be_a_partial(make):
    assert moves_of(streamify_response(make())) == ONE_TWO


def test_a_partial_that_leaves_too_much_open_is_refused():
    with pytest.raises(HandlerShapeError, match="a generator that takes 3 arguments"):
        streamify_response(partial(with_more_than_one, "one"))


def test_a_partial_that_names_what_the_runtime_gives_is_refused():
    # It would be given twice, once by its place.
    with pytest.raises(HandlerShapeError):
        streamify_response(partial(plain_function, context=CONTEXT))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_decorator_inside_hides_no_shape(shape):
    handler = streamify_response(unchanged(unchanged(shape)))

    assert moves_of(handler, ["one", "two"]) == ONE_TWO


@pytest.mark.parametrize("shape", SHAPES)
def test_a_decorator_around_loses_no_chunk(shape):
    handler = unchanged(streamify_response(shape))

    assert moves_of(handler, ["one", "two"]) == ONE_TWO


@pytest.mark.parametrize("shape", SHAPES)
def test_a_decorator_around_that_forgets_what_it_wraps_loses_no_chunk(shape):
    inner = streamify_response(shape)

    def handler(event, context):
        return inner(event, context)

    assert moves_of(handler, ["one", "two"]) == ONE_TWO


def test_an_async_decorator_around_a_plain_def_does_not_make_an_empty_response():
    def awaits(function):
        @wraps(function)
        async def wrapper(*args):
            return function(*args)

        return wrapper

    with invocation() as moves, pytest.raises(TypeError):
        streamify_response(awaits(plain_function))(["one"], CONTEXT)

    assert ("end",) not in moves


def test_more_arguments_are_fine_when_they_have_defaults():
    @streamify_response
    def handler(event, response_stream, context, first="one", *, second="two"):
        response_stream.write(first)
        response_stream.write(second)

    assert moves_of(handler) == ONE_TWO


def test_fewer_arguments_are_fine_when_the_rest_is_taken():
    @streamify_response
    def with_stream(*arguments):
        assert len(arguments) == 3
        arguments[1].write("one")
        arguments[1].write("two")

    @streamify_response
    def generator(event, *rest):
        assert rest == (CONTEXT,)
        yield from ("one", "two")

    assert moves_of(with_stream) == ONE_TWO
    assert moves_of(generator) == ONE_TWO


def test_arguments_may_have_any_name():
    @streamify_response
    async def handler(e, s, /, c=None):
        await s.write("one")
        await s.write("two")

    assert moves_of(handler) == ONE_TWO


# Failures. Each handler sends what its event says, then fails, and notes that it cleans up.


class Mishap(Exception):
    """What goes wrong in these handlers."""


cleaned = []


@pytest.fixture(autouse=True)
def clean():
    cleaned.clear()


@streamify_response
async def failing_coroutine(event, response_stream, context):
    try:
        for item in event["first"]:
            await response_stream.write(item)
        raise event["then"]
    finally:
        cleaned.append("coroutine")


@streamify_response
def failing_function(event, response_stream, context):
    try:
        for item in event["first"]:
            response_stream.write(item)
        raise event["then"]
    finally:
        cleaned.append("function")


@streamify_response
def failing_generator(event, context):
    try:
        yield from event["first"]
        raise event["then"]
    finally:
        cleaned.append("generator")


@streamify_response
async def failing_async_generator(event, context):
    try:
        for item in event["first"]:
            yield item
        raise event["then"]
    finally:
        cleaned.append("async generator")


FAILING = [failing_coroutine, failing_function, failing_generator, failing_async_generator]


@pytest.mark.parametrize("handler", FAILING)
def test_an_exception_before_the_first_byte_is_raised_and_nothing_is_sent(handler):
    error = Mishap("early")

    with invocation() as moves, pytest.raises(Mishap) as caught:
        handler({"first": [], "then": error}, None)

    assert caught.value is error
    assert moves == []
    assert len(cleaned) == 1


@pytest.mark.parametrize("handler", FAILING)
def test_an_exception_after_the_first_byte_is_told_to_the_other_side_and_raised(handler):
    error = Mishap("half-way")

    with invocation() as moves, pytest.raises(Mishap) as caught:
        handler({"first": ["one"], "then": error}, None)

    assert caught.value is error
    assert moves == [("begin", OCTETS, [b"one"]), ("fail", error)]
    assert len(cleaned) == 1


@pytest.mark.parametrize("handler", FAILING)
def test_an_exception_after_only_the_head_counts_as_after_the_first_byte(handler):
    error = Mishap("half-way")

    with invocation() as moves, pytest.raises(Mishap):
        handler({"first": [""], "then": error}, None)

    assert moves == [("begin", OCTETS, []), ("fail", error)]


@pytest.mark.parametrize("handler", FAILING)
def test_the_exception_of_the_handler_is_raised_also_when_it_cannot_be_told(handler):
    error = Mishap("mine")

    with invocation(breaks_at="fail") as moves, pytest.raises(Exception) as caught:  # noqa: PT011
        handler({"first": ["one"], "then": error}, None)

    assert caught.value is error
    assert moves[-1] == ("fail", error)


@pytest.mark.parametrize("handler", FAILING)
@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_the_end_of_the_process_is_no_failure_of_the_response(handler, error):
    # The connection is then closed in mid-response, and the platform sees a cut.
    with invocation() as moves, pytest.raises(type(error)) as caught:
        handler({"first": ["one"], "then": error}, None)

    assert caught.value is error
    assert moves == [("begin", OCTETS, [b"one"])]
    assert len(cleaned) == 1


@pytest.mark.parametrize("handler", FAILING)
def test_a_process_that_is_asked_to_end_in_a_write_cleans_up_at_once(handler):
    # Held, so that no generator is closed just because nobody holds it any more.
    with invocation("send", SystemExit) as moves, pytest.raises(SystemExit) as held:
        handler({"first": ["one", "two", "three"], "then": Mishap()}, None)

    assert len(cleaned) == 1
    assert moves == [("begin", OCTETS, [b"one"]), ("send", b"two")]
    assert held.value.code == "the caller is gone"


@pytest.mark.parametrize("handler", [failing_coroutine, failing_async_generator])
def test_a_handler_that_was_cancelled_has_failed(handler):
    error = asyncio.CancelledError("by a task group")

    with invocation() as moves, pytest.raises(asyncio.CancelledError):
        handler({"first": ["one"], "then": error}, None)

    assert [move[0] for move in moves] == ["begin", "fail"]
    assert type(moves[1][1]) is asyncio.CancelledError


@pytest.mark.parametrize("handler", FAILING)
def test_the_next_invocation_is_answered_after_any_failure(handler):
    for error in (Mishap(), SystemExit(1)):
        with invocation(), pytest.raises(type(error)):
            handler({"first": ["one"], "then": error}, None)

    for shape in SHAPES:
        assert moves_of(streamify_response(shape), ["one", "two"]) == ONE_TWO


@pytest.mark.parametrize("handler", FAILING)
def test_a_caller_that_is_gone_is_an_error_in_the_handler(handler):
    with invocation(breaks_at="send") as moves, pytest.raises(StreamBrokenError):
        handler({"first": ["one", "two", "three"], "then": Mishap()}, None)

    assert moves == [("begin", OCTETS, [b"one"]), ("send", b"two")]
    assert len(cleaned) == 1


@pytest.mark.parametrize("shape", SHAPES)
def test_a_response_that_is_not_taken_whole_is_an_error(shape):
    with invocation(breaks_at="end"), pytest.raises(StreamBrokenError):
        streamify_response(shape)(["one"], CONTEXT)


def test_an_exception_after_the_end_is_raised_but_changes_nothing():
    @streamify_response
    def handler(event, response_stream, context):
        response_stream.end("all")
        raise Mishap("late")

    with invocation() as moves, pytest.raises(Mishap):
        handler(None, None)

    assert moves == [("begin", OCTETS, [b"all"]), ("end",)]


def test_a_handler_that_ends_its_stream_itself_ends_it_once():
    @streamify_response
    async def handler(event, response_stream, context):
        await response_stream.end("all")
        with pytest.raises(StreamEndedError):
            await response_stream.write("more")

    assert moves_of(handler) == [("begin", OCTETS, [b"all"]), ("end",)]


# What a generator yields.


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


# Event loops.


def test_all_async_handlers_share_one_loop():
    loops = []

    @streamify_response
    async def one(event, response_stream, context):
        loops.append(asyncio.get_running_loop())

    @streamify_response
    async def other(event, context):
        loops.append(asyncio.get_running_loop())
        yield "other"

    for handler in (one, other, one):
        moves_of(handler)

    assert loops == [loops[0]] * 3


def test_a_task_that_was_begun_in_one_invocation_goes_on_in_the_next():
    tasks = []

    @streamify_response
    async def handler(event, response_stream, context):
        if not tasks:
            tasks.append(asyncio.create_task(work()))
        else:
            await response_stream.write(await tasks[0])

    async def work():
        await asyncio.sleep(0)
        return "done"

    moves_of(handler)
    assert not tasks[0].done()
    assert moves_of(handler) == [("begin", OCTETS, [b"done"]), ("end",)]


def test_a_loop_that_a_handler_closed_is_replaced():
    @streamify_response
    async def handler(event, context):
        yield "one"

    @streamify_response
    async def closes(event, response_stream, context):
        loops.append(asyncio.get_running_loop())

    loops = []
    moves_of(closes)
    loops[0].close()

    assert moves_of(handler) == [("begin", OCTETS, [b"one"]), ("end",)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_handler_can_be_called_by_code_that_runs_on_a_loop(shape):
    handler = streamify_response(shape)

    async def main():
        return moves_of(handler, ["one", "two"])

    assert asyncio.run(main()) == ONE_TWO


def test_a_handler_called_on_a_loop_sees_the_context_variables_of_its_caller():
    variable = contextvars.ContextVar("variable")

    @streamify_response
    async def handler(event, context):
        yield variable.get()

    async def main():
        variable.set("mine")
        return moves_of(handler)

    assert asyncio.run(main()) == [("begin", OCTETS, [b"mine"]), ("end",)]


def test_an_error_of_a_handler_called_on_a_loop_reaches_its_caller():
    async def main():
        with invocation() as moves, pytest.raises(Mishap):
            failing_async_generator({"first": ["one"], "then": error}, None)
        return moves

    error = Mishap("half-way")

    assert asyncio.run(main())[-1] == ("fail", error)


def test_each_thread_has_a_loop_of_its_own():
    handler = streamify_response(async_generator_function)
    results = []

    def work():
        async def main():
            results.append(moves_of(handler, ["one", "two"]))

        asyncio.run(main())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [ONE_TWO] * 4


def test_the_loop_of_a_thread_is_closed_when_the_thread_has_ended():
    program = """
import gc, threading
from penstock import streamify_response

@streamify_response
async def handler(event, context):
    yield "one"

thread = threading.Thread(target=handler, args=(None, None))
thread.start()
thread.join()
gc.collect()
"""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=30
    )

    # The loop of the main thread is not meant here.
    assert "ResourceWarning" not in ended.stderr


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


# Where nothing streams: one buffered proxy response.


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


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("first", [[], ["one"]])
def test_a_write_that_was_not_awaited_is_an_error_and_no_whole_response(first):
    @streamify_response
    async def handler(event, response_stream, context):
        for item in first:
            await response_stream.write(item)
        response_stream.write("two")

    with invocation() as moves, pytest.raises(StreamError) as caught:
        handler(None, CONTEXT)

    assert str(caught.value) == (
        f"1 of {len(first) + 1} writes were never awaited, so what they were to send is "
        "missing; in an async handler write `await response_stream.write(...)`"
    )
    assert ("end",) not in moves
    assert [move[0] for move in moves] == (["begin", "fail"] if first else [])


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_a_pipeline_that_was_not_awaited_is_an_error_too():
    @streamify_response
    async def handler(event, response_stream, context):
        pipeline(b"two", response_stream)

    with invocation(), pytest.raises(StreamError, match="never awaited"):
        handler(None, CONTEXT)


def test_parentheses_without_options_change_nothing():
    @streamify_response()
    def handler(event, context):
        yield "one"

    with invocation() as moves:
        handler(None, CONTEXT)

    assert moves[0] == ("begin", OCTETS, [b"one"])


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
