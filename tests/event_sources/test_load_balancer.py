"""Application Load Balancers and VPC Lattice, in both directions."""

from __future__ import annotations

import base64
import copy

import pytest

from penstock.errors import EventError
from penstock.event_sources.lattice import Lattice
from penstock.event_sources.load_balancer import LoadBalancer
from penstock.messages import Response
from tests.event_sources.http_events import (
    BODY,
    EVENTS,
    LATTICE,
    LOAD_BALANCER,
    LOAD_BALANCER_WITH_LISTS,
    changed,
    fields_of,
    owner_of,
)

BALANCER, VPC_LATTICE = LoadBalancer(), Lattice()

each_kind = pytest.mark.parametrize(
    "event", [LOAD_BALANCER, LOAD_BALANCER_WITH_LISTS], ids=["single values", "lists"]
)


@pytest.mark.parametrize("source", [BALANCER, VPC_LATTICE], ids=lambda source: source.name)
@pytest.mark.parametrize("which", EVENTS)
def test_a_source_takes_its_own_events_and_nobody_elses(source, which):
    assert source.matches(EVENTS[which]) is (owner_of(which) == source.name)


@each_kind
def test_an_event_is_a_request(event):
    request = BALANCER.request(event)

    assert (request.method, request.path) == ("POST", "/rooms/red%20room")
    assert request.source_ip == "192.0.2.9"
    assert request.headers.get_all("cookie") == ["sid=1; theme=dark"]
    assert request.headers.get("content-type") == "application/json"
    assert request.body == BODY.encode()


def test_repeated_fields_of_lists_stay_apart():
    request = BALANCER.request(LOAD_BALANCER_WITH_LISTS)

    assert [value for name, value in fields_of(request) if name == "x-tag"] == ["one", "two"]


def test_the_query_is_not_encoded_twice():
    assert BALANCER.request(LOAD_BALANCER).query == (
        "to=https%3A%2F%2Fexample.org%2F&plus=a%2Bb&b=a+b"
    )
    assert BALANCER.request(LOAD_BALANCER_WITH_LISTS).query == (
        "a=1&a=2&to=https%3A%2F%2Fexample.org%2F"
    )


@pytest.mark.parametrize(
    ("parameters", "query"),
    [
        ({"na%20me": "a%20b%26c"}, "na%20me=a%20b%26c"),
        ({"token": "YQ=="}, "token=YQ=="),
        ({"flag": ""}, "flag="),
        ({"a": "b c&d=e#f", "é": "\u4e16"}, "a=b%20c%26d=e%23f&%C3%A9=%E4%B8%96"),
        ({"a=b": "c"}, "a%3Db=c"),
        ({"half": "\ud83d"}, "half=?"),
        ({}, ""),
        (None, ""),
        (..., ""),
    ],
)
def test_only_what_no_query_may_have_is_encoded(parameters, query):
    event = changed(LOAD_BALANCER, queryStringParameters=parameters)

    assert BALANCER.request(event).query == query


def test_a_null_beside_the_map_that_counts_does_not_count():
    lists = changed(LOAD_BALANCER_WITH_LISTS, headers=None, queryStringParameters=None)
    single = changed(LOAD_BALANCER, multiValueHeaders=None, multiValueQueryStringParameters=None)

    assert BALANCER.request(lists).query.startswith("a=1&a=2")
    assert BALANCER.request(single).query.startswith("to=")
    assert "multiValueHeaders" in BALANCER.result(Response(200, []), lists)
    assert "headers" in BALANCER.result(Response(200, []), single)


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("192.0.2.9", "192.0.2.9"),
        ("10.0.0.1,192.0.2.9", "192.0.2.9"),
        ("192.0.2.9:40112", "192.0.2.9"),
        ("10.0.0.1, 2001:db8::9", "2001:db8::9"),
        ("[2001:db8::9]:40112", "2001:db8::9"),
        ("", ""),
    ],
)
def test_the_address_is_the_one_that_the_load_balancer_has_seen(forwarded, address):
    event = changed(LOAD_BALANCER, headers={"X-Forwarded-For": forwarded})

    assert BALANCER.request(event).source_ip == address


@pytest.mark.parametrize("headers", [..., None, {}])
def test_an_event_without_headers_is_a_request(headers):
    request = BALANCER.request(changed(LOAD_BALANCER, headers=headers, body=None))

    assert (fields_of(request), request.source_ip) == ([], "")


