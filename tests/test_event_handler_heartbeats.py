"""`sse` while a handler is silent: heartbeats, and readers that are slow or gone."""

from __future__ import annotations

import json
import threading

import pytest

from penstock import Prelude, sse, streamify_response
from penstock.errors import PreludeError, StreamBrokenError
from penstock.event_streams import HEARTBEAT
from penstock.testing import run, stepped
from tests.event_shapes import END, HEAD, each_shape
from tests.event_stream_reader import is_silent, read_to_a_heartbeat_after

# The other method of pytest-timeout uses the signal that the deadline's guard wants.
pytestmark = pytest.mark.timeout(60, method="thread")


@each_shape
def test_heartbeats_come_while_a_handler_is_silent(shape):
    go = threading.Event()

    def work():
        yield "one"
        yield lambda: go.wait(30)
        yield "two"

    with stepped(streamify_response(sse(heartbeat_seconds=0.01)(shape(work)))) as steps:
        read_to_a_heartbeat_after(b"data: one\n\n", steps)
        assert [next(steps), next(steps)] == [HEARTBEAT] * 2
        go.set()
        rest = [chunk for chunk in steps if chunk != HEARTBEAT]
    assert rest == [b"data: two\n\n", END]
    assert is_silent()


@each_shape
def test_heartbeats_come_before_the_first_event_and_bring_the_head(shape):
    go = threading.Event()

    def work():
        yield lambda: go.wait(30)
        raise ValueError("secret")

    handler = streamify_response(sse(heartbeat_seconds=0.01)(shape(work)))
    heard = []
    with pytest.raises(ValueError, match="secret"), stepped(handler) as steps:
        heard.append(next(steps))
        assert json.loads(heard[0].partition(b"\0")[0])["headers"] == HEAD
        heard = [next(steps), next(steps)]
        assert heard == [HEARTBEAT] * 2
        go.set()
        heard.extend(steps)
    # Held in its last write, the handler has failed before the reader goes on.
    assert is_silent()


@each_shape
def test_a_prelude_after_a_heartbeat_says_what_was_in_its_way(shape):
    go = threading.Event()

    def work():
        yield lambda: go.wait(30)
        yield Prelude(404)

    handler = streamify_response(sse(heartbeat_seconds=0.01)(shape(work)))
    with pytest.raises(PreludeError, match="before the first heartbeat"), stepped(handler) as steps:
        next(steps)
        assert next(steps) == HEARTBEAT
        go.set()
        list(steps)


@each_shape
def test_without_heartbeats_there_are_none(shape):
    handler = streamify_response(sse(heartbeat_seconds=None)(shape(lambda: ["one"])))

    assert run(handler).chunks == [b"data: one\n\n", END]


@each_shape
def test_a_slow_reader_holds_the_handler_back(shape):
    log = []

    def work():
        for number in range(3):
            log.append(number)
            yield str(number)

    with stepped(streamify_response(sse(shape(work)))) as steps:
        next(steps)
        assert next(steps) == b"data: 0\n\n"
        assert log == [0]
        assert next(steps) == b"data: 1\n\n"
        assert log == [0, 1]


@each_shape
def test_nothing_is_left_when_the_reader_is_gone(shape):
    go = threading.Event()

    def work():
        yield "one"
        yield lambda: go.wait(30)
        yield "two"

    with stepped(streamify_response(sse(heartbeat_seconds=0.01)(shape(work)))) as steps:
        read_to_a_heartbeat_after(b"data: one\n\n", steps)
        go.set()
    assert is_silent()


def test_a_reader_that_is_gone_is_heard_of_at_a_yield_and_the_generator_is_closed():
    log = []
    go = threading.Event()

    @streamify_response
    @sse(heartbeat_seconds=0.01)
    def handler(event, context):
        try:
            yield "one"
            go.wait(30)
            yield "two"
        except StreamBrokenError:
            log.append("broken")
            raise
        finally:
            log.append("closed")

    with stepped(handler) as steps:
        read_to_a_heartbeat_after(b"data: one\n\n", steps)
        go.set()
    assert log == ["broken", "closed"]
