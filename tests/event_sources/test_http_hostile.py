"""Events that no front door would make, through `adapt`, for apps of both kinds.

Each is answered with 400, without a word of what was in it, or is nobody's; or the app gets a
request that is none the worse for it. The next event is answered as if nothing had been.
"""

from __future__ import annotations

import copy
import json
import logging

import pytest
from fastapi import FastAPI
from flask import Flask

from penstock import adapt
from penstock.errors import EventError
from penstock.testing import Context

from .http_events import (
    FUNCTION_URL,
    HTTP_API,
    HTTP_API_V1,
    LAMBDA_EDGE,
    LATTICE,
    LATTICE_V1,
    LOAD_BALANCER,
    LOAD_BALANCER_WITH_LISTS,
    REST_API,
    changed,
)

STAGED_REST_API = changed(
    REST_API,
    requestContext=REST_API["requestContext"]
    | {"domainName": "p9q8r7.execute-api.eu-west-1.amazonaws.com"},
)
STAGED_HTTP_API = changed(
    HTTP_API, requestContext=HTTP_API["requestContext"] | {"stage": "live"}, rawPath="/live/rooms"
)

EVENTS = {
    "function_url": FUNCTION_URL,
    "http_api": HTTP_API,
    "http_api, with a stage": STAGED_HTTP_API,
    "http_api_v1": HTTP_API_V1,
    "rest_api": REST_API,
    "rest_api, with a stage": STAGED_REST_API,
    "load_balancer": LOAD_BALANCER,
    "load_balancer, with lists": LOAD_BALANCER_WITH_LISTS,
    "vpc_lattice": LATTICE,
    "vpc_lattice_v1": LATTICE_V1,
    "lambda_edge": LAMBDA_EDGE,
}
# What these give is decoded, and is encoded again: there is nothing that cannot be in it.
WITH_DECODED_PATH = {"http_api", "http_api, with a stage", "http_api_v1"}
WITH_SENT_QUERY = {
    "function_url": "rawQueryString",
    "http_api": "rawQueryString",
    "http_api, with a stage": "rawQueryString",
    "lambda_edge": "querystring",
}

WRONG = (None, True, 5, -1.5, "", "x", "\ud83d", "\r\n", [], [None], [[]], {}, {"a": None})
WRONG_IN_MAPS = ({"a": 5}, {"a": ["x", 5]}, {"a": {"b": "c"}}, {"": "x"}, {"a\r\nb": "x"})


# The second is for a body that CloudFront says it has cut.
REFUSED = {400: "Bad Request", 413: "Request Entity Too Large"}


class Seeing:
    """An app of either kind that keeps what it sees, and answers 200."""

    def __init__(self, kind):
        self.seen = None
        self.handler = adapt(
            self.asgi if kind == "asgi" else self.wsgi, interface=kind, mode="buffer"
        )

    async def asgi(self, scope, receive, send):
        if scope["type"] == "http":
            self.seen = scope
            await receive()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body"})

    def wsgi(self, environ, start_response):
        self.seen = environ
        environ["wsgi.input"].read()
        start_response("200 OK", [])
        return []

    def answer(self, event):
        """The answer's status, or None if the event is nobody's; all of it is looked at."""
        self.seen = None
        before = copy.deepcopy(event)
        try:
            result = self.handler(event, Context())
        except EventError:
            assert self.seen is None
            result = None
        assert event == before
        if result is None:
            return None
        json.dumps(result)
        status = int(result["status"]) if "status" in result else result["statusCode"]
        if status in REFUSED:
            assert (self.seen, result["body"]) == (None, REFUSED[status])
        else:
            assert self.seen is not None
        return status


@pytest.fixture(params=["asgi", "wsgi"])
def app(request, caplog):
    caplog.set_level(logging.CRITICAL, "penstock")
    app = Seeing(request.param)
    yield app
    assert app.answer(REST_API) == 200


def places(value, place=()):
    """Where something is in an event: the keys and numbers that lead to it."""
    if isinstance(value, (dict, list)):
        for key, inside in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*place, key)
            yield from places(inside, (*place, key))


def with_value(event, place, value):
    """The event with `value` at a place, or nothing there if it is `...`."""
    event = copy.deepcopy(event)
    *outer, last = place
    inside = event
    for key in outer:
        inside = inside[key]
    if value is ...:
        del inside[last]
    else:
        inside[last] = value
    return event


def request_in(event):
    """What tells of the request in an event."""
    return event["Records"][0]["cf"]["request"] if "Records" in event else event


def with_parts(which, **values):
    """The event with other values for parts of its request."""
    event = copy.deepcopy(EVENTS[which])
    request_in(event).update(values)
    return event


def with_path(which, path):
    (key,) = {"rawPath", "raw_path", "uri", "path"} & set(request_in(EVENTS[which]))
    return with_parts(which, **{key: path})


def set_method(event, method):
    inside = event.get("requestContext", {}).get("http") or request_in(event)
    (key,) = {"method", "httpMethod"} & set(inside)
    inside[key] = method


