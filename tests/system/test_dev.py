"""`penstock dev` as a person runs it: a process with a port, signals and options."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import PREAMBLE
from tests.tools import RawClient, is_running, repeated, wait_for

MB = 1_000_000
# Of 100 KB each.
BLOCKS = repeated(1_900, here=1_000)
AT_ONCE = "AWS_LAMBDA_MAX_CONCURRENCY"
PENSTOCK = (sys.executable, "-m", "penstock.cli")


class Dev:
    """A running `penstock dev`."""

    def __init__(self, folder: Path, source: str, *options: str) -> None:
        self.folder = folder
        (folder / "app.py").write_text(PREAMBLE + source)
        self.output = folder / "output.txt"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [*PENSTOCK, "dev", "app.py:handler", "--port", "0", *options],
                cwd=folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for(lambda: "Ctrl-C" in self.text or self.process.poll() is not None, "the start")
        found = re.search(r"http://localhost:(\d+)", self.text)
        assert found, self.text
        self.port = int(found[1])
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def text(self) -> str:
        return self.output.read_text()

    def end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[type]:
    started: list[Dev] = []

    def start(source: str, *options: str) -> Dev:
        folder = tmp_path / f"dev{len(started)}"
        folder.mkdir()
        running = Dev(folder, source, *options)
        started.append(running)
        return running

    yield start
    for running in started:
        running.end()


FAMILY = """
import subprocess

# With a session of its own it is found in /proc, so on Linux only.
apart = sys.platform == "linux"
loner = subprocess.Popen(["sleep", "600"], start_new_session=apart)
child = os.fork()
if child == 0:
    time.sleep(600)
    os._exit(0)

@streamify_response
def handler(event, context):
    yield f"{os.getpid()} {os.getppid()} {child} {loner.pid}"
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_leaves_no_process(number, dev):
    running = dev(FAMILY)
    pids = [int(pid) for pid in httpx.get(running.url).text.split()]
    assert all(map(is_running, pids))
    running.process.send_signal(number)
    assert running.process.wait(10) == 0
    wait_for(lambda: not any(map(is_running, pids)), "the end of every process")
    assert "Traceback" not in running.text


def test_ctrl_c_ends_it_while_a_call_is_in_progress(dev):
    running = dev(
        """
@streamify_response
def handler(event, context):
    yield str(os.getpid())
    time.sleep(600)
""",
        "--timeout",
        "900",
    )
    with httpx.stream("GET", running.url) as response:
        pid = int(next(response.iter_raw()))
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(10) == 0
        wait_for(lambda: not is_running(pid), "the end of the environment")
    assert "penstock: stopped with 1 invocation running\n" in running.text
    assert "was cut off in its middle" not in running.text


def test_kill_9_leaves_no_process_also_no_forked_or_frozen_one(dev):
    running = dev(FAMILY)
    pids = [int(pid) for pid in httpx.get(running.url).text.split()]
    os.kill(pids[2], signal.SIGSTOP)
    running.process.kill()
    running.process.wait()
    wait_for(lambda: not any(map(is_running, pids)), "the end of every process")


