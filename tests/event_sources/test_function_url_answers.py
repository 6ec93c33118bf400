"""A Function URL's answer to a handler's JSON or prelude, as the live service was seen to do it."""

from __future__ import annotations

import json

import pytest

from penstock.event_sources.function_url_events import (
    head_from_metadata,
    internal_server_error,
    response_from_result,
    streamed_response_from_result,
)


def json_type(response):
    return response.headers == [("content-type", "application/json")]


# BUFFERED mode: what becomes of a handler's JSON.


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        (
            b'{"b": [1, 2.5], "a": "gr\xc3\xb6\xc3\x9fe"}',
            b'{"b":[1,2.5],"a":"gr\xc3\xb6\xc3\x9fe"}',
        ),
        (b'"raw text, not quoted"', b"raw text, not quoted"),
        (b'"gr\\u00f6\\u00dfe"', b"gr\xc3\xb6\xc3\x9fe"),
        (b'""', b""),
        (b"null", b"null"),
        (b"42", b"42"),
        (b"true", b"true"),
        (b"[1, 2]", b"[1,2]"),
        (b"{}", b"{}"),
        (b'{"status": 404}', b'{"status":404}'),
        (b'{"b": "x/y", "a/": "\\\\/"}', b'{"b":"x\\/y","a\\/":"\\\\\\/"}'),
        (b'["x/y"]', b'["x/y"]'),
        (b'"x/y"', b"x/y"),
    ],
)
def test_a_result_without_a_status_is_200_and_json(payload, body):
    response = response_from_result(payload)

    assert response.status == 200
    assert json_type(response)
    assert response.body == body


def test_a_proxy_response_is_taken_apart():
    response = response_from_result(
        b'{"statusCode":404,"headers":{"Content-Type":"text/plain","X-Tag":"a"},"body":"not here"}'
    )

    assert response.status == 404
    assert response.headers == [("content-type", "text/plain"), ("x-tag", "a")]
    assert response.body == b"not here"


def test_a_proxy_response_is_json_unless_it_says_otherwise():
    assert json_type(response_from_result(b'{"statusCode":200,"body":"x"}'))
    assert response_from_result(b'{"statusCode":200,"headers":{"a":"b"}}').headers == [
        ("a", "b"),
        ("content-type", "application/json"),
    ]


@pytest.mark.parametrize(
    ("status", "sent"), [("200", 200), ('"418"', 418), ("100", 100), ("599", 599)]
)
def test_a_status_may_be_a_number_in_quotes(status, sent):
    assert response_from_result(b'{"statusCode":%s}' % status.encode()).status == sent


@pytest.mark.parametrize("status", ["700", "99", "600", "-1", '"teapot"', "null", "[]", "1e400"])
def test_a_status_that_is_none_is_a_502(status):
    response = response_from_result(b'{"statusCode":%s,"body":"x"}' % status.encode())

    assert response.status == 502
    assert response.body == b"Internal Server Error"
    assert json_type(response)
    does = "AWS answers" if status.lstrip("-").isdecimal() else "Penstock answers"
    assert response.refusal.startswith(f"{does} 502 to this")
    found = "Infinity" if status == "1e400" else status
    assert f"because statusCode is {found}; write a number from 200 to 599" in response.refusal


@pytest.mark.parametrize("payload", [b"", b"no JSON", b'{"a"', b"\xff", b"[" * 100_000])
def test_a_result_that_is_no_json_is_a_502(payload):
    response = response_from_result(payload)

    assert (response.status, response.body) == (502, b"Internal Server Error")
    assert "because the function's response is no JSON" in response.refusal


def test_a_502_that_the_function_wants_is_no_refusal():
    response = response_from_result(b'{"statusCode":502,"body":"Internal Server Error"}')

    assert (response.status, response.body) == (502, b"Internal Server Error")
    assert not response.refusal


def test_a_function_that_failed_is_a_502_of_21_bytes():
    response = internal_server_error()

    assert response.status == 502
    assert json_type(response)
    assert response.body == b"Internal Server Error"
    assert len(response.body) == 21
    assert repr(response) == "<UrlResponse 502, 21 bytes>"


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ('"text"', "text"),
        ("5", "5"),
        ("2.5", "2.5"),
        ("true", "true"),
        ("false", "false"),
        ('{"bad":true,"n":{"a":[1,null]}}', "{bad=true, n={a=[1, null]}}"),
        ('["a","b"]', "[a, b]"),
        ("[]", "[]"),
    ],
)
def test_a_header_that_is_no_text_is_written_as_java_would(value, sent):
    response = response_from_result(b'{"statusCode":200,"headers":{"X":%s}}' % value.encode())

    assert response.headers[0] == ("x", sent)


def test_a_header_that_is_null_is_left_out():
    assert json_type(response_from_result(b'{"statusCode":200,"headers":{"x":null}}'))


@pytest.mark.parametrize("headers", ["null", "[]", '"a: b"', "5"])
def test_headers_that_are_no_object_are_passed_over(headers):
    response = response_from_result(b'{"statusCode":200,"headers":%s}' % headers.encode())

    assert response.status == 200
    assert json_type(response)


def test_cookies_are_lines_of_their_own_behind_the_header():
    response = response_from_result(
        b'{"statusCode":200,"headers":{"Set-Cookie":"a=1"},"cookies":["b=2","c=3; Path=/"]}'
    )

    assert [value for name, value in response.headers if name == "set-cookie"] == [
        "a=1",
        "b=2",
        "c=3; Path=/",
    ]


