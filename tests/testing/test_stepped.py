"""`testing.stepped`: a handler goes on only as far as the test has read."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from penstock import Prelude, streamify_response, testing
from penstock.errors import StreamBrokenError, StreamError
from penstock.stream import current_responder
from tests.tools import PATIENCE, wait_for


@streamify_response
async def coroutine_function(event, response_stream, context):
    for item in ("one", "two", "three"):
        event.append(f"before {item}")
        await response_stream.write(item)
    event.append("end")


@streamify_response
def plain_function(event, response_stream, context):
    for item in ("one", "two", "three"):
        event.append(f"before {item}")
        response_stream.write(item)
    event.append("end")


@streamify_response
def generator_function(event, context):
    for item in ("one", "two", "three"):
        event.append(f"before {item}")
        yield item
    event.append("end")


@streamify_response
async def async_generator_function(event, context):
    for item in ("one", "two", "three"):
        event.append(f"before {item}")
        yield item
    event.append("end")


every_shape = pytest.mark.parametrize(
    "handler", [coroutine_function, plain_function, generator_function, async_generator_function]
)


@every_shape
def test_the_handler_is_held_in_each_write_until_the_next_chunk_is_wanted(handler):
    progress = []

    with testing.stepped(handler, progress) as steps:
        assert next(steps) == b"one"
        assert progress == ["before one"]
        assert next(steps) == b"two"
        assert progress == ["before one", "before two"]
        assert next(steps) == b"three"
        assert progress == ["before one", "before two", "before three"]
        with pytest.raises(StopIteration):
            next(steps)
        assert progress[3:] == ["end"]


@every_shape
def test_a_handler_that_has_written_before_the_test_reads_is_held_too(handler):
    with testing.stepped(handler, progress := []) as steps:
        wait_for(lambda: steps.content_type, "the first write")
        never = threading.Event()
        never.wait(0.02)
        assert next(steps) == b"one"
        never.wait(0.02)
        assert progress == ["before one"]
        assert next(steps) == b"two"
        never.wait(0.02)
        assert progress == ["before one", "before two"]


@every_shape
def test_all_chunks_come_out_in_order(handler):
    with testing.stepped(handler, []) as steps:
        assert list(steps) == [b"one", b"two", b"three"]
        assert list(steps) == []


@every_shape
def test_a_handler_can_be_stepped_in_an_async_test(handler):
    async def main():
        with testing.stepped(handler, []) as steps:
            return [await asyncio.to_thread(next, steps) for _ in range(3)]

    assert asyncio.run(main()) == [b"one", b"two", b"three"]


@every_shape
def test_leaving_early_breaks_the_stream(handler):
    broken = []

    def noting(event, context):
        try:
            handler(event, context)
        except StreamBrokenError as exc:
            broken.append(str(exc))
            raise

    with testing.stepped(noting, progress := []) as steps:
        assert next(steps) == b"one"

    assert broken == ["the test has stopped reading"]
    assert progress == ["before one"]


@every_shape
def test_leaving_without_reading_breaks_the_stream_in_its_first_write(handler):
    with testing.stepped(handler, progress := []):
        pass

    assert progress == ["before one"]


def test_a_handler_that_ignores_the_break_comes_to_an_end_all_the_same():
    refused = []

    @streamify_response
    def stubborn(event, response_stream, context):
        for _ in range(3):
            try:
                response_stream.write("again")
            except StreamBrokenError:
                refused.append(True)

    with testing.stepped(stubborn) as steps:
        next(steps)

    assert refused == [True] * 3


def test_an_error_in_the_test_is_not_covered_up():
    with pytest.raises(ZeroDivisionError), testing.stepped(plain_function, []) as steps:
        next(steps)
        1 / 0  # noqa: B018 - it fails


def test_tasks_that_write_at_once_are_all_held_and_all_let_go():
    @streamify_response
    async def handler(event, response_stream, context):
        async def write(item):
            await response_stream.write(item)
            event.append(f"after {item}")

        await asyncio.gather(*map(write, ("one", "two", "three")))

    with testing.stepped(handler, progress := [], timeout=PATIENCE) as steps:
        assert next(steps) == b"one"
        assert progress == []
        assert list(steps) == [b"two", b"three"]

    assert sorted(progress) == ["after one", "after three", "after two"]


def test_threads_that_write_at_once_are_all_let_go():
    @streamify_response
    def handler(event, response_stream, context):
        response_stream.flush()
        threads = [
            threading.Thread(target=response_stream.write, args=(item,))
            for item in ("one", "two", "three")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with testing.stepped(handler, timeout=PATIENCE) as steps:
        assert sorted(steps) == [b"one", b"three", b"two"]


def test_a_write_that_the_handler_gives_up_does_no_harm():
    @streamify_response
    async def handler(event, response_stream, context):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(response_stream.write("one"), 0.01)

    def threads():
        return [thread.name for thread in threading.enumerate()]

    with testing.stepped(handler) as steps:
        assert next(steps) == b"one"
        wait_for(lambda: "penstock-stepped" not in threads(), "the end of the handler's thread")
        assert list(steps) == []


def test_a_prelude_is_a_chunk_like_any_other():
    @streamify_response
    def handler(event, context):
        yield Prelude(404)
        yield "not here"

    with testing.stepped(handler) as steps:
        assert next(steps) == b'{"statusCode":404}\0\0\0\0\0\0\0\0'
        assert next(steps) == b"not here"
        assert list(steps) == []


def test_the_content_type_is_known_from_the_first_chunk_on():
    @streamify_response
    def blocking(event, response_stream, context):
        response_stream.content_type = "text/plain"
        response_stream.write("one")

    @streamify_response
    async def awaits(event, response_stream, context):
        response_stream.content_type = "text/plain"
        await response_stream.write("one")

    for handler in (blocking, awaits):
        with testing.stepped(handler) as steps:
            assert next(steps) == b"one"
            assert steps.content_type == "text/plain"


def test_a_response_without_a_body_has_no_steps():
    @streamify_response
    def handler(event, response_stream, context):
        pass

    with testing.stepped(handler) as steps:
        assert list(steps) == []
        assert steps.content_type == "application/octet-stream"


@pytest.mark.parametrize("handler", [lambda event, context: "plain", lambda event, context: None])
def test_a_handler_that_does_not_stream_has_no_steps(handler):
    with testing.stepped(handler) as steps:
        assert list(steps) == []
        assert steps.content_type is None


def test_what_the_handler_raises_is_raised_after_the_chunks_it_sent():
    error = ValueError("half-way")

    @streamify_response
    async def handler(event, context):
        yield "one"
        raise error

    with testing.stepped(handler) as steps:
        assert next(steps) == b"one"
        with pytest.raises(ValueError, match="half-way") as caught:
            next(steps)
        assert caught.value is error
        assert list(steps) == []


def test_what_the_handler_raises_first_is_raised_first():
    @streamify_response
    def handler(event, response_stream, context):
        raise ValueError("early")

    with testing.stepped(handler) as steps, pytest.raises(ValueError, match="early"):
        next(steps)


def test_the_event_and_the_context_are_the_ones_that_were_given():
    @streamify_response
    def handler(event, context):
        yield f"{event} {context.function_name}"

    with testing.stepped(handler) as steps:
        assert next(steps) == b"{} function"
    with testing.stepped(handler, 0, testing.Context(function_name="orders")) as steps:
        assert next(steps) == b"0 orders"


def test_a_second_stream_is_refused_as_in_lambda():
    refused = []

    def handler(event, context):
        plain_function(event, context)
        with pytest.raises(StreamError, match="has a response stream already"):
            async_generator_function(event, context)
        refused.append(True)

    with testing.stepped(handler, []) as steps:
        assert len(list(steps)) == 3
    assert refused == [True]


def test_the_test_itself_streams_nowhere():
    with testing.stepped(plain_function, []) as steps:
        next(steps)
        assert current_responder.get(None) is None


@pytest.fixture
def gate():
    gate = threading.Event()
    yield gate
    gate.set()


def test_a_handler_that_does_nothing_is_a_timeout(gate):
    @streamify_response
    def handler(event, response_stream, context):
        gate.wait(PATIENCE)

    with testing.stepped(handler, timeout=0.05) as steps:
        with pytest.raises(TimeoutError) as caught:
            next(steps)
        gate.set()

    assert str(caught.value) == "the handler neither wrote nor returned within 0.05 seconds"


def next_patiently(steps):
    """The next chunk, however slow the machine is."""
    while True:
        try:
            return next(steps)
        except TimeoutError:
            pass


def test_after_a_timeout_the_handler_is_still_held_in_each_write(gate):
    past_one = threading.Event()

    @streamify_response
    def handler(event, response_stream, context):
        gate.wait(PATIENCE)
        response_stream.write("one")
        past_one.set()
        response_stream.write("two")

    with testing.stepped(handler, timeout=0.05) as steps:
        for _ in range(2):
            with pytest.raises(TimeoutError):
                next(steps)
        gate.set()
        assert next_patiently(steps) == b"one"
        assert not past_one.wait(0.05)
        assert next_patiently(steps) == b"two"
        assert past_one.is_set()


def test_a_handler_that_never_returns_does_not_keep_the_process_alive():
    program = """
import threading
from penstock import streamify_response, testing

@streamify_response
def handler(event, response_stream, context):
    threading.Event().wait()

with testing.stepped(handler, timeout=0.05) as steps:
    try:
        next(steps)
    except TimeoutError:
        print("timeout", flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout.readline() == "timeout\n"
        try:
            wait_for(lambda: process.poll() is not None, "the end of the process")
        finally:
            process.kill()