SLOW_READER = """
@streamify_response
{a}def handler(event, response_stream, context):
    block = b"x" * 100_000
    {w}response_stream.write(str(os.getpid()).ljust(100_000).encode())
    for i in range(1, int(event["rawPath"][1:])):
        {w}response_stream.write(block)
        with open("progress", "w") as progress:
            progress.write(str(i))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("a", "w"), [("", ""), ("async ", "await ")], ids=["def", "async def"])
def test_memory_stays_flat_and_the_handler_is_held_while_a_client_reads_slowly(a, w, dev):
    running = dev(SLOW_READER.format(a=a, w=w))
    progress = running.folder / "progress"
    # Once, and little, to have everything loaded that will ever be.
    runtime = int(httpx.get(f"{running.url}/3").text.split()[0])
    before = [peak_memory(pid) for pid in (running.process.pid, runtime)]
    progress.unlink()

    with RawClient(running.port) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.send(b"GET /%d HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % BLOCKS)
        client.read_until(b"\r\n\r\n")
        written = -1
        while written != (now := int(progress.read_text() or 0) if progress.exists() else 0):
            written = now
            time.sleep(0.3)
        # It stands still, with no more under way than sockets' buffers hold.
        assert written < BLOCKS / 4

        received = len(client.received)
        last = b""
        reads = 0
        while data := client.socket.recv(262_144):
            received += len(data)
            last = (last + data)[-7:]
            reads += 1
            if reads % 16 == 0:
                time.sleep(0.001)
    assert received > BLOCKS * 100_000
    assert last.endswith(b"\r\n0\r\n\r\n")
    after = [peak_memory(pid) for pid in (running.process.pid, runtime)]
    grown = [round((b - a) / MB, 1) for a, b in zip(before, after, strict=True)]
    assert max(grown) < 20, f"emulator and runtime grew by {grown} MB"


def peak_memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


def test_the_welcome_says_what_to_open_and_what_to_type(dev):
    running = dev("def handler(event, context): return 1")
    assert f"open  http://localhost:{running.port}/" in running.text
    assert f"curl -N http://localhost:{running.port}/" in running.text
    assert "--function-name app" in running.text
    assert f"http://app.lambda-url.localhost:{running.port}/" in running.text
    assert "In effect" not in running.text


def test_the_welcome_says_what_makes_calls_differ(dev):
    source, faults = "def handler(event, context): return 1", ("--fault", "429")
    running = dev(source, "--strict", *faults, "--no-quirk", "dry-run-runs")
    assert "In effect: --strict, --fault 429, --no-quirk dry-run-runs\n" in running.text


def test_the_welcome_says_what_makes_calls_fail(dev):
    running = dev(
        "def handler(event, context): return 1",
        *("--account-concurrency", "5", "--reserved-concurrency", "0", "--bandwidth", "aws"),
        *("--enforce-permissions", "--enforce-memory", "--freeze"),
    )
    assert (
        "In effect: --freeze, --enforce-memory, --enforce-permissions, --bandwidth aws, "
        "--reserved-concurrency 0, --account-concurrency 5\n"
    ) in running.text


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--max-concurrency", "4"], "4"),
        (["--env", f"{AT_ONCE}=4"], f"4 (from --env {AT_ONCE})"),
        (["--env", f"{AT_ONCE}=4", "--max-concurrency", "4"], "4"),
        (["--env", f"{AT_ONCE}=4", "--max-concurrency", "2"], f"2 (and not --env {AT_ONCE}=4)"),
    ],
)
def test_the_welcome_says_how_many_at_once(dev, options, says):
    running = dev("def handler(event, context): return 1", *options)
    assert f"In effect: --max-concurrency {says}\n" in running.text


def test_the_welcome_says_that_a_variable_of_the_shell_does_nothing(dev, monkeypatch):
    monkeypatch.setenv(AT_ONCE, "4")
    running = dev("def handler(event, context): return 1")
    assert f"In effect: --max-concurrency 1 (the shell's {AT_ONCE} is" in running.text


def test_variables_name_and_mode_from_the_command_line(dev):
    running = dev(
        "def handler(event, context):\n"
        "    return {'statusCode': 200, 'body': os.environ['A'] + context.function_name}",
        *("--env", "A=b=c", "--function", "orders", "--invoke-mode", "BUFFERED"),
    )
    assert httpx.get(running.url).text == "b=corders"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["app"], 1, "'app' names no handler; write module:handler or path/file.py:handler"),
        (["app.py"], 1, "'app.py' names no handler; write module:handler or path/file.py:handler"),
        (["./app.py::handler"], 1, "'./app.py::handler' names no handler"),
        ([".:handler"], 1, "'.:handler' names no handler"),
        (["a:b", "--allow-origin", "localhost:5173"], 1, "write scheme://host:port, as in http"),
        (["nowhere.py:handler"], 1, "there is no file nowhere.py (looked from "),
        (["a:b", "--env", "X"], 1, "--env takes NAME=VALUE, not 'X'"),
        (["a:b", "--timeout", "901"], 1, "at most 900 seconds, not 901"),
        (["a:b", "--max-environments", "0"], 1, "--max-environments must be at least 1, not 0"),
        (["a:b", "--function", "a b"], 1, "'a b' cannot be a function's name"),
        (["a:b", "--invoke-mode", "STREAM"], 2, "invalid choice: 'STREAM'"),
        (["--env", "A=b"], 1, "add a TARGET"),
        (["--timeout", "5"], 1, "--timeout is for a function that is named here; add a TARGET"),
        (["--memory", "256"], 1, "add a TARGET"),
        (["--auth-type", "NONE"], 1, "add a TARGET"),
        (["--invoke-mode", "BUFFERED"], 1, "add a TARGET"),
        (["--reserved-concurrency", "0"], 1, "add a TARGET"),
        (["--account-concurrency", "0"], 1, "--account-concurrency must be at least 1, not 0"),
        (
            ["a:b", "--port", "65536"],
            2,
            "--port: it is a number from 0 (any free one) to 65535, not ",
        ),
        (["a:b", "--port", "-1"], 2, "to 65535, not '-1'"),
        (["a:b", "--rest-api-port", "0"], 1, "add --rest-api STREAM, or leave it out"),
        (["a:b", "--env", "AWS_LAMBDA_RUNTIME_API=x"], 1, "cannot set AWS_LAMBDA_RUNTIME_API"),
        (["a:b", "--env", "AWS_REGION=eu-west-1"], 1, "cannot set AWS_REGION: Lambda itself does"),
        (["a:b", "--snap-start", "--max-concurrency", "2"], 1, "do not go together, as on Lambda"),
        (["a:b", "--host", ""], 1, "the host to listen on is empty; write localhost for this"),
        (["--state", __file__], 1, "--state takes a folder, and "),
        (["--state", "/nosuch/a/b"], 1, "there is no folder /nosuch/a to make it in"),
    ],
)
def test_what_is_wrong_is_said(arguments, status, message, run_penstock):
    done = run_penstock("dev", *arguments)
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_said():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = penstock("dev", "a:b", "--port", port)
    assert done.returncode == 1
    assert f"cannot listen on localhost:{port}: Address already in use" in done.stderr


def test_help_has_examples():
    text = penstock("dev", "--help").stdout
    assert "examples:" in text
    assert "\nenvironments:\n" in text

    assert "dev" in penstock("--help").stdout
    assert penstock("--version").stdout.startswith("penstock 0.")


def penstock(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PENSTOCK, *arguments],
        capture_output=True,
        text=True,
        timeout=20,
    )