@pytest.mark.parametrize("cookies", ["null", '"a=1"', "{}"])
def test_cookies_that_are_no_list_are_passed_over(cookies):
    response = response_from_result(b'{"statusCode":200,"cookies":%s}' % cookies.encode())

    assert json_type(response)


@pytest.mark.parametrize(
    ("result", "unheeded"),
    [
        ('"headers":["a: b"]', ['headers is ["a: b"]; write an object']),
        ('"cookies":"a=1"', ['cookies is "a=1"; write a list']),
        (
            '"multiValueHeaders":{"X-A":["1","2"],"Content-Type":["a/b"]}',
            [
                (
                    'multiValueHeaders has ["X-A", "Content-Type"], which is for REST APIs and '
                    "load balancers; write headers, with commas between several values, and "
                    "cookies, a list"
                )
            ],
        ),
        ('"isBase64Encoded":"true"', ['isBase64Encoded is "true"; write a boolean, true']),
        (
            '"cookies":{"a":1},"isBase64Encoded":1',
            [
                'cookies is {"a": 1}; write a list',
                "isBase64Encoded is 1; write a boolean, true",
            ],
        ),
        (
            '"headers":{"x-a":"1,2"},"multiValueHeaders":{"X-A":["1","2"]},"cookies":["a=1"]',
            [],
        ),
        ('"isBase64Encoded":false', []),
        ('"headers":null,"multiValueHeaders":{},"cookies":null,"isBase64Encoded":null', []),
    ],
)
def test_what_is_passed_over_is_told_with_what_would_be_right(result, unheeded):
    response = response_from_result(('{"statusCode":200,' + result + "}").encode())

    assert response.status == 200
    assert response.unheeded == unheeded


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ("aGVsbG8=", b"hello"),
        ("aGVsbG8", b"hello"),
        ("", b""),
        ("aGVs\nbG8=\n", b"hello"),
        ("aGVs bG8", b"hello"),
        ("aGVs\nbG8", b"hello"),
        ("aGVsbG8=!", b"hello"),
        ("(aGVs)bG8=", b"hello"),
        ("aGVséb😀G8=", b"hello"),
        ("aGVsb", b"hel"),
    ],
)
def test_a_body_in_base64_is_decoded_and_what_is_none_in_it_is_skipped(body, sent):
    payload = json.dumps({"statusCode": 200, "body": body, "isBase64Encoded": True}).encode()

    assert response_from_result(payload).body == sent


@pytest.mark.parametrize("flag", ["", ',"isBase64Encoded":false', ',"isBase64Encoded":null'])
def test_a_body_that_is_not_called_base64_is_text(flag):
    payload = b'{"statusCode":200,"body":"aGVsbG8="%s}' % flag.encode()

    assert response_from_result(payload).body == b"aGVsbG8="


@pytest.mark.parametrize(
    ("body", "sent"),
    [('{"a": 1}', b'{"a":1}'), ("[1, 2]", b"[1,2]"), ("5", b"5"), ("null", b""), ('""', b"")],
)
def test_a_body_that_is_no_text_is_json(body, sent):
    payload = b'{"statusCode":200,"body":%s}' % body.encode()

    assert response_from_result(payload).body == sent


@pytest.mark.parametrize(
    "payload",
    [
        b'"half: \\ud83d"',
        b'{"half":"\\ud83d"}',
        b'{"statusCode":200,"body":"\\ud83d"}',
        b'{"statusCode":200,"body":{"half":"\\ud83d"}}',
    ],
)
def test_half_of_a_character_does_no_harm(payload):
    assert response_from_result(payload).status == 200


# RESPONSE_STREAM mode.


@pytest.mark.parametrize(
    "payload", [b'{"a": 1}', b'"text"', b"null", b"[1, 2]", b"no JSON", b"", b"[" * 100_000]
)
def test_a_streamed_result_without_a_status_is_passed_on_as_it_is(payload):
    response = streamed_response_from_result(payload)

    assert response.status == 200
    assert json_type(response)
    assert response.body == payload


def test_a_streamed_proxy_response_is_a_head_and_the_whole_json():
    payload = (
        b'{"statusCode": 201, "headers": {"Content-Type": "text/html"}, "cookies": ["a=1"],'
        b' "body": "PGI+", "isBase64Encoded": true}'
    )

    response = streamed_response_from_result(payload)

    assert response.status == 201
    assert response.headers == [("content-type", "text/html"), ("set-cookie", "a=1")]
    assert response.body == payload


def test_a_streamed_proxy_response_without_a_status_that_can_be_is_a_502():
    assert streamed_response_from_result(b'{"statusCode":700}').status == 502


# The head that a prelude asks for.


def test_the_head_of_a_prelude_has_its_status_headers_and_cookies():
    head = head_from_metadata(
        {
            "statusCode": 404,
            "headers": {"Content-Type": "text/plain", "X-Tag": "a"},
            "cookies": ["a=1", "b=2"],
        }
    )

    assert head.status == 404
    assert head.headers == [
        ("content-type", "text/plain"),
        ("x-tag", "a"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
    ]
    assert head.body == b""


@pytest.mark.parametrize("metadata", [{}, {"status": 404}])
def test_the_head_of_a_prelude_that_says_nothing_is_200(metadata):
    head = head_from_metadata(metadata)

    assert head.status == 200
    assert json_type(head)


def test_the_head_of_a_prelude_with_a_status_that_cannot_be_is_a_502():
    head = head_from_metadata({"statusCode": 700})

    assert (head.status, head.body) == (502, b"Internal Server Error")
