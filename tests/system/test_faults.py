"""Faults on request, on every front, as their clients see them."""

from __future__ import annotations

import json
import subprocess

import httpx
import pytest
from botocore.exceptions import ClientError, IncompleteReadError, ResponseStreamingError
from urllib3.exceptions import ProtocolError

from penstock.emulator.emulator import Emulator
from penstock.emulator.environments import environment, environments
from penstock.emulator.fault_values import Faults
from penstock.emulator.functions import function_from_target
from penstock.emulator.rest_apis import api_of_function
from tests.conftest import LocalFunction
from tests.system.test_dev import PENSTOCK, Dev
from tests.tools import PATIENCE, RawClient, lambda_client, wait_for

SOURCE = """
import json, os

from penstock import HttpResponseStream, streamify_response


@streamify_response
def handler(event, response_stream, context):
    if "rawPath" in event or "httpMethod" in event:
        metadata = {"statusCode": 200, "headers": {"content-type": "text/plain"}}
        response_stream = HttpResponseStream.from_(response_stream, metadata)
    for part in PARTS:
        response_stream.write(part)
    print("to the end", json.dumps(event.get("headers", {})).lower())


PARTS = ["one", "two", "three"]
"""

PLAIN = """
import os


def handler(event, context):
    return str(os.getpid())
"""


@pytest.fixture
def serve_with_faults(tmp_path):
    emulators = []

    def serve(source: str = SOURCE, faults: Faults | None = None, **options) -> LocalFunction:
        folder = tmp_path / str(len(emulators))
        folder.mkdir()
        (folder / "app.py").write_text(source)
        function = function_from_target(f"{folder / 'app.py'}:handler", **options)
        log: list[str] = []
        emulator = Emulator(
            function,
            host="127.0.0.1",
            write_log=log.append,
            faults=faults or Faults(),
            rest_apis=[api_of_function("app", "STREAM")],
        )
        emulators.append(emulator)
        return LocalFunction(emulator, log)

    yield serve
    for emulator in emulators:
        emulator.stop()


def url_call(function, headers=None):
    return httpx.stream("GET", function.url, headers=headers, timeout=PATIENCE)


def rest_call(function, headers=None):
    host = {"Host": f"app.execute-api.localhost:{function.port}"}
    url = f"{function.url}/local/"
    return httpx.stream("GET", url, headers={**host, **(headers or {})}, timeout=PATIENCE)


FRONTS = pytest.mark.parametrize("call", [url_call, rest_call], ids=["URL", "REST API"])


@FRONTS
def test_a_cut_stream_breaks_off_at_its_byte_and_the_function_runs_on(call, serve_with_faults):
    function = serve_with_faults()
    received = b""
    with call(function, {"X-Penstock-Fault": "cut=5"}) as response:
        assert response.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            for data in response.iter_raw():
                received += data
    assert received == b"onetw"
    log = function.wait_for_log("REPORT")
    assert "injected fault: the answer is cut after 5 bytes of its body" in log
    assert "to the end" in log
    assert "x-penstock-fault" not in log
    with call(function) as response:
        assert response.read() == b"onetwothree"


