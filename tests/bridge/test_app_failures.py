"""Apps that fail or send what is none: a 500 before the first byte, an error after it."""

from __future__ import annotations

import asyncio

import pytest

from penstock import adapt
from penstock.errors import AppError
from penstock.testing import run
from tests.bridge.apps import KINDS, asgi, event, wsgi


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("streamed", [True, False])
def test_a_failure_before_the_first_byte_is_a_real_500(kind, streamed, caplog):
    async def fails(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]})
        raise ValueError("secret")

    def fails_too(environ, start_response):
        start_response("200 OK", [("x", "y")])
        raise ValueError("secret")

    handler = adapt(fails if kind == "asgi" else fails_too)
    if streamed:
        answer = run(handler, event())
        status, text = answer.prelude.status_code, answer.text
    else:
        result = handler(event(), None)
        status, text = result["statusCode"], result["body"]

    assert (status, text) == (500, "Internal Server Error")
    assert "secret" in caplog.text


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_after_the_first_byte_fails_the_invocation(kind):
    async def fails(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        raise ValueError("too late")

    def fails_too(environ, start_response):
        start_response("200 OK", [])
        yield b"one"
        raise ValueError("too late")

    with pytest.raises(ValueError, match="too late") as caught:
        run(adapt(fails if kind == "asgi" else fails_too), event())

    assert "b'one'" in caught.value.__notes__[0]


def test_an_error_page_that_is_whole_is_the_answer_though_the_app_raises_behind_it(caplog):
    async def app(scope, receive, send):
        assert scope["type"] == "http"
        await asgi(status=503, body=(b"our page",))(scope, receive, send)
        raise ValueError("behind it")

    answer = run(adapt(app), event())

    assert (answer.prelude.status_code, answer.text) == (503, "our page")
    assert "behind it" in caplog.text


@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        ([], "returned without a response"),
        ([{"type": "http.response.body"}], "before http.response.start"),
        ([{"type": "http.response.start", "status": 200}] * 2, "was sent twice"),
        ([{"type": "websocket.accept"}], "cannot send 'websocket.accept'"),
    ],
)
def test_an_asgi_app_that_breaks_the_rules_is_told(messages, complaint, caplog):
    async def app(scope, receive, send):
        for message in messages:
            await send(message)

    assert run(adapt(app), event()).prelude.status_code == 500
    assert complaint in caplog.text


def test_a_response_that_is_not_whole_fails_the_invocation():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})

    with pytest.raises(AppError, match="before the end of its response"):
        run(adapt(app), event())


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("field", [("x-a", "one\r\nset-cookie: b=c"), ("x\ny", "a"), ("", "a")])
@pytest.mark.parametrize("kind", KINDS)
def test_a_header_that_would_start_another_one_is_never_sent(kind, field, streamed, caplog):
    if kind == "asgi":
        app = asgi(headers=[tuple(part.encode() for part in field)])
    else:
        app = wsgi(headers=[field])
    if streamed:
        assert run(adapt(app), event()).prelude.status_code == 500
    else:
        assert adapt(app)(event(), None)["statusCode"] == 500
    assert "PreludeError" in caplog.text


@pytest.mark.parametrize("streamed", [True, False])
def test_a_wsgi_body_that_is_no_bytes_is_told(streamed, caplog):
    handler = adapt(wsgi(body=("text",)))
    status = (
        run(handler, event()).prelude.status_code
        if streamed
        else handler(event(), None)["statusCode"]
    )
    assert status == 500
    assert "a WSGI app's body is bytes, not str" in caplog.text


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(
    ("kind", "app", "complaint"),
    [
        ("asgi", asgi(headers=[("x-a", "b")]), "header fields are bytes, not str"),
        ("asgi", asgi(body=[5]), "the body of http.response.body is bytes, not int"),
        ("wsgi", lambda environ, start_response: None, "returned None; it should return"),
        ("wsgi", wsgi(status=200), "a status is like '200 OK', not 200"),
    ],
)
def test_an_app_that_sends_what_is_none_is_told(kind, app, complaint, streamed, caplog):
    handler = adapt(app)
    if streamed:
        assert run(handler, event()).prelude.status_code == 500
    else:
        assert handler(event(), None)["statusCode"] == 500
    assert complaint in caplog.text


async def awaits_what_was_cancelled():
    task = asyncio.ensure_future(asyncio.sleep(3600))
    task.cancel()
    await task


def test_an_app_that_awaits_what_was_cancelled_has_failed(caplog):
    async def before(scope, receive, send):
        assert scope["type"] == "http"
        await awaits_what_was_cancelled()

    async def after(scope, receive, send):
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await awaits_what_was_cancelled()

    assert run(adapt(before), event()).prelude.status_code == 500
    assert "the ASGI app was cancelled" in caplog.text
    with pytest.raises(AppError, match="the ASGI app was cancelled"):
        run(adapt(after), event())
