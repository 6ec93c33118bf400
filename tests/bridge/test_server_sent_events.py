"""Event streams of applications: what is put in between and at the end of their bytes."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import Prelude, adapt, sse, streamify_response
from penstock.bridge.answering import AsyncStreamed, Streamed
from penstock.bridge.server_sent_events import AsyncEventStreams, EventStreams, event_streams_of
from penstock.buffered import BufferedResponder
from penstock.errors import AppError, DeadlineApproaching, StreamBrokenError
from penstock.event_handlers import ServerSentEvents
from penstock.event_streams import HEARTBEAT, AsyncEventBody, EventBody
from penstock.stream import AsyncResponseStream, ResponseStream, current_responder
from penstock.testing import Context, stepped
from tests.bridge.apps import event
from tests.event_stream_reader import is_silent, read_events

# The other method of pytest-timeout uses the signal that the guard wants.
pytestmark = pytest.mark.timeout(60, method="thread")

EVENTS = [("Content-Type", "text/event-stream")]
QUIET = ServerSentEvents(heartbeat_seconds=None)


def plain(work, options=QUIET, method="GET"):
    """A handler that gives an answer what `work` yields: a head, bytes, calls, None: the end."""

    @streamify_response
    def handler(event, response_stream, context):
        with EventStreams(Streamed(method, response_stream), options, context) as into:
            for item in work():
                if callable(item):
                    item()
                elif isinstance(item, list):
                    into.head(200, item)
                elif item is None:
                    into.end()
                else:
                    into.body(item)

    return handler


def awaited(work, options=QUIET, method="GET"):
    @streamify_response
    async def handler(event, response_stream, context):
        async with AsyncEventStreams(
            AsyncStreamed(method, response_stream), options, context
        ) as into:
            for item in work():
                if callable(item):
                    await asyncio.to_thread(item)
                elif isinstance(item, list):
                    into.head(200, item)
                elif item is None:
                    await into.end()
                else:
                    await into.body(item)

    return handler


each_kind = pytest.mark.parametrize("kind", [plain, awaited])


def sent(handler):
    """What a handler has sent, and what it raised or None."""
    responder = BufferedResponder()
    token = current_responder.set(responder)
    error = None
    try:
        handler({}, Context())
    except Exception as exc:
        error = exc
    finally:
        current_responder.reset(token)
    prelude = Prelude.from_metadata(responder.metadata) if responder.metadata else None
    return prelude, b"".join(responder.chunks), error


def failing(*items, error=ValueError):
    def work():
        yield from items
        raise error("secret")

    return work


@each_kind
def test_the_head_of_an_event_stream_keeps_proxies_from_holding_it_back(kind):
    fields = [*EVENTS, ("Cache-Control", "private")]

    prelude, body, _ = sent(kind(lambda: [fields, b"data: x\n\n", None]))

    assert prelude.headers == {
        "content-type": "text/event-stream",
        "cache-control": "private, no-transform",
        "x-accel-buffering": "no",
    }
    assert body == b"data: x\n\n"


@each_kind
@pytest.mark.parametrize(
    "fields",
    [
        [("content-type", "text/plain")],
        [],
        [*EVENTS, *EVENTS],
        [*EVENTS, ("content-encoding", "gzip")],
    ],
)
def test_what_is_no_plain_event_stream_passes_as_it_is(kind, fields):
    handler = kind(failing(fields, b"data: x"), ServerSentEvents(0.001, end=True))

    prelude, body, error = sent(handler)

    assert "cache-control" not in prelude.headers
    assert (body, str(error)) == (b"data: x", "secret")


@each_kind
def test_a_response_without_a_body_has_none(kind):
    handler = kind(
        lambda: [EVENTS, b"data: x\n\n", None], ServerSentEvents(0.001, end=True), "HEAD"
    )

    prelude, body, _ = sent(handler)

    assert prelude.headers["cache-control"] == "no-cache, no-transform"
    assert body == b""


@each_kind
def test_the_end_is_sent_if_it_is_asked_for(kind):
    options = ServerSentEvents(None, end="done")

    _, body, _ = sent(kind(lambda: [EVENTS, b"data: x\n\n", None], options))

    assert body == b"data: x\n\nevent: done\ndata:\n\n"


@each_kind
def test_a_stream_that_ends_in_the_middle_of_an_event_gets_no_end(kind, caplog):
    options = ServerSentEvents(None, end=True)

    with caplog.at_level(logging.WARNING, "penstock"):
        _, body, _ = sent(kind(lambda: [EVENTS, b"data: x\n", None], options))

    assert body == b"data: x\n"
    assert "does not end with a blank line" in caplog.text


@each_kind
@pytest.mark.parametrize(
    ("chunks", "heard"),
    [
        ([b"data: x\n\n"], ["x"]),
        ([b"data: x\r\n", b"\r\n"], ["x"]),
        ([b"data: x\r\r"], ["x"]),
        ([b": comment\n\n"], []),
        ([b"\n"], []),
    ],
)
def test_a_failure_between_events_is_an_event_of_its_own(kind, chunks, heard):
    _, body, error = sent(kind(failing(EVENTS, *chunks)))

    *before, last = read_events(body)
    assert [event.data for event in before] == heard
    assert last.type == "error"
    assert json.loads(last.data) == {
        "message": "the stream failed",
        "requestId": Context().aws_request_id,
    }
    assert (str(error), b"secret" in body) == ("secret", False)


@each_kind
@pytest.mark.parametrize(
    "chunks",
    [
        [b"data: half"],
        [b"data: half\n"],
        [b"data: half\r"],
        [b"data: half\r\n"],
        [b"event: token\ndata: half"],
        [b"data: ha", b"lf"],
    ],
)
def test_a_failure_in_the_middle_of_an_event_takes_that_over(kind, chunks):
    _, body, _ = sent(kind(failing(EVENTS, b"data: one\n\n", *chunks)))

    one, last = read_events(body)
    assert (one.data, last.type) == ("one", "error")
    half, _, said = last.data.partition("\n")
    assert half == "half"
    assert json.loads(said)["message"] == "the stream failed"


@each_kind
def test_a_failure_in_the_middle_of_a_character_is_told(kind):
    _, body, _ = sent(kind(failing(EVENTS, b"data: caf\xc3")))

    assert [event.type for event in read_events(body)] == ["error"]


@each_kind
def test_the_deadline_is_told_as_such(kind):
    _, body, _ = sent(kind(failing(EVENTS, b"data: x\n\n", error=DeadlineApproaching)))

    assert json.loads(read_events(body)[-1].data)["message"] == "the stream ran out of time"


def test_a_wsgi_app_that_ends_at_the_deadline_is_not_given_the_end():
    def app(environ, start_response):
        start_response("200 OK", EVENTS)
        yield b"data: one\n\n"
        try:
            signal.raise_signal(signal.SIGALRM)
        except DeadlineApproaching:
            yield b"data: sorry\n\n"

    class Plenty(Context):
        def get_remaining_time_in_millis(self):
            return 10_000_000

    option = sse(heartbeat_seconds=None, end=True)
    responder = BufferedResponder()
    token = current_responder.set(responder)
    try:
        adapt(app, sse=option, deadline_margin_ms=1)(event(), Plenty())
    finally:
        current_responder.reset(token)

    events = read_events(b"".join(responder.chunks))
    assert [each.type for each in events] == ["message", "message", "error"]
    assert responder.ended


def test_no_heartbeat_can_come_beside_what_is_said_at_the_deadline():
    silent = []

    class Listening(BufferedResponder):
        def send(self, data):
            super().send(data)
            if data.startswith(b"event: error"):
                silent.append(is_silent())

    class Heard:
        raised = True

        def check(self):
            pass

    stream = ResponseStream(Listening())
    with EventStreams(Streamed("GET", stream), ServerSentEvents(3600), None) as into:
        into.head(200, EVENTS)
        into.body(b"data: one\n\n")
        stream._guard = Heard()
        into.end()

    assert silent == [True]


def test_a_heartbeat_that_finds_no_client_says_so():
    class Gone(BufferedResponder):
        def send(self, data):
            raise StreamBrokenError("the client is gone")

    async def main():
        gone = asyncio.Event()
        stream = AsyncResponseStream(Gone().async_sink())
        into = AsyncStreamed("GET", stream)
        async with AsyncEventStreams(into, ServerSentEvents(0.001), Context()) as events:
            events.call_when_gone(gone.set)
            events.head(200, EVENTS)
            await asyncio.wait_for(gone.wait(), 30)

    asyncio.run(main())


@each_kind
@pytest.mark.parametrize("items", [[], [EVENTS]])
def test_a_failure_before_the_first_byte_leaves_the_answer_open(kind, items):
    prelude, body, error = sent(kind(failing(*items)))

    assert (prelude, body, str(error)) == (None, b"", "secret")


@each_kind
def test_a_failure_after_the_end_is_not_told(kind):
    options = ServerSentEvents(None, end=True)

    _, body, _ = sent(kind(failing(EVENTS, b"data: x\n\n", None), options))

    assert body == b"data: x\n\nevent: end\ndata:\n\n"


@each_kind
def test_heartbeats_come_between_events_from_the_head_on(kind):
    go = threading.Event()

    def work():
        yield EVENTS
        yield lambda: go.wait(30)
        yield b"data: one\n\n"
        yield None

    with stepped(kind(work, ServerSentEvents(0.01))) as steps:
        assert b"text/event-stream" in next(steps)
        assert [next(steps), next(steps)] == [HEARTBEAT] * 2
        go.set()
        rest = [chunk for chunk in steps if chunk != HEARTBEAT]
    assert rest == [b"data: one\n\n"]


def test_no_heartbeat_comes_in_the_middle_of_an_event():
    responder = BufferedResponder()
    body = EventBody(ResponseStream(responder), Context(), None, "end", "error")

    for part in (b"data: o", b"ne\n", b"\n"):
        body.write(part)
        body._beat()

    assert responder.chunks == [b"data: o", b"ne\n", b"\n", HEARTBEAT]


def test_no_heartbeat_comes_in_the_middle_of_an_event_that_is_awaited():
    responder = BufferedResponder()

    async def write():
        stream = AsyncResponseStream(responder.async_sink())
        body = AsyncEventBody(stream, Context(), None, "end", "error")
        for part in (b"data: o", b"ne\n", b"\n"):
            await body.write(part)
            await body._beat()

    asyncio.run(write())

    assert responder.chunks == [b"data: o", b"ne\n", b"\n", HEARTBEAT]


LINES = st.lists(
    st.sampled_from(["data: a", "data", ": c", "event: n", "id: 1", "", "x"]), max_size=12
)


@given(
    lines=LINES,
    ends=st.lists(st.sampled_from(["\n", "\r\n", "\r"]), min_size=12, max_size=12),
    cuts=st.sets(st.integers(0, 120)),
)
def test_heartbeats_change_nothing_that_a_client_hears(lines, ends, cuts):
    whole = "".join(line + end for line, end in zip(lines, ends, strict=False)).encode()
    places = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    responder = BufferedResponder()
    body = EventBody(ResponseStream(responder), Context(), None, "end", "error")

    for start, stop in pairwise(places):
        body.write(whole[start:stop])
        body._beat()

    assert read_events(b"".join(responder.chunks)) == read_events(whole)


def test_a_head_in_place_of_an_event_stream_s_has_no_heartbeats():
    def work():
        yield EVENTS
        yield [("content-type", "text/plain")]
        assert not any(thread.name == "penstock-heartbeats" for thread in threading.enumerate())
        # It ends as an event does.
        yield b"an error page\n\n"
        yield None

    prelude, body, error = sent(plain(work, ServerSentEvents(60, end=True)))

    assert prelude == Prelude(200, {"content-type": "text/plain"})
    assert (body, error) == (b"an error page\n\n", None)


def test_a_head_of_an_event_stream_in_place_of_another_has_heartbeats():
    silent = []

    def work():
        yield EVENTS
        yield [*EVENTS, ("x-second", "2")]
        silent.append(is_silent())
        yield b"data: one\n\n"
        yield None

    prelude, body, error = sent(plain(work, ServerSentEvents(60, end=True)))

    assert (prelude.headers["x-second"], silent, is_silent()) == ("2", [False], True)
    assert (body, error) == (b"data: one\n\nevent: end\ndata:\n\n", None)


def test_what_adapt_may_be_given():
    options = sse(heartbeat_seconds=5)

    assert event_streams_of(None) is event_streams_of(False) is None
    assert event_streams_of(options) is options
    assert event_streams_of(True).heartbeat_seconds == event_streams_of(sse).heartbeat_seconds == 15
    with pytest.raises(AppError) as caught:
        event_streams_of(15)
    assert str(caught.value) == "sse is True or what sse(...) gives, with options, not 15"
