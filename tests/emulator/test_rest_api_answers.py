"""What a REST API makes of a function's response."""

from __future__ import annotations

import base64
import json

import pytest

from penstock.emulator.fronts.rest_api_answers import (
    MalformedResponseError,
    head_of_stream,
    response_from_result,
)


class Answer:
    """The answer to a result, and what is said of it."""

    def __init__(self, result: object, accepts_binary: bool = False) -> None:
        self.said: list[str] = []
        content = result if isinstance(result, bytes) else json.dumps(result).encode()
        response = response_from_result(
            content, accepts_binary=accepts_binary, say=self.said.append
        )
        self.status, self.body = response.status, response.body
        self.headers = list(response.headers)


JSON_TYPE = ("Content-Type", "application/json")


@pytest.mark.parametrize(
    ("result", "status", "headers", "body"),
    [
        ({}, 200, [JSON_TYPE], b""),
        ({"statusCode": 204}, 204, [JSON_TYPE], b""),
        ({"statusCode": "418", "body": "tea ☕"}, 418, [JSON_TYPE], "tea ☕".encode()),
        ({"headers": None, "body": None, "isBase64Encoded": False}, 200, [JSON_TYPE], b""),
        ({"headers": {"a": "b", "c": True, "d": None}}, 200, [("a", "b"), ("c", "true")], b""),
        ({"multiValueHeaders": {"a": ["1", "2"]}}, 200, [("a", "1"), ("a", "2")], b""),
        (
            {"headers": {"A": "single", "b": "c"}, "multiValueHeaders": {"a": ["1", "2"]}},
            200,
            [("b", "c"), ("a", "1"), ("a", "2"), ("a", "single")],
            b"",
        ),
        (
            {"headers": {"a": "1"}, "multiValueHeaders": {"A": ["1", "2"]}},
            200,
            [("A", "1"), ("A", "2")],
            b"",
        ),
        ({"headers": {"content-type": "text/x"}}, 200, [("content-type", "text/x")], b""),
    ],
)
def test_a_proxy_response(result, status, headers, body):
    answer = Answer(result)

    assert (answer.status, answer.body, answer.said) == (status, body, [])
    if JSON_TYPE not in headers and not any(name == "content-type" for name, _ in headers):
        headers = [*headers, JSON_TYPE]
    assert answer.headers == headers


def test_what_api_gateway_says_itself_is_renamed_in_the_functions_answer():
    headers = {
        "Date": "d",
        "Server": "s",
        "WWW-Authenticate": "Basic",
        "Content-Length": "999",
        "Connection": "close",
        "Transfer-Encoding": "chunked",
        "x-amzn-requestid": "mine",
    }

    assert dict(Answer({"headers": headers}).headers) == {
        "x-amzn-Remapped-date": "d",
        "x-amzn-Remapped-server": "s",
        "x-amzn-Remapped-www-authenticate": "Basic",
        "x-amzn-Remapped-content-length": "999",
        "x-amzn-Remapped-connection": "close",
        "x-amzn-Remapped-x-amzn-requestid": "mine",
        "Content-Type": "application/json",
    }


@pytest.mark.parametrize(
    ("result", "found"),
    [
        (b"{", "is no JSON"),
        (b"", "is no JSON"),
        ("text", "no object (str)"),
        (None, "no object (NoneType)"),
        ([], "no object (list)"),
        ({"a": "b"}, "the key 'a'; allowed are statusCode"),
        ({"statusCode": 200, "cookies": ["a=b"]}, "use multiValueHeaders and Set-Cookie"),
        ({"errorMessage": "x"}, "the key 'errorMessage'"),
        ({"statusCode": "test"}, "statusCode is 'test'"),
        ({"statusCode": True}, "statusCode is True"),
        ({"headers": []}, "headers is []; write an object"),
        ({"headers": {"a": ["b"]}}, "lists into multiValueHeaders"),
        ({"headers": {"a": 1}}, "'a' is 1; write text"),
        ({"multiValueHeaders": {"a": "b"}}, "has 'b' for 'a'; write a list of text"),
        ({"multiValueHeaders": {"a": [1]}}, "write a list of text"),
        ({"body": {"a": 1}}, "body is of type dict; write text, as by json.dumps(...)"),
    ],
)
def test_what_is_no_proxy_response_is_refused_with_what_would_be_right(result, found):
    with pytest.raises(MalformedResponseError) as raised:
        Answer(result)
    assert found in str(raised.value)


