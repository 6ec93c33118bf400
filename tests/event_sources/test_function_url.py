"""The source of a Function URL's events: from the event to the request, and the result."""

from __future__ import annotations

import pytest

from penstock.errors import EventError
from penstock.event_sources.function_url import FunctionUrl
from penstock.messages import Response

from .http_events import EVENTS, FUNCTION_URL, changed, fields_of, owner_of

URL = FunctionUrl()


@pytest.mark.parametrize("which", EVENTS)
def test_the_source_takes_its_own_events_and_nobody_elses(which):
    assert URL.matches(EVENTS[which]) is (owner_of(which) == "function_url")


def test_an_event_is_a_request():
    event = changed(
        FUNCTION_URL, cookies=["sid=1", "theme=dark"], body="aGk=", isBase64Encoded=True
    )
    request = URL.request(event)

    assert (request.method, request.path, request.query) == ("GET", "/a%20b", "x=1")
    assert (request.source_ip, request.protocol) == ("192.0.2.1", "HTTP/1.1")
    assert (request.root_path, request.body) == ("", b"hi")
    assert fields_of(request) == [
        ("host", "abcdef.lambda-url.eu-west-1.on.aws"),
        ("cookie", "sid=1; theme=dark"),
        ("content-length", "2"),
    ]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/a%20b/%2F%", "/a%20b/%2F%"),
        ("//x/../y/", "//x/../y/"),
        ('/[a]/{b}|"c"', '/[a]/{b}|"c"'),
        ("/a b/é", "/a%20b/%C3%A9"),
        ("/[a b]", "/[a%20b]"),
        ("/a?b#c", "/a%3Fb%23c"),
        ("", "/"),
        (None, "/"),
    ],
)
def test_the_path_stays_as_it_was_sent_but_for_what_nobody_can_send(given, path):
    assert URL.request(changed(FUNCTION_URL, rawPath=given)).path == path


@pytest.mark.parametrize(
    ("given", "query"),
    [
        ("a=1&a=2&b", "a=1&a=2&b"),
        ("q=[1]&p=%20+%2B&r=a?/b", "q=[1]&p=%20+%2B&r=a?/b"),
        ("q=a b#c&é", "q=a%20b%23c&%C3%A9"),
        (None, ""),
    ],
)
def test_the_query_stays_as_it_was_sent_but_for_what_nobody_can_send(given, query):
    assert URL.request(changed(FUNCTION_URL, rawQueryString=given)).query == query


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rawPath": 5}, ["rawPath", "text", "int"]),
        ({"rawPath": "a"}, ["path", "slash"]),
        ({"rawPath": "/a\n"}, ["path", "line break"]),
        ({"rawQueryString": ["a"]}, ["rawQueryString", "text", "list"]),
        ({"rawQueryString": "a\r\n"}, ["rawQueryString", "line"]),
        ({"headers": ["host"]}, ["headers", "object", "list"]),
        ({"headers": {"host": {"a": "b"}}}, ["headers", "list", "dict"]),
        ({"headers": {"a b": "1"}}, ["name", "token"]),
        ({"headers": {"x-key": "secret\r\n"}}, ["header", "line break"]),
        ({"cookies": {"a": "1"}}, ["cookies", "list of text"]),
        ({"cookies": [1]}, ["cookies", "list of text"]),
        ({"cookies": ["secret\r\n"]}, ["cookie", "line break"]),
        ({"body": 5}, ["body", "text", "int"]),
        ({"body": "secret", "isBase64Encoded": "yes"}, ["isBase64Encoded", "true", "str"]),
        ({"body": "secret!", "isBase64Encoded": True}, ["base64"]),
        (
            {"requestContext": FUNCTION_URL["requestContext"] | {"http": "GET"}},
            ["requestContext.http", "object"],
        ),
        (
            {"requestContext": FUNCTION_URL["requestContext"] | {"http": {"method": "secret x"}}},
            ["method", "GET"],
        ),
        (
            {"requestContext": FUNCTION_URL["requestContext"] | {"http": {"sourceIp": "1\n2"}}},
            ["sourceIp", "line"],
        ),
    ],
)
def test_what_no_function_url_makes_is_refused_without_its_values(values, words):
    event = changed(FUNCTION_URL, **values)
    assert URL.matches(event)

    with pytest.raises(EventError) as caught:
        URL.request(event)

    assert all(word in str(caught.value) for word in words)
    assert "secret" not in str(caught.value)


def test_a_result_has_the_cookies_apart():
    response = Response(
        201, [("X-Tag", "1"), ("x-tag", "2"), ("Set-Cookie", "a=1"), ("set-cookie", "b=2")], b"x"
    )

    assert URL.result(response, FUNCTION_URL) == {
        "statusCode": 201,
        "headers": {"x-tag": "1, 2"},
        "cookies": ["a=1", "b=2"],
        "body": "x",
        "isBase64Encoded": False,
    }
