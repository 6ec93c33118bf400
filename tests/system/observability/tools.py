"""What tests of tools in handlers share: calls with a trace, logs, and what tools report to."""

from __future__ import annotations

import gzip
import json
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.conftest import LocalFunction
from tests.tools import PATIENCE, lambda_client

ROOT, PARENT = "1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
TRACE = f"Root={ROOT};Parent={PARENT};Sampled=1"
ANOTHER_TRACE = "Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1"

FAILS = """
@streamify_response
def handler(event, context):
    yield "one"
    fail("no\\n  more")

def fail(message):
    raise ValueError(message)
"""


def stream(
    function: LocalFunction, event: dict[str, Any] | None = None, trace: str = TRACE
) -> Iterator[str]:
    """Invoke with a trace header; the chunks of the response as they come."""
    client = lambda_client(function.url)

    def add_trace(request: Any, **_: object) -> None:
        request.headers["X-Amzn-Trace-Id"] = trace

    client.meta.events.register("before-sign.lambda", add_trace)
    answer = client.invoke_with_response_stream(
        FunctionName=function.name, Payload=json.dumps(event or {})
    )
    for part in answer["EventStream"]:
        if "PayloadChunk" in part:
            yield part["PayloadChunk"]["Payload"].decode()


def request_ids(log: str) -> list[str]:
    return re.findall(r"^START RequestId: (\S+)", log, re.M)


def json_lines(log: str, mark: str = "") -> list[dict[str, Any]]:
    lines = [line.removeprefix(mark) for line in log.splitlines() if line.startswith(f"{mark}{{")]
    return [json.loads(line) for line in lines]


class Daemon:
    """What the X-Ray daemon is to the SDK: it takes segments by UDP."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(PATIENCE)
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def receive(self, count: int) -> list[dict[str, Any]]:
        """The next segments, in the order in which they ended."""
        segments = []
        for _ in range(count):
            head, _, segment = self._socket.recv(65536).partition(b"\n")
            assert json.loads(head) == {"format": "json", "version": 1}
            segments.append(json.loads(segment))
        return segments

    def close(self) -> None:
        self._socket.close()


class Site:
    """A web server that remembers what it was asked; `hold` keeps the answers back."""

    def __init__(self) -> None:
        self.requests: list[tuple[str | None, bytes]] = []
        self.answers = threading.Event()
        self.answers.set()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                site.requests.append((self.headers.get("X-Amzn-Trace-Id"), body))
                site.answers.wait(PATIENCE)
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_POST = answer

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,)).start()

    def close(self) -> None:
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()
