"""Between invocations nothing in an environment runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from penstock.emulator.environments import processes
from tests.tools import PATIENCE, is_running, wait_for

from .test_dev import dev  # noqa: F401  (a fixture)
from .test_extensions import LISTENS, extensions  # noqa: F401  (a fixture)

linux = pytest.mark.skipif(sys.platform != "linux", reason="ps tells of stopped threads on Linux")


def is_stopped(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return state.stdout.strip().startswith("T")


# A handler that leaves a thread and a child behind.
BUSY = """
import subprocess, threading
ticks = 0

def tick():
    global ticks
    while True:
        ticks += 1
        time.sleep(0.001)

threading.Thread(target=tick, daemon=True).start()
child = subprocess.Popen(["sleep", "600"])

def handler(event, context):
    return [os.getpid(), child.pid, ticks]
"""


@linux
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_concurrency": 3},
        {"command": (sys.executable, "-m", "awslambdaric", "app.handler")},
    ],
    ids=["one at a time", "three at once", "awslambdaric"],
)
def test_what_a_handler_leaves_behind_stands_still(serve, options):
    function = serve(BUSY, freezes=True, **options)
    pid, child, _ = httpx.get(function.url).json()
    for process in (pid, child):
        wait_for(lambda process=process: is_stopped(process), f"process {process} to be frozen")
    assert httpx.get(function.url).json()[0] == pid
    wait_for(lambda: is_stopped(pid), "the process to be frozen again")
    function.emulator.stop()
    for process in (pid, child):
        wait_for(lambda process=process: not is_running(process), f"the end of {process}")


@linux
def test_without_it_they_go_on(serve, gate):
    function = serve(
        """
        import threading

        def go_on():
            pass_gate("go")
            print("it goes on")

        def handler(event, context):
            threading.Thread(target=go_on, daemon=True).start()
            return os.getpid()
        """
    )
    pid = httpx.get(function.url).json()
    function.wait_for_log("REPORT")
    wait_for(lambda: not function.emulator.is_busy, "the end of the call")
    gate.open("go")
    function.wait_for_log("it goes on")
    assert not is_stopped(pid)


@linux
def test_nothing_is_frozen_while_one_of_several_runs(serve, gate):
    function = serve(
        """
        def handler(event, context):
            if event["rawPath"] == "/waits":
                pass_gate("1")
            return os.getpid()
        """,
        freezes=True,
        max_concurrency=2,
    )
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(httpx.get, f"{function.url}/waits")
        pid = httpx.get(function.url).json()
        function.wait_for_log('"platform.report"')
        assert not is_stopped(pid)
        gate.open("1")
        assert waits.result().json() == pid
    wait_for(lambda: is_stopped(pid), "the process to be frozen")


@linux
def test_extensions_are_frozen_too_and_hear_of_the_end(
    serve,
    extensions,  # noqa: F811
    monkeypatch,
):
    # Lambda gives the runtime 0.3 seconds.
    monkeypatch.setattr(processes, "RUNTIME_SECONDS", PATIENCE)
    source = LISTENS.replace(
        "me = register", "print('PID', os.getpid(), flush=True)\nme = register"
    )
    function = serve(
        """
        import signal
        signal.signal(signal.SIGTERM, lambda *_: (print("goodbye", flush=True), os._exit(0)))

        def handler(event, context): return os.getpid()
        """,
        extensions_folder=extensions(listens=source),
        freezes=True,
    )
    pid = httpx.get(function.url).json()
    extension = int(function.wait_for_log("PID ").partition("PID ")[2].split()[0])
    for process in (pid, extension):
        wait_for(lambda process=process: is_stopped(process), f"process {process} to be frozen")
    assert httpx.get(function.url).json() == pid
    wait_for(lambda: is_stopped(pid), "the process to be frozen again")
    function.emulator.stop()
    assert "goodbye" in function.log
    assert '"shutdownReason": "spindown"' in function.log


@linux
def test_a_frozen_environment_ends_with_the_emulator_however_that_ends(dev):  # noqa: F811
    running = dev(BUSY, "--freeze")
    pid, child, _ = httpx.get(running.url).json()
    wait_for(lambda: is_stopped(pid), "the process to be frozen")
    variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
    folder = next(Path(each[7:]) for each in variables if each.startswith("TMPDIR="))
    (folder / "deep").mkdir()
    (folder / "deep" / "file").write_text("left behind")
    os.kill(running.process.pid, signal.SIGKILL)
    for process in (pid, child):
        wait_for(lambda process=process: not is_running(process), f"the end of {process}")
    wait_for(lambda: not folder.exists(), "the end of its temporary files")


@linux
def test_a_frozen_environment_that_is_killed_is_replaced(serve):
    function = serve(BUSY, freezes=True, max_environments=1)
    pid = httpx.get(function.url).json()[0]
    wait_for(lambda: is_stopped(pid), "the process to be frozen")
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: pid not in function.emulator.environment_pids, "its end to be noticed")
    assert httpx.get(function.url).json()[0] != pid
