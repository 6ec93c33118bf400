"""Environments come, are used again and go; calls overlap, break off and time out."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import httpx
import pytest

from penstock.emulator.environments import environment, environments
from penstock.emulator.invocations import Invocation
from tests.tools import PATIENCE, RawClient, each_value_once, is_running, lambda_client, wait_for

pytestmark = each_value_once

PID = """
@streamify_response
async def handler(event, context):
    yield str(os.getpid())
"""


def test_an_environment_is_used_again(serve, monkeypatch):
    # How soon it is free again depends on how busy the machine is.
    monkeypatch.setattr(environments, "_REUSE_GRACE", PATIENCE)
    function = serve(PID)
    assert httpx.get(function.url).text == httpx.get(function.url).text


def test_calls_that_overlap_get_environments_of_their_own(serve, gate):
    function = serve(
        """
        @streamify_response
        def handler(event, context):
            yield str(os.getpid())
            pass_gate(event["rawPath"].strip("/"))
        """
    )
    with (
        httpx.stream("GET", f"{function.url}/a") as first,
        httpx.stream("GET", f"{function.url}/b") as second,
    ):
        pids = [next(first.iter_raw()), next(second.iter_raw())]
        gate.open("a")
        gate.open("b")
    assert pids[0] != pids[1]


def test_an_idle_environment_that_died_is_replaced(serve):
    function = serve(PID, max_environments=1)
    first = httpx.get(function.url).text
    os.kill(int(first), signal.SIGKILL)
    second = httpx.get(function.url).text
    assert second not in ("", first)


def test_async_handlers_share_one_event_loop_from_call_to_call(serve):
    function = serve(
        """
        loops = []

        @streamify_response
        async def handler(event, context):
            loops.append(asyncio.get_running_loop())
            yield str(len(set(loops)))
        """,
        max_environments=1,
    )
    assert [httpx.get(function.url).text for _ in range(3)] == ["1", "1", "1"]


def test_a_changed_source_starts_a_new_environment(serve):
    function = serve("def handler(event, context): return 'one'", watch=True)
    assert httpx.get(function.url).text == '"one"'
    source = function.emulator.function.folder / "app.py"
    # Until the watcher is at work, a change would go unseen.
    wait_for(lambda: _touch_until_seen(source, function), "the watcher")
    source.write_text(source.read_text().replace("'one'", "'two'"))
    wait_for(lambda: httpx.get(function.url).text == '"two"', "the new code")


def _touch_until_seen(source: Path, function) -> bool:
    source.touch()
    time.sleep(0.05)
    return "changed: the next call" in function.log


def test_a_source_that_is_broken_and_mended_again(serve):
    function = serve("def handler(event, context): return 'one'", watch=True)
    source = function.emulator.function.folder / "app.py"
    good = source.read_text()
    wait_for(lambda: _touch_until_seen(source, function), "the watcher")
    source.write_text(good + "\n(")
    wait_for(lambda: "SyntaxError" in httpx.get(function.url).text, "the syntax error")
    source.write_text(good)
    wait_for(lambda: httpx.get(function.url).text == '"one"', "the mended code")


INVOKE = "POST /2015-03-31/functions/app/invocations"
STREAM = "POST /2021-11-15/functions/app/response-streaming-invocations"


@pytest.mark.parametrize("chunks", [20, 2000])
@pytest.mark.parametrize(
    ("request_line", "mode", "sees"),
    [
        ("GET /", "RESPONSE_STREAM", b"one"),
        ("GET /", "BUFFERED", b""),
        (STREAM, "RESPONSE_STREAM", b"one"),
        (INVOKE, "RESPONSE_STREAM", b""),
    ],
)
def test_the_function_runs_to_its_end_when_the_client_is_gone(
    chunks, request_line, mode, sees, serve, gate
):
    function = serve(
        f"""
        @streamify_response
        def handler(event, response_stream, context):
            response_stream.write("one")
            pass_gate("1")
            for _ in range({chunks}):
                response_stream.write(b"x" * 1000)
            print("to the end")
        """,
        max_environments=1,
        invoke_mode=mode,
    )
    with RawClient(function.port) as client:
        client.send(
            f"{request_line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: x\r\n"
            "Content-Length: 2\r\n\r\n{}".encode()
        )
        if sees:
            client.read_until(sees)
        else:
            function.wait_for_log("START")
    gate.open("1")
    function.wait_for_log("to the end")
    function.wait_for_log("REPORT")
    gate.open_for(lambda: httpx.get(function.url, timeout=15), "1")
    wait_for(lambda: function.log.count("to the end") == 2, "the end of the second call")


def test_200_overlapping_calls_on_8_environments_end_whole_or_are_refused(serve):
    function = serve(
        """
        @streamify_response
        async def handler(event, context):
            yield "begin "
            await asyncio.sleep(1)
            yield "end"
        """,
        max_environments=8,
    )

    async def call(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get(function.url)

    async def call_all(count: int) -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=count)
        async with httpx.AsyncClient(timeout=30, limits=limits) as client:
            return await asyncio.gather(*(call(client) for _ in range(count)))

    answers = asyncio.run(call_all(200))
    whole = [a for a in answers if a.status_code == 200 and a.text == "begin end"]
    refused = [a for a in answers if a.status_code == 429]
    assert len(whole) + len(refused) == 200
    assert len(whole) >= 8
    for answer in refused:
        assert answer.json()["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
        assert answer.headers["x-amzn-errortype"] == "TooManyRequestsException"
    assert len(function.emulator.environment_pids) == 8

    wait_for(lambda: not function.emulator.is_busy, "free environments")
    later = asyncio.run(call_all(8))
    assert [(a.status_code, a.text) for a in later] == [(200, "begin end")] * 8


def test_work_after_the_end_of_the_stream_does_not_delay_the_client(serve, gate):
    function = serve(
        """
        @streamify_response
        async def handler(event, response_stream, context):
            await response_stream.end("done")
            pass_gate("1")
            print("worked on")
        """,
        max_environments=1,
    )
    assert httpx.get(function.url).text == "done"
    # The environment is still at work, so it is not free for another call.
    assert httpx.get(function.url).status_code == 429
    gate.open("1")
    function.wait_for_log("worked on")


def test_the_timeout_counts_from_the_event_not_from_the_start_of_the_process(serve):
    function = serve(
        """
        time.sleep(0.8)

        @streamify_response
        def handler(event, context):
            yield str(0 < context.get_remaining_time_in_millis() <= 500)
        """,
        timeout=0.5,
    )
    assert httpx.get(function.url, timeout=15).text == "True"


def test_at_its_timeout_an_environment_waits_for_no_client_that_reads_slowly(serve, monkeypatch):
    monkeypatch.setattr(environment, "_LAST_BYTES", 100 * PATIENCE)
    function = serve(
        """
        @streamify_response
        def handler(event, context):
            while event["rawPath"] == "/endless":
                yield b"x" * 1_000_000
            yield "quick"
        """,
        timeout=1,
        max_environments=1,
    )
    with RawClient(function.port) as client:
        client.send(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.read_until(b"\r\n\r\n")
        # Which takes no more from here on.
        log = function.wait_for_log(" did not end in time (Sandbox.Timedout: RequestId: ")
        assert "Status: timeout" in log
        assert "()" not in log
        wait_for(lambda: httpx.get(function.url).text == "quick", "room for another call")


def test_a_process_that_ends_while_a_client_reads_slowly_is_told_of(serve, monkeypatch):
    monkeypatch.setattr(environment, "_LAST_BYTES", 0)
    function = serve("""
        import threading

        @streamify_response
        def handler(event, context):
            threading.Timer(0.5, os._exit, [3]).start()
            while True:
                yield b"x" * 1_000_000
    """)
    with RawClient(function.port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.read_until(b"\r\n\r\n")
        assert "exit status 3)" in function.wait_for_log(" was cut off in its middle (")


def test_a_child_that_the_handler_forked_dies_with_its_environment(serve):
    function = serve(
        """
        @streamify_response
        def handler(event, context):
            child = os.fork()
            if child == 0:
                time.sleep(600)
                os._exit(0)
            yield str(child)
            os.kill(os.getpid(), 9)
        """
    )
    child = b""
    with httpx.stream("GET", function.url) as response, pytest.raises(httpx.RemoteProtocolError):
        for data in response.iter_raw():
            child += data
    wait_for(lambda: not is_running(int(child)), "the end of the forked child")


def test_log_lines_of_an_invocation(serve):
    function = serve(
        """
        @streamify_response
        def handler(event, context):
            print("printed")
            yield "x"
        """
    )
    httpx.get(function.url)
    function.wait_for_log("First Byte")
    lines = function.log.splitlines()
    assert lines[0].startswith("START RequestId: ")
    assert lines[0].endswith(" Version: $LATEST")
    assert lines[1] == "printed"
    assert lines[2].startswith("END RequestId: ")
    fields = lines[3].split("\t")
    names = [field.partition(":")[0] for field in fields]
    assert names[:4] == [
        "REPORT RequestId",
        "Duration",
        "Billed Duration",
        "Memory Size",
    ]
    assert {"Init Duration", "First Byte"} <= set(names)


def test_function_urls_by_host_name(serve):
    function = serve("def handler(event, context): return event['requestContext']['domainName']")
    headers = {"Host": f"app.lambda-url.localhost:{function.port}"}
    assert httpx.get(function.url, headers=headers).json() == "app.lambda-url.localhost"


def test_health(serve):
    function = serve("def handler(event, context): return 1")
    response = httpx.get(f"{function.url}/_penstock/health")
    assert response.json() == {"status": "ok", "functions": ["app"]}


def test_one_call_after_the_other_is_not_too_many_for_one_environment(serve):
    function = serve(
        """
        @streamify_response
        async def handler(event, response_stream, context):
            await response_stream.end(str(os.getpid()))
            time.sleep(0.02)  # so that the next call comes before the environment is free
        """,
        max_environments=1,
    )
    assert len({httpx.get(function.url).text for _ in range(10)}) == 1


def test_an_asynchronous_invocation_waits_for_an_environment(serve, gate):
    function = serve(
        """
        @streamify_response
        def handler(event, context):
            if "n" in event:
                print("did", event["n"])
            else:
                yield "one"
                pass_gate("1")
        """,
        max_environments=1,
    )
    headers = {"Authorization": "x", "X-Amz-Invocation-Type": "Event"}
    path = "/2015-03-31/functions/app/invocations"
    with httpx.stream("GET", function.url) as busy:
        assert next(busy.iter_raw()) == b"one"
        for n in (1, 2):
            answer = httpx.post(function.url + path, json={"n": n}, headers=headers)
            assert (answer.status_code, answer.content) == (202, b"")
        assert "did" not in function.log
        gate.open("1")
    function.wait_for_log("did 2")
    assert function.log.index("did 1") < function.log.index("did 2")


def test_a_child_with_a_session_of_its_own_dies_with_its_environment(serve):
    if not Path("/proc/self/environ").exists():
        pytest.skip("such children are found by their environment in /proc")
    function = serve(
        """
        import subprocess

        @streamify_response
        def handler(event, context):
            child = subprocess.Popen(["sleep", "600"], start_new_session=True)
            yield str(child.pid)
        """
    )
    child = int(httpx.get(function.url).text)
    assert is_running(child)
    function.emulator.stop()
    wait_for(lambda: not is_running(child), "the end of the child")


def test_an_environment_whose_start_failed_does_not_live_on(serve):
    function = serve(
        """
        import threading

        threading.Thread(target=threading.Event().wait).start()
        raise ValueError("no table")
        """
    )
    assert "no table" in httpx.get(function.url).text
    wait_for(lambda: not function.emulator.environment_pids, "the end of the environment")


def test_a_runtime_that_cuts_its_response_before_the_head_gets_no_empty_200(serve, tmp_path):
    runtime = tmp_path / "runtime.py"
    runtime.write_text(CUTS)
    function = serve("", command=(sys.executable, str(runtime)))
    answer = httpx.get(function.url)
    assert answer.json()["errorType"] == "Runtime.TruncatedResponse"

    invoked = lambda_client(function.url).invoke(FunctionName="app")
    assert invoked["FunctionError"] == "Unhandled"
    assert b"Runtime.TruncatedResponse" in invoked["Payload"].read()

    streamed = lambda_client(function.url).invoke_with_response_stream(FunctionName="app")
    assert [list(event) for event in streamed["EventStream"]] == [
        ["PayloadChunk"],
        ["InvokeComplete"],
    ]

    buffered = serve("", command=(sys.executable, str(runtime)), invoke_mode="BUFFERED")
    assert httpx.get(buffered.url).status_code == 502


CUTS = """
import os, socket, time

