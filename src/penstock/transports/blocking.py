"""A blocking TCP connection to the Runtime API.

A send returns when the kernel has all bytes, so a caller that reads slowly holds the
handler back through nothing but TCP.
"""

from __future__ import annotations

import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

RECEIVE_SIZE = 65536


class BlockingConnection:
    """One connection to `address` ("host:port"), opened at construction.

    Raises:
        OSError: the connection cannot be made (or, from the methods, is broken).
    """

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host.strip("[]"), int(port)))
        # Every write is to leave by itself, however small.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, buffers: Iterable[bytes]) -> None:
        """Send all of `buffers`, in one system call where the kernel takes them at once."""
        rest = list(buffers)
        while rest:
            rest = unsent(rest, self.socket.sendmsg(rest))

    def receive(self) -> bytes:
        """Bytes as they come; empty when the other side has closed."""
        return self.socket.recv(RECEIVE_SIZE)

    def receive_ready(self) -> bytes:
        """Bytes that are here already, else empty; never blocks, never raises."""
        try:
            return self.socket.recv(RECEIVE_SIZE, socket.MSG_DONTWAIT)
        except OSError:
            return b""

    def is_quiet(self) -> bool:
        """Whether it is open and nothing has come on it: fit for another request."""
        try:
            self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def close(self) -> None:
        """Close it; may be repeated."""
        self.socket.close()


def unsent(buffers: list[bytes], sent: int) -> list[bytes]:
    """What is left of `buffers` after `sent` bytes of them have left."""
    for index, buffer in enumerate(buffers):
        if sent < len(buffer):
            rest: list[bytes] = buffers[index:]
            if sent:
                rest[0] = memoryview(buffer)[sent:]  # type: ignore[call-overload]
            return rest
        sent -= len(buffer)
    return []
