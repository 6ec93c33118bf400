"""VPC Lattice, event structure version 1.0, in both directions."""

from __future__ import annotations

import pytest

from penstock.errors import EventError
from penstock.event_sources.lattice import Lattice, LatticeV1
from penstock.messages import Response
from penstock.testing.event_samples import EVENTS

from .http_events import EVENTS as HTTP_EVENTS
from .http_events import changed

EVENT = {
    "raw_path": "/rooms/red%20room?a=1&a=2",
    "method": "POST",
    "headers": {
        "host": "rooms-0a1.7d67968.vpc-lattice-svcs.eu-west-1.on.aws",
        "x-forwarded-for": "10.213.229.10",
        "cookie": "sid=1; theme=dark",
    },
    "query_string_parameters": {"a": "2"},
    "body": "aGVsbG8=",
    "is_base64_encoded": True,
}


def test_an_event_is_a_request():
    request = LatticeV1().request(EVENT)

    assert (request.method, request.path, request.query) == (
        "POST",
        "/rooms/red%20room",
        "a=1&a=2",
    )
    assert request.headers.get("cookie") == "sid=1; theme=dark"
    assert request.source_ip == "10.213.229.10"
    assert request.body == b"hello"


def test_the_parameters_count_when_the_path_has_none():
    event = changed(EVENT, raw_path="/rooms", query_string_parameters={"a": "c d", "b": "ü"})

    assert LatticeV1().request(event).query == "a=c%20d&b=%C3%BC"


@pytest.mark.parametrize(
    ("raw_path", "path", "query"),
    [
        ("/grüße?a=ü b", "/gr%C3%BC%C3%9Fe", "a=%C3%BC%20b"),
        ("/%2e%2e/sqs?a=?&b=%20", "/%2e%2e/sqs", "a=?&b=%20"),
        ("/?", "/", "a=2"),
        ("", "/", "a=2"),
    ],
)
def test_path_and_query_are_as_they_were_sent(raw_path, path, query):
    request = LatticeV1().request(changed(EVENT, raw_path=raw_path))

    assert (request.path, request.query) == (path, query)


@pytest.mark.parametrize("body", [None, "", ...])
def test_an_event_without_a_body_is_a_request(body):
    event = changed(EVENT, body=body, is_base64_encoded=False)

    assert LatticeV1().request(event).body == b""


def test_each_version_is_one_sources():
    assert LatticeV1().matches(EVENT)
    assert not Lattice().matches(EVENT)
    assert not LatticeV1().matches(EVENTS["vpc_lattice"][0])
    taken = [name for name, event in HTTP_EVENTS.items() if LatticeV1().matches(event)]
    assert taken == ["vpc_lattice_v1"]
    for key in ("raw_path", "method", "is_base64_encoded"):
        assert not LatticeV1().matches(changed(EVENT, **{key: ...}))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"raw_path": 5}, "raw_path should be text, found int"),
        ({"method": []}, "method should be text, found list"),
        ({"headers": "host"}, "headers should be an object"),
        ({"body": {}}, "body should be text"),
        ({"body": "?"}, "no base64"),
        ({"body": "aGVsbG8"}, "no base64"),
        ({"is_base64_encoded": "yes"}, "should be true or false"),
        ({"headers": {"a": "b\r\nc: d"}}, "line break"),
        ({"headers": {"a\r\nb": "c"}}, "token"),
        ({"raw_path": "/a\r\nb"}, "line break"),
        ({"raw_path": "/?a\r\nb"}, "line break"),
        ({"method": "GET / HTTP/1.1\r\n"}, "method should be a method"),
    ],
)
def test_what_vpc_lattice_does_not_make_is_refused(values, words):
    with pytest.raises(EventError, match=words):
        LatticeV1().request(changed(EVENT, **values))


def test_ten_thousand_headers_and_half_of_a_character_are_a_request():
    many = {f"x-{number}": "1" for number in range(10_000)}

    request = LatticeV1().request(
        changed(EVENT, headers=many, raw_path="/\ud83d", body="\ud83d", is_base64_encoded=False)
    )

    # One more says how long the body is.
    assert len(request.headers) == 10_001
    assert (request.path, request.body) == ("/%3F", b"?")


def test_a_result_is_that_of_version_2():
    response = Response(200, [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], b"\xff")

    assert LatticeV1().result(response, EVENT) == {
        "statusCode": 200,
        "statusDescription": "200 OK",
        "headers": {"set-cookie": "a=1", "Set-cookie": "b=2"},
        "body": "/w==",
        "isBase64Encoded": True,
    }