def with_body(which, body, flag=False):
    """The event with another body; the flag says whether it is in base64."""
    if which == "lambda_edge":
        encoding = {False: "text", True: "base64"}[flag] if isinstance(flag, bool) else flag
        return with_parts(which, body={"data": body, "encoding": encoding})
    key = "is_base64_encoded" if which == "vpc_lattice_v1" else "isBase64Encoded"
    return with_parts(which, body=body, **{key: flag})


def with_headers(which, fields):
    """The event with these headers in place of its own."""
    inside = request_in(EVENTS[which])
    key = "headers" if inside.get("multiValueHeaders") is None else "multiValueHeaders"
    if which == "lambda_edge":
        found = {}
        for name, value in fields.items():
            found.setdefault(name.lower(), []).append({"key": name, "value": value})
    else:
        found = {name: value if key == "headers" else [value] for name, value in fields.items()}
    event = with_parts(which, **{key: found})
    event.pop("cookies", None)
    return event


@pytest.mark.parametrize("which", EVENTS)
def test_a_wrong_value_anywhere_is_400_or_nobody_s_or_makes_no_difference(app, which):
    event = EVENTS[which]
    statuses = [
        app.answer(with_value(event, place, value))
        for place in places(event)
        for value in (..., *WRONG, *WRONG_IN_MAPS)
    ]

    assert set(statuses) == {200, 400, None} | ({413} if which == "lambda_edge" else set())


@pytest.mark.parametrize("which", EVENTS)
@pytest.mark.parametrize("value", ["?", "YWJ", "é", "\ud83d", "YW Jj", "_-8="])
def test_a_body_that_is_no_base64_is_400(app, which, value):
    assert app.answer(with_body(which, value, True)) == 400


@pytest.mark.parametrize("which", EVENTS)
@pytest.mark.parametrize("value", ["true", 1, [], {}])
def test_a_flag_that_is_no_flag_is_400(app, which, value):
    assert app.answer(with_body(which, "", value)) == 400


@pytest.mark.parametrize("which", EVENTS)
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"Content-Length": "999"},
        {"content-length": ""},
        {"content-length": "1", "Content-Length": "2"},
        {"transfer-encoding": "chunked"},
        {"Transfer-Encoding": "chunked", "content-length": "5"},
    ],
)
def test_what_the_fields_say_of_the_body_s_length_is_true(which, fields):
    app = Seeing("asgi")
    event = with_headers(which, {"x-tag": "1", **fields})
    request_in(event)["body"] = request_in(with_body(which, "abc"))["body"]

    assert app.answer(event) == 200
    names = [name for name, _ in app.seen["headers"]]
    assert b"transfer-encoding" not in names
    assert (b"content-length", b"3") in app.seen["headers"]
    assert names.count(b"content-length") == 1


# To Lambda@Edge it means that the body was held back, which has tests of its own.
@pytest.mark.parametrize("which", [which for which in EVENTS if which != "lambda_edge"])
def test_without_a_body_a_length_that_was_sent_is_none(which):
    app = Seeing("asgi")

    assert app.answer(with_headers(which, {"content-length": "5"}) | {"body": None}) == 200
    assert (b"content-length", b"0") in app.seen["headers"]


@pytest.mark.parametrize("which", EVENTS)
@pytest.mark.parametrize("name", ["", " ", "a b", "a:b", "é", "(a)", "a\tb", "a\r\nb", "a\0", "世"])
def test_a_header_whose_name_is_no_token_is_400(app, which, name):
    assert app.answer(with_headers(which, {name: "1"})) == 400


@pytest.mark.parametrize("which", EVENTS)
@pytest.mark.parametrize("value", ["a\r\nx-forged: 1", "a\n", "\r", "a\0b"])
@pytest.mark.parametrize("name", ["x-tag", "cookie", "host", "x-forwarded-for"])
def test_a_line_break_in_a_header_is_400(app, which, name, value):
    assert app.answer(with_headers(which, {name: value})) == 400


@pytest.mark.parametrize("which", ["function_url", "http_api"])
def test_a_line_break_in_a_cookie_is_400(app, which):
    assert app.answer(changed(EVENTS[which], cookies=["a=1", "b=2\r\nx-forged: 1"])) == 400


@pytest.mark.parametrize("which", [which for which in EVENTS if which not in WITH_DECODED_PATH])
@pytest.mark.parametrize("path", ["/a\r\nb", "/a\nb", "/a\0b", "a", "http://example.org/", "*"])
def test_a_path_that_nobody_can_send_is_400(app, which, path):
    assert app.answer(with_path(which, path)) == 400


@pytest.mark.parametrize("which", sorted(WITH_DECODED_PATH))
def test_a_line_break_in_a_path_that_was_decoded_was_sent_encoded(which):
    app = Seeing("asgi")

    assert app.answer(with_path(which, "/a\r\nb")) == 200
    assert app.seen["raw_path"] == b"/a%0D%0Ab"


