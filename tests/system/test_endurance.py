"""Ten thousand invocations in one environment, errors among them: nothing piles up."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.tools import repeated

INVOCATIONS = repeated(10_000, here=1_500)
WARM = repeated(2_000, here=500)

SOURCE = """
import asyncio
from penstock import Prelude, streamify_response

big = b"x" * 100_000

@streamify_response
def plain(event, response_stream, context):
    number = event["number"] % 10
    if number == 1:
        raise ValueError("before the first byte")
    response_stream.write("one")
    if number == 2:
        raise ValueError("after the first byte")
    if number == 3:
        response_stream.write(big)
    if number == 4:
        response_stream.write(None)

@streamify_response(deadline_margin_ms=1000)
async def awaited(event, response_stream, context):
    number = event["number"] % 10
    if number == 1:
        raise ValueError("before the first byte")
    await response_stream.write("one")
    await asyncio.sleep(0)
    if number == 2:
        raise ValueError("after the first byte")
    if number == 3:
        await response_stream.write(big)
    if number == 4:
        await response_stream.write(None)

@streamify_response(join_ready=True)
async def joined(event, context):
    number = event["number"] % 10
    if number == 1:
        raise ValueError("before the first byte")
    yield "one"
    if number == 2:
        raise ValueError("after the first byte")
    if number == 3:
        yield big
    if number == 4:
        yield None
    await asyncio.sleep(0)
"""


class RuntimeApi:
    """The least of a Runtime API: quick, on as many connections as are opened."""

    def __init__(self, invocations: int) -> None:
        self.connections = 0
        self.ends: Counter[str] = Counter()
        self.done = threading.Event()
        self.at_warm = threading.Event()
        self.go_on = threading.Event()
        self._left = iter(range(invocations))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connected,), daemon=True).start()

    def _serve(self, connected: socket.socket) -> None:
        with connected, connected.makefile("rb") as reader:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while line := reader.readline():
                chunked, length = False, 0
                while (header := reader.readline().lower()) not in (b"\r\n", b""):
                    name, _, value = header.partition(b":")
                    chunked = chunked or (name == b"transfer-encoding" and b"chunked" in value)
                    length = int(value) if name == b"content-length" else length
                if b"/invocation/next" in line:
                    self._give(connected)
                    continue
                failed = self._read_chunks(reader) if chunked else reader.read(length) is None
                how = "error" if b"/error " in line else "streamed" if chunked else "buffered"
                self.ends["failed" if failed else how] += 1
                connected.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")

    def _read_chunks(self, reader) -> bool:
        while size := int(reader.readline(), 16):
            reader.read(size + 2)
        trailers = 0
        while reader.readline() != b"\r\n":
            trailers += 1
        return trailers > 0

    def _give(self, connected: socket.socket) -> None:
        number = next(self._left, None)
        if number == WARM:
            self.at_warm.set()
            self.go_on.wait(30)
        if number is None:
            self.done.set()
            return
        event = b'{"number": %d}' % number
        connected.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Lambda-Runtime-Aws-Request-Id: r%d\r\nLambda-Runtime-Deadline-Ms: 4102444800000\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (number, len(event), event)
        )


def measure(pid: int) -> tuple[int, int]:
    """Resident memory in KiB, and open descriptors."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]), len(os.listdir(f"/proc/{pid}/fd"))


OWN, TAKEOVER = "penstock.runtime", "awslambdaric"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
@pytest.mark.parametrize(
    ("runtime", "handler"),
    [(OWN, "plain"), (OWN, "awaited"), (OWN, "joined"), (TAKEOVER, "plain"), (TAKEOVER, "awaited")],
)
def test_memory_descriptors_and_connections_stay_the_same(runtime, handler, tmp_path):
    (tmp_path / "app.py").write_text(SOURCE)
    api = RuntimeApi(INVOCATIONS)
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", runtime, f"app.{handler}"],
            cwd=tmp_path,
            env={
                **os.environ,
                "AWS_LAMBDA_RUNTIME_API": api.address,
                "AWS_LAMBDA_FUNCTION_NAME": "fn",
                "LAMBDA_TASK_ROOT": str(tmp_path),
            },
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        assert api.at_warm.wait(30), json.dumps(api.ends)
        memory, descriptors = measure(process.pid)
        connections = api.connections
        api.go_on.set()
        assert api.done.wait(50), json.dumps(api.ends)
        memory_then, descriptors_then = measure(process.pid)
    finally:
        process.kill()
        process.wait()
        api.stop()
    tenth = INVOCATIONS // 10
    assert api.ends == {"streamed": 7 * tenth, "error": tenth, "failed": 2 * tenth}
    assert connections == api.connections == (1 if runtime == OWN else 2)
    assert descriptors_then == descriptors
    assert memory_then - memory < 1024
