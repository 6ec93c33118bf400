"""`sse`: handlers of all four shapes that send events."""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
from contextlib import contextmanager

import pytest

from penstock import Prelude, ServerSentEvent, sse, streamify_response
from penstock.buffered import BufferedResponder
from penstock.errors import HandlerShapeError, PreludeError, StreamError
from penstock.stream import current_responder
from penstock.testing import Context, run
from tests.cold_start import EXPENSIVE, modules_after_one_invocation
from tests.event_shapes import END, HEAD, each_shape
from tests.event_stream_reader import failed, is_silent, read_events

# The other method of pytest-timeout uses the signal that the deadline's guard wants.
pytestmark = pytest.mark.timeout(60, method="thread")


@each_shape
def test_what_a_handler_sends_are_events(shape):
    def work():
        yield "one"
        yield {"two": 2}
        yield ServerSentEvent("three", event="n", id="3")

    answer = run(streamify_response(sse(shape(work))))

    assert answer.prelude == Prelude(200, HEAD)
    assert answer.chunks == [
        b"data: one\n\n",
        b'data: {"two":2}\n\n',
        b"event: n\nid: 3\ndata: three\n\n",
        END,
    ]
    assert is_silent()


@each_shape
def test_a_prelude_goes_first(shape):
    answer = run(streamify_response(sse(shape(lambda: [Prelude(201, {"x": "y"}, ["c=d"]), "one"]))))

    assert answer.prelude == Prelude(201, {"x": "y", **HEAD}, ["c=d"])
    assert answer.chunks == [b"data: one\n\n", END]


@each_shape
def test_a_prelude_after_the_first_event_is_an_error(shape):
    with pytest.raises(PreludeError) as caught:
        run(streamify_response(sse(shape(lambda: ["one", Prelude(201)]))))
    assert str(caught.value) == (
        "a Prelude goes first, before any event, and before the first heartbeat, which comes "
        "when nothing was sent for 15.0 seconds"
    )


@each_shape
@pytest.mark.parametrize(("end", "last"), [(False, []), ("done", [b"event: done\ndata:\n\n"])])
def test_the_end_has_another_name_or_none(shape, end, last):
    answer = run(streamify_response(sse(end=end)(shape(lambda: ["one"]))))

    assert answer.chunks == [b"data: one\n\n", *last]


@each_shape
def test_a_handler_that_sends_nothing_sends_the_end(shape):
    answer = run(streamify_response(sse(shape(list))))

    assert (answer.prelude, answer.chunks) == (Prelude(200, HEAD), [END])


@each_shape
def test_a_failure_is_told_without_what_it_says(shape):
    def work():
        yield "one"
        raise ValueError("secret")

    error, body = failed(streamify_response(sse(shape(work))))

    assert str(error) == "secret"
    first, last = read_events(body)
    assert (first.data, last.type) == ("one", "error")
    assert json.loads(last.data) == {
        "message": "the stream failed",
        "requestId": Context().aws_request_id,
    }
    assert is_silent()


@each_shape
def test_a_failure_may_have_another_name(shape):
    def work():
        yield "one"
        raise ValueError("secret")

    _, body = failed(streamify_response(sse(error="failed")(shape(work))))

    assert [event.type for event in read_events(body)] == ["message", "failed"]


@each_shape
def test_a_failure_may_be_left_untold(shape):
    def work():
        yield "one"
        raise ValueError("secret")

    error, body = failed(streamify_response(sse(error=False)(shape(work))))

    assert (str(error), body) == ("secret", b"data: one\n\n")


@each_shape
def test_a_failure_before_the_first_byte_sends_nothing(shape):
    def work():
        raise ValueError("early")
        yield

    error, body = failed(streamify_response(sse(shape(work))))

    assert (str(error), body) == ("early", b"")


@each_shape
def test_a_process_that_ends_says_nothing_more(shape):
    def work():
        yield "one"
        raise SystemExit(3)

    error, body = failed(streamify_response(sse(shape(work))))

    assert (type(error), body) == (SystemExit, b"data: one\n\n")


@pytest.mark.parametrize("is_async", [False, True])
def test_a_generator_is_closed_before_what_ends_the_process_goes_on(is_async):
    seen = []

    class Ending(BufferedResponder):
        def send(self, data):
            raise SystemExit(3)

    @contextmanager
    def noting():
        try:
            yield
        except BaseException as exc:
            seen.append(type(exc))
            raise

    def plain(event, context):
        with noting():
            yield "one"

    async def awaited(event, context):
        with noting():
            yield "one"

    handler = streamify_response(sse(heartbeat_seconds=None)(awaited if is_async else plain))
    token = current_responder.set(Ending())
    try:
        with pytest.raises(SystemExit) as held:
            handler({}, Context())
        # Its traceback has the generator, so nobody has collected it.
        assert seen == [GeneratorExit], held
    finally:
        current_responder.reset(token)


