"""A blocking TCP connection to the Runtime API.

A send returns when the kernel has all bytes, so a caller that reads slowly holds the
handler back through nothing but TCP.
"""

from __future__ import annotations

# `socket` costs 2.5 ms to import, for names and enums that nothing here uses.
import _socket
from select import POLLIN, POLLOUT, poll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

RECEIVE_SIZE = 65536

_DONTWAIT = _socket.MSG_DONTWAIT


class AnsweredEarly(ConnectionError):
    """The other side has answered, and takes no more of what it has not waited for."""

    def __str__(self) -> str:
        return "the Runtime API closed, or answered before the end"


class BlockingConnection:
    """One connection to `address` ("host:port"), opened at construction.

    Raises:
        OSError: the connection cannot be made (or, from the methods, is broken).
    """

    def __init__(self, address: str) -> None:
        self.socket = _connect(address)
        # Every write is to leave by itself, however small.
        self.socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self._send = self.socket.send
        self._sendmsg = self.socket.sendmsg
        self._readable: Any = None

    def send(self, buffers: Sequence[bytes]) -> None:
        """Send all of `buffers`, in one system call where the kernel takes them at once."""
        rest = self.send_ready(buffers)
        if not rest:
            return
        # Waiting for a third of the buffer to be free, as poll does, rather than for any
        # room, as a send that blocks: it is a third faster with chunks of 64 KiB.
        waiting = poll()
        waiting.register(self.socket.fileno(), POLLIN | POLLOUT)
        while rest:
            ((_, ready),) = waiting.poll()
            if ready == POLLIN:
                raise AnsweredEarly
            rest = self.send_ready(rest)

    def send_ready(self, buffers: Sequence[bytes]) -> Sequence[bytes]:
        """Send what the kernel takes at once; never blocks.

        Returns what is left: nothing, or `buffers` itself if nothing was sent.
        """
        try:
            if len(buffers) == 1:
                sent = self._send(buffers[0], _DONTWAIT) - len(buffers[0])
            else:
                sent = self._sendmsg(buffers, (), _DONTWAIT)
                for buffer in buffers:
                    sent -= len(buffer)
        except BlockingIOError:
            return buffers
        return () if not sent else _last_bytes(buffers, -sent)

    def receive(self) -> bytes:
        """Bytes as they come; empty when the other side has closed."""
        return self.socket.recv(RECEIVE_SIZE)

    def receive_ready(self) -> bytes:
        """Bytes that are here already, else empty; never blocks, never raises."""
        try:
            return self.socket.recv(RECEIVE_SIZE, _DONTWAIT)
        except OSError:
            return b""

    def is_readable_within(self, milliseconds: int) -> bool:
        """Block until `receive` would not, for so long at most; whether it would not."""
        if self._readable is None:
            self._readable = poll()
            self._readable.register(self.socket.fileno(), POLLIN)
        return bool(self._readable.poll(milliseconds))

    def is_writable(self) -> bool:
        """Whether the kernel would take something now."""
        waiting = poll()
        waiting.register(self.socket.fileno(), POLLOUT)
        return bool(waiting.poll(0))

    def stay_blocking(self) -> None:
        """Undo what an event loop that watched the socket has done to it, as uvloop does."""
        if self.socket.fileno() >= 0:
            self.socket.setblocking(True)

    def is_quiet(self) -> bool:
        """Whether it is open and nothing has come on it: fit for another request."""
        try:
            self.socket.recv(1, _socket.MSG_PEEK | _DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def close(self) -> None:
        """Close it; may be repeated."""
        self.socket.close()


def _connect(address: str) -> _socket.socket:
    host, _, port = address.rpartition(":")
    # As bytes: for a str the codec for international names is imported.
    found = _socket.getaddrinfo(host.strip("[]").encode(), int(port), type=_socket.SOCK_STREAM)
    error: OSError | None = None
    for family, kind, protocol, _name, socket_address in found:
        connecting = _socket.socket(family, kind, protocol)
        try:
            connecting.connect(socket_address)
        except OSError as exc:
            connecting.close()
            error = exc
        else:
            return connecting
    raise error or OSError(f"{host} has no address")


def _last_bytes(buffers: Sequence[bytes], count: int) -> Sequence[bytes]:
    rest: list[bytes] = []
    for buffer in reversed(buffers):
        rest.insert(0, buffer if count >= len(buffer) else memoryview(buffer)[-count:])  # type: ignore[arg-type]
        count -= len(buffer)
        if count <= 0:
            break
    return rest