address = os.environ["AWS_LAMBDA_RUNTIME_API"]
host, port = address.split(":")
api = socket.create_connection((host, int(port)))
next_path = "/2018-06-01/runtime/invocation/next"
api.sendall(f"GET {next_path} HTTP/1.1\\r\\nHost: {address}\\r\\n\\r\\n".encode())
head = b""
while b"\\r\\n\\r\\n" not in head:
    head += api.recv(65536)
request_id = head.partition(b"Lambda-Runtime-Aws-Request-Id: ")[2][:36].decode()
post = socket.create_connection((host, int(port)))
post.sendall((
    f"POST /2018-06-01/runtime/invocation/{request_id}/response HTTP/1.1\\r\\n"
    f"Host: {address}\\r\\nContent-Type: application/json\\r\\nContent-Length: 100\\r\\n\\r\\nhalf"
).encode())
post.close()
time.sleep(60)
"""


@pytest.mark.parametrize("runtime", ["penstock.runtime", "awslambdaric"])
def test_snapstart_s_hooks_run_around_a_restore_that_comes_at_once(runtime, serve):
    function = serve(
        """
        from snapshot_restore_py import register_after_restore, register_before_snapshot

        register_before_snapshot(print, "before the snapshot")
        register_after_restore(print, "after the restore")

        @streamify_response
        def handler(event, context):
            yield "restored"
        """,
        command=(sys.executable, "-m", runtime, "app.handler"),
        environment={"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"},
    )
    assert httpx.get(function.url).text == "restored"
    log = function.wait_for_log("after the restore")
    assert log.index("before the snapshot") < log.index("after the restore")


def test_the_end_of_a_process_explains_a_cut_also_if_it_is_seen_before_the_head(serve, monkeypatch):
    function = serve("""
        @streamify_response
        def handler(event, context):
            yield "partial"
            os.kill(os.getpid(), 9)
    """)
    begin = Invocation.begin

    def begin_late(*arguments) -> bool:
        (environments,) = function.emulator.registry.environments
        (environment,) = environments._all
        wait_for(lambda: environment._has_exited, "the end of the process to be seen")
        return begin(*arguments)

    monkeypatch.setattr(Invocation, "begin", begin_late)
    error = lambda_client(function.url).invoke(FunctionName="app")
    assert json.loads(error["Payload"].read())["errorType"] == "Runtime.ExitError"
