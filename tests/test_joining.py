"""`join_ready`: what is ready at once leaves together, and nothing else changes."""

from __future__ import annotations

import asyncio

import pytest

from penstock import Prelude, streamify_response
from penstock.errors import HandlerShapeError, StreamBrokenError
from penstock.joining import JOINED_BYTES
from penstock.stream import current_responder
from penstock.testing import run


def chunks_of(handler):
    return run(handler).chunks


def test_the_first_chunk_leaves_alone_and_what_is_ready_behind_it_leaves_together():
    @streamify_response(join_ready=True)
    async def handler(event, context):
        for number in range(100):
            yield f"{number},"

    first, *rest = chunks_of(handler)

    assert first == b"0,"
    # A machine may take over 1 ms for them, so they may be a few.
    assert len(rest) < 50
    assert b"".join(rest) == b"".join(b"%d," % number for number in range(1, 100))


def test_a_chunk_leaves_before_the_generator_waits():
    sent = []

    @streamify_response(join_ready=True)
    async def handler(event, context):
        for number in range(4):
            yield str(number)
            yield "."
            await asyncio.sleep(0)
            sent.append(b"".join(responder.chunks))

    from penstock.buffered import BufferedResponder

    responder = BufferedResponder()
    token = current_responder.set(responder)
    try:
        handler({}, None)
    finally:
        current_responder.reset(token)

    assert sent == [b"0.", b"0.1.", b"0.1.2.", b"0.1.2.3."]


def test_what_is_held_is_never_more_than_a_block():
    @streamify_response(join_ready=True)
    async def handler(event, context):
        for _ in range(20):
            yield b"x" * 10_000

    chunks = chunks_of(handler)

    assert sum(map(len, chunks)) == 200_000
    assert max(map(len, chunks)) < JOINED_BYTES + 10_000


def test_an_error_comes_behind_what_was_yielded_before_it():
    @streamify_response(join_ready=True)
    async def handler(event, context):
        yield "one"
        yield "two"
        yield "three"
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more") as caught:
        run(handler)

    assert "[b'one', b'twothree']" in caught.value.__notes__[0]


def test_an_error_before_the_first_chunk_sends_nothing():
    @streamify_response(join_ready=True)
    async def handler(event, context):
        await asyncio.sleep(0)
        raise ValueError("none at all")
        yield

    with pytest.raises(ValueError, match="none at all") as caught:
        run(handler)

    assert not hasattr(caught.value, "__notes__")


def test_what_cannot_be_sent_is_raised_at_its_yield():
    @streamify_response(join_ready=True)
    async def handler(event, context):
        yield Prelude(201, {"x-one": "1"})
        yield "one"
        try:
            yield 2
        except TypeError:
            yield "not a number"
        try:
            yield Prelude(500)
        except ValueError:
            yield ", too late"

    answer = run(handler)

    assert (answer.prelude.status_code, answer.text) == (201, "onenot a number, too late")


def test_the_generator_awaits_whatever_it_likes():
    async def doubled(number):
        await asyncio.sleep(0)
        return number * 2

    @streamify_response(join_ready=True)
    async def handler(event, context):
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            tasks = [group.create_task(doubled(number)) for number in range(3)]
            for task in tasks:
                yield str(await task)
        assert asyncio.current_task() is not None
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            yield " in time"

    assert run(handler).text == "024 in time"


class Broken:
    """A response that breaks with its second chunk."""

    def async_sink(self):
        return self

    async def begin(self, content_type, chunks):
        pass

    async def send(self, data):
        raise StreamBrokenError("gone")

    async def fail(self, error):
        pass


def test_a_broken_response_is_raised_where_the_generator_waits_and_it_can_clean_up():
    seen = []

    @streamify_response(join_ready=True)
    async def handler(event, context):
        try:
            yield "one"
            yield "two"
            await asyncio.sleep(3600)
        except StreamBrokenError as exc:
            seen.append(str(exc))
            await asyncio.sleep(0)
            seen.append("cleaned")
            raise

    token = current_responder.set(Broken())
    try:
        with pytest.raises(StreamBrokenError, match="gone"):
            handler({}, None)
    finally:
        current_responder.reset(token)

    assert seen == ["gone", "cleaned"]


@pytest.mark.parametrize("shape", ["generator", "function", "coroutine"])
def test_nothing_else_can_be_joined(shape):
    def generator(event, context):
        yield ""

    def function(event, response_stream, context):
        pass

    async def coroutine(event, response_stream, context):
        pass

    with pytest.raises(HandlerShapeError, match="join_ready is for async generators"):
        streamify_response(locals()[shape], join_ready=True)


class Reluctant(Broken):
    """A response that takes nothing until it is told to."""

    def __init__(self):
        self.sent = []
        self.takes = asyncio.Event()

    async def send(self, data):
        await self.takes.wait()
        self.sent.append(data)

    async def end(self):
        self.sent.append("end")


def test_what_could_not_leave_in_time_is_sent_later_and_not_lost():
    responder = Reluctant()

    @streamify_response(join_ready=True)
    async def handler(event, context):
        yield "one "
        yield "two "
        try:
            async with asyncio.timeout(0):
                await asyncio.sleep(3600)
        except TimeoutError:
            responder.takes.set()
        yield "three"

    token = current_responder.set(responder)
    try:
        handler({}, None)
    finally:
        current_responder.reset(token)

    assert b"".join(responder.sent[:-1]) == b"two three"
    assert responder.sent[-1] == "end"