@pytest.mark.parametrize("is_async", [False, True])
def test_what_cannot_be_sent_is_raised_at_its_yield(is_async):
    def plain(event, context):
        try:
            yield None
        except ValueError as exc:
            yield str(exc)

    async def awaited(event, context):
        for item in plain(event, context):
            try:
                yield item
            except ValueError as exc:
                yield str(exc)

    answer = run(streamify_response(sse(awaited if is_async else plain)))
    assert answer.chunks[0] == b"data: an event has data, or at least an id or retry\n\n"


@pytest.mark.parametrize("is_async", [False, True])
def test_a_generator_runs_in_one_context_from_beginning_to_end(is_async):
    variable = contextvars.ContextVar("variable", default="outside")

    def plain(event, context):
        variable.set("set")
        yield "one"
        yield variable.get()

    async def awaited(event, context):
        variable.set("set")
        yield "one"
        await asyncio.sleep(0)
        yield variable.get()

    handler = streamify_response(sse(awaited if is_async else plain))
    assert run(handler).chunks[1] == b"data: set\n\n"


def test_an_event_that_nobody_awaits_is_no_whole_answer():
    @streamify_response
    @sse
    async def handler(event, events, context):
        await events.send("one")
        events.send("two")

    error, body = failed(handler)

    assert isinstance(error, StreamError)
    assert "1 of 2 writes were never awaited" in str(error)
    assert [event.type for event in read_events(body)] == ["message", "error"]


def test_tasks_of_a_handler_may_send_at_the_same_time():
    @streamify_response
    @sse
    async def handler(event, events, context):
        async with asyncio.TaskGroup() as tasks:
            for number in range(50):
                tasks.create_task(events.send(number))

    heard = read_events(run(handler).body)
    assert sorted(int(event.data) for event in heard[:-1]) == list(range(50))
    assert heard[-1].type == "end"


def test_threads_of_a_handler_may_send_at_the_same_time():
    @streamify_response
    @sse(heartbeat_seconds=0.001)
    def handler(event, events, context):
        threads = [threading.Thread(target=events.send, args=(number,)) for number in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    heard = read_events(run(handler).body)
    assert sorted(int(event.data) for event in heard[:-1]) == list(range(50))


def test_an_event_has_its_fields_once():
    @streamify_response
    @sse
    def handler(event, events, context):
        events.send("x", event="n", id="1", retry=5)
        events.send(ServerSentEvent("x"), id="2")

    error, body = failed(handler)

    assert str(error) == "a ServerSentEvent has its event, id and retry: give them to it"
    assert body.startswith(b"event: n\nid: 1\nretry: 5\ndata: x\n\nevent: error\n")


HANDLER = """
from penstock import sse, streamify_response

@streamify_response
@sse
def handler(event, context):
    yield {"one": 1}
"""


def test_a_plain_handler_pays_for_nothing_that_is_expensive(tmp_path):
    modules = modules_after_one_invocation(HANDLER, tmp_path)

    assert "penstock.event_handlers" in modules
    assert modules & EXPENSIVE == set()


def test_called_elsewhere_it_is_one_proxy_response():
    @streamify_response
    @sse
    def handler(event, context):
        yield "one"

    answer = handler({}, Context())
    assert (answer["statusCode"], answer["headers"]) == (200, HEAD)
    assert answer["body"] == "data: one\n\nevent: end\ndata:\n\n"


def test_it_goes_below_streamify_response():
    def handler(event, context):
        yield "one"

    with pytest.raises(HandlerShapeError) as caught:
        sse(streamify_response(handler))
    assert str(caught.value).endswith("; put @sse below @streamify_response")
    with pytest.raises(HandlerShapeError, match="none of the shapes"):
        sse(lambda event: None)


def test_it_keeps_the_handler_s_name_and_docstring():
    @sse
    def handler(event, context):
        """What it does."""
        yield "one"

    assert (handler.__name__, handler.__doc__) == ("handler", "What it does.")


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"heartbeat_seconds": 0}, ValueError, "heartbeat_seconds is above 0, not 0"),
        ({"heartbeat_seconds": float("nan")}, ValueError, "is above 0, not nan"),
        ({"heartbeat_seconds": "1"}, TypeError, "is a number of seconds or None, not '1'"),
        ({"heartbeat_seconds": True}, TypeError, "is a number of seconds or None, not True"),
        ({"end": ""}, ValueError, 'end="" names no event; for none say end=False'),
        ({"end": "a\nb"}, ValueError, "end is one line"),
        ({"error": None}, TypeError, "error is a str, not NoneType"),
    ],
)
def test_options_that_cannot_be_are_refused(options, kind, message):
    with pytest.raises(kind) as caught:
        sse(**options)
    assert message in str(caught.value)