@pytest.mark.parametrize("which", WITH_SENT_QUERY)
def test_a_line_break_in_a_query_as_it_was_sent_is_400(app, which):
    assert app.answer(with_parts(which, **{WITH_SENT_QUERY[which]: "a=1\r\nb"})) == 400


@pytest.mark.parametrize("which", EVENTS)
@pytest.mark.parametrize("method", ["", "GE T", "GET / HTTP/1.1\r\n", "GÉT", "\0"])
def test_a_method_that_is_no_token_is_400(app, which, method):
    event = copy.deepcopy(EVENTS[which])
    set_method(event, method)

    assert app.answer(event) == 400


@pytest.mark.parametrize("which", EVENTS)
@pytest.mark.parametrize("text", ["\ud83d", "/\udcff", "/世\ud83d", "/%FF%", "/\x7f\x01 ?#"])
def test_what_is_no_text_reaches_the_app_as_something_that_can_be_sent(which, text):
    app = Seeing("asgi")
    event = with_path(which, "/" + text)
    request_in(event).update(
        rawQueryString=text,
        querystring=text,
        query_string_parameters={text: text},
        queryStringParameters={text: text},
        multiValueQueryStringParameters={text: [text]},
        body=request_in(with_body(which, text))["body"],
    )

    assert app.answer(event) == 200
    for part in ("raw_path", "query_string"):
        assert app.seen[part].decode("ascii").isprintable()
        assert b" " not in app.seen[part]
    assert app.seen["path"].encode()


@pytest.mark.parametrize("which", EVENTS)
def test_ten_thousand_headers_are_not_too_many(app, which):
    many = {f"x-{index}": "1" for index in range(10_000)}

    assert app.answer(with_headers(which, {"host": "rooms.example.org"} | many)) == 200
    names = {str(name) for name in app.seen.get("headers", app.seen)}
    assert len(names) > 10_000


@pytest.mark.parametrize("which", WITH_SENT_QUERY)
def test_a_query_of_a_megabyte_is_not_too_long(app, which):
    query = "a=" + "x" * 1_000_000
    assert app.answer(with_parts(which, **{WITH_SENT_QUERY[which]: query})) == 200
    assert app.seen.get("QUERY_STRING", app.seen.get("query_string")) in (query, query.encode())


@pytest.mark.parametrize("which", [which for which in EVENTS if which not in WITH_DECODED_PATH])
def test_dots_in_a_path_are_the_app_s_to_judge(which):
    app = Seeing("asgi")

    assert app.answer(with_path(which, "/a/%2e%2e/b/../c")) == 200
    assert app.seen["raw_path"].endswith(b"/a/%2e%2e/b/../c")
    assert app.seen["path"].endswith("/a/../b/../c")


def fastapi_app(reached):
    app = FastAPI()

    @app.post("/sqs")
    async def queue():
        reached.append("/sqs")

    return app


def flask_app(reached):
    app = Flask("app")

    @app.post("/sqs", strict_slashes=False)
    def queue():
        reached.append("/sqs")
        return {}

    return app


@pytest.fixture(scope="module", params=[fastapi_app, flask_app])
def framework(request):
    """A list of what was reached in an app of a framework, and handlers by base path."""
    reached = []
    handlers = {
        base_path: adapt(request.param(reached), mode="buffer", base_path=base_path)
        for base_path in ("", "/live", "/x")
    }
    return reached, handlers


# Spellings of the path of SQS, and of what may be taken for it.
SPELLINGS = [
    "/sqs",
    "/sqs/",
    "//sqs",
    "/%73qs",
    "/%2Fsqs",
    "/sqs%2F",
    "/./sqs",
    "/sqs/.",
    "/x/../sqs",
    "/x/%2e%2e/sqs",
    "/x/sqs",
    "/sqs?x",
    "/sqs%3Fx",
    "/sqs#x",
    "/sqs;x",
    "/sqs%00",
    "/%2573qs",
    "/SQS",
    "/live/sqs",
    "/live//sqs",
    "/live/%2e%2e/sqs",
    "/live/live/sqs",
    "/live/x/sqs",
]


def posting_to(which, path):
    """The event of a POST to `path`."""
    event = with_path(which, path)
    set_method(event, "POST")
    context = event.get("requestContext", {})
    if "stage" in which and "path" in context:
        context["path"] = "/live" + path
    return event


@pytest.mark.parametrize("which", EVENTS)
@pytest.mark.parametrize("base_path", ["", "/live", "/x"])
def test_no_path_of_a_caller_leads_to_where_events_are_delivered(framework, which, base_path):
    reached, handlers = framework
    handler = handlers[base_path]
    reached.clear()
    for path in SPELLINGS:
        answer = handler(posting_to(which, path), Context())

        status = int(answer.get("status") or answer["statusCode"])
        assert (status // 100 in (3, 4), reached) == (True, []), path
    handler({"Records": [{"eventSource": "aws:sqs", "messageId": "1", "body": "{}"}]}, Context())
    assert reached == ["/sqs"]
