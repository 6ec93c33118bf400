"""The body of an event stream: what is said after a write that came to no end, and when."""

from __future__ import annotations

import asyncio

import pytest

from penstock import Prelude
from penstock.buffered import BufferedResponder
from penstock.deadline import DeadlineGuard
from penstock.errors import DeadlineApproaching, StreamBrokenError
from penstock.event_streams import AsyncEventBody, EventBody
from penstock.stream import AsyncResponseStream, ResponseStream
from penstock.testing import Context
from tests.event_stream_reader import is_silent

END = b"event: end\ndata:\n\n"

each_colour = pytest.mark.parametrize("is_async", [False, True])


def write(is_async, responder, parts, guard=None):
    """Write the parts of a body; an exception among them is raised."""

    async def main():
        stream = AsyncResponseStream(responder.async_sink())
        stream._guard = guard
        async with AsyncEventBody(stream, None, None, "", "error") as body:
            for part in parts:
                if isinstance(part, Exception):
                    raise part
                await body.write(part)

    if is_async:
        asyncio.run(main())
        return
    stream = ResponseStream(responder)
    stream._guard = guard
    with EventBody(stream, None, None, "", "error") as body:
        for part in parts:
            if isinstance(part, Exception):
                raise part
            body.write(part)


class Halving(BufferedResponder):
    """Breaks off in the middle of an event that holds "two"."""

    def send(self, data):
        half = b"two" in data
        super().send(data[:8] if half else data)
        if half:
            raise RuntimeError("in the middle")


@each_colour
def test_an_error_event_after_half_a_write_begins_a_line(is_async):
    responder = Halving()
    with pytest.raises(RuntimeError):
        write(is_async, responder, [b"data: one\n\n", b"data: two\n\n"])

    assert responder.chunks[-2] == b"data: tw"
    assert responder.chunks[-1].startswith(b"\nevent: error\n")


class Clock:
    """Says that it is late from the so manyth time on that it is asked."""

    def __init__(self, late_at):
        self._late_at = late_at
        self._asked = 0

    def __call__(self):
        self._asked += 1
        return 100_000.0 if self._asked >= self._late_at else 0.0


@each_colour
def test_an_event_whose_end_may_not_have_left_is_taken_as_cut(is_async):
    # It is asked when the guard is made, and twice at each write: late at the last of these.
    guard = DeadlineGuard(Context(), 1000, Clock(late_at=5))
    responder = BufferedResponder()
    with pytest.raises(DeadlineApproaching):
        write(is_async, responder, [b"data: one", b"\n\n"], guard)

    assert responder.chunks[0] == b"data: one"
    assert responder.chunks[1].startswith(b"\nevent: error\n")


@each_colour
def test_what_the_deadline_kept_from_leaving_is_not_taken_for_sent(is_async):
    def parts():
        yield b"data: one\n\n"
        clock[0] = 100_000.0
        yield b"data: tw"

    clock = [0.0]
    guard = DeadlineGuard(Context(), 1000, lambda: clock[0])
    responder = BufferedResponder()
    with pytest.raises(DeadlineApproaching):
        write(is_async, responder, parts(), guard)

    assert responder.chunks[1].startswith(b"event: error\n")


@each_colour
def test_a_reader_that_is_gone_when_it_is_told_hides_nothing_of_the_failure(is_async):
    class Gone(BufferedResponder):
        def send(self, data):
            if data.startswith(b"event: error"):
                raise StreamBrokenError("gone")
            super().send(data)

    with pytest.raises(ValueError, match="secret"):
        write(is_async, Gone(), [b"data: one\n\n", ValueError("secret")])


def test_a_failure_before_the_first_byte_leaves_no_heartbeats():
    async def main():
        stream = AsyncResponseStream(BufferedResponder().async_sink())
        with pytest.raises(ValueError, match="early"):
            async with AsyncEventBody(stream, None, 3600, "", "error") as body:
                body.head(Prelude())
                raise ValueError("early")
        assert body._heartbeats._timer.cancelled()

    asyncio.run(main())


class Listening(BufferedResponder):
    """Notes whether heartbeats may still come when the end is sent."""

    def __init__(self, is_silent):
        super().__init__()
        self._is_silent = is_silent
        self.silent = []

    def send(self, data):
        super().send(data)
        if data == END:
            self.silent.append(self._is_silent())


def test_no_heartbeat_can_come_beside_the_end():
    responder = Listening(is_silent)
    with EventBody(ResponseStream(responder), None, 3600, "end", "") as body:
        body.head(Prelude())
        body.end()

    assert responder.silent == [True]


def test_no_heartbeat_can_come_beside_the_end_that_is_awaited():
    responder = Listening(lambda: body._heartbeats._timer.cancelled())

    async def main():
        nonlocal body
        stream = AsyncResponseStream(responder.async_sink())
        async with AsyncEventBody(stream, None, 3600, "end", "") as body:
            body.head(Prelude())
            await body.end()

    body = None
    asyncio.run(main())

    assert responder.silent == [True]


def test_no_heartbeat_sends_a_head_that_is_being_taken():
    locked = []

    class Body(EventBody):
        def _take_head(self, prelude):
            locked.append(self._heartbeats._lock.locked())
            super()._take_head(prelude)

    with Body(ResponseStream(BufferedResponder()), None, 3600, "", "") as body:
        body.head(Prelude())

    assert locked == [True]