@FRONTS
def test_an_environment_that_is_killed_in_mid_stream_cuts_it(call, serve_with_faults, monkeypatch):
    # Its end explains the cut, and is seen late on a busy machine.
    monkeypatch.setattr(environment, "_EXIT_GRACE", PATIENCE)
    function = serve_with_faults()
    received = b""
    with call(function) as response:
        response.read()
    prelude = len(b'{"statusCode":200,"headers":{"content-type":"text/plain"}}') + 8
    with (
        call(function, {"X-Penstock-Fault": f"kill={prelude + 4}"}) as response,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        for data in response.iter_raw():
            received += data
    assert b"onetwothree".startswith(received)
    assert len(received) <= 4
    function.wait_for_log("injected fault: the environment is killed after")
    function.wait_for_log("signal: killed")
    with call(function) as response:
        assert response.read() == b"onetwothree"


def test_invoke_sees_a_killed_environment_as_aws_reports_one(serve_with_faults):
    function = serve_with_faults(PLAIN)
    client = lambda_client(function.url)
    with function.emulator.faults.injected(Faults(kill=0)):
        answer = client.invoke(FunctionName="app")
    assert answer["FunctionError"] == "Unhandled"
    error = json.load(answer["Payload"])
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")
    assert "injected fault: the environment is killed with the call in its hands" in function.log
    assert json.load(client.invoke(FunctionName="app")["Payload"]).isdecimal()


def test_a_killed_environment_ends_without_waiting_for_who_waits_for_its_end(
    serve_with_faults, monkeypatch
):
    for wait in ("_LAST_BYTES", "_KILL_GRACE"):
        monkeypatch.setattr(f"penstock.emulator.environments.environment.{wait}", 10 * PATIENCE)
    function = serve_with_faults(PLAIN)
    with function.emulator.faults.injected(Faults(kill=0)):
        answer = lambda_client(function.url).invoke(FunctionName="app")
        assert answer["FunctionError"]
        assert answer["Payload"].read()
    function.wait_for_log("REPORT")


def test_invoke_is_cut_in_its_answer(serve_with_faults):
    function = serve_with_faults(PLAIN)
    with function.emulator.faults.injected(Faults(cut=2)):
        answer = lambda_client(function.url).invoke(FunctionName="app")
        with pytest.raises((IncompleteReadError, ResponseStreamingError)):
            answer["Payload"].read()
        answer["Payload"].close()


def test_invoke_with_response_stream_is_cut_in_a_frame(serve_with_faults):
    function = serve_with_faults()
    with function.emulator.faults.injected(Faults(cut=150)):
        client = lambda_client(function.url)
        answer = client.invoke_with_response_stream(FunctionName="app")
        with pytest.raises(ProtocolError, match="ended prematurely"):
            list(answer["EventStream"])
        # botocore leaves a connection open whose answer broke off.
        answer["EventStream"].close()
    events = list(client.invoke_with_response_stream(FunctionName="app")["EventStream"])
    assert "InvokeComplete" in events[-1]
    client.close()


@pytest.mark.parametrize("operation", ["Invoke", "InvokeWithResponseStream"])
def test_boto3_adds_the_header_to_a_request_that_is_signed(operation, serve_with_faults):
    function = serve_with_faults()
    client = lambda_client(function.url)

    def refuse(request, **_):
        request.headers["X-Penstock-Fault"] = "429"

    client.meta.events.register(f"before-send.lambda.{operation}", refuse)
    calls = {
        "Invoke": client.invoke,
        "InvokeWithResponseStream": client.invoke_with_response_stream,
    }
    with pytest.raises(client.exceptions.TooManyRequestsException):
        calls.pop(operation)(FunctionName="app")
    (other,) = calls.values()
    answer = other(FunctionName="app")
    assert answer["StatusCode"] == 200
    # Unread, it would keep its connection open.
    assert list(answer["Payload" if "Payload" in answer else "EventStream"])
    client.close()


def test_a_refused_call_gets_each_front_s_answer(serve_with_faults):
    function = serve_with_faults(faults=Faults(refuse=True))
    with url_call(function) as response:
        assert response.status_code == 429
    with rest_call(function) as response:
        assert response.status_code == 500
    client = lambda_client(function.url)
    with pytest.raises(client.exceptions.TooManyRequestsException):
        client.invoke(FunctionName="app")
    with pytest.raises(client.exceptions.TooManyRequestsException):
        client.invoke_with_response_stream(FunctionName="app")
    assert function.log.count("injected fault: refused") == 4
    assert "START" not in function.log
    with url_call(function, {"X-Penstock-Fault": "none"}) as response:
        assert response.read() == b"onetwothree"


def test_a_slow_start_is_in_the_report_and_only_with_a_new_environment(
    serve_with_faults, monkeypatch
):
    # How soon an environment is free again depends on how busy the machine is.
    monkeypatch.setattr(environments, "_REUSE_GRACE", PATIENCE)
    function = serve_with_faults(PLAIN, faults=Faults(slow_init=0.6))
    pids = {httpx.get(function.url, timeout=PATIENCE).text for _ in range(2)}
    assert len(pids) == 1
    wait_for(lambda: function.log.count("REPORT") == 2, "both reports")
    first, second = (line for line in function.log.splitlines() if line.startswith("REPORT"))
    init = first.partition("Init Duration: ")[2].partition(" ms")[0]
    assert float(init) >= 600
    assert "Init Duration" not in second
    assert function.log.count("injected fault: the start of the environment takes 0.6") == 1


def test_a_start_is_slow_wherever_the_functions_path_leads(serve_with_faults):
    function = serve_with_faults(
        PLAIN, faults=Faults(slow_init=0.01), environment={"PATH": "/nonexistent"}
    )
    assert httpx.get(function.url, timeout=PATIENCE).json().isdecimal()
    assert "injected fault: the start of the environment takes 0.01" in function.log


def test_a_start_that_is_slower_than_lambda_waits_is_killed(serve_with_faults, monkeypatch):
    monkeypatch.setattr("penstock.emulator.limits.INIT", 0.2)
    function = serve_with_faults(PLAIN, faults=Faults(slow_init=600), timeout=0.2)
    assert "Task timed out" in httpx.get(function.url, timeout=PATIENCE).text
    wait_for(lambda: not function.emulator.environment_pids, "the end of the environment")


@pytest.mark.parametrize(
    ("faults", "headers"),
    [(Faults(kill=0), {}), (None, {"X-Penstock-Fault": "429"})],
    ids=["of every call", "of this call"],
)
@pytest.mark.parametrize(
    "path",
    ["/2015-03-31/functions/app/invocations", "/2014-11-13/functions/app/invoke-async/"],
)
def test_an_asynchronous_invocation_has_no_faults_and_the_log_says_so(
    serve_with_faults, faults, headers, path
):
    function = serve_with_faults(PLAIN, faults=faults)
    headers = {"X-Amz-Invocation-Type": "Event", "Authorization": "AWS4-HMAC-SHA256 x", **headers}
    assert httpx.post(f"{function.url}{path}", headers=headers, content=b"{}").status_code == 202
    line = f"POST {path}: no fault is injected: asynchronous invocations have none\n"
    function.wait_for_log(line)
    function.wait_for_log("REPORT")

    wanted = {**headers, "X-Penstock-Fault": "none"}
    httpx.post(f"{function.url}{path}", headers=wanted, content=b"{}")
    wait_for(lambda: function.log.count("REPORT") == 2, "the second invocation")
    assert function.log.count("no fault is injected") == 1
    assert "injected fault" not in function.log


def test_a_late_stream_is_late_on_the_way_and_not_in_the_function(serve_with_faults):
    function = serve_with_faults(faults=Faults(chunk_delay=0.05, delay=0.05))
    with url_call(function) as response:
        assert response.read() == b"onetwothree"
    assert "injected fault: the answer is 0.05 s late" in function.log

    function = serve_with_faults(faults=Faults(delay=3600))
    with RawClient(function.port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        function.wait_for_log("to the end")
        assert client.has_got_nothing()


@pytest.mark.parametrize(
    "path", ["/", "/2015-03-31/functions/function/invocations", "/2021-11-15/functions/app/x"]
)
def test_a_bad_header_is_400_on_every_front(path, serve_with_faults):
    function = serve_with_faults()
    answer = httpx.post(f"{function.url}{path}", headers={"X-Penstock-Fault": "explode"})
    assert answer.status_code == 400
    assert answer.text.startswith("X-Penstock-Fault: 'explode' is no fault; there are cut=BYTES, ")
    assert "START" not in function.log


def test_a_page_of_another_origin_cannot_have_faults(serve_with_faults):
    function = serve_with_faults()
    headers = {"X-Penstock-Fault": "kill", "Origin": "http://example.com"}
    assert httpx.get(function.url, headers=headers).status_code == 403
    assert "injected" not in function.log


def test_what_is_no_call_has_no_faults(serve_with_faults):
    function = serve_with_faults(faults=Faults(cut=0, refuse=True))
    assert httpx.get(f"{function.url}/_penstock/health").json()["status"] == "ok"
    with pytest.raises(ClientError, match="Function not found"):
        lambda_client(function.url).invoke(FunctionName="nobody")


def test_penstock_dev_has_faults_for_every_call(tmp_path):
    dev = Dev(tmp_path, PLAIN, "--fault", "cut=1", "--fault", "every=2")
    try:
        assert httpx.get(dev.url, timeout=PATIENCE).status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(dev.url, timeout=PATIENCE)
        wait_for(lambda: "GET /: injected fault: the answer is cut" in dev.text, "the line")
    finally:
        dev.end()


def test_penstock_dev_says_what_is_no_fault(tmp_path):
    (tmp_path / "app.py").write_text(PLAIN)
    command = [*PENSTOCK, "dev", "app.py:handler", "--port", "0", "--fault", "explode"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert "--fault: 'explode' is no fault; there are cut=BYTES, delay=SECONDS" in done.stderr
