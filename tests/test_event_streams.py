"""Event streams and the deadline: who hears of it, and what the client is told."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest

from penstock import sse, streamify_response
from penstock.buffered import BufferedResponder
from penstock.deadline import DeadlineGuard, GuardedBlock, _HeldAsyncSink
from penstock.errors import DeadlineApproaching
from penstock.event_streams import HEARTBEAT
from penstock.stream import AsyncResponseStream, ResponseStream
from penstock.testing import Context, run
from tests.event_stream_reader import failed, is_silent, read_events
from tests.tools import wait_for

# The other method of pytest-timeout uses the signal that the deadline's guard wants.
pytestmark = pytest.mark.timeout(60, method="thread")

END = b"event: end\ndata:\n\n"

MARGIN_MS = 1000


class Hurried:
    """A context: a moment more than the margin is left."""

    aws_request_id = "r1"

    def get_remaining_time_in_millis(self):
        # Long enough for the first event on a busy machine.
        return MARGIN_MS + 200


async def sleeps_async(event, context):
    yield "one"
    await asyncio.sleep(3600)


async def sleeps_async_with_stream(event, events, context):
    await events.send("one")
    await asyncio.sleep(3600)


def sleeps(event, context):
    yield "one"
    time.sleep(3600)


def sleeps_with_stream(event, events, context):
    events.send("one")
    time.sleep(3600)


@pytest.mark.parametrize(
    "handler", [sleeps, sleeps_with_stream, sleeps_async, sleeps_async_with_stream]
)
@pytest.mark.parametrize("seconds", [None, 0.001])
def test_the_deadline_is_told_to_the_client_and_no_heartbeat_takes_it(handler, seconds):
    late = streamify_response(deadline_margin_ms=MARGIN_MS)(sse(heartbeat_seconds=seconds)(handler))

    error, body = failed(late, Hurried())

    assert isinstance(error, DeadlineApproaching)
    first, last = read_events(body)
    assert first.data == "one"
    assert last.type == "error"
    assert json.loads(last.data) == {"message": "the stream ran out of time", "requestId": "r1"}
    assert is_silent()


def test_on_another_thread_a_heartbeat_leaves_the_deadline_to_the_next_event():
    class OutOfTime:
        def get_remaining_time_in_millis(self):
            return MARGIN_MS - 1

    class Guard(DeadlineGuard):
        def check(self):
            by.append(threading.current_thread().name)
            super().check()

    by = []

    @sse(heartbeat_seconds=0.001)
    def handler(event, events, context):
        # The first to hear of it, twice, is a heartbeat.
        wait_for(lambda: by.count("penstock-heartbeats") >= 2, "two heartbeats")
        try:
            events.send("one")
        except DeadlineApproaching:
            events.send("late")

    @streamify_response
    def guarded(event, response_stream, context):
        with GuardedBlock(Guard(context, MARGIN_MS), response_stream):
            handler(event, response_stream, context)

    answers = []
    thread = threading.Thread(target=lambda: answers.append(run(guarded, context=OutOfTime())))
    thread.start()
    thread.join(30)
    assert [event.data for event in read_events(answers[0].body)] == ["late", ""]


class Late(BufferedResponder):
    """Its clock says that the time is up once something that begins like that was sent."""

    def __init__(self, last):
        super().__init__()
        self._last = last
        self._is_late = False

    def send(self, data):
        super().send(data)
        self._is_late |= data.startswith(self._last)

    def now(self):
        return 100_000.0 if self._is_late else 0.0


def answer_to(handler, responder, is_async, now):
    """Run a handler as `deadline_margin_ms` does, with a clock of the test's own."""

    async def main():
        stream = AsyncResponseStream(responder.async_sink())
        guard = DeadlineGuard(Context(), MARGIN_MS, now)
        guard.owner = asyncio.current_task()
        stream._guard, stream._sink = guard, _HeldAsyncSink(stream._sink, guard)
        await asyncio.wait_for(handler({}, stream, Context()), 30)

    if is_async:
        asyncio.run(main())
        return
    stream = ResponseStream(responder)
    with GuardedBlock(DeadlineGuard(Context(), MARGIN_MS, now), stream):
        handler({}, stream, Context())


each_colour = pytest.mark.parametrize("is_async", [False, True])


def test_a_heartbeat_that_is_awaited_leaves_the_deadline_to_the_next_event():
    responder = Late(HEARTBEAT)

    @sse(heartbeat_seconds=0.001)
    async def handler(event, events, context):
        await events.send("one")
        while HEARTBEAT not in responder.chunks:
            await asyncio.sleep(0.001)
        with pytest.raises(DeadlineApproaching):
            await events.send("two")
        await events.send("late")

    answer_to(handler, responder, True, responder.now)

    sent = [chunk for chunk in responder.chunks if chunk != HEARTBEAT]
    assert sent == [b"data: one\n\n", b"data: late\n\n", END]


@each_colour
def test_a_handler_that_deals_with_the_deadline_in_a_write_has_sent_a_whole_stream(is_async):
    @sse
    def plain(event, events, context):
        with pytest.raises(DeadlineApproaching):
            events.send("one")

    @sse
    async def awaited(event, events, context):
        with pytest.raises(DeadlineApproaching):
            await events.send("one")

    responder = Late(b"data: one")
    answer_to(awaited if is_async else plain, responder, is_async, responder.now)

    assert responder.chunks == [b"data: one\n\n", END]


def sends_one(is_async, error=None):
    """A handler that sends one event and ends, or fails."""

    @sse
    def plain(event, events, context):
        events.send("one")
        if error is not None:
            raise error

    @sse
    async def awaited(event, events, context):
        await events.send("one")
        if error is not None:
            raise error

    return awaited if is_async else plain


@each_colour
def test_whole_is_whole_if_the_time_runs_out_while_the_end_is_sent(is_async):
    responder = Late(END)
    answer_to(sends_one(is_async), responder, is_async, responder.now)

    assert responder.chunks == [b"data: one\n\n", END]


@each_colour
def test_a_failure_that_is_told_when_the_time_runs_out_is_told_once_and_is_what_is_raised(is_async):
    responder = Late(b"event: error")
    with pytest.raises(ValueError, match="secret"):
        answer_to(sends_one(is_async, ValueError("secret")), responder, is_async, responder.now)

    assert [event.type for event in read_events(b"".join(responder.chunks))] == ["message", "error"]


@each_colour
def test_an_end_that_was_broken_off_is_not_followed_by_another(is_async):
    class Breaking(BufferedResponder):
        def send(self, data):
            super().send(data)
            if data == END:
                raise RuntimeError("in the middle")

    responder = Breaking()
    with pytest.raises(RuntimeError):
        answer_to(sends_one(is_async), responder, is_async, lambda: 0.0)

    assert responder.chunks == [b"data: one\n\n", END]


@each_colour
def test_a_handler_that_has_returned_has_sent_a_whole_stream_whatever_the_time(is_async):
    clock = [0.0]

    @sse
    def plain(event, events, context):
        events.send("one")
        clock[0] += 10

    @sse
    async def awaited(event, events, context):
        await events.send("one")
        clock[0] += 10

    responder = BufferedResponder()
    answer_to(awaited if is_async else plain, responder, is_async, lambda: clock[0])

    assert responder.chunks == [b"data: one\n\n", END]
