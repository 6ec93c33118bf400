"""Lambda@Edge: requests that come to CloudFront, and the responses that it takes."""

from __future__ import annotations

import base64
import copy
import logging

import pytest

from penstock.errors import EventError
from penstock.event_sources.lambda_edge import LambdaEdge
from penstock.messages import Response
from penstock.testing.event_samples import EVENTS

from .http_events import fields_of

VIEWER, ORIGIN = EVENTS["lambda_edge"]
EDGE = LambdaEdge()

each_kind = pytest.mark.parametrize("event", [VIEWER, ORIGIN], ids=["viewer", "origin"])


def with_request(event=VIEWER, **values):
    """The event with other values in its request; `...` takes a key away."""
    event = copy.deepcopy(event)
    request = event["Records"][0]["cf"]["request"]
    for key, value in values.items():
        if value is ...:
            del request[key]
        else:
            request[key] = value
    return event


def headers(**values):
    return {
        name.lower(): [{"key": name, "value": value} for value in values]
        for name, values in values.items()
    }


def of_kind(kind):
    event = copy.deepcopy(VIEWER)
    event["Records"][0]["cf"]["config"]["eventType"] = kind
    return event


@each_kind
def test_an_event_is_a_request(event):
    request = EDGE.request(event)

    assert (request.method, request.path, request.query) == ("POST", "/rooms", "a=1&a=2")
    assert (request.source_ip, request.body) == ("203.0.113.178", b"hello")
    assert fields_of(request) == [
        ("host", "d111111abcdef8.cloudfront.net"),
        ("content-length", "5"),
        ("cookie", "sid=1; theme=dark"),
    ]


def test_repeated_fields_stay_apart():
    event = with_request(headers=headers(Accept=["text/html", "image/png"]), body=...)

    assert EDGE.request(event).headers.get_all("accept") == ["text/html", "image/png"]


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/a%20b/%2e%2e/c", "/a%20b/%2e%2e/c"),
        ("/grüße", "/gr%C3%BC%C3%9Fe"),
        ("/a b?c#d", "/a%20b%3Fc%23d"),
        ("", "/"),
        (None, "/"),
        ("/half/\ud83d", "/half/?"),
    ],
)
def test_the_path_is_as_it_was_sent(uri, path):
    assert EDGE.request(with_request(uri=uri)).path == path.replace("/?", "/%3F")


@pytest.mark.parametrize(
    ("sent", "query"), [("a=%20+b&c", "a=%20+b&c"), ("a=ü b", "a=%C3%BC%20b"), ("", ""), (None, "")]
)
def test_the_query_is_as_it_was_sent(sent, query):
    assert EDGE.request(with_request(querystring=sent)).query == query


@pytest.mark.parametrize("event_type", ["viewer-response", "origin-response", "", None, ["a"], 5])
def test_responses_and_others_are_not_taken(event_type):
    assert not EDGE.matches(of_kind(event_type))


def test_a_record_of_another_service_is_not_taken():
    for key in ("eventSource", "EventSource"):
        event = copy.deepcopy(VIEWER)
        event["Records"][0][key] = "aws:sqs"

        assert not EDGE.matches(event)
    assert not EDGE.matches({"Records": VIEWER["Records"] * 2})


def test_a_text_body_is_utf_8():
    event = with_request(body={"encoding": "text", "data": "Zoë", "inputTruncated": False})

    assert EDGE.request(event).body == "Zoë".encode()
    assert EDGE.request(event).headers.get("content-length") == "4"


@each_kind
def test_a_body_that_cloudfront_has_cut_is_never_taken_for_whole(event):
    body = {"encoding": "base64", "data": "aGVs", "inputTruncated": True}
    limit = "40 KB" if event is VIEWER else "1024 KB"

    with pytest.raises(
        EventError, match=f"cut the request's body; it passes at most {limit}"
    ) as it:
        EDGE.request(with_request(event, body=body))

    assert it.value.status == 413


@pytest.mark.parametrize(
    "framing",
    [{"Content-Length": ["5"]}, {"Content-Length": [" 5 "]}, {"Transfer-Encoding": ["chunked"]}],
)
@pytest.mark.parametrize("body", [..., None, {}])
def test_a_body_that_cloudfront_has_held_back_is_never_taken_for_none(framing, body):
    with pytest.raises(EventError, match="IncludeBody") as caught:
        EDGE.request(with_request(headers=headers(**framing), body=body))

    assert caught.value.status == 500


@pytest.mark.parametrize("framing", [{}, {"Content-Length": ["0"]}])
def test_a_request_without_a_body_is_one(framing):
    assert EDGE.request(with_request(headers=headers(**framing), body=...)).body == b""


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"method": 5}, "method should be text, found int"),
        ({"uri": []}, "uri should be text, found list"),
        ({"uri": "rooms"}, "path should begin with a slash"),
        ({"uri": "/a\r\nb"}, "line break"),
        ({"querystring": {}}, "querystring should be text, found dict"),
        ({"clientIp": 5}, "clientIp should be text, found int"),
        ({"headers": []}, "headers should be an object, found list"),
        ({"headers": {"a": "b"}}, "a header should be a list, found str"),
        ({"headers": {"a": ["b"]}}, "a header field should be"),
        ({"headers": {"a": [{"key": "A"}]}}, "a header field should be"),
        ({"headers": {"a": [{"key": 5, "value": "b"}]}}, "a header field should be"),
        ({"headers": {"a": [{"key": "A", "value": None}]}}, "a header field should be"),
        ({"headers": headers(A=["b\r\nc: d"])}, "line break"),
        ({"headers": {"a": [{"key": "A:\r\nb", "value": "c"}]}}, "token"),
        ({"body": []}, "body should be an object, found list"),
        ({"body": {"data": 5}}, "body should be text, found int"),
        ({"body": {"data": "?"}}, "no base64"),
        ({"body": {"data": "aGVs", "encoding": "gzip"}}, "encoding should be"),
        ({"body": {"data": "aGVs", "encoding": 5}}, "encoding should be text"),
    ],
)
def test_what_cloudfront_does_not_make_is_refused(values, words):
    event = with_request(**values)
    assert EDGE.matches(event)

    with pytest.raises(EventError, match=words):
        EDGE.request(event)


