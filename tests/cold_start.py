"""One invocation in a Python that has just started, and the modules it has imported then."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading

from tests.package_modules import PACKAGE

EXPENSIVE = {
    "asyncio",
    "dataclasses",
    "email",
    "http.client",
    "inspect",
    "logging",
    "ssl",
    "traceback",
    "typing",
}

# -S: what site and its .pth files import is no business of ours.
RUN_ONCE = """
import sys
sys.path[:0] = {path!r}
before = set(sys.modules)
from penstock.runtime.bootstrap import main
main(["app.handler"])
print(*sorted(set(sys.modules) - before))
"""

NEXT = (
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: application/json\r\n"
    b"Lambda-Runtime-Aws-Request-Id: 8476a536\r\n"
    b"Lambda-Runtime-Deadline-Ms: 1789473345381\r\n"
    b"Lambda-Runtime-Trace-Id: Root=1-5759e988\r\n"
    b"Content-Length: 2\r\n"
    b"\r\n"
    b"{}"
)
ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{"status":"OK"}\n'
GONE = b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"


# How each request of one invocation ends (a streamed or a JSON response), and its answer.
EXCHANGES = [((b"\r\n\r\n",), NEXT), ((b"0\r\n\r\n", b"}"), ACCEPTED), ((b"\r\n\r\n",), GONE)]


def give_one_invocation(server, received):
    """A Runtime API that has one invocation, takes its answer, and then has no more."""
    connection, _ = server.accept()
    with connection:
        connection.settimeout(30)
        for ends, answer in EXCHANGES:
            data = b""
            while not data.endswith(ends):
                piece = connection.recv(65536)
                if not piece:
                    return
                data += piece
            received.append(data)
            connection.sendall(answer)


def modules_after_one_invocation(handler, folder):
    """What the runtime has imported when `handler` has answered one invocation."""
    (folder / "app.py").write_text(handler)
    received = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        thread = threading.Thread(target=give_one_invocation, args=(server, received))
        thread.start()
        ended = subprocess.run(
            [
                sys.executable,
                "-S",
                "-c",
                RUN_ONCE.format(path=[str(PACKAGE.parent), str(folder)]),
            ],
            env={
                "PATH": os.environ.get("PATH", ""),
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.getsockname()[1]}",
            },
            capture_output=True,
            text=True,
            timeout=30,
        )
        thread.join()
    assert ended.returncode == 0, ended.stderr
    assert len(received) == 3, ended.stderr
    assert b"/8476a536/response HTTP/1.1\r\n" in received[1]
    return set(ended.stdout.split())
