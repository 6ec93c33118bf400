"""An app hears in time that its time is nearly up."""

from __future__ import annotations

import asyncio
import time
from unittest.mock import Mock

import fastapi as fastapi_module
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from penstock import adapt
from penstock.errors import AppError, DeadlineApproaching
from penstock.testing import Context, run
from tests.bridge.apps import asgi, event, wsgi

# The other method of pytest-timeout uses the signal that the guard wants.
pytestmark = pytest.mark.timeout(60, method="thread")

MARGIN_MS = 1000


class Hurried:
    """A context: a moment more than the margin is left, and it stays so."""

    def get_remaining_time_in_millis(self):
        # Long enough for the first byte on a busy machine.
        return MARGIN_MS + 200


def hurried(app):
    return adapt(app, deadline_margin_ms=MARGIN_MS)


async def start(send):
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"one", "more_body": True})


def test_who_ends_because_there_is_no_client_any_more_does_not_say_that_it_is_whole():
    async def app(scope, receive, send):
        await receive()
        await start(send)
        assert await receive() == {"type": "http.disconnect"}
        await send({"type": "http.response.body", "body": b", out of time"})

    with pytest.raises(DeadlineApproaching) as caught:
        run(hurried(app), event(), Hurried())
    assert "[b'one', b', out of time']" in caught.value.__notes__[0]
    # Buffered, the client is told instead.
    assert hurried(app)(event(), Hurried())["statusCode"] == 504


def test_the_commonest_loop_of_fastapi_does_not_look_whole():
    fastapi = FastAPI()

    @fastapi.get("/")
    async def numbers(request: fastapi_module.Request):
        async def chunks():
            for number in range(1_000_000):
                if await request.is_disconnected():
                    break
                yield f"{number}\n"
                await asyncio.sleep(0.005)

        return StreamingResponse(chunks())

    with pytest.raises(DeadlineApproaching):
        run(hurried(fastapi), event(), Hurried())


def test_an_asgi_app_that_stops_without_an_end_has_failed():
    async def app(scope, receive, send):
        await receive()
        await start(send)
        await receive()

    with pytest.raises(DeadlineApproaching, match="1200 ms are left"):
        run(hurried(app), event(), Hurried())


def test_an_asgi_app_that_does_not_listen_is_cancelled():
    cleaned = []

    async def app(scope, receive, send):
        await start(send)
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cleaned.append(True)
            raise

    with pytest.raises(DeadlineApproaching):
        run(hurried(app), event(), Hurried())
    assert cleaned == [True]
    # And whoever comes next is not.
    assert run(hurried(asgi()), event()).text == "onetwo"


def test_who_ends_because_it_was_cancelled_does_not_say_that_it_is_whole():
    async def app(scope, receive, send):
        await start(send)
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await send({"type": "http.response.body", "body": b", cancelled"})

    with pytest.raises(DeadlineApproaching) as caught:
        run(hurried(app), event(), Hurried())
    assert "[b'one', b', cancelled']" in caught.value.__notes__[0]
    # Buffered, the client is told instead.
    assert hurried(app)(event(), Hurried())["statusCode"] == 504


@pytest.mark.parametrize("streamed", [True, False])
def test_before_the_first_byte_it_is_a_504(streamed, caplog):
    async def app(scope, receive, send):
        assert scope["type"] == "http"
        await asyncio.sleep(3600)

    def blocking(environ, start_response):
        time.sleep(3600)

    for each in (app, blocking):
        handler = hurried(each)
        if streamed:
            answer = run(handler, event(), Hurried())
            found = answer.prelude.status_code, answer.text
        else:
            result = handler(event(), Hurried())
            found = result["statusCode"], result["body"]
        assert found == (504, "Gateway Timeout")
    assert caplog.text.count("DeadlineApproaching") >= 2


def test_background_work_that_takes_too_long_is_cancelled_and_the_response_stands(caplog):
    async def app(scope, receive, send):
        await asgi()(scope, receive, send)
        await asyncio.sleep(3600)

    assert run(hurried(app), event(), Hurried()).text == "onetwo"
    assert "failed after its response" in caplog.text


def test_a_wsgi_app_hears_of_it_in_the_middle_of_its_work():
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"one"
        try:
            time.sleep(3600)
        except DeadlineApproaching:
            yield b", out of time"

    assert run(hurried(app), event(), Hurried()).text == "one, out of time"


def test_a_wsgi_app_that_does_not_deal_with_it_has_failed():
    def app(environ, start_response):
        start_response("200 OK", [])
        yield b"one"
        time.sleep(3600)

    with pytest.raises(DeadlineApproaching):
        run(hurried(app), event(), Hurried())


def test_the_margin_is_a_tenth_of_the_time_or_half_a_second():
    from penstock.bridge.deadline import guard_of

    class Left(Context):
        def __init__(self, left):
            self.get_remaining_time_in_millis = lambda: left

    assert guard_of(Left(3_000), None).margin_ms == 300
    assert guard_of(Left(900_000), None).margin_ms == 500
    assert guard_of(Left(3_000), 1_000).margin_ms == 1_000
    assert guard_of(Left(3_000), 0) is None
    assert guard_of(Left(0), None) is None
    assert guard_of(Mock(), None) is None
    assert guard_of(None, None) is None


@pytest.mark.parametrize("wrong", [-1, 1.5, True, "500"])
def test_a_margin_that_is_none_is_refused(wrong):
    with pytest.raises(AppError, match="deadline_margin_ms is a number"):
        adapt(wsgi(), deadline_margin_ms=wrong)
