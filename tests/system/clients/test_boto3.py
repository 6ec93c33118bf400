"""boto3 against the emulator: what it sends, gets, and is told."""

from __future__ import annotations

import base64
import json
import random

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.system.clients.tools import (
    BARE_CHUNKS,
    ECHO,
    FAILING,
    HELLO,
    THREE_CHUNKS,
    assert_platform_lines,
    boto3_client,
)
from tests.tools import PATIENCE

# Invoke


def test_boto3_invokes_with_the_log(serve):
    function = serve(HELLO)
    answer = boto3_client(function).invoke(
        FunctionName="app", Payload=b'{"name": "world"}', LogType="Tail"
    )
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in answer
    assert json.load(answer["Payload"]) == {"hello": "world"}
    log = base64.b64decode(answer["LogResult"]).decode()
    assert_platform_lines(log, answer["ResponseMetadata"]["RequestId"])


def test_boto3_gets_no_log_unless_it_asks(serve):
    function = serve(HELLO)
    answer = boto3_client(function).invoke(FunctionName="app", Payload=b'{"name": "world"}')
    assert "LogResult" not in answer


def test_boto3_gets_the_last_four_kilobytes_of_a_long_log(serve):
    function = serve("""
        def handler(event, context):
            print("the first line")
            for number in range(1000):
                print("line", number)
    """)
    answer = boto3_client(function).invoke(FunctionName="app", LogType="Tail")
    log = base64.b64decode(answer["LogResult"])
    assert len(log) == 4096
    assert b"the first line" not in log
    assert b"line 999\nEND RequestId: " in log
    assert log.endswith(b"\t\n")


def test_boto3_without_a_payload_sends_an_empty_event(serve):
    function = serve(ECHO)
    answer = boto3_client(function).invoke(FunctionName="app")
    assert json.load(answer["Payload"]) == {}


def test_boto3_passes_a_client_context(serve):
    function = serve("""
        def handler(event, context):
            received = context.client_context
            return {
                "custom": received.custom,
                "env": received.env,
                "title": received.client.app_title,
            }
    """)
    sent = {"custom": {"basket": "é"}, "env": {"locale": "de"}, "client": {"app_title": "Shop"}}
    answer = boto3_client(function).invoke(
        FunctionName="app", ClientContext=base64.b64encode(json.dumps(sent).encode()).decode()
    )
    assert json.load(answer["Payload"]) == {
        "custom": {"basket": "é"},
        "env": {"locale": "de"},
        "title": "Shop",
    }


def test_boto3_learns_of_a_function_that_failed(serve):
    function = serve(FAILING)
    answer = boto3_client(function).invoke(FunctionName="app", LogType="Tail")
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    assert answer["ExecutedVersion"] == "$LATEST"
    error = json.load(answer["Payload"])
    assert error["errorType"] == "ValueError"
    assert error["errorMessage"] == "out of cheese"
    assert "raise ValueError" in "".join(error["stackTrace"])
    log = base64.b64decode(answer["LogResult"]).decode()
    assert "the handler prints\n" in log
    assert "[ERROR] ValueError: out of cheese" in log


def test_boto3_sends_an_event_without_waiting_for_the_answer(serve, gate):
    function = serve("""
        def handler(event, context):
            pass_gate("1")
            print("handled", event["order"])
    """)
    answer = boto3_client(function).invoke(
        FunctionName="app", InvocationType="Event", Payload=b'{"order": 7}'
    )
    assert answer["StatusCode"] == 202
    assert answer["Payload"].read() == b""
    assert "FunctionError" not in answer
    gate.open("1")
    log = function.wait_for_log("REPORT RequestId")
    assert "handled 7\n" in log
    assert answer["ResponseMetadata"]["RequestId"] in log


def test_boto3_makes_a_dry_run(serve):
    function = serve(HELLO)
    answer = boto3_client(function).invoke(FunctionName="app", InvocationType="DryRun")
    assert answer["StatusCode"] == 204
    assert answer["Payload"].read() == b""
    assert "START" not in function.log


@pytest.mark.parametrize(
    "name",
    [
        "app",
        "app:$LATEST",
        "123456789012:function:app",
        "arn:aws:lambda:us-east-1:123456789012:function:app",
        "arn:aws:lambda:us-east-1:123456789012:function:app:$LATEST",
    ],
)
def test_boto3_finds_the_function_by_name_and_arn(name, serve):
    function = serve(ECHO)
    answer = boto3_client(function).invoke(FunctionName=name, Payload=b"7")
    assert json.load(answer["Payload"]) == 7


def test_boto3_finds_the_function_by_its_qualifier(serve):
    function = serve(ECHO)
    client = boto3_client(function)
    answer = client.invoke(FunctionName="app", Qualifier="$LATEST", Payload=b"7")
    assert json.load(answer["Payload"]) == 7
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="function:app:live"):
        client.invoke(FunctionName="app", Qualifier="live")


@pytest.mark.parametrize("call", ["invoke", "invoke_with_response_stream"])
def test_boto3_does_not_find_a_function_that_does_not_exist(call, serve):
    function = serve(ECHO)
    client = boto3_client(function)
    with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
        getattr(client, call)(FunctionName="nobody")
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert answer["Error"]["Message"] == (
        "Function not found: arn:aws:lambda:us-east-1:123456789012:function:nobody:$LATEST"
    )
    assert answer["Type"] == "User"
    assert "START" not in function.log


