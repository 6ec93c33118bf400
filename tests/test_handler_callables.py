"""Everything a handler may be made of: methods, objects, partials, and decorators around it."""

from __future__ import annotations

from functools import partial, wraps

import pytest

from penstock import streamify_response
from penstock.errors import HandlerShapeError
from tests.handlers import CONTEXT, ONE_TWO, SHAPES, invocation, moves_of, plain_function


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
