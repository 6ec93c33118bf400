"""From a request to the event of a Function URL, as the live service was seen to do it."""

from __future__ import annotations

import base64
import json

import pytest

from penstock.event_sources.function_url_events import event_from_request
from penstock.messages import Headers, Request

DOMAIN = "abcdefghijklmnopqrstuvwxyz012345.lambda-url.localhost"


def event_of(method="GET", path="/", query="", headers=(), body=b"", **more):
    request = Request(
        method=method, path=path, query=query, headers=Headers(headers), body=body, **more
    )
    return event_from_request(
        request,
        request_id="8476a536-e9f4-11e8-9739-2dfe5987fcd0",
        domain_name=DOMAIN,
        port=9000,
        trace_id="Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0",
        at=1789473342.381,
    )


def test_a_request_becomes_the_event_with_its_keys_in_the_order_of_the_service():
    event = event_of(
        "POST",
        "/p",
        "a=1&a=2",
        [
            ("Host", DOMAIN),
            ("User-Agent", "curl/8"),
            ("Cookie", "c=1"),
            ("Content-Type", "text/csv"),
        ],
        b"x,y",
        source_ip="203.0.113.7",
    )

    assert json.dumps(event) == json.dumps(
        {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": "/p",
            "rawQueryString": "a=1&a=2",
            "cookies": ["c=1"],
            "headers": {
                "host": DOMAIN,
                "user-agent": "curl/8",
                "cookie": "c=1",
                "content-type": "text/csv",
                "content-length": "3",
                "x-amzn-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793",
                "x-forwarded-for": "203.0.113.7",
                "x-forwarded-port": "9000",
                "x-forwarded-proto": "http",
            },
            "queryStringParameters": {"a": "1,2"},
            "requestContext": {
                "accountId": "anonymous",
                "apiId": "abcdefghijklmnopqrstuvwxyz012345",
                "domainName": DOMAIN,
                "domainPrefix": "abcdefghijklmnopqrstuvwxyz012345",
                "http": {
                    "method": "POST",
                    "path": "/p",
                    "protocol": "HTTP/1.1",
                    "sourceIp": "203.0.113.7",
                    "userAgent": "curl/8",
                },
                "requestId": "8476a536-e9f4-11e8-9739-2dfe5987fcd0",
                "routeKey": "$default",
                "stage": "$default",
                "time": "15/Sep/2026:11:55:42 +0000",
                "timeEpoch": 1789473342381,
            },
            "body": "x,y",
            "isBase64Encoded": False,
        }
    )


def test_what_does_not_apply_is_left_out_and_never_null():
    event = event_of()

    assert list(event) == [
        "version",
        "routeKey",
        "rawPath",
        "rawQueryString",
        "headers",
        "requestContext",
        "isBase64Encoded",
    ]
    assert event["rawQueryString"] == ""
    assert event["isBase64Encoded"] is False
    assert "authorizer" not in event["requestContext"]
    assert "authentication" not in event["requestContext"]


def test_with_iam_the_event_tells_owner_and_caller_and_not_the_signature():
    caller = {"accessKey": "AKID", "accountId": "210987654321", "cognitoIdentity": None}
    request = Request(
        method="GET",
        path="/",
        headers=Headers([("Authorization", "AWS4-HMAC-SHA256 x"), ("X-Amz-Date", "20260915T1")]),
    )

    event = event_from_request(
        request,
        request_id="id",
        domain_name=DOMAIN,
        port=9000,
        trace_id="Root=1",
        at=0,
        owner="123456789012",
        caller=caller,
    )

    context = event["requestContext"]
    assert list(context)[:3] == ["accountId", "apiId", "authorizer"]
    assert context["accountId"] == "123456789012"
    assert context["authorizer"] == {"iam": caller}
    assert "authorization" not in event["headers"]
    assert event["headers"]["x-amz-date"] == "20260915T1"


def test_without_iam_an_authorization_is_the_functions_business():
    event = event_of(headers=[("Authorization", "Bearer x")])

    assert event["headers"]["authorization"] == "Bearer x"


def test_header_names_are_lower_case_and_repeats_are_joined_by_a_comma():
    headers = event_of(headers=[("X-Tag", "one"), ("Accept", "*/*"), ("x-tag", "two")])["headers"]

    assert headers["x-tag"] == "one,two"
    assert headers["accept"] == "*/*"
    assert "X-Tag" not in headers


def test_the_connection_is_nobody_elses_business():
    assert "connection" not in event_of(headers=[("Connection", "keep-alive")])["headers"]


