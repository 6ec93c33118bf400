"""The deadline guard: a handler hears in time that its time is nearly up."""

from __future__ import annotations

import asyncio
import signal
import threading
import time

import pytest

from penstock import pipeline, streamify_response
from penstock.deadline import DeadlineGuard
from penstock.errors import DeadlineApproaching
from penstock.testing import run
from tests.hurried import MARGIN_MS, MOMENT_MS, Hurried, guarded

# The other method of pytest-timeout uses the signal that the guard wants.
pytestmark = pytest.mark.timeout(60, method="thread")


def test_a_function_hears_of_it_in_the_middle_of_its_work():
    @guarded
    def handler(event, response_stream, context):
        response_stream.write("one")
        try:
            while True:
                sum(range(1000))
        except DeadlineApproaching:
            response_stream.write(", out of time")

    assert run(handler, context=Hurried()).text == "one, out of time"


def test_a_function_hears_of_it_while_it_sleeps():
    @guarded
    def handler(event, response_stream, context):
        try:
            time.sleep(3600)
        except DeadlineApproaching:
            response_stream.write("woken")

    assert run(handler, context=Hurried()).text == "woken"


def test_a_function_hears_of_it_in_a_pipeline_that_reads():
    def slow():
        yield "one"
        time.sleep(3600)
        yield "two"

    @guarded
    def handler(event, response_stream, context):
        try:
            pipeline(slow(), response_stream)
        except DeadlineApproaching:
            response_stream.write(", out of time")

    assert run(handler, context=Hurried()).text == "one, out of time"


def test_a_generator_hears_of_it_in_the_middle_of_its_work():
    @guarded
    def handler(event, context):
        yield "one"
        try:
            time.sleep(3600)
        except DeadlineApproaching:
            yield ", out of time"

    assert run(handler, context=Hurried()).text == "one, out of time"


def test_a_generator_hears_of_it_at_its_yield():
    @guarded
    def handler(event, context):
        try:
            while True:
                yield "."
        except DeadlineApproaching:
            yield "!"

    assert run(handler, context=Hurried()).text.endswith(".!")


@pytest.mark.parametrize("moment_ms", [MOMENT_MS, -5000])
def test_a_coroutine_hears_of_it_where_it_waits(moment_ms):
    @guarded
    async def handler(event, response_stream, context):
        try:
            await asyncio.sleep(3600)
        except DeadlineApproaching as exc:
            assert not asyncio.current_task().cancelling()
            await response_stream.write(str(exc))

    text = run(handler, context=Hurried(moment_ms)).text

    assert "ms are left before Lambda ends this invocation" in text


def test_a_coroutine_that_never_waits_hears_of_it_at_a_write():
    @guarded
    async def handler(event, response_stream, context):
        try:
            while True:
                await response_stream.write(".")
        except DeadlineApproaching:
            await response_stream.write("!")

    assert run(handler, context=Hurried()).text.endswith(".!")


def test_an_async_generator_hears_of_it_where_it_waits():
    @guarded
    async def handler(event, context):
        yield "one"
        try:
            async with asyncio.timeout(3600):
                await asyncio.Event().wait()
        except DeadlineApproaching:
            yield ", out of time"
        await asyncio.sleep(0)
        yield "."

    assert run(handler, context=Hurried()).text == "one, out of time."


def test_an_async_generator_hears_of_it_at_its_yield_also_joined():
    @streamify_response(deadline_margin_ms=MARGIN_MS, join_ready=True)
    async def handler(event, context):
        try:
            while True:
                yield "."
        except DeadlineApproaching:
            yield "!"

    assert run(handler, context=Hurried()).text.endswith(".!")


def test_it_is_raised_once():
    heard = []

    @guarded
    async def handler(event, response_stream, context):
        for _ in range(3):
            try:
                await response_stream.write(".")
                await asyncio.sleep(0)
            except DeadlineApproaching:
                heard.append(1)

    run(handler, context=Hurried(-1))

    assert heard == [1]


def test_on_another_thread_it_is_raised_at_a_write_only():
    seen = []

    @guarded
    def handler(event, response_stream, context):
        seen.append(signal.getitimer(signal.ITIMER_REAL))
        try:
            while True:
                response_stream.write(".")
        except DeadlineApproaching:
            response_stream.write("!")

    def work():
        seen.append(run(handler, context=Hurried()).text)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert seen[0] == (0, 0)
    assert seen[1].endswith(".!")


def test_unheard_it_fails_the_response_like_any_error():
    @guarded
    def handler(event, context):
        yield "one"
        time.sleep(3600)

    with pytest.raises(DeadlineApproaching) as caught:
        run(handler, context=Hurried())

    assert "[b'one']" in caught.value.__notes__[0]
    # HTTP clients would take it for one of their own timeouts, and try again.
    assert not isinstance(caught.value, OSError)


def test_nothing_is_left_behind():
    @guarded
    def handler(event, response_stream, context):
        response_stream.write("in time")

    assert run(handler, context=Hurried(60_000)).text == "in time"
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_a_function_that_uses_the_signal_itself_keeps_it():
    rung = []
    signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
    try:

        @guarded
        def handler(event, response_stream, context):
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            while not rung:
                pass
            try:
                while True:
                    response_stream.write(".")
            except DeadlineApproaching:
                pass

        assert set(run(handler, context=Hurried()).text) == {"."}
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def test_a_signal_handler_that_the_handler_sets_stays():
    def own(number, frame):
        pass

    @guarded
    def handler(event, response_stream, context):
        signal.signal(signal.SIGALRM, own)

    try:
        run(handler, context=Hurried(60_000))
        assert signal.getsignal(signal.SIGALRM) is own
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


@pytest.mark.parametrize("shape", ["function", "generator", "coroutine", "async generator"])
def test_without_a_context_there_is_no_deadline(shape):
    def function(event, response_stream, context):
        response_stream.write("one")

    def generator(event, context):
        yield "one"

    async def coroutine(event, response_stream, context):
        await response_stream.write("one")
        await asyncio.sleep(0)

    async def async_generator(event, context):
        yield "one"
        await asyncio.sleep(0)

    handler = guarded(locals()[shape.replace(" ", "_")])

    assert handler({}, None)["body"] == "one"


def test_the_clock_is_an_argument():
    times = iter([100.0, 100.4, 100.5, 100.6])
    guard = DeadlineGuard(Hurried(500), MARGIN_MS, now=lambda: next(times))

    guard.check()
    with pytest.raises(DeadlineApproaching):
        guard.check()
    guard.check()


@pytest.mark.parametrize("margin", [0, -1, 1.5, "500", True])
def test_a_margin_is_a_number_of_milliseconds(margin):
    with pytest.raises(ValueError, match="deadline_margin_ms is a number"):

        @streamify_response(deadline_margin_ms=margin)
        def handler(event, context):
            yield ""


def test_a_margin_longer_than_all_the_time_there_was_is_said():
    guard = DeadlineGuard(Hurried(-500), MARGIN_MS)

    assert str(guard.approaching()).endswith(
        "(deadline_margin_ms is 1000, and there were 500 from its start)"
    )