@pytest.mark.parametrize(
    ("result", "found"),
    [
        ({"statusCode": 700}, "statusCode is 700; write a number from 200 to 599"),
        ({"statusCode": 99}, "statusCode is 99; write a number from 200 to 599"),
        ({"statusCode": "103"}, "after which another response would have to come; write"),
        ({"headers": {"a": "b\r\nc: d"}}, "would start another header"),
        ({"headers": {"a b": "c"}}, "is no HTTP header name"),
    ],
)
def test_a_head_that_http_cannot_carry_is_refused_without_a_word_on_aws(result, found):
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the text is looked at
        Answer(result)
    assert not isinstance(raised.value, MalformedResponseError)
    assert found in str(raised.value)


PNG = b"\x89PNG\x00\xff"
IN_BASE64 = {"body": base64.b64encode(PNG).decode(), "isBase64Encoded": True}


def test_base64_is_decoded_for_a_client_that_accepts_a_binary_type():
    assert Answer(IN_BASE64, accepts_binary=True).body == PNG


def test_base64_goes_out_as_text_to_others_and_the_log_says_why():
    answer = Answer(IN_BASE64)

    assert answer.body == IN_BASE64["body"].encode()
    assert "binaryMediaTypes" in answer.said[0]


def test_what_only_claims_to_be_base64_is_refused():
    with pytest.raises(MalformedResponseError, match="isBase64Encoded is true"):
        Answer({"body": "no base64", "isBase64Encoded": True}, accepts_binary=True)


def test_of_a_stream_the_head_remains_and_the_log_says_why():
    answer = Answer(b'{"statusCode":201,"headers":{"a":"b"}}' + bytes(8) + b"body")

    assert (answer.status, answer.body) == (201, b"")
    assert ("a", "b") in answer.headers
    assert "drops the body; give the integration STREAM" in answer.said[0]


def test_a_stream_whose_metadata_is_no_json_is_refused():
    with pytest.raises(MalformedResponseError, match="give the integration STREAM"):
        Answer(b"no metadata" + bytes(8))


def test_the_head_of_a_stream():
    response = head_of_stream(
        {
            "statusCode": 201,
            "headers": {"A": "single", "b": "c", "Connection": "close"},
            "multiValueHeaders": {"a": ["1", "2"]},
            "cookies": ["x=1", "y=2"],
        }
    )

    assert response.status == 201
    assert list(response.headers) == [
        ("b", "c"),
        ("x-amzn-Remapped-connection", "close"),
        ("a", "1"),
        ("a", "2"),
        ("Set-Cookie", "x=1"),
        ("Set-Cookie", "y=2"),
        JSON_TYPE,
    ]


def test_the_least_metadata_is_an_empty_object():
    response = head_of_stream({})

    assert (response.status, list(response.headers)) == (200, [JSON_TYPE])


def test_a_content_length_of_a_stream_stands():
    assert ("Content-Length", "5") in list(
        head_of_stream({"headers": {"Content-Length": "5"}}).headers
    )


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        ({"body": "x"}, "the key 'body'"),
        ({"isBase64Encoded": False}, "the key 'isBase64Encoded'"),
        ({"headers": {"a": ["b"]}}, "multiValueHeaders for several"),
        ({"multiValueHeaders": {"a": "b"}}, "a list of str"),
        ({"headers": {"a": True}}, "must be a str, not bool; write 'true'"),
        ({"headers": {"content-length": "x"}}, "which is no number"),
        ({"multiValueHeaders": {"content-length": ["1", "2"]}}, "which is no number"),
    ],
)
def test_metadata_that_api_gateway_does_not_take(metadata, found):
    with pytest.raises(MalformedResponseError) as raised:
        head_of_stream(metadata)
    assert found in str(raised.value)


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("203", 'statusCode is "203"; write a number from 200 to 599, without quotes'),
        (None, "statusCode is null; write"),
        (True, "statusCode is true; write"),
        (99, "statusCode is 99; write"),
        (600, "statusCode is 600; write"),
        (103, "the status is 103, after which another response would have to come; write"),
    ],
)
def test_a_status_of_a_stream_is_refused_without_a_word_on_aws(status, found):
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the text is looked at
        head_of_stream({"statusCode": status})
    assert not isinstance(raised.value, MalformedResponseError)
    assert found in str(raised.value)


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        ({"headers": {"a": "b\r\nc: d"}}, "the value of 'a' has '\\r' in it"),
        ({"headers": {"a b": "c"}}, "'a b' is no HTTP header name"),
        ({"multiValueHeaders": {"a": ["b", "c\0"]}}, "the value of 'a' has '\\x00' in it"),
        ({"cookies": ["a=1", "b=\n"]}, "the value of 'Set-Cookie' has '\\n' in it"),
    ],
)
def test_a_field_of_a_stream_is_refused_without_a_word_on_aws(metadata, found):
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the text is looked at
        head_of_stream(metadata)
    assert not isinstance(raised.value, MalformedResponseError)
    assert found in str(raised.value)
