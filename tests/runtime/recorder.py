"""A Runtime API that hands out events and writes down, chunk by chunk, what comes back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import h11

REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe5987fcd0"

# In the year 2100. AWS's client counts nanoseconds in 64 bits, so not much later.
DEADLINE_MS = "4102444800000"

TRACE_ID = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"


Headers = dict[str, str | None]


@dataclass
class Recorded:
    """One request, with the body in the chunks it came in, on the nth connection."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    connection: int = 0
    chunks: list[bytes] = field(default_factory=list)
    trailers: dict[str, str] = field(default_factory=dict)
    complete: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(found) if found else None

    @property
    def action(self) -> str:
        """`next`, `response`, `error`, `init/error`, `restore/next` or `restore/error`."""
        kind, _, last = self.path.rpartition("/runtime/")[2].partition("/")
        return f"{kind}/{last}" if kind != "invocation" else last.rpartition("/")[2]


class RuntimeApiRecorder:
    """Listens on loopback; after the last event `/next` is answered 410, which ends a runtime.

    An event may bring headers of its own, which replace those for all, and those the usual
    ones; None leaves one out. `answers` maps an action (`response`, `error`) to the status to
    answer with; `close_after` closes a response's connection after so many bytes of its body.
    """

    def __init__(
        self,
        events: Sequence[bytes | tuple[bytes, Headers]],
        headers: Headers | None = None,
        answers: dict[str, int] | None = None,
        close_after: int | None = None,
    ) -> None:
        self.requests: list[Recorded] = []
        self.connections = 0
        self._events = list(events)
        self._headers = headers or {}
        self._answers = answers or {}
        self._close_after = close_after
        self._given = 0
        self._giving = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        # Closing alone does not wake a thread in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def posts(self) -> list[Recorded]:
        return [request for request in self.requests if request.method == "POST"]

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(
                target=self._serve, args=(connected, self.connections), daemon=True
            ).start()

    def _serve(self, connected: socket.socket, number: int) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=2_000_000)
        with connected:
            while True:
                try:
                    request = self._read(connected, connection, number)
                    if request is None:
                        return
                    self._answer(connected, connection, request)
                except (h11.RemoteProtocolError, OSError):
                    return  # a test may kill its process at any moment
                connection.start_next_cycle()

    def _read(
        self, connected: socket.socket, connection: h11.Connection, number: int
    ) -> Recorded | None:
        request: Recorded | None = None
        starts = True
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(connected.recv(65536))
            elif isinstance(event, h11.Request):
                request = Recorded(
                    event.method.decode(),
                    event.target.decode(),
                    [
                        (name.decode(), value.decode("utf-8", "replace"))
                        for name, value in event.headers.raw_items()
                    ],
                    number,
                )
                self.requests.append(request)
            elif isinstance(event, h11.Data) and request is not None:
                starts = starts or event.chunk_start
                if starts:
                    request.chunks.append(bytes(event.data))
                else:
                    request.chunks[-1] += bytes(event.data)
                starts = event.chunk_end
                if self._close_after is not None and len(request.body) >= self._close_after:
                    connected.shutdown(socket.SHUT_RDWR)
                    return None
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                request.trailers = {
                    name.decode(): value.decode() for name, value in event.headers.raw_items()
                }
                request.complete = True
                return request
            else:
                return None

    def _answer(
        self, connected: socket.socket, connection: h11.Connection, request: Recorded
    ) -> None:
        usual = 200 if request.method == "GET" else 202
        status, body = self._answers.get(request.action, usual), b'{"status":"OK"}\n'
        headers: Headers = {"Content-Type": "application/json"}
        if request.action == "next":
            with self._giving:
                given, self._given = self._given, self._given + 1
            if given >= len(self._events):
                status, body = 410, b""
            else:
                event = self._events[given]
                status = 200
                body, its_own = event if isinstance(event, tuple) else (event, {})
                last = int(REQUEST_ID[-1], 16) + given
                headers |= {
                    "Lambda-Runtime-Aws-Request-Id": f"{REQUEST_ID[:-1]}{last:x}",
                    "Lambda-Runtime-Deadline-Ms": DEADLINE_MS,
                    "Lambda-Runtime-Invoked-Function-Arn": (
                        "arn:aws:lambda:us-east-1:123456789012:function:fn"
                    ),
                    "Lambda-Runtime-Trace-Id": TRACE_ID,
                    **self._headers,
                    **its_own,
                }
        headers["Content-Length"] = str(len(body))
        lines = [(name, value) for name, value in headers.items() if value is not None]
        data = connection.send(h11.Response(status_code=status, headers=lines))
        data += connection.send(h11.Data(data=body)) if body else b""
        connected.sendall(data + connection.send(h11.EndOfMessage()))
