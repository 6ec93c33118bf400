"""`Invoke`, `InvokeWithResponseStream` and `InvokeAsync`: what they take, answer and refuse."""

from __future__ import annotations

import base64
import dataclasses
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from penstock.emulator.emulator import Emulator
from penstock.emulator.invoke.event_invokes import EventInvokeConfig
from tests.conftest import LocalFunction, Serve
from tests.tools import Gate, lambda_client, wait_for

INVOKE = "/2015-03-31/functions/app/invocations"
STREAM = "/2021-11-15/functions/app/response-streaming-invocations"
RIE = "/2015-03-31/functions/function/invocations"
ARN = "arn:aws:lambda:us-east-1:123456789012:function"

ECHO = """
def handler(event, context):
    print("got", json.dumps(event))
    return {"event": event, "arn": context.invoked_function_arn}
"""
HOLDS = "def handler(event, context): pass_gate('1')"


def post(function: LocalFunction, path: str = INVOKE, **options: Any) -> httpx.Response:
    """A request that says it is signed; whether it is does not matter here."""
    headers = {"Authorization": "AWS4-HMAC-SHA256 x", **options.pop("headers", {})}
    return httpx.post(f"{function.url}{path}", headers=headers, timeout=15, **options)


def refusal(function: LocalFunction, path: str = INVOKE, **options: Any) -> tuple[int, str, str]:
    """Status, error type and message."""
    response = post(function, path, **options)
    error = response.json()
    message = error.get("message") or error.get("Message")
    return response.status_code, response.headers["x-amzn-errortype"], message


def of_type(kind: str, **headers: str) -> dict[str, Any]:
    return {"headers": {"X-Amz-Invocation-Type": kind, **headers}}


# RequestResponse


def test_an_answer_has_the_headers_of_aws(serve: Serve) -> None:
    response = post(serve(ECHO), content=b"7")
    assert response.status_code == 200
    assert response.json()["event"] == 7
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-amz-executed-version"] == "$LATEST"
    assert response.headers["x-amzn-remapped-content-length"] == "0"
    assert response.headers["x-amzn-requestid"]
    assert ";Lineage=1:" in response.headers["x-amzn-trace-id"]
    assert "x-amz-function-error" not in response.headers
    assert "x-amz-log-result" not in response.headers


def test_an_error_of_the_function_is_unhandled(serve: Serve) -> None:
    response = post(serve("def handler(event, context): raise ValueError('no')"))
    assert response.status_code == 200
    assert response.headers["x-amz-function-error"] == "Unhandled"
    assert response.json()["errorType"] == "ValueError"


def test_no_body_is_an_empty_event(serve: Serve) -> None:
    assert post(serve(ECHO)).json()["event"] == {}


def test_the_end_of_the_log_comes_along(serve: Serve) -> None:
    response = post(serve(ECHO), headers={"X-Amz-Log-Type": "Tail"})
    log = base64.b64decode(response.headers["x-amz-log-result"]).decode()
    assert "got {}\n" in log
    assert log.rstrip().splitlines()[-1].startswith("REPORT RequestId: ")


def test_the_trace_of_the_caller_goes_on(serve: Serve) -> None:
    function = serve("def handler(event, context): return os.environ['_X_AMZN_TRACE_ID']")
    response = post(function, headers={"X-Amzn-Trace-Id": "Root=1-2-3;Sampled=1"})
    assert response.json() == response.headers["x-amzn-trace-id"]
    assert response.json().startswith("Root=1-2-3;Sampled=1;Lineage=1:")


# Names and qualifiers


@pytest.mark.parametrize("way", ["query", "name", "both"])
def test_a_qualifier_stands_in_the_name_or_in_the_query(way: str, serve: Serve) -> None:
    function = serve(ECHO)
    function.emulator.registry.put_alias("app", "live", "$LATEST")
    path = INVOKE if way == "query" else INVOKE.replace("app", "app:live")
    response = post(function, path if way == "name" else f"{path}?Qualifier=live")
    assert response.json()["arn"] == f"{ARN}:app:live"
    assert response.headers["x-amz-executed-version"] == "$LATEST"


def test_the_version_that_ran_is_told(serve: Serve) -> None:
    function = serve(ECHO)
    assert function.emulator.function is not None
    function.emulator.registry.put(dataclasses.replace(function.emulator.function, version="3"))
    function.emulator.registry.put_alias("app", "live", "3")
    response = post(function, f"{INVOKE}?Qualifier=live")
    assert response.headers["x-amz-executed-version"] == "3"