@pytest.mark.parametrize(
    ("method", "length"),
    [("GET", "0"), ("POST", "0"), ("DELETE", "0"), ("HEAD", None), ("OPTIONS", None)],
)
def test_a_request_without_a_body_has_a_length_unless_it_is_head_or_options(method, length):
    assert event_of(method)["headers"].get("content-length") == length


def test_a_length_that_was_sent_stays():
    headers = event_of("POST", headers=[("Content-Length", "3")], body=b"abc")["headers"]

    assert headers["content-length"] == "3"


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_a_chunked_request_has_a_length_in_the_event(method):
    headers = event_of(method, headers=[("Transfer-Encoding", "chunked")], body=b"abc")["headers"]

    assert headers["content-length"] == "3"
    assert "transfer-encoding" not in headers


def test_what_the_client_says_about_itself_is_replaced_by_what_is_true():
    headers = event_of(
        headers=[
            ("X-Forwarded-For", "10.0.0.1"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Port", "443"),
            ("X-Amzn-Trace-Id", "Root=1-00000000-000000000000000000000000"),
        ],
        source_ip="203.0.113.7",
    )["headers"]

    assert headers["x-forwarded-for"] == "203.0.113.7"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-port"] == "9000"
    assert headers["x-amzn-trace-id"] == "Root=1-5759e988-bd862e3fe1be46a994272793"


def test_cookies_are_split_and_the_header_stays_as_well():
    event = event_of(headers=[("Cookie", "a=1; b=two,c=3;; d")])

    assert event["cookies"] == ["a=1", "b=two", "c=3", "d"]
    assert event["headers"]["cookie"] == "a=1; b=two,c=3;; d"


def test_cookies_may_come_in_several_lines():
    event = event_of(headers=[("Cookie", "a=1"), ("cookie", "b=2")])

    assert event["cookies"] == ["a=1", "b=2"]
    assert event["headers"]["cookie"] == "a=1,b=2"


def test_an_empty_cookie_header_has_no_cookies():
    assert "cookies" not in event_of(headers=[("Cookie", " ; ")])


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("multiQuery=foo&multiQuery=%2Fbar", {"multiQuery": "foo,/bar"}),
        ("a=gr%C3%B6%C3%9Fe&b=x+y", {"a": "größe", "b": "x y"}),
        ("flag", {"flag": ""}),
        ("a=1=2&b=", {"a": "1=2", "b": ""}),
        ("&&a=1&", {"a": "1"}),
        ("%61=1&a=2", {"a": "1,2"}),
    ],
)
def test_the_query_is_decoded_and_repeats_are_joined_by_a_comma(query, parameters):
    event = event_of(query=query)

    assert event["rawQueryString"] == query
    assert event["queryStringParameters"] == parameters


@pytest.mark.parametrize("query", ["", "&", "&&"])
def test_a_query_that_says_nothing_has_no_parameters(query):
    assert "queryStringParameters" not in event_of(query=query)


def test_the_path_is_as_it_was_sent():
    event = event_of(path="/pa2%Fth//1/../%2F")

    assert event["rawPath"] == "/pa2%Fth//1/../%2F"
    assert event["requestContext"]["http"]["path"] == "/pa2%Fth//1/../%2F"


def test_the_protocol_and_the_user_agent_are_those_of_the_request():
    http = event_of(protocol="HTTP/1.0")["requestContext"]["http"]

    assert http["protocol"] == "HTTP/1.0"
    assert http["userAgent"] == ""


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/html; charset=utf-8",
        "Application/JSON",
        "application/json;charset=utf-8",
        "application/xml",
        "application/javascript ; x=y",
    ],
)
def test_a_body_of_a_text_type_is_text(content_type):
    event = event_of("POST", headers=[("Content-Type", content_type)], body="größe".encode())

    assert (event["body"], event["isBase64Encoded"]) == ("größe", False)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "application/jsonlines",
        "image/svg+xml",
        "",
        None,
    ],
)
def test_a_body_of_any_other_type_is_base64_forms_included(content_type):
    headers = [("Content-Type", content_type)] if content_type is not None else []
    event = event_of("POST", headers=headers, body=b"a=1")

    assert (event["body"], event["isBase64Encoded"]) == ("YT0x", True)


def test_a_body_that_is_only_called_text_is_base64():
    event = event_of("POST", headers=[("Content-Type", "text/plain")], body=b"\xff\xfe")

    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == b"\xff\xfe"
