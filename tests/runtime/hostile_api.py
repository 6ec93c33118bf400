"""A Runtime API that answers as it is told to, however wrong that is."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable

import h11

from .recorder import Recorded

ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{"status":"OK"}\n'
GONE = b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"
RESTORED = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def answer(
    status: int, body: bytes = b'{"errorMessage":"m","errorType":"t"}', *lines: str
) -> bytes:
    """A response with a status, a body, and more header lines if there are any."""
    head = [f"HTTP/1.1 {status} Some Reason", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join([*head, "", ""]).encode() + body


def event(body: bytes = b"{}", *lines: str) -> bytes:
    """An invocation, as `/next` is answered."""
    return answer(
        200,
        body,
        "Content-Type: application/json",
        "Lambda-Runtime-Aws-Request-Id: 8476a536",
        "Lambda-Runtime-Deadline-Ms: 4102444800000",
        *lines,
    )


class Connection:
    """The connection that a request came on, for whoever answers it."""

    def __init__(self, connected: socket.socket, api: HostileApi) -> None:
        self._socket = connected
        self._api = api

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def send_slowly(self, data: bytes) -> None:
        """Each byte by itself."""
        for index in range(len(data)):
            self._socket.sendall(data[index : index + 1])

    def close(self) -> None:
        """Close it as a server does that has no more to say."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def reset(self) -> None:
        """Close it as the kernel does for a process that was killed."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def die(self) -> None:
        """Reset the connection and take no other."""
        self._api.stop()
        self.reset()


Behaviour = bytes | Callable[[Connection], None]


class HostileApi:
    """Answers each action (`next`, `response`, ...) with what `behaviours` has for it, in turn.

    A behaviour is bytes to send, or a function of the connection. With none left `/next` is
    answered 410, which ends a runtime, and everything else as it should be. `at_chunk` is
    called when the first chunk of a streamed response has come, before its end.
    """

    def __init__(
        self,
        behaviours: dict[str, list[Behaviour]],
        at_chunk: Behaviour | None = None,
    ) -> None:
        self.requests: list[Recorded] = []
        self.connections = 0
        self._behaviours = {action: list(turns) for action, turns in behaviours.items()}
        self._at_chunk = at_chunk
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def actions(self) -> list[str]:
        return [request.action for request in self.requests]

    def stop(self) -> None:
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it has been stopped
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
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=2_000_000)
        connection = Connection(connected, self)
        with connected:
            try:
                while (request := self._read(connected, parser, connection)) is not None:
                    self._behave(self._next_behaviour(request.action), connection)
                    # Its answers are our own business; the parser only reads.
                    parser.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                    parser.send(h11.EndOfMessage())
                    parser.start_next_cycle()
            except (h11.ProtocolError, OSError):
                return

    def _next_behaviour(self, action: str) -> Behaviour:
        turns = self._behaviours.get(action)
        if turns:
            return turns.pop(0)
        return {"next": GONE, "restore/next": RESTORED}.get(action, ACCEPTED)

    def _behave(self, behaviour: Behaviour, connection: Connection) -> None:
        if isinstance(behaviour, bytes):
            connection.send(behaviour)
        else:
            behaviour(connection)

    def _read(
        self, connected: socket.socket, parser: h11.Connection, connection: Connection
    ) -> Recorded | None:
        request: Recorded | None = None
        while True:
            found = parser.next_event()
            if found is h11.NEED_DATA:
                parser.receive_data(connected.recv(65536))
            elif isinstance(found, h11.Request):
                request = Recorded(found.method.decode(), found.target.decode(), [])
                self.requests.append(request)
            elif isinstance(found, h11.Data) and request is not None:
                request.chunks.append(bytes(found.data))
                if self._at_chunk is not None and request.action == "response":
                    behaviour, self._at_chunk = self._at_chunk, None
                    self._behave(behaviour, connection)
            elif isinstance(found, h11.EndOfMessage) and request is not None:
                request.trailers = {
                    name.decode(): value.decode() for name, value in found.headers.raw_items()
                }
                request.complete = True
                return request
            else:
                return None