def test_two_qualifiers_must_be_the_same(serve: Serve) -> None:
    status, kind, message = refusal(serve(ECHO), f"{INVOKE.replace('app', 'app:1')}?Qualifier=2")
    assert (status, kind) == (400, "InvalidParameterValueException")
    assert message == (
        "The derived qualifier from the function name does not match the specified qualifier."
    )


@pytest.mark.parametrize("path", [INVOKE, STREAM, "/2014-11-13/functions/app/invoke-async/"])
def test_what_does_not_exist_is_not_found(path: str, serve: Serve) -> None:
    function = serve(ECHO)
    assert refusal(function, path.replace("app", "none")) == (
        404,
        "ResourceNotFoundException",
        f"Function not found: {ARN}:none:$LATEST",
    )
    assert refusal(function, f"{path}?Qualifier=7")[2].endswith(":function:app:7")
    assert "START" not in function.log


def test_a_name_that_is_none_is_told_with_its_pattern(serve: Serve) -> None:
    status, kind, message = refusal(serve(ECHO), INVOKE.replace("app", "a%20b"))
    assert (status, kind) == (400, "ValidationException")
    assert message.startswith(
        "1 validation error detected: Value 'a b' at 'functionName' failed to satisfy "
        "constraint: Member must satisfy regular expression pattern: (arn:("
    )


# Other values


def test_an_invocation_type_that_is_none_is_refused(serve: Serve) -> None:
    function = serve(ECHO)
    status, kind, message = refusal(function, **of_type("Later"))
    assert (status, kind) == (400, "ValidationException")
    assert message == (
        "1 validation error detected: Value 'Later' at 'invocationType' failed to satisfy "
        "constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]"
    )
    assert "START" not in function.log


def test_all_that_is_wrong_is_told_at_once(serve: Serve) -> None:
    message = refusal(
        serve(ECHO), **of_type("Later", **{"X-Amz-Log-Type": "All", "X-Amz-Tenant-Id": "#"})
    )[2]
    assert message.startswith("3 validation errors detected: ")
    assert (
        "at 'logType' failed to satisfy constraint: Member must satisfy enum value set: [None"
        in (message)
    )
    assert "at 'tenantId'" in message


@pytest.mark.parametrize("context", ["no base64!", "e30", base64.b64encode(b"{").decode()])
def test_a_client_context_that_is_none_is_refused(context: str, serve: Serve) -> None:
    status, kind, message = refusal(serve(ECHO), headers={"X-Amz-Client-Context": context})
    assert (status, kind) == (400, "InvalidParameterValueException")
    assert "Client context must be base64 of JSON" in message


@pytest.mark.parametrize("event", [b"{", b"[NaN]", b"[" * 100_000, b"\xff", '"a"'.encode("utf-16")])
@pytest.mark.parametrize("kind", ["RequestResponse", "Event"])
def test_an_event_must_be_json(kind: str, event: bytes, serve: Serve) -> None:
    function = serve(ECHO)
    status, error, message = refusal(function, content=event, **of_type(kind))
    assert (status, error) == (400, "InvalidRequestContentException")
    assert message.startswith("Could not parse request body into json: ")
    assert "START" not in function.log


def test_a_connection_that_cannot_be_used_again_is_not_offered(serve: Serve) -> None:
    function = serve(ECHO)
    with httpx.Client(headers={"Authorization": "x"}, timeout=15) as client:
        for _ in range(3):
            large = client.post(f"{function.url}{INVOKE}", content=b"1" * 7_000_000)
            assert (large.status_code, large.headers["connection"]) == (413, "close")
            assert client.post(f"{function.url}{INVOKE}", content=b"7").json()["event"] == 7


# 429


@pytest.mark.parametrize("path", [INVOKE, STREAM])
def test_too_many_calls_are_told_to_come_again(path: str, serve: Serve, gate: Gate) -> None:
    function = serve(HOLDS, max_environments=1)
    post(function, **of_type("Event"))
    wait_for(lambda: "START" in function.log, "the first call")
    response = post(function, path)
    assert response.status_code == 429
    assert response.headers["x-amzn-errortype"] == "TooManyRequestsException"
    assert response.headers["retry-after"] == "1"
    assert response.content == (
        b'{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User",'
        b'"message":"Rate Exceeded."}'
    )
    request_id = response.headers["x-amzn-requestid"]
    assert (
        f"{request_id} (Lambda API): AWS answers 429 to this: the only environment of app is busy\n"
        in function.log
    )
    gate.open("1")


