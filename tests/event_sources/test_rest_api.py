"""REST APIs, in both directions."""

from __future__ import annotations

import base64
import copy
from urllib.parse import parse_qsl

import pytest

from penstock.errors import EventError
from penstock.event_sources.rest_api import RestApi
from penstock.messages import Response
from tests.event_sources.http_events import BODY, EVENTS, REST_API, changed, fields_of, owner_of

REST = RestApi()


@pytest.mark.parametrize("which", EVENTS)
def test_the_source_takes_its_own_events_and_nobody_elses(which):
    assert REST.matches(EVENTS[which]) is (owner_of(which) == "rest_api")


@pytest.mark.parametrize(
    "values", [{"multiValueHeaders": None, "headers": None}, {"version": None}]
)
def test_maps_that_are_null_are_a_rest_apis(values):
    assert REST.matches(changed(REST_API, **values))


def test_it_can_stream():
    assert REST.can_stream


def test_an_event_is_a_request():
    request = REST.request(REST_API)

    assert (request.method, request.path) == ("POST", "/rooms/red%20room")
    assert (request.source_ip, request.protocol) == ("192.0.2.8", "HTTP/1.1")
    assert request.body == BODY.encode()
    assert fields_of(request) == [
        ("content-type", "application/json"),
        ("host", "p9q8r7.execute-api.eu-west-1.amazonaws.com"),
        ("x-tag", "one"),
        ("x-tag", "two"),
        ("cookie", "sid=1; theme=dark"),
        ("content-length", str(len(BODY.encode()))),
    ]


@pytest.mark.parametrize("lists", [..., None])
def test_without_lists_the_single_values_are_taken(lists):
    event = changed(REST_API, multiValueQueryStringParameters=lists, multiValueHeaders=lists)

    request = REST.request(event)

    assert parse_qsl(request.query) == [("a", "2"), ("plus", "a+b"), ("name", "Zoë & co")]
    assert request.headers.get_all("x-tag") == ["two"]


@pytest.mark.parametrize(
    ("parameters", "query"),
    [
        ({"a": ["1", "2"], "b": [""]}, "a=1&a=2&b="),
        ({"to": ["https://example.org/?x=1&y=2#z"]}, None),
        ({"a b": ["c+d e"], "%": ["%20"], "é": ["\u4e16"]}, None),
        ({"half": ["\ud83d"]}, "half=%3F"),
        ({"a": []}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_the_query_which_the_service_has_decoded_is_encoded(parameters, query):
    event = changed(
        REST_API, multiValueQueryStringParameters=parameters, queryStringParameters=None
    )

    found = REST.request(event).query

    if query is not None:
        assert found == query
    else:
        sent = [(name, value) for name, values in parameters.items() for value in values]
        assert parse_qsl(found, strict_parsing=True) == sent
        assert found.isascii()


def test_values_that_only_the_single_map_has_are_taken_too():
    event = changed(
        REST_API,
        multiValueQueryStringParameters={"a": ["1", "2"]},
        queryStringParameters={"a": "3", "b": "4"},
    )

    assert REST.request(event).query == "a=1&a=2&a=3&b=4"


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/a%20b/%2F", "/a%20b/%2F"),
        ("/a b/世", "/a%20b/%E4%B8%96"),
        ("/a?b", "/a%3Fb"),
        ("//x/../y/", "//x/../y/"),
        ("", "/"),
        (None, "/"),
    ],
)
def test_the_path_stays_as_it_is_but_for_what_no_path_may_have(given, path):
    assert REST.request(changed(REST_API, path=given)).path == path


OWN_ADDRESS = "p9q8r7.execute-api.eu-west-1.amazonaws.com"
PRIVATE_ADDRESS = "p9q8r7-vpce-0a1b.execute-api.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("given", "whole", "domain", "path", "root_path"),
    [
        ("/rooms/a%20b", "/live/rooms/a%20b", OWN_ADDRESS, "/live/rooms/a%20b", "/live"),
        ("/rooms", "/live/rooms", PRIVATE_ADDRESS, "/live/rooms", "/live"),
        ("/rooms/", "/live/rooms/", OWN_ADDRESS, "/live/rooms/", "/live"),
        ("/", "/live/", OWN_ADDRESS, "/live/", "/live"),
        ("/", "/live", OWN_ADDRESS, "/live", "/live"),
        ("/live/1", "/live/live/1", OWN_ADDRESS, "/live/live/1", "/live"),
        # A client's own, or made by hand: the stage is not in front of this path.
        ("/live/1", "/live/1", OWN_ADDRESS, "/live/1", ""),
        ("/rooms", "/other/rooms", OWN_ADDRESS, "/rooms", ""),
        ("/rooms", "/live/more/rooms", OWN_ADDRESS, "/rooms", ""),
        ("/rooms", "/liverooms", OWN_ADDRESS, "/rooms", ""),
        ("/rooms", "/live", OWN_ADDRESS, "/rooms", ""),
        ("/rooms", ["/live/rooms"], OWN_ADDRESS, "/rooms", ""),
        ("/rooms", None, OWN_ADDRESS, "/rooms", ""),
        # Custom domains: with what a mapping has in front, or with nothing.
        ("/v1/rooms", "/v1/rooms", "rooms.example.org", "/v1/rooms", ""),
        ("/live/rooms", "/live/rooms", "rooms.example.org", "/live/rooms", ""),
        ("/rooms", "/live/rooms", "rooms.example.org", "/rooms", ""),
        ("/rooms", "/live/rooms", None, "/rooms", ""),
    ],
)
def test_at_the_api_s_own_address_the_stage_is_the_root_path(given, whole, domain, path, root_path):
    context = REST_API["requestContext"] | {"path": whole, "domainName": domain}
    request = REST.request(changed(REST_API, path=given, requestContext=context))

    assert (request.path, request.root_path) == (path, root_path)


