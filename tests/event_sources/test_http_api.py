"""HTTP APIs, payload formats 2.0 and 1.0, in both directions."""

from __future__ import annotations

import base64
import copy

import pytest

from penstock.errors import EventError
from penstock.event_sources.http_api import HttpApiV1, HttpApiV2
from penstock.messages import Response
from tests.event_sources.http_events import (
    BODY,
    EVENTS,
    HTTP_API,
    HTTP_API_V1,
    changed,
    fields_of,
    owner_of,
)

V1, V2 = HttpApiV1(), HttpApiV2()


@pytest.mark.parametrize("source", [V1, V2], ids=lambda source: source.name)
@pytest.mark.parametrize("which", EVENTS)
def test_a_source_takes_its_own_events_and_nobody_elses(source, which):
    assert source.matches(EVENTS[which]) is (owner_of(which) == source.name)


def test_a_custom_domain_is_an_http_apis():
    context = HTTP_API["requestContext"] | {"domainName": "rooms.example.org"}

    assert V2.matches(changed(HTTP_API, requestContext=context))


def test_an_event_of_2_0_is_a_request():
    request = V2.request(HTTP_API)

    assert (request.method, request.source_ip, request.protocol) == (
        "POST",
        "192.0.2.7",
        "HTTP/1.1",
    )
    assert request.query == "a=1&a=2&to=https%3A%2F%2Fexample.org%2F&plus=a%2Bb&blank=a+b"
    assert request.body == BODY.encode()
    assert fields_of(request) == [
        ("content-type", "application/json"),
        ("host", "k3j5h2.execute-api.eu-west-1.amazonaws.com"),
        ("x-tag", "one,two"),
        ("cookie", "sid=1; theme=dark"),
        ("content-length", str(len(BODY.encode()))),
    ]


@pytest.mark.parametrize(
    ("decoded", "path"),
    [
        ("/rooms/red room", "/rooms/red%20room"),
        ("/café", "/caf%C3%A9"),
        ("/a?b#c", "/a%3Fb%23c"),
        ("/100%", "/100%25"),
        ("/a%20b", "/a%2520b"),
        ("/~me/@home/a+b;c=d,e", "/~me/@home/a+b;c=d,e"),
        ("/half \ud83d", "/half%20%3F"),
        ("", "/"),
        (None, "/"),
    ],
)
@pytest.mark.parametrize(
    ("source", "event", "key"),
    [(V2, HTTP_API, "rawPath"), (V1, HTTP_API_V1, "path")],
    ids=["2.0", "1.0"],
)
def test_the_path_which_the_service_has_decoded_is_encoded(source, event, key, decoded, path):
    assert source.request(changed(event, **{key: decoded})).path == path


STAGED = {"stage": "live"}
AT_OWN_ADDRESS = STAGED | {"domainName": "k3j5h2.execute-api.eu-west-1.amazonaws.com"}
BEHIND_CUSTOM_DOMAIN = STAGED | {"domainName": "rooms.example.org"}


@pytest.mark.parametrize(
    ("given", "context", "path", "root_path"),
    [
        ("/live/rooms", AT_OWN_ADDRESS, "/live/rooms", "/live"),
        ("/live/", AT_OWN_ADDRESS, "/live/", "/live"),
        ("/live", AT_OWN_ADDRESS, "/live", "/live"),
        ("/live/live/a b", AT_OWN_ADDRESS, "/live/live/a%20b", "/live"),
        ("/lively/rooms", AT_OWN_ADDRESS, "/lively/rooms", ""),
        ("/rooms/live/1", AT_OWN_ADDRESS, "/rooms/live/1", ""),
        ("/$default/rooms", AT_OWN_ADDRESS | {"stage": "$default"}, "/$default/rooms", ""),
        ("//rooms", AT_OWN_ADDRESS | {"stage": ""}, "//rooms", ""),
        ("/live/rooms", AT_OWN_ADDRESS | {"stage": None}, "/live/rooms", ""),
        ("/live/rooms", AT_OWN_ADDRESS | {"stage": ["live"]}, "/live/rooms", ""),
    ],
)
@pytest.mark.parametrize(
    ("source", "event", "key"),
    [(V2, HTTP_API, "rawPath"), (V1, HTTP_API_V1, "path")],
    ids=["2.0", "1.0"],
)
def test_at_the_api_s_own_address_the_stage_is_the_root_path(
    source, event, key, given, context, path, root_path
):
    context = event["requestContext"] | context
    request = source.request(changed(event, requestContext=context, **{key: given}))

    assert (request.path, request.root_path) == (path, root_path)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/live/rooms", "/rooms"),
        ("/live/", "/"),
        ("/live", "/"),
        ("/live/live/1", "/live/1"),
        ("/lively", "/lively"),
    ],
)
def test_behind_a_custom_domain_the_stage_which_nobody_has_sent_is_taken_away(given, path):
    context = HTTP_API["requestContext"] | BEHIND_CUSTOM_DOMAIN
    request = V2.request(changed(HTTP_API, requestContext=context, rawPath=given))

    assert (request.path, request.root_path) == (path, "")