@pytest.mark.parametrize("source_and_event", [(BALANCER, LOAD_BALANCER), (VPC_LATTICE, LATTICE)])
def test_the_event_is_not_changed(source_and_event):
    source, event = source_and_event
    before = copy.deepcopy(event)

    source.request(event)
    source.result(Response(200, [("x-tag", "1"), ("set-cookie", "a=1")], b"x"), event)

    assert event == before


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"httpMethod": {}}, ["httpMethod", "text", "dict"]),
        ({"path": 5}, ["path", "text", "int"]),
        ({"headers": "host: x"}, ["headers", "object", "str"]),
        ({"headers": {"host": 5}}, ["headers", "text", "int"]),
        ({"multiValueHeaders": []}, ["multiValueHeaders", "object", "list"]),
        ({"queryStringParameters": "a=1"}, ["queryStringParameters", "object", "str"]),
        ({"multiValueQueryStringParameters": {"a": [["1"]]}}, ["multiValueQuery", "text", "list"]),
        ({"body": []}, ["body", "text", "list"]),
    ],
)
def test_what_no_load_balancer_makes_is_refused_with_what_was_found(values, words):
    event = changed(LOAD_BALANCER, **values)
    assert BALANCER.matches(event)

    with pytest.raises(EventError) as caught:
        BALANCER.request(event)

    assert all(word in str(caught.value) for word in words)


def test_a_result_for_lists_has_lists():
    response = Response(200, [("X-Tag", "1"), ("Set-Cookie", "a=1"), ("set-cookie", "b=2")], b"ok")

    assert BALANCER.result(response, LOAD_BALANCER_WITH_LISTS) == {
        "statusCode": 200,
        "statusDescription": "200 OK",
        "multiValueHeaders": {"x-tag": ["1"], "set-cookie": ["a=1", "b=2"]},
        "body": "ok",
        "isBase64Encoded": False,
    }


def test_a_result_for_single_values_has_single_values_and_every_cookie():
    response = Response(
        404,
        [("X-Tag", "1"), ("x-tag", "2"), *(("Set-Cookie", f"c{number}=1") for number in range(4))],
        b"no",
    )

    assert BALANCER.result(response, LOAD_BALANCER) == {
        "statusCode": 404,
        "statusDescription": "404 Not Found",
        "headers": {
            "x-tag": "1, 2",
            "set-cookie": "c0=1",
            "Set-cookie": "c1=1",
            "sEt-cookie": "c2=1",
            "SEt-cookie": "c3=1",
        },
        "body": "no",
        "isBase64Encoded": False,
    }


def test_a_hundred_cookies_have_a_name_each():
    cookies = [f"c{number}=1" for number in range(100)]

    result = BALANCER.result(Response(200, [("set-cookie", it) for it in cookies]), LOAD_BALANCER)

    assert list(result["headers"].values()) == cookies
    assert {name.lower() for name in result["headers"]} == {"set-cookie"}


@each_kind
def test_a_status_that_has_no_phrase_is_described_all_the_same(event):
    assert BALANCER.result(Response(299, []), event)["statusDescription"] == "299"


@each_kind
def test_a_result_that_is_no_text_is_in_base64(event):
    result = BALANCER.result(Response(200, [], b"\xff\0"), event)

    assert (base64.b64decode(result["body"]), result["isBase64Encoded"]) == (b"\xff\0", True)


def test_an_event_of_vpc_lattice_is_a_request():
    request = VPC_LATTICE.request(LATTICE)

    assert (request.method, request.path, request.query) == (
        "POST",
        "/rooms/red%20room",
        "a=1&a=2",
    )
    assert request.source_ip == "192.0.2.10"
    assert request.headers.get_all("cookie") == ["sid=1; theme=dark"]
    assert request.body == BODY.encode()


def test_vpc_lattices_parameters_are_taken_when_its_path_has_none():
    event = changed(LATTICE, path="/", queryStringParameters={"a": ["1", "2"], "b": "c d"})

    assert VPC_LATTICE.request(event).query == "a=1&a=2&b=c%20d"


def test_a_result_for_vpc_lattice_has_single_values():
    response = Response(200, [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], b"ok")

    assert VPC_LATTICE.result(response, LATTICE) == {
        "statusCode": 200,
        "statusDescription": "200 OK",
        "headers": {"set-cookie": "a=1", "Set-cookie": "b=2"},
        "body": "ok",
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize("values", [{"path": 5}, {"method": []}, {"headers": {"a": [5]}}])
def test_what_vpc_lattice_does_not_make_is_refused(values):
    with pytest.raises(EventError, match="should be text"):
        VPC_LATTICE.request(changed(LATTICE, **values))