def test_a_function_that_may_not_run_refuses_calls_and_takes_events(
    serve: Serve, tmp_path: Path
) -> None:
    function = serve(ECHO)
    path = tmp_path / "records.jsonl"
    function.emulator.event_invokes.config_of = lambda *_: EventInvokeConfig(
        on_failure=path.as_uri()
    )
    function.emulator.registry.configure("app", "$LATEST", 0)
    response = post(function)
    assert response.status_code == 429
    assert response.json()["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert post(function, **of_type("Event")).status_code == 202
    wait_for(lambda: path.exists() and path.read_bytes().endswith(b"\n"), "the record")
    context = json.loads(path.read_bytes())["requestContext"]
    assert context["condition"] == "ZeroReservedConcurrency"
    assert context["approximateInvokeCount"] == 0
    assert "START" not in function.log


# DryRun


def test_a_dry_run_runs_nothing(serve: Serve) -> None:
    function = serve(ECHO)
    response = post(function, **of_type("DryRun"))
    assert (response.status_code, response.content) == (204, b"")
    assert "x-amz-executed-version" not in response.headers
    assert "START" not in function.log


def test_a_dry_run_needs_a_function(serve: Serve) -> None:
    function = serve(ECHO)
    for path in (INVOKE.replace("app", "none"), f"{INVOKE}?Qualifier=7"):
        assert refusal(function, path, **of_type("DryRun"))[0] == 404


# Event


def test_an_event_is_accepted_with_its_request_id(serve: Serve) -> None:
    function = serve(ECHO)
    response = post(function, content=b"7", **of_type("Event"))
    assert (response.status_code, response.content) == (202, b"")
    assert "x-amz-executed-version" not in response.headers
    assert response.headers["x-amzn-trace-id"].startswith("Root=1-")
    function.wait_for_log(f"REPORT RequestId: {response.headers['x-amzn-requestid']}")
    assert "got 7\n" in function.log


def test_an_event_is_tried_again(serve: Serve) -> None:
    function = serve("def handler(event, context): raise ValueError('no')", retry_delay=0.01)
    response = post(function, **of_type("Event"))
    request_id = response.headers["x-amzn-requestid"]
    function.wait_for_log(f"{request_id}: try 3 failed (ValueError: no), the last")
    assert function.log.count(f"START RequestId: {request_id}") == 3


def test_an_event_waits_for_an_environment(serve: Serve, gate: Gate) -> None:
    function = serve(
        """
        def handler(event, context):
            if event == "hold":
                pass_gate("1")
            print("got", event)
        """,
        max_environments=1,
    )
    for event in (b'"hold"', b'"then"'):
        assert post(function, content=event, **of_type("Event")).status_code == 202
    gate.open("1")
    function.wait_for_log("got then\n")


def test_an_event_has_a_megabyte(serve: Serve) -> None:
    function = serve("def handler(event, context): print('got', len(event))")
    most = json.dumps("x" * (1024 * 1024 - 2)).encode()
    assert post(function, content=most, **of_type("Event")).status_code == 202
    function.wait_for_log(f"got {1024 * 1024 - 2}")
    status, kind, message = refusal(function, content=most + b" ", **of_type("Event"))
    assert (status, kind) == (413, "RequestTooLargeException")
    assert message == "Request must be smaller than 1048576 bytes for the InvokeFunction operation"
    assert post(function, content=most + b" ").status_code == 200


def test_a_configuration_is_asked_by_name_and_qualifier(serve: Serve, tmp_path: Path) -> None:
    function = serve(ECHO)
    path = tmp_path / "records.jsonl"
    asked: set[tuple[str, str | None]] = set()

    def config_of(name: str, qualifier: str | None) -> EventInvokeConfig:
        asked.add((name, qualifier))
        return EventInvokeConfig(on_success=path.as_uri())

    function.emulator.event_invokes.config_of = config_of
    function.emulator.registry.put_alias("app", "live", "$LATEST")
    post(function, f"{INVOKE}?Qualifier=live", content=b"7", **of_type("Event"))
    wait_for(path.exists, "the record")
    assert asked == {("app", "live")}


def test_a_stream_is_a_stream_whatever_the_type_says(serve: Serve) -> None:
    function = serve(ECHO)
    assert post(function, STREAM, **of_type("Event")).status_code == 200
    assert function.log.count("START") == 1


def test_invoke_async_is_an_event(serve: Serve) -> None:
    function = serve(ECHO)
    answer = lambda_client(function.url).invoke_async(FunctionName="app", InvokeArgs=b'"old"')
    assert answer["Status"] == 202
    function.wait_for_log('got "old"')


def test_what_is_undone_at_the_end_is_in_the_log(serve: Serve, gate: Gate) -> None:
    function = serve(HOLDS, max_environments=1)
    for _ in range(3):
        post(function, **of_type("Event"))
    wait_for(lambda: "START" in function.log, "the first")
    function.emulator.stop()
    assert "stopped: 3 asynchronous events are lost" in function.log


# Recursion

CALLS_ITSELF = """
import boto3

def handler(event, context):
    client = boto3.client("lambda", endpoint_url=event, region_name="us-east-1",
        aws_access_key_id="x", aws_secret_access_key="x")
    try:
        client.invoke(FunctionName="app", InvocationType="Event", Payload=json.dumps(event))
    except client.exceptions.RecursiveInvocationException as exc:
        print("STOPPED", exc.response["ResponseMetadata"]["HTTPStatusCode"], exc)
"""


def test_a_function_that_calls_itself_is_stopped(serve: Serve) -> None:
    function = serve(CALLS_ITSELF)
    post(function, content=json.dumps(function.url).encode(), **of_type("Event"))
    log = function.wait_for_log("STOPPED 400")
    assert "Lambda has detected your function being invoked in a recursive loop" in log
    assert log.count("START RequestId") == 16


# The path of AWS's own emulator


def test_the_path_of_aws_emulator_needs_no_signature(serve: Serve) -> None:
    function = serve(ECHO)
    assert httpx.post(f"{function.url}{RIE}", content=b"7").json()["event"] == 7
    assert httpx.post(f"{function.url}{RIE}").json()["event"] == {}
    assert httpx.post(f"{function.url}{RIE}/", content=b"8").json()["event"] == 8
    for path in (INVOKE, STREAM, STREAM.replace("app", "function")):
        response = httpx.post(f"{function.url}{path}", content=b"7")
        assert response.status_code == 403
        assert response.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"


def test_an_event_for_later_must_be_json_there_too(serve: Serve) -> None:
    function = serve(ECHO)
    headers = {"X-Amz-Invocation-Type": "Event"}
    response = httpx.post(f"{function.url}{RIE}", content=b"{", headers=headers)
    assert response.status_code == 400
    assert response.headers["x-amzn-errortype"] == "InvalidRequestContentException"
    assert httpx.post(f"{function.url}{RIE}", content=b"1", headers=headers).status_code == 202


def test_it_is_for_the_function_of_the_emulator_among_others(serve: Serve) -> None:
    function = serve(ECHO)
    assert function.emulator.function is not None
    for name in ("a", "z"):
        function.emulator.registry.put(
            dataclasses.replace(function.emulator.function, name=name, environment={})
        )
    assert httpx.post(f"{function.url}{RIE}").json()["arn"] == f"{ARN}:app"


def test_a_function_that_is_called_so_goes_first(serve: Serve) -> None:
    function = serve(ECHO)
    assert function.emulator.function is not None
    function.emulator.registry.put(dataclasses.replace(function.emulator.function, name="function"))
    assert httpx.post(f"{function.url}{RIE}").json()["arn"] == f"{ARN}:function"


def test_without_a_function_of_its_own_it_is_for_the_only_one(serve: Serve) -> None:
    only = serve(ECHO).emulator.function
    assert only is not None
    with Emulator(host="127.0.0.1", write_log=lambda text: None) as emulator:
        url = f"http://127.0.0.1:{emulator.port}{RIE}"
        assert httpx.post(url).status_code == 404
        emulator.registry.put(only)
        assert httpx.post(url, content=b"7").json()["arn"] == f"{ARN}:app"
        emulator.registry.put(dataclasses.replace(only, name="other"))
        response = httpx.post(url)
        assert response.status_code == 404
        assert response.json()["Message"] == f"Function not found: {ARN}:function:$LATEST"


def test_other_methods_are_refused(serve: Serve) -> None:
    function = serve(ECHO)
    for method in ("GET", "PUT", "DELETE"):
        assert httpx.request(method, f"{function.url}{RIE}").status_code == 405
    assert "START" not in function.log


def test_an_sdk_knows_the_errors_by_their_names(serve: Serve) -> None:
    client = lambda_client(serve(ECHO).url)
    with pytest.raises(ClientError) as caught:
        client.invoke(FunctionName="app", InvocationType="Event", Payload=b"x" * 2**21)
    assert caught.value.response["Error"]["Code"] == "RequestTooLargeException"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="app", Qualifier="none", InvocationType="DryRun")