@pytest.mark.parametrize("identity", [..., None, {}, {"sourceIp": None}])
def test_without_an_identity_there_is_no_address(identity):
    context = changed(REST_API["requestContext"], identity=identity)

    assert REST.request(changed(REST_API, requestContext=context)).source_ip == ""


def test_the_event_is_not_changed():
    event = copy.deepcopy(REST_API)

    REST.request(event)
    REST.result(Response(200, [("x-tag", "1")], b"x"), event)

    assert event == REST_API


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"httpMethod": 5}, ["httpMethod", "text", "int"]),
        ({"path": ["/"]}, ["path", "text", "list"]),
        ({"multiValueHeaders": "host"}, ["multiValueHeaders", "object", "str"]),
        ({"multiValueHeaders": {"host": [5]}}, ["multiValueHeaders", "text", "int"]),
        ({"multiValueHeaders": {"host": {"a": "b"}}}, ["multiValueHeaders", "list", "dict"]),
        ({"multiValueHeaders": None, "headers": []}, ["headers", "object", "list"]),
        ({"multiValueQueryStringParameters": []}, ["multiValueQuery", "object", "list"]),
        ({"queryStringParameters": {"a": True}}, ["queryString", "text", "bool"]),
        ({"body": 5}, ["body", "text", "int"]),
        ({"body": "?", "isBase64Encoded": True}, ["base64"]),
        ({"requestContext": {"stage": "s", "identity": "me"}}, ["identity", "object", "str"]),
    ],
)
def test_what_no_rest_api_makes_is_refused_with_what_was_found(values, words):
    event = changed(REST_API, **values)
    assert REST.matches(event)

    with pytest.raises(EventError) as caught:
        REST.request(event)

    assert all(word in str(caught.value) for word in words)


def test_a_result_has_every_field_in_lists():
    response = Response(
        404,
        [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("X", "1"), ("set-cookie", "b=2")],
        b"no",
    )

    assert REST.result(response, REST_API) == {
        "statusCode": 404,
        "multiValueHeaders": {
            "content-type": ["text/plain"],
            "set-cookie": ["a=1", "b=2"],
            "x": ["1"],
        },
        "body": "no",
        "isBase64Encoded": False,
    }


def test_a_result_that_is_no_text_is_in_base64():
    result = REST.result(Response(200, [("content-encoding", "gzip")], b"as if"), REST_API)

    assert (base64.b64decode(result["body"]), result["isBase64Encoded"]) == (b"as if", True)
