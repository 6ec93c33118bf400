"""How environments start: too slowly, twice, ahead of the call; and what they use."""

from __future__ import annotations

import math
import os
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from penstock.emulator import limits
from penstock.emulator.environments import accounting, environments
from penstock.emulator.platform_events import PlatformEvent
from tests.tools import PATIENCE, is_running, wait_for

from .test_freeze import is_stopped, linux

AWS_CLIENT = (sys.executable, "-m", "awslambdaric", "app.handler")


def test_a_start_that_takes_too_long_is_made_again_in_the_time_of_the_invocation(
    serve, monkeypatch, tmp_path
):
    monkeypatch.setattr(limits, "INIT", 1.0)
    ready = tmp_path / "ready"
    function = serve(
        f"""
        while not os.path.exists({str(ready)!r}):
            time.sleep(0.005)

        def handler(event, context): return context.get_remaining_time_in_millis()
        """,
        timeout=20,
        max_environments=1,
    )
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.get, function.url, timeout=30)
        wait_for(lambda: function.emulator.environment_pids, "the first start")
        (first,) = function.emulator.environment_pids
        function.wait_for_log("app was not ready after 1 seconds")
        wait_for(lambda: not is_running(first), "the end of the first start")
        ready.touch()
        left = answer.result().json()
    assert left < 20_000
    log = function.wait_for_log("REPORT RequestId")
    assert re.search(
        r"INIT_REPORT Init Duration: 1\d\d\d\.\d\d ms\tPhase: init\tStatus: timeout", log
    )
    assert "Init Duration" not in log.partition("REPORT RequestId")[2]
    assert log.count("START") == 1


