"""The drop-in for Mangum: the same answers as the real one, and what is different."""

from __future__ import annotations

import asyncio
import base64
import copy
import functools
import json
import logging
import sys

import httpx
import mangum
import pytest

from penstock.errors import AppError, DeliveryError, EventError
from penstock.event_sources.detect import all_sources
from penstock.event_sources.function_url_events import response_from_result
from penstock.mangum import Mangum
from penstock.testing import run

from .event_sources.http_events import EVENTS, FUNCTION_URL, REST_API
from .mangum_apps import ANSWERS, APPS, fastapi

SOURCES = [
    "function_url",
    "http_api",
    "http_api_v1",
    "rest_api",
    "load_balancer",
    "load_balancer, with lists",
]


@pytest.fixture(autouse=True)
def loop_of_mangum():
    """Mangum runs on the loop that is set for the thread."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    asyncio.set_event_loop(None)
    loop.close()


def event_of(source, method="GET", path="/"):
    event = copy.deepcopy(EVENTS[source])
    if event.get("version") == "2.0":
        event["rawPath"] = path
        event["requestContext"]["http"].update(method=method, path=path)
    else:
        event.update(httpMethod=method, path=path)
    return event


def as_a_client_sees_it(source, result):
    """Status, fields and body of a proxy response. What is JSON is read as such.

    A front door sets `content-length` itself. Whether a list is in one field or in several
    is the same to every client (RFC 9110 section 5.3), but for cookies.
    """
    if source in ("function_url", "http_api"):
        made = response_from_result(json.dumps(result).encode())
        status, pairs, body = made.status, made.headers, made.body
    else:
        lists = result.get("multiValueHeaders") or {}
        pairs = [(name, value) for name in lists for value in lists[name]]
        pairs += [pair for pair in (result.get("headers") or {}).items() if pair[0] not in lists]
        status, body = result["statusCode"], result["body"].encode()
        if result["isBase64Encoded"]:
            body = base64.b64decode(body)
    fields = {}
    for name, value in pairs:
        values = [value] if name.lower() == "set-cookie" else value.split(", ")
        if source in ("function_url", "http_api") and name == "link":
            values = [part.strip() for part in value.split(",")]
        fields.setdefault(name.lower(), []).extend(values)
    fields.pop("content-length", None)
    try:
        return status, fields, json.loads(body)
    except ValueError:
        return status, fields, body


@functools.cache
def handlers(framework, **options):
    """The app behind Mangum and behind the drop-in, for all tests, as in an environment."""
    app = APPS[framework]()
    return mangum.Mangum(app, **options), Mangum(app, **options)


def answers_of(framework, source, event, **options):
    """What a client gets from Mangum, and from the drop-in."""
    return [
        as_a_client_sees_it(source, handler(copy.deepcopy(event), "context"))
        for handler in handlers(framework, **options)
    ]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("framework", APPS)
def test_a_client_gets_the_answer_it_got_from_mangum(framework, name, source, caplog):
    caplog.set_level(logging.CRITICAL)
    event = event_of(source, path=f"/answers/{name}")

    theirs, ours = answers_of(framework, source, event)

    assert ours == theirs


# What the app is told otherwise, of the events as they are: source and key -> what Mangum
# says, what we say, and why.
TOLD_OTHERWISE = {
    ("rest_api", "cookies"): (
        {"sid": "1, theme=dark"},
        {"sid": "1", "theme": "dark"},
        "cookies are joined with '; ' (RFC 6265 section 5.4), not with a comma",
    ),
    ("http_api_v1", "cookies"): (
        {"sid": "1, theme=dark"},
        {"sid": "1", "theme": "dark"},
        "cookies are joined with '; ' (RFC 6265 section 5.4), not with a comma",
    ),
    ("load_balancer", "client"): (
        "198.51.100.99, 192.0.2.9",
        "192.0.2.9",
        "one address: the one that the load balancer has seen, and no client can choose",
    ),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("framework", APPS)
def test_the_app_is_told_what_mangum_tells_it(framework, source):
    theirs, ours = answers_of(framework, source, EVENTS[source])

    otherwise = {
        key: (theirs[2][key], ours[2][key]) for key in theirs[2] if theirs[2][key] != ours[2][key]
    }
    assert theirs[2].keys() == ours[2].keys()
    assert otherwise == {
        key: (mangum_says, we_say)
        for (where, key), (mangum_says, we_say, _) in TOLD_OTHERWISE.items()
        if where == source
    }


@pytest.mark.parametrize("source", SOURCES)
def test_head_has_no_body_which_mangum_sends(source):
    theirs, ours = answers_of("FastAPI", source, event_of(source, "HEAD", "/answers/text"))

    assert theirs[:2] == ours[:2]
    assert (theirs[2], ours[2]) == ("Zoë".encode(), b"")


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("base", ["/api", "api", "/api/"])
def test_a_base_path_is_not_the_app_s(base, source):
    event = event_of(source, path="/api/answers/text")

    handler = handlers("FastAPI", api_gateway_base_path=base)[1]

    assert as_a_client_sees_it(source, handler(event, None))[::2] == (200, "Zoë".encode())


def test_a_stage_is_not_the_app_s_which_mangum_has_to_be_told():
    event = event_of("http_api", path="/dev/answers/text")
    event["requestContext"]["stage"] = "dev"

    theirs, ours = answers_of("FastAPI", "http_api", event)
    assert (theirs[2]["path"], ours[2]) == ("/dev/answers/text", "Zoë".encode())

    theirs, ours = answers_of("FastAPI", "http_api", event, api_gateway_base_path="/dev")
    assert theirs[2] == ours[2] == "Zoë".encode()


@pytest.mark.parametrize("source", [source for source in SOURCES if "balancer" not in source])
def test_a_base_path_ends_where_a_segment_does_which_mangum_s_does_not(source):
    """For Mangum `/api-docs` is `-docs` below `/api`. It leaves load balancers' paths alone."""
    event = event_of(source, path="/api/answers/text")
    theirs, ours = answers_of("FastAPI", source, event, api_gateway_base_path="/api")
    assert ours == theirs

    event = event_of(source, path="/api-docs")
    theirs, ours = answers_of("FastAPI", source, event, api_gateway_base_path="/api")
    assert (theirs[0], ours[0], ours[2]["path"]) == (404, 200, "/api-docs")


