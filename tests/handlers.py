"""Handlers of all four shapes, whole and failing, and invocations that note what they send."""

from __future__ import annotations

from contextlib import contextmanager

from penstock import streamify_response
from penstock.errors import StreamBrokenError, StreamError
from penstock.stream import AsyncResponseStream, ResponseStream, current_responder
from tests.stream_moves import Moves

OCTETS = "application/octet-stream"
CONTEXT = object()


class Responder:
    """Answers one invocation with a list of the moves; its sinks may break at one of them."""

    def __init__(self, breaks_at=None, breaks_with=StreamBrokenError):
        self.moves = Moves()
        self.moves.breaks_at = breaks_at
        self.moves.breaks_with = breaks_with
        self._given = False

    def blocking_sink(self):
        if self._given:
            raise StreamError("this invocation has a response stream already")
        self._given = True
        return self.moves

    def async_sink(self):
        return AwaitedSink(self.blocking_sink())


class AwaitedSink:
    def __init__(self, sink):
        self._sink = sink

    async def begin(self, content_type, chunks):
        self._sink.begin(content_type, chunks)

    async def send(self, data):
        self._sink.send(data)

    async def end(self):
        self._sink.end()

    async def fail(self, error):
        self._sink.fail(error)


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


# Failures. Each handler sends what its event says, then fails, and notes that it cleans up.


class Mishap(Exception):
    """What goes wrong in these handlers."""


cleaned = []


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