def test_a_second_start_that_takes_too_long_is_a_timeout(serve, monkeypatch):
    monkeypatch.setattr(limits, "INIT", 0.5)
    function = serve("time.sleep(600)", timeout=1)
    error = httpx.get(function.url, timeout=30).json()
    assert error["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in error["errorMessage"]
    function.wait_for_log("REPORT RequestId")
    for phase in ("init", "invoke"):
        assert f"Phase: {phase}\tStatus: timeout\n" in function.log
    # AWS's order.
    pattern = r"\n(INIT_REPORT|START|\S+ [\da-f-]{36} Task timed out|END|REPORT)"
    found = [line.split()[-1] for line in re.findall(pattern, "\n" + function.log)]
    assert found == ["INIT_REPORT", "INIT_REPORT", "START", "out", "END", "REPORT"]
    assert "\tDuration: 1000.00 ms\tBilled Duration: 1000 ms\t" in function.log
    assert re.search(r"\nREPORT .*\tStatus: timeout\n", function.log)
    wait_for(lambda: not function.emulator.environment_pids, "the end of the environments")


SNAPSHOT = """
from snapshot_restore_py import register_after_restore, register_before_snapshot

hooks = []
register_before_snapshot(lambda: hooks.append("before"))
register_after_restore(lambda: hooks.append("after"))
print("LOADED", os.getpid(), flush=True)

def handler(event, context):
    return [os.getpid(), hooks, os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]]
"""


@linux
@pytest.mark.parametrize("command", [None, AWS_CLIENT], ids=["penstock", "awslambdaric"])
def test_a_snapshot_waits_for_its_call(serve, command):
    options = {"command": command} if command else {}
    function = serve(SNAPSHOT, snap_start=True, **options)
    function.wait_for_log("LOADED")
    pid = int(function.log.partition("LOADED ")[2].split()[0])
    wait_for(lambda: is_stopped(pid), "the snapshot")
    assert "RESTORE_REPORT" not in function.log
    assert httpx.get(function.url).json() == [pid, ["before", "after"], "snap-start"]
    function.wait_for_log("REPORT RequestId")
    assert re.search(r"\nRESTORE_REPORT Restore Duration: [\d.]+ ms\n", function.log)
    report = function.log.partition("REPORT RequestId")[2]
    assert "\tRestore Duration: " in report
    assert "Init Duration: " not in report
    assert httpx.get(function.url).json()[0] == pid
    wait_for(lambda: function.log.count("\nREPORT RequestId") == 2, "the second report")
    assert function.log.count("RESTORE_REPORT") == 1


def reported(events: list[PlatformEvent]) -> dict[str, Any]:
    """The metrics of the first REPORT, which may come a moment after the answer."""

    def reports() -> list[Any]:
        return [event.record for event in events if event.type == "platform.report"]

    wait_for(reports, "a report")
    return reports()[0]["metrics"]


def test_a_restore_is_billed(serve):
    function = serve("def handler(event, context): pass", snap_start=True)
    events = []
    function.emulator.subscribe(events.append)
    httpx.get(function.url)
    metrics = reported(events)
    assert "Billed Restore Duration: " in function.log
    billed = metrics["billedRestoreDurationMs"]
    assert billed == math.ceil(metrics["restoreDurationMs"])
    assert metrics["billedDurationMs"] == math.ceil(round(metrics["durationMs"] + billed, 3))


def test_calls_that_overlap_restore_copies_of_their_own(serve, gate):
    function = serve(
        """
        @streamify_response
        def handler(event, context):
            yield str(os.getpid())
            pass_gate(event["rawPath"].strip("/"))
        """,
        snap_start=True,
    )
    with (
        httpx.stream("GET", f"{function.url}/a") as first,
        httpx.stream("GET", f"{function.url}/b") as second,
    ):
        assert next(first.iter_raw()) != next(second.iter_raw())
        gate.open("a")
        gate.open("b")
    wait_for(lambda: function.log.count("RESTORE_REPORT") == 2, "two restores")


def test_a_restore_that_fails(serve):
    function = serve(
        """
        from snapshot_restore_py import register_after_restore

        @register_after_restore
        def fail():
            raise ValueError("no")

        def handler(event, context): pass

        print("LOADED", flush=True)
        """,
        snap_start=True,
    )
    events = []
    function.emulator.subscribe(events.append)
    function.wait_for_log("LOADED")
    called = time.monotonic()
    assert httpx.get(function.url).json()["errorMessage"] == "no"
    metrics = reported(events)
    # What was before the call, the start that led to the snapshot, is not of the invocation.
    assert metrics["durationMs"] <= (time.monotonic() - called) * 1000
    function.wait_for_log("RESTORE_REPORT")
    failure = r"\tStatus: error\tError Type: Runtime.AfterRestoreError\n"
    assert re.search(rf"RESTORE_REPORT Restore Duration: [\d.]+ ms{failure}", function.log)
    assert re.search(rf"\nREPORT .*{failure}", function.log)
    done = [event.record for event in events if event.type == "platform.restoreRuntimeDone"]
    assert done == [{"status": "error", "errorType": "Runtime.AfterRestoreError"}]


TEMPORARY = """
import tempfile

def handler(event, context):
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(b"x" * event.get("size", 3_000_000) if isinstance(event, dict) else b"")
    return [file.name, os.getpid()]
"""


def test_temporary_files_are_the_environment_s_own_and_go_with_it(serve, monkeypatch):
    monkeypatch.setattr(accounting, "TEMPORARY_FILES", 5)
    # How soon the environment is free again depends on how busy the machine is.
    monkeypatch.setattr(environments, "_REUSE_GRACE", PATIENCE)
    function = serve(TEMPORARY)
    name, pid = httpx.get(function.url).json()
    assert Path(name).exists()
    assert Path(name).parent != Path(os.environ.get("TMPDIR", "/tmp"))
    same, _ = httpx.get(function.url).json()
    assert Path(same).parent == Path(name).parent
    says = r"the temporary files of app take \d+ MB; Lambda's /tmp has 5"
    wait_for(lambda: httpx.get(function.url) and re.search(says, function.log), "a warning")
    function.emulator.stop()
    assert not is_running(pid)
    assert not Path(name).parent.exists()


@linux
def test_memory_is_that_of_all_processes(serve):
    function = serve(
        """
        import subprocess

        def handler(event, context):
            source = "data = b'x' * 200_000_000; print('ready', flush=True); input()"
            child = subprocess.Popen(
                [sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            child.stdout.readline()
            # It stays: the report looks at what is there when the invocation is over.
        """
    )
    httpx.get(function.url)
    report = function.wait_for_log("REPORT RequestId")
    used = int(re.search(r"Max Memory Used: (\d+) MB", report)[1])
    assert used > 200
    function.wait_for_log(f"app has used {used} MB of memory and has 128: Lambda kills it then")


@linux
def test_a_child_is_not_counted_twice_when_its_process_ends(serve):
    function = serve(
        """
        import subprocess

        source = "data = b'x' * 200_000_000; print('ready', flush=True); input()"

        def handler(event, context):
            global child
            if event["rawPath"] == "/end":
                child.kill()
                child.wait()
                os._exit(1)
            child = subprocess.Popen(
                [sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            child.stdout.readline()
        """,
        max_environments=1,
    )
    httpx.get(function.url)
    httpx.get(f"{function.url}/end")
    wait_for(lambda: function.log.count("REPORT RequestId") == 2, "two reports")
    first, second = map(int, re.findall(r"Max Memory Used: (\d+) MB", function.log))
    assert first > 200
    assert second < first + 100


@linux
@pytest.mark.parametrize(
    "source",
    [
        "def handler(event, context): os.write(1, b'x' * len(bytearray(90_000_000))); os._exit(1)",
        "data = bytearray(90_000_000)\nos._exit(3)",
        "data = bytearray(90_000_000)\nraise ValueError",
        "data = bytearray(90_000_000)\ndef handler(event, context): time.sleep(60)",
    ],
    ids=["exits", "exits while starting", "raises while starting", "takes too long"],
)
def test_what_has_ended_has_used_memory_too(serve, source):
    # Nobody has looked while it was there.
    function = serve(source, timeout=2)
    httpx.get(function.url)
    report = function.wait_for_log("REPORT RequestId")
    assert 90 <= int(re.search(r"Max Memory Used: (\d+) MB", report)[1]) < 128


@linux
def test_what_uses_too_much_memory_is_killed_if_it_is_to_be(serve):
    function = serve(
        """
        def handler(event, context):
            data = b"x" * 300_000_000
            time.sleep(60)
        """,
        enforces_memory=True,
    )
    error = httpx.get(function.url, timeout=30).json()
    assert error["errorType"] == "Runtime.ExitError"
    assert "signal: killed" in error["errorMessage"]
    used = re.search(r"app uses (\d+) MB of memory and has 128: killed", function.log)[1]
    function.wait_for_log(f"Max Memory Used: {used} MB")


@linux
def test_one_thread_that_has_nothing_else_to_do_looks_at_the_memory_of_all(serve):
    function = serve(
        """
        def handler(event, context):
            data = b"x" * 300_000_000
            time.sleep(60)
        """,
        enforces_memory=True,
    )
    told_by = []

    def listen(event):
        if event.type == "penstock.log" and event.record.endswith(": killed"):
            told_by.append(threading.current_thread().name)

    function.emulator.subscribe(listen)
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda _: httpx.get(function.url, timeout=30).json(), range(2))
        assert [answer["errorType"] for answer in answers] == ["Runtime.ExitError"] * 2
    assert told_by == ["memory", "memory"]
