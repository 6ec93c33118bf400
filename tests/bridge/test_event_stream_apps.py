"""`adapt(app, sse=...)`: the event streams of applications, with their code unchanged."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from flask import Flask, Response

from penstock import adapt, sse
from penstock.errors import AppError, DeadlineApproaching
from penstock.event_streams import HEARTBEAT
from penstock.testing import Context, run, stepped
from tests.bridge.apps import event, wsgi
from tests.event_stream_reader import failed, read_events

PATIENCE = 30


def fastapi(go, *, error=None, is_late=False):
    app = FastAPI()

    @app.get("/")
    async def stream():
        async def chunks():
            await asyncio.to_thread(go.wait, PATIENCE)
            yield "data: one\n\n"
            if is_late:
                await asyncio.sleep(3600)
            if error:
                raise error

        return StreamingResponse(chunks(), media_type="text/event-stream")

    return app


def flask(go, *, error=None, is_late=False):
    app = Flask(__name__)

    @app.get("/")
    def stream():
        def chunks():
            go.wait(PATIENCE)
            yield "data: one\n\n"
            if is_late:
                time.sleep(3600)
            if error:
                raise error

        return Response(chunks(), mimetype="text/event-stream")

    return app


OPTIONS = sse(heartbeat_seconds=0.01, end=True)


@pytest.fixture
def go():
    return threading.Event()


@pytest.mark.parametrize("make", [fastapi, flask])
def test_the_client_hears_of_an_app_that_is_silent(make, go):
    with stepped(adapt(make(go), sse=OPTIONS), event()) as steps:
        assert b"no-transform" in next(steps)
        assert [next(steps), next(steps)] == [HEARTBEAT] * 2
        go.set()
        rest = [chunk for chunk in steps if chunk != HEARTBEAT]
    assert rest == [b"data: one\n\n", b"event: end\ndata:\n\n"]


@pytest.mark.parametrize("make", [fastapi, flask])
def test_the_client_is_told_that_it_failed_and_not_why(make, go):
    go.set()
    handler = adapt(make(go, error=ValueError("secret")), sse=OPTIONS)
    _, body = failed(lambda _, context: handler(event(), context))

    assert b"secret" not in body
    assert [found.type for found in read_events(body)] == ["message", "error"]


# The other method of pytest-timeout uses the signal that the guard wants.
@pytest.mark.timeout(60, method="thread")
@pytest.mark.parametrize("make", [fastapi, flask])
def test_the_client_is_told_that_the_time_is_up(make, go):
    go.set()
    handler = adapt(make(go, is_late=True), sse=OPTIONS, deadline_margin_ms=500)
    context = Context(remaining_seconds=1.0)
    _, body = failed(lambda _, context: handler(event(), context), context)

    found = read_events(body)
    assert [one.type for one in found] == ["message", "error"]
    assert "out of time" in found[-1].data


@pytest.mark.timeout(60, method="thread")
def test_what_an_app_ends_because_it_was_cancelled_does_not_look_whole():
    async def app(scope, receive, send):
        assert scope["type"] == "http"
        fields = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await send({"type": "http.response.body", "body": b"data: sorry\n\n"})

    handler = adapt(app, sse=OPTIONS, deadline_margin_ms=500)
    context = Context(remaining_seconds=1.0)
    error, body = failed(lambda _, context: handler(event(), context), context)

    assert isinstance(error, DeadlineApproaching)
    assert [one.type for one in read_events(body)] == ["message", "error"]


@pytest.mark.parametrize("make", [fastapi, flask])
def test_a_buffered_answer_is_the_app_s_own(make, go):
    go.set()
    result = adapt(make(go), sse=OPTIONS, mode="buffer")(event(), None)
    assert result["body"] == "data: one\n\n"


def test_a_wsgi_app_that_tells_its_head_late_has_heartbeats_before_its_first_event(go):
    def app(environ, start_response):
        # Of a generator's code nothing runs before somebody asks for the first part.
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        go.wait(PATIENCE)
        yield b"data: one\n\n"

    with stepped(adapt(app, sse=OPTIONS), event()) as steps:
        assert b"no-transform" in next(steps)
        assert [next(steps), next(steps)] == [HEARTBEAT] * 2
        go.set()
        rest = [chunk for chunk in steps if chunk != HEARTBEAT]
    assert rest == [b"data: one\n\n", b"event: end\ndata:\n\n"]


def test_other_answers_pass_as_they_are():
    assert run(adapt(wsgi(), sse=True), event()).chunks == [b"one", b"two"]


def test_options_that_are_none_are_refused():
    with pytest.raises(AppError, match="sse is True or what"):
        adapt(wsgi(), sse=5)