@pytest.mark.parametrize("request_value", [None, [], "GET / HTTP/1.1"])
def test_an_event_without_a_request_is_refused(request_value):
    event = copy.deepcopy(VIEWER)
    event["Records"][0]["cf"]["request"] = request_value

    with pytest.raises(EventError, match="request should be an object"):
        EDGE.request(event)


def test_ten_thousand_headers_are_a_request():
    many = {f"x-{number}": [{"key": f"X-{number}", "value": "1"}] for number in range(10_000)}

    assert len(EDGE.request(with_request(headers=many, body=...)).headers) == 10_000


@each_kind
def test_a_result_is_a_generated_response(event):
    response = Response(
        404,
        [("Content-Type", "text/html"), ("Set-Cookie", "a=1"), ("set-cookie", "b=2")],
        "<p>Zoë</p>".encode(),
    )

    assert EDGE.result(response, event) == {
        "status": "404",
        "statusDescription": "Not Found",
        "headers": {
            "content-type": [{"key": "Content-Type", "value": "text/html"}],
            "set-cookie": [
                {"key": "Set-Cookie", "value": "a=1"},
                {"key": "set-cookie", "value": "b=2"},
            ],
        },
        "body": "<p>Zoë</p>",
        "bodyEncoding": "text",
    }


@pytest.mark.parametrize(
    ("fields", "body"), [([], b"\xff\0"), ([("content-encoding", "gzip")], b"text")]
)
def test_a_body_that_is_no_text_is_in_base64(fields, body):
    result = EDGE.result(Response(200, fields, body), VIEWER)

    assert result["bodyEncoding"] == "base64"
    assert base64.b64decode(result["body"]) == body


@pytest.mark.parametrize("status", [200, 204, 304])
def test_an_empty_body_is_left_out_as_cloudfront_refuses_one_beside_204(status):
    assert set(EDGE.result(Response(status, []), VIEWER)) == {
        "status",
        "statusDescription",
        "headers",
    }


def test_a_status_without_a_phrase_has_no_description():
    assert EDGE.result(Response(299, []), VIEWER) == {"status": "299", "headers": {}}


@pytest.mark.parametrize(
    "name",
    [
        *("Connection", "Keep-Alive", "proxy-authenticate", "Trailer", "UPGRADE", "Expect"),
        *("X-Accel-Buffering", "X-Amzn-RequestId", "X-Amzn-ErrorType", "X-Cache", "X-Real-IP"),
        *("X-Forwarded-Proto", "X-Amz-Cf-Id", "x-amz-cf-pop", "X-Edge-Location"),
        *("Content-Length", "Transfer-Encoding", "Via", "CDN-Loop"),
    ],
)
@each_kind
def test_a_field_that_cloudfront_does_not_take_is_left_out(event, name):
    # Twice, as what is left out once has to be left out again.
    for _ in range(2):
        result = EDGE.result(Response(200, [(name, "1"), ("X-Kept", "2")]), event)

        assert list(result["headers"]) == ["x-kept"]


@pytest.mark.parametrize(
    "name",
    [
        *("X-Connection-Id", "X-Expectation", "Upgrade-Insecure-Requests", "X-Amz-Cfx"),
        *("X-Edgeless", "X-Amzn-Trace-Id", "X-Cache-Hits", "Expires", "Viable"),
    ],
)
def test_a_field_that_only_looks_like_one_of_these_is_kept(name):
    assert list(EDGE.result(Response(200, [(name, "1")]), VIEWER)["headers"]) == [name.lower()]


def test_what_is_read_only_depends_on_the_event():
    fields = [("host", "a"), ("accept-encoding", "gzip"), ("if-none-match", "b")]

    assert set(EDGE.result(Response(200, fields), VIEWER)["headers"]) == {
        "accept-encoding",
        "if-none-match",
    }
    assert set(EDGE.result(Response(200, fields), ORIGIN)["headers"]) == {"host"}


@pytest.mark.parametrize(("event", "limit"), [(VIEWER, 40 * 1024), (ORIGIN, 1024 * 1024)])
def test_a_response_that_is_too_large_becomes_a_500_and_is_logged(event, limit, caplog):
    fields = [("x-a", "1" * 97)]
    whole = b"x" * (limit - 100)

    assert EDGE.result(Response(200, fields, whole), event)["status"] == "200"
    assert not caplog.records
    with caplog.at_level(logging.ERROR, "penstock"):
        result = EDGE.result(Response(200, fields, whole + b"x"), event)

    assert result == {
        "status": "500",
        "statusDescription": "Internal Server Error",
        "headers": {
            "content-type": [{"key": "content-type", "value": "text/plain; charset=utf-8"}]
        },
        "body": "The response is larger than Lambda@Edge can send.",
        "bodyEncoding": "text",
    }
    assert f"has {limit + 1} bytes" in caplog.text
    assert f"at most {limit}" in caplog.text
