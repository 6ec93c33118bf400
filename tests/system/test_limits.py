"""AWS's limits, with AWS's words, in every front."""

from __future__ import annotations

import json

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.tools import RawClient, lambda_client

MIB = 1024 * 1024
BUFFERED = 6_291_556

# Captured on AWS: 148 bytes, laid out like this.
TOO_LARGE = (
    b'{\n  "errorMessage": "Response payload size exceeded maximum allowed payload size '
    b'(6291556 bytes).",\n  "errorType": "Function.ResponseSizeTooLarge"\n}'
)

SIZED = """
@streamify_response
def handler(event, context):
    size = int(event.get("size") or event["queryStringParameters"]["size"])
    block = b"x" * 65536
    while size > 0:
        yield block[:size]
        size -= len(block)
"""


def client_of(function):
    return lambda_client(function.url)


def test_a_buffered_response_may_have_6_291_556_bytes(serve):
    function = serve(SIZED)
    answer = client_of(function).invoke(FunctionName="app", Payload=b'{"size": 6291556}')
    assert "FunctionError" not in answer
    assert len(answer["Payload"].read()) == BUFFERED


def test_one_byte_more_is_aws_error_and_the_next_call_works(serve):
    function = serve(SIZED, max_environments=1)
    for _ in range(2):
        answer = client_of(function).invoke(FunctionName="app", Payload=b'{"size": 6291557}')
        assert answer["FunctionError"] == "Unhandled"
        assert answer["Payload"].read() == TOO_LARGE
        function.wait_for_log("413")


def test_a_plain_handler_s_json_has_the_same_limit(serve):
    function = serve('def handler(event, context): return "x" * 6291555', max_environments=1)
    for _ in range(2):
        answer = client_of(function).invoke(FunctionName="app", Payload=b"{}")
        assert answer["Payload"].read() == TOO_LARGE
        function.wait_for_log("Exceeded maximum allowed payload size (6291556 bytes).")


def test_buffered_url_answers_502_to_a_response_over_the_limit(serve):
    function = serve(SIZED, invoke_mode="BUFFERED")
    response = httpx.get(f"{function.url}/?size=7000000")
    assert (response.status_code, response.content) == (502, b"Internal Server Error")


def test_a_stream_ends_after_200_mib_and_one_byte(serve):
    function = serve(SIZED, timeout=60)
    length = 0
    with httpx.stream("GET", f"{function.url}/?size={201 * MIB}", timeout=60) as response:
        for data in response.iter_raw():
            length += len(data)
    # Captured on AWS 2026-09-15, where it ends as if it were whole.
    assert length == 200 * MIB + 1
    log = function.wait_for_log("is larger than Lambda allows")
    assert "maximum allowed payload size (209715200 bytes)" in log
    assert "6291556" not in log

    payload = json.dumps({"size": 201 * MIB})
    events = client_of(function).invoke_with_response_stream(FunctionName="app", Payload=payload)
    lengths = [
        len(event["PayloadChunk"]["Payload"]) if "PayloadChunk" in event else event
        for event in events["EventStream"]
    ]
    assert lengths.pop() == {"InvokeComplete": {}}
    assert sum(lengths) == 200 * MIB + 1
    assert httpx.get(f"{function.url}/?size=5").content == b"xxxxx"


@pytest.mark.parametrize("mode", ["RESPONSE_STREAM", "BUFFERED"])
def test_a_request_over_6_mb_is_413_at_a_url(mode, serve):
    function = serve("def handler(event, context): return 1", invoke_mode=mode)
    response = httpx.post(function.url, content=b"x" * (BUFFERED + 1))
    assert response.status_code == 413
    assert response.json() == {"Message": "Request must be smaller than 6291556 bytes"}
    assert "START" not in function.log


def test_an_event_over_6_mb_is_request_too_large(serve):
    function = serve("def handler(event, context): return 1")
    with pytest.raises(ClientError) as raised:
        client_of(function).invoke(FunctionName="app", Payload=json.dumps("x" * BUFFERED))
    assert raised.value.response["Error"]["Code"] == "RequestTooLargeException"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


@pytest.mark.parametrize("call", ["invoke", "invoke_with_response_stream"])
def test_an_event_that_is_no_json_is_invalid_request_content(call, serve):
    function = serve("def handler(event, context): return 1")
    with pytest.raises(ClientError) as raised:
        getattr(client_of(function), call)(FunctionName="app", Payload=b"{no json")
    error = raised.value.response
    assert error["Error"]["Code"] == "InvalidRequestContentException"
    assert error["message"].startswith("Could not parse request body into json: ")
    assert "START" not in function.log


def test_an_event_that_is_no_json_reaches_the_runtime_by_the_path_of_aws_emulator(serve):
    function = serve("def handler(event, context): return 1")
    path = "/2015-03-31/functions/function/invocations"
    response = httpx.post(function.url + path, content=b"{no json")
    assert response.json()["errorType"] == "Runtime.UnmarshalError"
    assert httpx.post(function.url + path, content=b"{}").content == b"1"


@pytest.mark.parametrize("call", ["invoke", "invoke_with_response_stream"])
def test_an_unknown_function_is_not_found(call, serve):
    function = serve("def handler(event, context): return 1")
    with pytest.raises(ClientError) as raised:
        getattr(client_of(function), call)(FunctionName="other")
    error = raised.value.response
    assert error["Error"]["Code"] == "ResourceNotFoundException"
    assert error["Message"] == (
        "Function not found: arn:aws:lambda:us-east-1:123456789012:function:other:$LATEST"
    )


def test_a_url_that_does_not_exist_is_forbidden(serve):
    function = serve("def handler(event, context): return 1")
    headers = {"Host": f"other.lambda-url.localhost:{function.port}"}
    response = httpx.get(function.url, headers=headers)
    assert response.status_code == 403
    assert response.json() == {"Message": None}
    assert response.headers["x-amzn-errortype"] == "AccessDeniedException"


def test_an_unsigned_invoke_is_refused(serve):
    function = serve("def handler(event, context): return 1")
    response = httpx.post(f"{function.url}/2015-03-31/functions/app/invocations", content=b"{}")
    assert response.status_code == 403
    assert response.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"
    assert "START" not in function.log


def test_bytes_that_are_no_http_are_a_bad_request(serve):
    function = serve("def handler(event, context): return 1")
    with RawClient(function.port) as client:
        client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n")
        assert client.read_all().startswith(b"HTTP/1.1 400 ")


def test_headers_without_end_are_a_bad_request(serve):
    function = serve("def handler(event, context): return 1")
    with RawClient(function.port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000)
        assert client.read_all().startswith(b"HTTP/1.1 ")
