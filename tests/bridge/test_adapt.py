"""`adapt`: applications of both kinds behind Function URL events, streamed and buffered."""

from __future__ import annotations

import asyncio
import contextvars
from base64 import b64encode

import pytest

import penstock
from penstock import adapt
from penstock.errors import AppError
from penstock.testing import Context, run
from tests.bridge.apps import KINDS, asgi, event, wsgi


@pytest.mark.parametrize("kind", KINDS)
def test_a_function_url_s_event_is_answered_with_a_stream(kind):
    answer = run(adapt(KINDS[kind]()), event())

    assert answer.prelude == penstock.Prelude(200, {"content-type": "text/plain"})
    assert answer.chunks == [b"one", b"two"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["no responder", "mode"])
def test_elsewhere_it_is_answered_with_one_proxy_response(kind, way):
    app = KINDS[kind]()
    if way == "mode":
        result = run(adapt(app, mode="buffer"), event()).result
    else:
        result = adapt(app)(event(), Context())

    assert result == {
        "statusCode": 200,
        "headers": {"content-type": "text/plain"},
        "body": "onetwo",
        "isBase64Encoded": False,
    }


def test_the_scope_has_the_request():
    app = asgi()
    context = Context()
    given = event(
        "POST",
        "/caf%C3%A9/a%2Fb",
        "x=1&x=%20",
        [("Host", "shop.example:8443"), ("X-Two", "a"), ("X-Two", "b"), ("Cookie", "c=d; e=f")],
        b"\xff\0",
    )
    run(adapt(app), given, context)

    scope = app.scope
    assert scope["type"] == "http"
    assert (scope["method"], scope["http_version"], scope["scheme"]) == ("POST", "1.1", "http")
    assert (scope["path"], scope["raw_path"]) == ("/café/a/b", b"/caf%C3%A9/a%2Fb")
    assert (scope["query_string"], scope["root_path"]) == (b"x=1&x=%20", "")
    assert scope["client"] == ("127.0.0.1", 0)
    assert scope["server"] == ("shop.example", 8443)
    assert (b"x-two", b"a,b") in scope["headers"]
    assert [value for name, value in scope["headers"] if name == b"cookie"] == [b"c=d; e=f"]
    assert scope["aws.event"] is given
    assert scope["aws.context"] is context
    assert app.request == {"type": "http.request", "body": b"\xff\0", "more_body": False}


def test_the_environ_has_the_request():
    app = wsgi()
    given = event(
        "PUT",
        "/caf%C3%A9",
        "x=1",
        [("Host", "shop.example"), ("Content-Type", "text/csv"), ("X_Forged", "1")],
        b"a,b",
    )
    run(adapt(app), given)

    environ = app.environ
    assert environ["REQUEST_METHOD"] == "PUT"
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/café"
    assert (environ["QUERY_STRING"], environ["SCRIPT_NAME"]) == ("x=1", "")
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"]) == ("text/csv", "3")
    assert (environ["SERVER_NAME"], environ["HTTP_HOST"]) == ("shop.example", "shop.example")
    assert "HTTP_X_FORGED" not in environ
    assert environ["aws.event"] is given
    assert app.input == b"a,b"


@pytest.mark.parametrize("kind", KINDS)
def test_cookies_are_a_list_and_repeated_fields_one(kind):
    fields = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Vary", "x"), ("Vary", "y")]
    if kind == "asgi":
        app = asgi(headers=[(name.encode(), value.encode()) for name, value in fields])
    else:
        app = wsgi(headers=fields)

    assert run(adapt(app), event()).prelude == penstock.Prelude(
        200, {"vary": "x, y"}, ["a=1", "b=2"], {"vary": ["x", "y"]}
    )
    result = adapt(app)(event(), None)
    assert (result["cookies"], result["headers"]) == (["a=1", "b=2"], {"vary": "x, y"})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_a_response_that_has_no_body_gets_none(kind, method, status):
    app = asgi(status) if kind == "asgi" else wsgi(f"{status} Reason")
    answer = run(adapt(app), event(method))

    assert (answer.prelude.status_code, answer.body) == (status, b"")
    assert adapt(app)(event(method), None)["body"] == ""


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_response_is_one(kind):
    answer = run(adapt(KINDS[kind](body=())), event())

    assert (answer.prelude.status_code, answer.body) == (200, b"")


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_that_are_no_text_come_in_base64(kind):
    result = adapt(KINDS[kind](body=(b"\x89PNG\0",)))(event(), None)

    assert (result["body"], result["isBase64Encoded"]) == (b64encode(b"\x89PNG\0").decode(), True)


def test_background_work_is_finished_and_the_client_does_not_wait_for_it():
    order = []

    async def app(scope, receive, send):
        assert scope["type"] == "http"
        await asgi()(scope, receive, send)
        assert await receive() == {"type": "http.disconnect"}
        await asyncio.sleep(0)
        order.append("background")

    run(adapt(app), event())

    assert order == ["background"]


def test_context_variables_are_the_invocation_s():
    variable = contextvars.ContextVar("variable")
    variable.set("outer")
    seen = []

    async def app(scope, receive, send):
        if scope["type"] == "http":
            seen.append(variable.get())
        variable.set("inner")
        await asgi()(scope, receive, send)

    run(adapt(app), event())

    assert seen == ["outer"]
    assert variable.get() == "outer"


def test_a_wsgi_app_s_context_variables_are_the_invocation_s():
    variable = contextvars.ContextVar("variable")
    variable.set("outer")

    def app(environ, start_response):
        start_response("200 OK", [])
        yield variable.get().encode()
        variable.set("inner")

    assert [run(adapt(app), event()).text for _ in range(2)] == ["outer", "outer"]
    assert variable.get() == "outer"


def test_where_nothing_streams_on_lambda_it_is_said_once(monkeypatch, caplog):
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")
    monkeypatch.setattr("penstock.buffered._fallback_noted", False)
    handler = adapt(wsgi())
    for _ in range(2):
        assert handler(event(), None)["statusCode"] == 200
    assert caplog.text.count("this runtime client does not stream") == 1


def test_the_lifespan_runs_once_and_its_state_is_in_each_scope():
    starts = []

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            assert (await receive())["type"] == "lifespan.startup"
            starts.append(1)
            scope["state"]["pool"] = "a pool"
            await send({"type": "lifespan.startup.complete"})
            await receive()
        else:
            await asgi(body=(scope["state"]["pool"].encode(),))(scope, receive, send)

    handler = adapt(app)
    assert [run(handler, event()).text for _ in range(3)] == ["a pool"] * 3
    assert starts == [1]


def test_an_app_that_cannot_start_fails_the_invocation():
    async def app(scope, receive, send):
        assert scope["type"] == "lifespan"
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    handler = adapt(app)
    for _ in range(2):
        with pytest.raises(AppError, match="the app could not start: no database"):
            run(handler, event())


def test_wsgi_s_write_file_wrapper_and_close(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 100_000)
    closed = []

    class Parts:
        def __init__(self, parts):
            self.parts = parts

        def __iter__(self):
            return iter(self.parts)

        def close(self):
            self.parts.close()
            closed.append(True)

    def app(environ, start_response):
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"written ")
        return Parts(environ["wsgi.file_wrapper"]((tmp_path / "file").open("rb")))

    chunks = run(adapt(app), event()).chunks

    assert list(map(len, chunks)) == [8, 65536, 34464]
    assert closed == [True]
