"""Event streams and the deadline: who hears of it, and what the client is told."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest

from penstock import sse, streamify_response
from penstock.buffered import BufferedResponder
from penstock.deadline import DeadlineGuard, GuardedBlock
from penstock.errors import DeadlineApproaching
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
        return MARGIN_MS + 30


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


def test_a_handler_that_deals_with_the_deadline_in_a_write_has_sent_a_whole_stream():
    clock = [0.0]

    class Slow(BufferedResponder):
        def send(self, data):
            super().send(data)
            # Longer than there was time.
            clock[0] += 10

    @sse
    def handler(event, events, context):
        try:
            events.send("one")
        except DeadlineApproaching:
            pass

    responder = Slow()
    stream = ResponseStream(responder)
    with GuardedBlock(DeadlineGuard(Context(), MARGIN_MS, lambda: clock[0]), stream):
        handler({}, stream, Context())

    assert responder.chunks == [b"data: one\n\n", END]


@pytest.mark.parametrize("is_async", [False, True])
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
    guard = DeadlineGuard(Context(), MARGIN_MS, lambda: clock[0])
    if is_async:
        async_stream = AsyncResponseStream(responder.async_sink())
        async_stream._guard = guard
        asyncio.run(awaited({}, async_stream, Context()))
    else:
        stream = ResponseStream(responder)
        stream._guard = guard
        plain({}, stream, Context())

    assert responder.chunks == [b"data: one\n\n", END]
