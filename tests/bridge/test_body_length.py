"""A body that is not as long as its `content-length` says never looks whole."""

from __future__ import annotations

import gzip

import pytest
from flask import Flask
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, PlainTextResponse
from starlette.routing import Route

from penstock import adapt, sse
from penstock.errors import AppError
from penstock.testing import Context, run
from tests.bridge.apps import KINDS, LeavingClient, answered, asgi, event, wsgi

each_kind = pytest.mark.parametrize("kind", KINDS)
each_way = pytest.mark.parametrize("streamed", [True, False])


def app_of(kind, length, *parts, status=200):
    """An app whose head has these `content-length` fields, one or several."""
    lengths = [length] if isinstance(length, str) else length
    if kind == "asgi":
        fields = [(b"content-length", value.encode("latin-1")) for value in lengths]
        return asgi(status, fields, parts)
    return wsgi(f"{status} Reason", [("Content-Length", value) for value in lengths], parts)


def status_and_body(handler, streamed, method="GET"):
    if streamed:
        answer = run(handler, event(method))
        return answer.prelude.status_code, answer.body
    result = handler(event(method), Context())
    return result["statusCode"], result["body"].encode()


# Too short.


@each_kind
def test_a_stream_that_ends_early_fails_the_invocation(kind):
    with pytest.raises(AppError, match=r"ended its response after 3 bytes, .* says 30;") as caught:
        run(adapt(app_of(kind, "30", b"a", b"bc")), event())

    assert "[b'a', b'bc']" in caught.value.__notes__[0]


@each_kind
def test_a_whole_answer_that_is_short_is_a_500(kind, caplog):
    handler = adapt(app_of(kind, "30", b"a", b"bc"))

    assert status_and_body(handler, False) == (500, b"Internal Server Error")
    assert "after 3 bytes, and its content-length says 30" in caplog.text


@each_way
@each_kind
def test_without_a_byte_of_the_body_it_is_a_500_as_well(kind, streamed):
    handler = adapt(app_of(kind, "30"))

    assert status_and_body(handler, streamed) == (500, b"Internal Server Error")


def test_nothing_leaves_of_a_short_body_that_comes_in_one_message(caplog):
    async def app(scope, receive, send):
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"Content-Length", b"30")]}
        )
        await send({"type": "http.response.body", "body": b"abc"})

    assert status_and_body(adapt(app), True) == (500, b"Internal Server Error")
    assert "after 3 bytes, and its content-length says 30" in caplog.text


@each_kind
def test_a_file_that_becomes_shorter_while_it_is_sent_looks_cut(kind, tmp_path):
    file = tmp_path / "big"
    file.write_bytes(b"x" * 200_000)

    def read_half():
        with file.open("rb") as opened:
            yield opened.read(100_000)
            file.write_bytes(b"")
            yield opened.read(100_000)

    class Shrinking(FileResponse):
        async def __call__(self, scope, receive, send):
            async def then_cut(message):
                await send(message)
                if message["type"] == "http.response.body":
                    file.write_bytes(b"")

            await super().__call__(scope, receive, then_cut)

    if kind == "asgi":
        app = Starlette(routes=[Route("/", lambda request: Shrinking(file))])
    else:
        app = Flask("app")

        @app.get("/")
        def download():
            return app.response_class(read_half(), headers={"content-length": "200000"})

    with pytest.raises(AppError, match="and its content-length says 200000"):
        run(adapt(app), event())


# Too long.


@each_kind
def test_of_what_is_too_much_nothing_is_sent(kind):
    with pytest.raises(AppError, match=r"sends 4 bytes or more, .* says 3; it should") as caught:
        run(adapt(app_of(kind, "3", b"ab", b"cd")), event())

    assert "[b'ab']" in caught.value.__notes__[0]


@each_way
@each_kind
def test_too_much_at_once_is_a_500(kind, streamed, caplog):
    handler = adapt(app_of(kind, "3", b"abcd"))

    assert status_and_body(handler, streamed) == (500, b"Internal Server Error")
    assert "sends 4 bytes or more" in caplog.text