def test_boto3_is_told_that_its_payload_is_no_json(serve):
    function = serve(ECHO)
    client = boto3_client(function)
    with pytest.raises(client.exceptions.InvalidRequestContentException, match="into json"):
        client.invoke(FunctionName="app", Payload=b"{")
    assert "START" not in function.log


def test_boto3_is_told_that_its_payload_is_too_large(serve):
    function = serve(ECHO)
    client = boto3_client(function)
    with pytest.raises(client.exceptions.RequestTooLargeException, match="6291556 bytes"):
        client.invoke(FunctionName="app", Payload=json.dumps("x" * 7_000_000).encode())
    assert "START" not in function.log


def test_boto3_sends_and_gets_five_megabytes(serve):
    function = serve(ECHO)
    payload = json.dumps("é" * 500_000 + "x" * 2_000_000).encode()
    assert len(payload) > 5_000_000
    answer = boto3_client(function).invoke(FunctionName="app", Payload=payload)
    assert json.load(answer["Payload"]) == json.loads(payload)


@pytest.mark.parametrize("call", ["invoke", "invoke_with_response_stream"])
def test_boto3_is_told_to_wait_when_every_environment_is_busy(call, serve, gate):
    function = serve(THREE_CHUNKS, max_environments=1)
    client = boto3_client(function)
    with httpx.stream("GET", function.url, timeout=PATIENCE) as response:
        chunks = response.iter_text()
        assert next(chunks) == "one"
        with pytest.raises(client.exceptions.TooManyRequestsException) as caught:
            getattr(client, call)(FunctionName="app")
        gate.open("1")
        gate.open("2")
        assert "".join(chunks) == "twothree"
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert answer["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert answer["Error"]["Message"] == "Rate Exceeded."
    assert answer["retryAfterSeconds"].isdecimal()


def test_boto3_tries_again_by_itself_until_an_environment_is_free(serve, gate):
    function = serve(
        """
        def handler(event, context):
            if event == "hold":
                pass_gate("1")
            return event
        """,
        max_environments=1,
    )
    boto3_client(function).invoke(FunctionName="app", InvocationType="Event", Payload=b'"hold"')
    # It begins after the answer.
    function.wait_for_log("START RequestId")
    client = boto3_client(function, retries={"total_max_attempts": 10, "mode": "standard"})
    refused: list[int] = []

    def open_the_gate_after_the_first_refusal(response, **_):
        if response[0].status_code == 429:
            if not refused:
                gate.open("1")
            refused.append(429)

    client.meta.events.register("needs-retry.lambda.Invoke", open_the_gate_after_the_first_refusal)
    answer = client.invoke(FunctionName="app", Payload=b'"again"')
    assert json.load(answer["Payload"]) == "again"
    assert answer["ResponseMetadata"]["RetryAttempts"] == len(refused) > 0


# InvokeWithResponseStream


def test_boto3_gets_each_event_of_a_stream_before_the_next_is_written(serve, gate):
    function = serve(BARE_CHUNKS)
    answer = boto3_client(function).invoke_with_response_stream(FunctionName="app", LogType="Tail")
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    # Where the model has the field, there is the type of the frames, as on AWS.
    assert answer["ResponseStreamContentType"] == "application/vnd.amazon.eventstream"
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amzn-remapped-content-type"] == "text/x-three"
    events = iter(answer["EventStream"])
    assert next(events) == {"PayloadChunk": {"Payload": b"one"}}
    gate.open("1")
    assert next(events) == {"PayloadChunk": {"Payload": b"two"}}
    gate.open("2")
    assert next(events) == {"PayloadChunk": {"Payload": b"three"}}
    complete = next(events)["InvokeComplete"]
    assert list(complete) == ["LogResult"]
    log = base64.b64decode(complete["LogResult"]).decode()
    assert_platform_lines(log, answer["ResponseMetadata"]["RequestId"])
    assert list(events) == []


def test_boto3_gets_a_streamed_body_of_five_megabytes_whole(serve):
    function = serve("""
        import random

        @streamify_response
        def handler(event, context):
            body = random.Random(7).randbytes(5_000_000)
            start = 0
            for size in (1, 65_535, 65_536, 65_537, 1_000_000, 5_000_000):
                yield body[start : start + size]
                start += size
    """)
    answer = boto3_client(function).invoke_with_response_stream(FunctionName="app")
    *chunks, complete = answer["EventStream"]
    body = b"".join(event["PayloadChunk"]["Payload"] for event in chunks)
    assert complete == {"InvokeComplete": {}}
    assert body == random.Random(7).randbytes(5_000_000)


def test_boto3_that_leaves_in_the_middle_of_a_stream_harms_nobody(serve, gate):
    function = serve(BARE_CHUNKS, max_environments=1)
    client = boto3_client(function)
    answer = client.invoke_with_response_stream(FunctionName="app")
    next(iter(answer["EventStream"]))
    answer["EventStream"].close()
    gate.open("1")
    gate.open("2")
    function.wait_for_log("REPORT RequestId")
    again = client.invoke_with_response_stream(FunctionName="app")
    gate.open("1")
    gate.open("2")
    *chunks, _ = again["EventStream"]
    assert b"".join(event["PayloadChunk"]["Payload"] for event in chunks) == b"onetwothree"


def test_boto3_without_credentials_is_refused(serve):
    from botocore import UNSIGNED

    function = serve(ECHO)
    client = boto3_client(function, signature_version=UNSIGNED)
    with pytest.raises(ClientError, match="MissingAuthenticationToken"):
        client.invoke(FunctionName="app")
    assert "START" not in function.log
