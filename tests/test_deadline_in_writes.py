"""The deadline in the middle of a write, and a response that breaks under a guard."""

from __future__ import annotations

import asyncio
import time

import pytest

from penstock.errors import DeadlineApproaching
from penstock.testing import run
from tests.hurried import MOMENT_MS, Hurried, guarded

# The other method of pytest-timeout uses the signal that the guard wants.
pytestmark = pytest.mark.timeout(60, method="thread")


class Slow:
    """A response whose chunks take until the deadline has passed."""

    def __init__(self):
        self.moves = []
        self._until = time.monotonic() + 1.5 * MOMENT_MS / 1000

    def blocking_sink(self):
        return self

    def begin(self, content_type, chunks):
        self.moves += chunks

    def send(self, data):
        while time.monotonic() < self._until:
            pass
        self.moves.append(data)

    def end(self):
        self.moves.append("end")


def test_a_write_that_has_begun_comes_to_its_end():
    from penstock.stream import current_responder

    @guarded
    def handler(event, response_stream, context):
        try:
            response_stream.write("one")
            response_stream.write("two")
            time.sleep(3600)
        except DeadlineApproaching:
            response_stream.write("three")

    responder = Slow()
    token = current_responder.set(responder)
    try:
        handler({}, Hurried())
    finally:
        current_responder.reset(token)

    assert responder.moves == [b"one", b"two", b"three", "end"]


class Full:
    """A response that takes its second chunk when it is told to."""

    def __init__(self):
        self.moves = []
        self.may_go_on = asyncio.Event()

    def async_sink(self):
        return self

    async def begin(self, content_type, chunks):
        self.moves += chunks

    async def send(self, data):
        if data == b"two":
            asyncio.get_running_loop().call_later(1.5 * MOMENT_MS / 1000, self.may_go_on.set)
            await self.may_go_on.wait()
        self.moves.append(data)

    async def end(self):
        self.moves.append("end")


def test_an_awaited_write_that_has_begun_comes_to_its_end():
    from penstock.stream import current_responder

    @guarded
    async def handler(event, response_stream, context):
        await response_stream.write("one")
        try:
            await response_stream.write("two")
        except DeadlineApproaching:
            await response_stream.write("three")

    responder = Full()
    token = current_responder.set(responder)
    try:
        handler({}, Hurried())
    finally:
        current_responder.reset(token)

    assert responder.moves == [b"one", b"two", b"three", "end"]


def test_lines_that_come_slowly_are_interrupted():
    def slow():
        yield "one"
        time.sleep(3600)

    @guarded
    def handler(event, response_stream, context):
        try:
            response_stream.writelines(slow())
        except DeadlineApproaching:
            response_stream.write(", out of time")

    assert run(handler, context=Hurried()).text == "one, out of time"


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_generator_whose_response_breaks_is_closed(kind):
    closed = []
    names = {"closed": closed}
    exec(
        f"{kind} handler(event, context):\n"
        "    try:\n"
        "        yield 'one'\n"
        "        yield 'two'\n"
        "    finally:\n"
        "        closed.append(True)\n",
        names,
    )

    class Breaking(Full):
        def blocking_sink(self):
            return self

        def begin(self, content_type, chunks):
            raise SystemExit

        def fail(self, error):
            pass

    class AwaitedBreaking(Full):
        async def begin(self, content_type, chunks):
            raise SystemExit

    from penstock.stream import current_responder

    token = current_responder.set(Breaking() if kind == "def" else AwaitedBreaking())
    try:
        with pytest.raises(SystemExit):
            guarded(names["handler"])({}, Hurried(60_000))
    finally:
        current_responder.reset(token)

    assert closed == [True]