def test_1_0_behind_a_custom_domain_stays_as_it_is():
    context = HTTP_API_V1["requestContext"] | BEHIND_CUSTOM_DOMAIN
    request = V1.request(changed(HTTP_API_V1, requestContext=context, path="/live/rooms"))

    assert (request.path, request.root_path) == ("/live/rooms", "")


def test_a_stage_that_only_the_context_of_1_0_has_is_the_root_path_too():
    context = HTTP_API_V1["requestContext"] | AT_OWN_ADDRESS | {"path": "/live/red room"}
    request = V1.request(changed(HTTP_API_V1, requestContext=context, path="/red room"))

    assert (request.path, request.root_path) == ("/live/red%20room", "/live")


def test_the_cookies_take_the_place_of_the_field():
    event = changed(HTTP_API, headers={"Cookie": "old=1"}, cookies=["a=1", "b=2"], body=None)

    assert fields_of(V2.request(event)) == [("cookie", "a=1; b=2")]


@pytest.mark.parametrize("cookies", [..., None, []])
def test_without_cookies_the_field_stays(cookies):
    event = changed(HTTP_API, headers={"Cookie": "a=1; b=2"}, cookies=cookies, body=None)

    assert fields_of(V2.request(event)) == [("cookie", "a=1; b=2")]


def test_an_event_of_1_0_is_a_request():
    request = V1.request(HTTP_API_V1)

    assert (request.method, request.source_ip) == ("POST", "192.0.2.8")
    assert request.query == "a=1&a=2&plus=a%2Bb&name=Zo%C3%AB%20%26%20co"
    assert request.headers.get_all("x-tag") == ["one", "two"]
    assert request.headers.get_all("cookie") == ["sid=1; theme=dark"]
    assert request.body == BODY.encode()


def test_a_body_in_base64_is_decoded():
    body = base64.b64encode(b"\0\xff").decode()

    assert V2.request(changed(HTTP_API, body=body, isBase64Encoded=True)).body == b"\0\xff"


@pytest.mark.parametrize(
    ("source", "event"), [(V2, HTTP_API), (V1, HTTP_API_V1)], ids=["2.0", "1.0"]
)
def test_the_event_is_not_changed(source, event):
    before = copy.deepcopy(event)

    source.request(event)
    source.result(Response(200, [("set-cookie", "a=1")], b"x"), event)

    assert event == before


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rawPath": 5}, ["rawPath", "text", "int"]),
        ({"rawQueryString": {"a": "1"}}, ["rawQueryString", "text", "dict"]),
        ({"headers": ["host"]}, ["headers", "object", "list"]),
        ({"headers": {"x-tag": 5}}, ["headers", "text", "int"]),
        ({"cookies": "a=1"}, ["cookies", "list"]),
        ({"cookies": [{"a": "1"}]}, ["cookies", "text"]),
        ({"body": {"a": 1}}, ["body", "text", "dict"]),
        ({"body": "?", "isBase64Encoded": True}, ["base64"]),
        ({"requestContext": {"http": "GET"}}, ["http", "object", "str"]),
        ({"requestContext": {"http": {"method": 5}}}, ["method", "text", "int"]),
        ({"requestContext": {"http": {"sourceIp": []}}}, ["sourceIp", "text", "list"]),
    ],
)
def test_what_no_http_api_makes_is_refused_with_what_was_found(values, words):
    event = changed(HTTP_API, **values)
    assert V2.matches(event)

    with pytest.raises(EventError) as caught:
        V2.request(event)

    assert all(word in str(caught.value) for word in words)


def test_a_result_of_2_0_has_joined_fields_and_cookies_by_themselves():
    response = Response(
        201,
        [
            ("Content-Type", "text/plain"),
            ("X-Tag", "one"),
            ("Set-Cookie", "a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT"),
            ("x-tag", "two"),
            ("set-cookie", "b=2"),
        ],
        "Zoë".encode(),
    )

    assert V2.result(response, HTTP_API) == {
        "statusCode": 201,
        "headers": {"content-type": "text/plain", "x-tag": "one, two"},
        "cookies": ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2"],
        "body": "Zoë",
        "isBase64Encoded": False,
    }


def test_a_result_of_1_0_has_lists():
    response = Response(200, [("Set-Cookie", "a=1"), ("set-cookie", "b=2")])

    assert V1.result(response, HTTP_API_V1) == {
        "statusCode": 200,
        "multiValueHeaders": {"set-cookie": ["a=1", "b=2"]},
        "body": "",
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize(
    ("source", "event"), [(V2, HTTP_API), (V1, HTTP_API_V1)], ids=["2.0", "1.0"]
)
def test_a_result_that_is_no_text_is_in_base64(source, event):
    result = source.result(Response(200, [], b"\x89PNG\r\n\x1a\n\0"), event)

    assert result["isBase64Encoded"] is True
    assert base64.b64decode(result["body"]) == b"\x89PNG\r\n\x1a\n\0"
