"""What an ASGI app may rely on, and what becomes of one that breaks the rules."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from penstock import adapt, sse
from penstock.buffered import BufferedResponder
from penstock.errors import AppError, DeadlineApproaching
from penstock.testing import run, stepped
from tests.bridge.apps import LeavingClient, answered, asgi, event

# How long a test waits for what must come; only a failure takes so long.
PATIENCE = 5

MARGIN_MS = 1000


def only_http(app):
    """The app, without a lifespan."""

    async def inner(scope, receive, send):
        assert scope["type"] == "http"
        await app(scope, receive, send)

    return inner


async def start(send, **values):
    await send({"type": "http.response.start", "status": 200, **values})


async def body(send, data, more=True):
    await send({"type": "http.response.body", "body": data, "more_body": more})


# The client is gone.


def test_a_client_that_is_gone_is_an_os_error_in_send_and_a_disconnect_in_receive():
    found = []

    @only_http
    async def app(scope, receive, send):
        assert (await receive())["type"] == "http.request"
        await start(send)
        await body(send, b"one")
        with pytest.raises(OSError):  # noqa: PT011 - as the ASGI specification has it
            await body(send, b"two")
        found.append(await asyncio.wait_for(receive(), PATIENCE))

    client = LeavingClient(taken=1)
    answered(adapt(app), client)

    assert found == [{"type": "http.disconnect"}]
    assert (client.chunks, client.ended) == ([b"one"], False)


def test_an_app_that_does_not_deal_with_it_has_not_failed(caplog):
    handler = adapt(only_http(asgi()))

    assert answered(handler, LeavingClient(taken=1)) == b"one"

    assert "penstock" not in {record.name for record in caplog.records}
    assert run(handler, event()).text == "onetwo"


def test_an_app_that_fails_over_it_in_its_own_way_is_logged(caplog):
    @only_http
    async def app(scope, receive, send):
        await start(send)
        try:
            await body(send, b"one")
        except OSError:
            pass
        raise ValueError("in the clean-up")

    assert answered(adapt(app), LeavingClient()) == b""

    assert "the app failed after its client had gone" in caplog.text
    assert "in the clean-up" in caplog.text


def test_a_mistake_in_dealing_with_it_is_logged(caplog):
    @only_http
    async def app(scope, receive, send):
        await start(send)
        try:
            await body(send, b"one")
        finally:
            raise ValueError("in the clean-up")

    assert answered(adapt(app), LeavingClient()) == b""

    assert "in the clean-up" in caplog.text


@pytest.mark.parametrize("has_cause", [True, False])
def test_what_a_framework_calls_it_is_not_logged(has_cause, caplog):
    class OurClientDisconnected(Exception): ...

    @only_http
    async def app(scope, receive, send):
        await start(send)
        try:
            await body(send, b"one")
        except OSError as exc:
            if has_cause:
                raise ValueError("in other words") from exc
            raise OurClientDisconnected  # noqa: B904 - as Starlette has it

    assert answered(adapt(app), LeavingClient()) == b""

    assert "penstock" not in {record.name for record in caplog.records}


@pytest.mark.parametrize("wants_to_end", [SystemExit, KeyboardInterrupt])
def test_a_process_that_is_to_end_ends_though_the_client_is_gone(wants_to_end):
    @only_http
    async def app(scope, receive, send):
        await start(send)
        try:
            await body(send, b"one")
        except OSError:
            raise wants_to_end from None

    with pytest.raises(wants_to_end) as caught:
        answered(adapt(app), LeavingClient())

    # What asyncio logs of a task that nobody asks should come here, not in another test.
    caught.value.__traceback__ = None
    gc.collect()


@pytest.mark.parametrize("fails", [True, False])
def test_who_still_listens_when_the_app_is_over_hears_that_the_client_is_gone(fails, caplog):
    listeners = []

    @only_http
    async def app(scope, receive, send):
        if listeners:
            await asyncio.wait_for(asyncio.shield(listeners[0]), PATIENCE)
            await asgi()(scope, receive, send)
            return
        await receive()
        listeners.append(asyncio.ensure_future(receive()))
        if fails:
            raise ValueError("before anything")

    handler = adapt(app)
    assert run(handler, event()).prelude.status_code == 500
    assert run(handler, event()).text == "onetwo"

    assert listeners[0].result() == {"type": "http.disconnect"}


# The scope.


def test_what_one_request_puts_into_its_state_no_other_finds():
    seen = []

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            scope["state"]["pool"] = shared
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
        else:
            seen.append(dict(scope["state"]))
            scope["state"]["user"] = "Zoë"
            await asgi()(scope, receive, send)

    shared = object()
    handler = adapt(app)
    for _ in range(2):
        assert run(handler, event()).text == "onetwo"

    assert seen == [{"pool": shared}] * 2


def test_a_method_is_in_upper_case_as_the_specification_has_it():
    app = asgi()
    given = event()
    given["requestContext"]["http"]["method"] = "pAtch"

    run(adapt(app), given)

    assert app.scope["method"] == "PATCH"


@pytest.mark.parametrize(
    ("value", "as_sent"),
    [("caf\xe9", b"caf\xe9"), ("caf\u0117", b"caf\xc4\x97"), ("\U0001f600", b"\xf0\x9f\x98\x80")],
)
def test_a_field_s_value_is_in_latin_1_if_it_can_be_and_else_in_utf_8(value, as_sent):
    app = asgi()
    given = event()
    given["headers"]["x-name"] = value

    run(adapt(app), given)

    assert dict(app.scope["headers"])[b"x-name"] == as_sent


# The order of messages.


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("late", [b"", b"late"])
@pytest.mark.parametrize("more", [True, False])
def test_nothing_can_be_sent_after_the_end(streamed, late, more, caplog):
    told = []

    @only_http
    async def app(scope, receive, send):
        await asgi()(scope, receive, send)
        try:
            await body(send, late, more)
        except AppError as exc:
            told.append(str(exc))

    handler = adapt(app)
    text = run(handler, event()).text if streamed else handler(event(), None)["body"]

    assert text == "onetwo"
    assert told == ["http.response.body was sent after the end of the response"]


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("status", [100, 199])
def test_a_status_that_goes_before_a_response_is_none(status, streamed, caplog):
    handler = adapt(asgi(status))
    if streamed:
        found = run(handler, event()).prelude.status_code
    else:
        found = handler(event(), None)["statusCode"]

    assert found == 500
    assert f"answered with status {status}, after which another" in caplog.text


@pytest.mark.parametrize("streamed", [True, False])
def test_blanks_around_a_field_s_value_are_no_part_of_it(streamed):
    handler = adapt(asgi(headers=[(b"x-padded", b" \t a b\t ")]))
    if streamed:
        headers = run(handler, event()).prelude.headers
    else:
        headers = handler(event(), None)["headers"]

    assert headers["x-padded"] == "a b"


@pytest.mark.parametrize("field", ["Connection", "content-length", "Transfer-Encoding", "upgrade"])
@pytest.mark.parametrize("streamed", [True, False])
def test_what_the_front_door_frames_itself_is_left_out(streamed, field):
    handler = adapt(asgi(headers=[(field.encode(), b"6"), (b"x-kept", b"yes")]))
    if streamed:
        headers = run(handler, event()).prelude.to_metadata()["headers"]
    else:
        headers = handler(event(), None)["headers"]

    assert dict(headers) == {"x-kept": "yes"}


# A slow client.


def test_an_app_goes_on_only_as_far_as_the_client_has_read():
    """It is held in each `send`, while all else on its loop goes on."""
    sent = []
    turns = threading.Semaphore(0)

    async def turn_on():
        while True:
            turns.release()
            await asyncio.sleep(0)

    @only_http
    async def app(scope, receive, send):
        turning = asyncio.ensure_future(turn_on())
        try:
            await start(send)
            for number in range(5):
                sent.append(number)
                await body(send, b"%d" % number)
            await body(send, b"", more=False)
        finally:
            turning.cancel()

    read = []
    with stepped(adapt(app), event()) as steps:
        for chunk in steps:
            read.append(chunk)
            # Time enough to run ahead.
            while turns.acquire(blocking=False):
                pass
            for _ in range(20):
                if len(sent) < 5:
                    assert turns.acquire(timeout=PATIENCE)
            bodies = [each for each in read if each in (b"0", b"1", b"2", b"3", b"4")]
            assert len(sent) <= len(bodies) + 1

    assert bodies == [b"0", b"1", b"2", b"3", b"4"]


# The deadline.


class Hurried:
    """A context: a moment more than the margin is left, and it stays so."""

    def get_remaining_time_in_millis(self):
        # Long enough for the first byte on a busy machine.
        return MARGIN_MS + 200


class Watched(BufferedResponder):
    """Notes whether anybody wants to cancel the task that answers, now or after a wait."""

    def __init__(self, wait=None):
        super().__init__()
        self.requests = []
        self._wait = wait

    def async_sink(self):
        inner = super().async_sink()
        outer = self

        class Sink:
            send, end, fail = inner.send, inner.end, inner.fail

            async def begin(self, content_type, chunks):
                outer.requests.append(asyncio.current_task().cancelling())
                if outer._wait is not None:
                    over = asyncio.Event()
                    asyncio.get_running_loop().call_later(outer._wait, over.set)
                    await over.wait()
                await inner.begin(content_type, chunks)

        return Sink()


def test_what_answers_for_a_cancelled_app_is_not_cancelled_itself():
    @only_http
    async def app(scope, receive, send):
        await asyncio.Event().wait()

    client = Watched()
    text = answered(adapt(app, deadline_margin_ms=20), client, _Left(30))

    assert (text, client.metadata["statusCode"]) == (b"Gateway Timeout", 504)
    assert client.requests == [0]


def test_an_answer_to_a_failure_in_time_may_take_longer_than_there_is_time():
    @only_http
    async def app(scope, receive, send):
        await asyncio.sleep(0)
        raise ValueError("in time")

    client = Watched(wait=0.5)
    text = answered(adapt(app, deadline_margin_ms=20), client, _Left(320))

    assert (text, client.metadata["statusCode"]) == (b"Internal Server Error", 500)


class _Left:
    """A context with so many milliseconds left."""

    def __init__(self, left):
        self.get_remaining_time_in_millis = lambda: left


def test_an_app_that_does_not_listen_is_cancelled_after_half_of_the_margin():
    passed = []

    @only_http
    async def app(scope, receive, send):
        await receive()
        await receive()
        loop = asyncio.get_running_loop()
        timers = [
            loop.call_later(share * MARGIN_MS / 1000, passed.append, share) for share in (0.25, 1.5)
        ]
        try:
            await asyncio.Event().wait()
        finally:
            passed.append("cancelled")
            for timer in timers:
                timer.cancel()

    with pytest.raises(DeadlineApproaching):
        run(adapt(only_http_started(app), deadline_margin_ms=MARGIN_MS), event(), Hurried())

    assert passed == [0.25, "cancelled"]


def only_http_started(app):
    """The app, whose response has begun before it is called."""

    async def inner(scope, receive, send):
        assert scope["type"] == "http"
        await start(send)
        await body(send, b"one")
        await app(scope, receive, send)

    return inner


def test_a_heartbeat_that_finds_nobody_tells_a_silent_app():
    heard = []

    @only_http
    async def app(scope, receive, send):
        await receive()
        await start(send, headers=[(b"content-type", b"text/event-stream")])
        heard.append(await receive())

    handler = adapt(app, sse=sse(heartbeat_seconds=0.01))
    answered(handler, LeavingClient(taken=2))

    assert heard == [{"type": "http.disconnect"}]
