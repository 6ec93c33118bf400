"""`adapt`: applications of both kinds behind Function URL events, streamed and buffered."""

from __future__ import annotations

import asyncio
import contextvars
from base64 import b64encode

import pytest

import penstock
from penstock import adapt
from penstock.errors import AppError, EventError
from penstock.event_sources.sqs import Sqs
from penstock.messages import Request
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


def test_an_event_that_nobody_knows_is_an_error_that_says_what_was_looked_for():
    with pytest.raises(EventError, match=r"keys \['Records'\].*function_url: version \"2.0\""):
        adapt(wsgi())({"Records": []}, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"body": "???", "isBase64Encoded": True},
        {"body": 5},
        {"headers": ["a"]},
        {"cookies": "a=b"},
        {"rawPath": 5},
        {"requestContext": {"domainName": "abc.lambda-url.us-east-1.on.aws"}},
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_malformed_event_is_answered_400_and_the_app_is_not_called(kind, wrong, caplog):
    handler = adapt(KINDS[kind]())

    assert run(handler, event() | wrong).prelude.status_code == 400
    assert "the event cannot be made a request" in caplog.text
    assert run(handler, event()).text == "onetwo"


class Site:
    """An object whose methods are apps, as Flask's `wsgi_app` is."""

    def __call__(self, environ, start_response):
        return self.wsgi(environ, start_response)

    def wsgi(self, environ, start_response, spare=None):
        start_response("200 OK", [])
        return [b"of a method"]

    async def asgi(self, scope, receive, send):
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"of a method"})

    def asgi_too(self, scope, receive, send):
        return self.asgi(scope, receive, send)


@pytest.mark.parametrize("app", [Site(), Site().wsgi, Site().asgi, Site().asgi_too])
def test_bound_methods_are_apps_as_well(app):
    assert run(adapt(app), event()).text == "of a method"


async def handler_of_lambda(event, context): ...


@pytest.mark.parametrize(
    ("app", "complaint"),
    [
        (None, "the app is None, which is neither an ASGI nor"),
        ("app", "the app is 'app', which is neither an ASGI nor"),
        (Site, r"the class Site, neither an ASGI nor a WSGI app; hand in an object of it, Site\("),
        (lambda one: None, "called with 1 arguments, so it is neither an ASGI"),
        (lambda a, b, c, d: None, "called with 4 arguments, so it is neither an ASGI"),
        (lambda *a: None, "called with any number of arguments, so it is neither an ASGI"),
        (handler_of_lambda, "awaited with 2 arguments, so it is neither an ASGI"),
    ],
)
def test_what_is_no_app_is_refused(app, complaint):
    with pytest.raises(AppError, match=complaint):
        adapt(app)


def test_what_cannot_be_called_is_no_app_whatever_is_said():
    with pytest.raises(AppError, match="the app is None, which cannot be called"):
        adapt(None, interface="wsgi")


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


@pytest.mark.parametrize("options", [{"mode": "fast"}, {"interface": "cgi"}])
def test_unknown_options_are_refused(options):
    with pytest.raises(AppError, match="not '"):
        adapt(wsgi(), **options)


class Told:
    """An event source of somebody's own: plain text is an event."""

    name = "told"
    looks_for = "text"
    can_stream = False
    is_internal = True
    path = "/told"

    def matches(self, event):
        return isinstance(event, str)

    def request(self, event):
        return Request(method="POST", path=self.path, body=event.encode())

    def result(self, response, event):
        return [response.status, response.body.decode(), event]


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_of_one_s_own_is_asked_and_marked(kind):
    app = KINDS[kind]()

    assert run(adapt(app, sources=[Told()]), "news").result == [200, "onetwo", "news"]
    found = app.scope if kind == "asgi" else app.environ
    assert found["aws.source"] == "told"


@pytest.mark.parametrize(
    "path", ["/told", "/told/", "//told", "/%74old", "/./told", "/a/../told", "/told%2F"]
)
def test_an_outside_caller_is_refused_the_path_of_events_from_within(path):
    app = wsgi()
    handler = adapt(app, sources=[Told()])

    assert run(handler, event(path=path)).prelude.status_code == 404
    assert not hasattr(app, "environ")
    assert run(handler, event(path="/told/more")).text == "onetwo"


