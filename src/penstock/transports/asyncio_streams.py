"""Sending and receiving on a connection without blocking the event loop.

Bytes are handed to the kernel directly, within the call, and the loop is asked only when
the kernel will not take more. So a chunk has left before the next line of the handler
runs, also if that line blocks the loop.
"""

from __future__ import annotations

import asyncio
import socket

from ..errors import StreamBrokenError
from .blocking import RECEIVE_SIZE, BlockingConnection, unsent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class AsyncioConnection:
    """An open connection, used from the running event loop.

    `connection` stays a blocking one for everybody else.
    """

    def __init__(self, connection: BlockingConnection) -> None:
        self._socket = connection.socket
        self._loop = asyncio.get_running_loop()
        # Two tasks that write at once must not mix their chunks.
        self._sending = asyncio.Lock()
        self._cut = False

    async def send(self, buffers: Iterable[bytes]) -> None:
        """Send all of `buffers`; suspends while the kernel takes no more.

        Raises:
            StreamBrokenError: an earlier send was cancelled in its middle.
            OSError: the connection is broken.
        """
        rest = list(buffers)
        async with self._sending:
            if self._cut:
                raise StreamBrokenError("an earlier write was cancelled in its middle")
            begun = False
            try:
                while rest:
                    try:
                        sent = self._socket.sendmsg(rest, (), socket.MSG_DONTWAIT)
                    except BlockingIOError:
                        await self._ready(self._loop.add_writer, self._loop.remove_writer)
                    else:
                        begun = True
                        rest = unsent(rest, sent)
            except asyncio.CancelledError:
                self._cut = begun
                raise

    async def receive(self) -> bytes:
        """Bytes as they come; empty when the other side has closed."""
        while True:
            try:
                return self._socket.recv(RECEIVE_SIZE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                await self._ready(self._loop.add_reader, self._loop.remove_reader)

    async def _ready(
        self, add: Callable[..., None], remove: Callable[[socket.socket], object]
    ) -> None:
        ready = self._loop.create_future()
        add(self._socket, _wake, ready)
        try:
            await ready
        finally:
            remove(self._socket)


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