def ignoring_what_is_raised(kind):
    """An app that sends one byte too many, and does not mind being told so."""

    async def of_asgi(scope, receive, send):
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]}
        )
        for part, more in ((b"a", True), (b"b", True), (b"", False)):
            try:
                await send({"type": "http.response.body", "body": part, "more_body": more})
            except AppError:
                pass

    def of_wsgi(environ, start_response):
        write = start_response("200 OK", [("Content-Length", "1")])
        write(b"a")
        with pytest.raises(AppError):
            write(b"b")
        return []

    return of_asgi if kind == "asgi" else of_wsgi


@each_kind
def test_who_goes_on_after_that_has_failed_all_the_same(kind):
    with pytest.raises(AppError, match="sends 2 bytes or more"):
        run(adapt(ignoring_what_is_raised(kind)), event())


# As long as it says, or nothing is said.


@each_way
@each_kind
@pytest.mark.parametrize(
    "length", ["6", "06", "", "six", "-1", "+3", "\xb3", "3 bytes", "3, 3", ["3", "30"], "9" * 5000]
)
def test_a_length_that_is_right_or_none_changes_nothing(kind, length, streamed):
    handler = adapt(app_of(kind, length, b"one", b"two"))

    assert status_and_body(handler, streamed) == (200, b"onetwo")


@each_way
@each_kind
@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
@pytest.mark.parametrize("parts", [(), (b"one", b"two")])
def test_what_has_no_body_has_none_of_the_wrong_length(kind, method, status, parts, streamed):
    handler = adapt(app_of(kind, "30", *parts, status=status))

    assert status_and_body(handler, streamed, method) == (status, b"")


@each_way
def test_a_second_head_has_a_length_of_its_own(streamed):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Length", "30")])
        try:
            raise ValueError
        except ValueError as exc:
            start_response("503 Busy", [("Content-Length", "4")], (ValueError, exc, None))
        return [b"busy"]

    assert status_and_body(adapt(app), streamed) == (503, b"busy")


@each_kind
def test_a_client_that_leaves_is_no_fault_of_the_app(kind, caplog):
    client = LeavingClient(taken=1)

    assert answered(adapt(app_of(kind, "6", b"one", b"two")), client) == b"one"

    assert (client.ended, client.error) == (False, None)
    assert "penstock" not in {record.name for record in caplog.records}


def test_nor_is_what_it_then_leaves_out(caplog):
    async def app(scope, receive, send):
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"30")]}
        )
        with pytest.raises(OSError):  # noqa: PT011 - as the ASGI specification has it
            await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await send({"type": "http.response.body"})

    assert answered(adapt(app, interface="asgi"), LeavingClient()) == b""
    assert "content-length" not in caplog.text


def test_what_middleware_compresses_is_counted_as_it_is_sent():
    text = "once upon a time " * 100
    app = Starlette(
        routes=[Route("/", lambda request: PlainTextResponse(text))],
        middleware=[Middleware(GZipMiddleware)],
    )
    answer = run(adapt(app), event(headers=[("accept-encoding", "gzip")]))

    assert answer.prelude.headers["content-encoding"] == "gzip"
    assert gzip.decompress(answer.body).decode() == text


@each_kind
def test_heartbeats_are_no_part_of_what_the_app_sends(kind):
    """Nor is the event at the end."""
    fields = [("content-type", "text/event-stream"), ("content-length", "9")]
    if kind == "asgi":
        app = asgi(
            headers=[(name.encode(), value.encode()) for name, value in fields],
            body=(b"data: 1\n\n",),
        )
    else:
        app = wsgi(headers=fields, body=(b"data: 1\n\n",))
    answer = run(adapt(app, sse=sse(end="done")), event())

    assert answer.text.startswith("data: 1\n\n")
    assert len(answer.body) > 9
