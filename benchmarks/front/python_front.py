"""The least that a front can do in Python: what the language itself takes for the way.

    python_front.py PORT runtime [argument ...]

It starts the runtime, is its Runtime API, and passes what it posts on to the caller, whole
chunks by whole chunks. A thread serves each connection with blocking sockets, and the runtime's
writes to the caller's, as in the emulator. One runtime, one caller at a time; the event is the
body of the caller's request. No limits, no log, no time limits, no errors.
"""

import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

READ_SIZE = 262144

_EVENT_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b"Lambda-Runtime-Aws-Request-Id: 00000000-0000-4000-8000-000000000000\r\n"
    b"Lambda-Runtime-Deadline-Ms: 9999999999999\r\n"
    b"Lambda-Runtime-Invoked-Function-Arn: "
    b"arn:aws:lambda:us-east-1:123456789012:function:benchmark\r\n"
    b"Lambda-Runtime-Trace-Id: Root=1-00000000-000000000000000000000000;Sampled=0\r\n"
    b"Content-Length: %d\r\n\r\n"
)
_ANSWER_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
_ACCEPTED = (
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n"
    b'Content-Length: 16\r\n\r\n{"status":"OK"}\n'
)


class Call(NamedTuple):
    """A caller who waits for `ended` to be released."""

    event: bytes
    caller: socket.socket
    ended: threading.Lock


class Requests:
    """What comes on a connection: heads, and the body behind each."""

    def __init__(self, connected: socket.socket) -> None:
        self._file = connected.makefile("rb", READ_SIZE)
        self._length: int | None = 0

    def head(self) -> bytes:
        """The next request line; empty when there is none any more."""
        first = self._file.readline()
        self._length = 0
        while (line := self._file.readline().lower()) not in (b"\r\n", b""):
            if line.startswith(b"content-length:"):
                self._length = int(line[15:])
            elif line.startswith(b"transfer-encoding:"):
                self._length = None
        return first

    def body(self) -> Iterator[bytes]:
        """The chunks of that request's body; all of it is one if it has a length."""
        if self._length is not None:
            yield self._file.read(self._length)
            return
        while size := int(self._file.readline(), 16):
            yield self._file.read(size)
            self._file.readline()
        while self._file.readline() not in (b"\r\n", b""):
            pass  # trailers


_calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
_running: list[Call] = []


def serve_runtime(connected: socket.socket) -> None:
    """Hand out events, and pass on the answers."""
    requests = Requests(connected)
    while head := requests.head():
        if head.startswith(b"GET "):
            _running[:] = [_calls.get()]
            event = _running[0].event
            connected.sendmsg([_EVENT_HEAD % len(event), event])
            continue
        _, caller, ended = _running[0]
        before = _ANSWER_HEAD
        for chunk in requests.body():
            send_all(caller, [before, b"%x\r\n" % len(chunk), chunk, b"\r\n"])
            before = b""
        caller.sendall(before + b"0\r\n\r\n")
        connected.sendall(_ACCEPTED)
        ended.release()


def serve_caller(connected: socket.socket) -> None:
    """Take one request after the other; the runtime's thread answers."""
    requests = Requests(connected)
    ended = threading.Lock()
    ended.acquire()
    while requests.head():
        _calls.put(Call(b"".join(requests.body()), connected, ended))
        ended.acquire()


def send_all(connected: socket.socket, parts: list[bytes]) -> None:
    """Send them together, and what did not go out at once as one piece."""
    sent = connected.sendmsg(parts)
    if sent < sum(map(len, parts)):
        connected.sendall(memoryview(b"".join(parts))[sent:])


def accept(listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    """Serve each connection in a thread of its own, for ever."""
    while True:
        connected, _ = listener.accept()
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(connected,), daemon=True).start()


def main() -> None:
    """Run the command line."""
    front = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    api = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{api.getsockname()[1]}"
    threading.Thread(target=accept, args=(api, serve_runtime), daemon=True).start()
    subprocess.Popen(sys.argv[2:], env={**os.environ, "AWS_LAMBDA_RUNTIME_API": address})
    accept(front, serve_caller)


if __name__ == "__main__":
    main()