class Asked(Told):
    """The same, of somebody outside who can take a stream."""

    name = "asked"
    can_stream = True
    is_internal = False
    path = ""

    def request(self, event):
        return Request(method="POST", path="/asked", body=event.encode())


def test_which_sources_are_streamed_to_can_be_said(monkeypatch):
    app = wsgi()

    def answer(given, **options):
        return run(adapt(app, sources=[Asked()], **options), given)

    assert answer("news", stream=["asked"]).chunks == [b"one", b"two"]
    assert not answer(event(), stream=["asked"]).is_streamed
    assert answer("news", mode="stream").is_streamed
    assert answer(event(), mode="stream").is_streamed
    monkeypatch.setenv("PENSTOCK_STREAM", "asked, function_url,")
    assert answer("news").is_streamed
    for nothing in ("", " ", " , "):
        monkeypatch.setenv("PENSTOCK_STREAM", nothing)
        assert not answer(event()).is_streamed


@pytest.mark.parametrize(
    ("stream", "complaint"),
    [
        (["function_url", "alb"], "names 'alb', which is no source and .*: function_url, rest"),
        (["rest_api", "sqs"], "stream names sqs, which cannot be streamed to; .*function_url"),
        ([" "], "names '', which is no source"),
        ("function_url", r"a list of names, as in \['rest_api'\], not 'function_url'"),
        (True, "a list of names"),
        ([5], "a list of names"),
    ],
)
@pytest.mark.parametrize("mode", ["auto", "stream", "buffer"])
def test_what_cannot_be_streamed_to_is_refused(stream, complaint, mode):
    with pytest.raises(AppError, match=complaint):
        adapt(wsgi(), stream=stream, mode=mode)


@pytest.mark.parametrize(
    ("sources", "complaint"),
    [
        ([Sqs], r"the class Sqs; make an object of it: Sqs\(\)"),
        (Sqs("/x"), r"sources is a list, as in \[Sqs"),
        (["sqs"], "'sqs' in sources is no event source, for want of name, looks_for"),
        ({"sqs": Sqs()}, "sources is a list"),
    ],
)
def test_what_is_no_source_is_refused(sources, complaint):
    with pytest.raises(AppError, match=complaint):
        adapt(wsgi(), sources=sources)


def test_who_streams_cannot_be_from_within_aws():
    class Both(Told):
        can_stream = True

    with pytest.raises(AppError, match="has both can_stream and is_internal"):
        adapt(wsgi(), sources=[Both()])


def test_open_paths_is_a_list():
    with pytest.raises(AppError, match="open_paths is a list of names"):
        adapt(wsgi(), open_paths="logs")


def test_a_refusal_is_logged_with_what_opens_the_path(caplog):
    run(adapt(wsgi()), event("POST", "/logs"))

    assert "of events of logs; adapt(open_paths=['logs']) opens it" in caplog.text


def test_an_event_that_two_sources_claim_is_an_error():
    class Heard(Told):
        name = "heard"
        path = "/heard"

    with pytest.raises(EventError, match="several sources take this event for theirs: told, heard"):
        adapt(wsgi(), sources=[Told(), Heard()])("news", None)


def test_a_source_takes_the_place_of_a_known_one_of_its_name():
    app = wsgi()
    handler = adapt(app, sources=[Sqs("/orders")])
    messages = {"Records": [{"messageId": "1", "eventSource": "aws:sqs", "body": "{}"}]}

    assert run(handler, messages).result == {"batchItemFailures": []}
    assert app.environ["PATH_INFO"] == "/orders"
    assert run(handler, event("POST", "/sqs")).text == "onetwo"
    assert run(handler, event("POST", "/orders")).prelude.status_code == 404


def test_a_request_that_came_in_part_is_answered_413():
    cloudfront = {
        "config": {"eventType": "viewer-request"},
        "request": {
            "clientIp": "203.0.113.178",
            "method": "POST",
            "uri": "/",
            "querystring": "",
            "headers": {"host": [{"key": "Host", "value": "d111111abcdef8.cloudfront.net"}]},
            "body": {"inputTruncated": True, "encoding": "base64", "data": "aGVsbG8="},
        },
    }
    assert adapt(wsgi())({"Records": [{"cf": cloudfront}]}, None)["status"] == "413"