@pytest.mark.parametrize("source", SOURCES)
def test_excluded_headers_are_left_out(source):
    event = event_of(source, path="/answers/cookies")
    theirs, ours = answers_of("FastAPI", source, event, exclude_headers=("Set-Cookie", "X-Other"))

    assert "set-cookie" not in ours[1]
    # Mangum does not look at them in payload format 2.0, nor at cookies in another case.
    keeps = source in ("function_url", "http_api", "http_api_v1", "load_balancer")
    assert ("set-cookie" in theirs[1]) is keeps


@pytest.mark.parametrize("name", [b"X-Other", b"x-other", b"X-OTHER"])
@pytest.mark.parametrize("excluded", ["x-other", "X-Other"])
def test_excluded_headers_are_left_out_however_the_app_writes_them(excluded, name):
    async def app(scope, receive, send):
        fields = [(name, b"1"), (b"X-Kept", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": b"one"})

    result = Mangum(app, "off", exclude_headers=[excluded])(FUNCTION_URL, None)

    assert (result["headers"], result["body"]) == ({"x-kept": "2"}, "one")


def test_an_error_names_what_to_use_for_custom_handlers():
    with pytest.raises(AppError, match=r"penstock\.adapt\(app, sources=\[\.\.\.\]\)"):
        Mangum(fastapi(), custom_handlers=[object])
    assert callable(Mangum(fastapi(), custom_handlers=[]))


def test_text_mime_types_change_nothing():
    event = event_of("rest_api", path="/answers/svg")

    result = handlers("FastAPI", text_mime_types=("application/x-other",))[1](event, None)

    assert (result["body"], result["isBase64Encoded"]) == ("<svg>ö</svg>", False)


def test_it_cannot_be_subclassed():
    with pytest.raises(AppError, match=r"MyMangum cannot be made of penstock\.mangum\.Mangum"):

        class MyMangum(Mangum):
            pass


# Events.


def test_events_that_are_no_requests_fail_and_never_reach_the_app(caplog):
    theirs, ours = handlers("FastAPI")
    event = {"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}
    with pytest.raises(RuntimeError):
        theirs(event, None)
    with pytest.raises(DeliveryError):
        ours(event, None)
    assert "takes requests, and this is an event of sqs; penstock.adapt(app)" in caplog.text


@pytest.mark.parametrize("path", [source.path for source in all_sources() if source.path])
def test_no_path_is_taken_from_the_app_for_them(path):
    theirs, ours = answers_of("FastAPI", "function_url", event_of("function_url", "POST", path))

    assert ours == theirs
    assert ours[2]["path"] == path


@pytest.mark.parametrize("which", ["an HTTP API's authorizer, 2.0", "a REST API's authorizer"])
def test_an_authorizer_s_event_is_no_request_which_it_is_for_mangum(which):
    theirs, ours = handlers("FastAPI")
    assert theirs(copy.deepcopy(EVENTS[which]), None)["statusCode"] == 200
    with pytest.raises(EventError):
        ours(EVENTS[which], None)


# Streams.


def test_a_stream_is_buffered_unless_it_is_asked_for(monkeypatch):
    event = event_of("function_url", path="/answers/chunks")
    monkeypatch.delenv("PENSTOCK_STREAM", raising=False)

    buffered = run(Mangum(fastapi(), "off"), event)
    asked = run(Mangum(fastapi(), "off", stream=["function_url"]), event)
    monkeypatch.setenv("PENSTOCK_STREAM", "function_url")
    by_variable = run(Mangum(fastapi(), "off"), event)

    assert not buffered.is_streamed
    assert buffered.result["body"] == "onetwo"
    assert asked.chunks == by_variable.chunks == [b"one", b"two"]


STREAMING = """
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from penstock.mangum import Mangum

app = FastAPI()


@app.get("/")
async def stream():
    async def chunks():
        yield "one"
        await asyncio.to_thread(pass_gate, "1")
        yield "two"

    return StreamingResponse(chunks(), 201, {"x-own": "header"}, "text/plain")


handler = Mangum(app)
"""


def test_a_buffered_url_is_served_under_aws_s_client_as_it_was_by_mangum(serve, gate):
    command = (sys.executable, "-m", "awslambdaric", "app.handler")
    function = serve(STREAMING, command=command, invoke_mode="BUFFERED")
    answers = []

    gate.open_for(lambda: answers.append(httpx.get(function.url)), "1")

    assert (answers[0].status_code, answers[0].headers["x-own"]) == (201, "header")
    assert answers[0].text == "onetwo"


def test_a_variable_makes_it_stream(serve, gate):
    function = serve(STREAMING, environment={"PENSTOCK_STREAM": "function_url"})
    with httpx.stream("GET", function.url, timeout=15) as response:
        chunks = response.iter_raw()
        assert next(chunks) == b"one"
        gate.open("1")
        assert b"".join(chunks) == b"two"


# The lifespan.


class Counted:
    """An app that counts what it is called for, and may have no lifespan."""

    def __init__(self, has_lifespan=True):
        self.has_lifespan = has_lifespan
        self.calls = []

    async def __call__(self, scope, receive, send):
        self.calls.append(scope["type"])
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})
            return
        if not self.has_lifespan:
            raise ValueError("only http")
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return


@pytest.mark.parametrize(
    ("lifespan", "theirs", "ours"),
    [
        ("auto", ["lifespan", "http"] * 2, ["lifespan", "http", "http"]),
        ("on", ["lifespan", "http"] * 2, ["lifespan", "http", "http"]),
        ("off", ["http", "http"], ["http", "http"]),
    ],
)
def test_the_lifespan_runs_once_per_environment_and_not_per_invocation(lifespan, theirs, ours):
    for kind, calls in ((mangum.Mangum, theirs), (Mangum, ours)):
        app = Counted()
        handler = kind(app, lifespan=lifespan)
        for _ in range(2):
            assert handler(copy.deepcopy(FUNCTION_URL), None)["statusCode"] == 204
        assert app.calls == calls


@pytest.mark.parametrize("lifespan", ["auto", "off"])
def test_an_app_may_have_no_lifespan(lifespan):
    assert Mangum(Counted(False), lifespan)(REST_API, None)["statusCode"] == 204


def test_an_app_that_has_none_cannot_start_if_the_lifespan_is_on_which_mangum_only_logs():
    assert mangum.Mangum(Counted(False), "on")(REST_API, None)["statusCode"] == 204
    with pytest.raises(AppError, match="lifespan is 'on', and the app has none: ValueError: only"):
        Mangum(Counted(False), "on")(REST_API, None)


def test_an_app_that_returns_from_its_lifespan_at_once_cannot_start_if_it_is_on():
    async def silent(scope, receive, send):
        assert scope["type"] == "lifespan"

    with pytest.raises(AppError, match="the app has none: it returned without an answer"):
        Mangum(silent, "on")(REST_API, None)


def test_what_an_app_says_about_its_start_is_said(caplog):
    async def failing(scope, receive, send):
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    for lifespan in ("auto", "on"):
        with pytest.raises(AppError, match="could not start: no database"):
            Mangum(failing, lifespan)(REST_API, None)


@pytest.mark.parametrize("lifespan", ["auto", "on"])
def test_what_ends_an_app_that_has_started_is_logged(lifespan, caplog):
    async def app(scope, receive, send):
        if scope["type"] == "http":
            await Counted()(scope, receive, send)
        else:
            await receive()
            await send({"type": "lifespan.startup.complete"})
            raise ValueError("behind the start")

    assert Mangum(app, lifespan)(REST_API, None)["statusCode"] == 204
    assert "the app's lifespan failed" in caplog.text
    assert "behind the start" in caplog.text


def test_an_unknown_lifespan_is_refused():
    with pytest.raises(AppError, match="lifespan is 'auto', 'on' or 'off', not 'maybe'"):
        Mangum(fastapi(), lifespan="maybe")
