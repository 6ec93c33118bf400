"""Sending and receiving on a connection without blocking the event loop.

Bytes are handed to the kernel directly, within the call, and the loop is asked only when
the kernel will not take more. So a chunk has left before the next line of the handler
runs, also if that line blocks the loop.
"""

from __future__ import annotations

import asyncio

from ..errors import StreamBrokenError
from .blocking import BlockingConnection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# An answer that is this near is waited for without a turn of the loop, which would take
# longer than most answers do. Other tasks stand still meanwhile.
_SOON_MS = 1


class AsyncioConnection:
    """An open connection, used from the running event loop.

    `connection` stays a blocking one for everybody else.
    """

    def __init__(self, connection: BlockingConnection) -> None:
        self._connection = connection
        self._fileno = connection.socket.fileno()
        self._loop = asyncio.get_running_loop()
        # Two tasks that write at once must not mix their chunks: while the kernel takes no
        # more, all wait here in the order they came.
        self._turn: asyncio.Lock | None = None
        self._waiting = 0
        self._cut = False

    async def send(self, buffers: Sequence[bytes]) -> None:
        """Send all of `buffers`; suspends while the kernel takes no more.

        Raises:
            StreamBrokenError: an earlier send was cancelled in its middle.
            OSError: the connection is broken.
        """
        rest = buffers
        if not self._waiting and not self._cut:
            rest = self._connection.send_ready(buffers)
            if not rest:
                return
        if self._turn is None:
            self._turn = asyncio.Lock()
        self._waiting += 1
        try:
            async with self._turn:
                self._check()
                while rest:
                    await self._ready(self._loop.add_writer, self._loop.remove_writer)
                    rest = self._connection.send_ready(rest)
        except asyncio.CancelledError:
            # Half a chunk cannot be taken back.
            self._cut = self._cut or rest is not buffers
            raise
        finally:
            self._waiting -= 1

    async def receive(self) -> bytes:
        """Bytes as they come; empty when the other side has closed."""
        if not self._connection.is_readable_within(_SOON_MS):
            await self._ready(self._loop.add_reader, self._loop.remove_reader)
        return self._connection.receive()

    def _check(self) -> None:
        if self._cut:
            raise StreamBrokenError("an earlier write was cancelled in its middle")
        if self._connection.socket.fileno() < 0:
            raise StreamBrokenError("the connection is closed")

    async def _ready(self, add: Callable[..., None], remove: Callable[[int], object]) -> None:
        ready = self._loop.create_future()
        add(self._fileno, _wake, ready)
        try:
            await ready
        finally:
            remove(self._fileno)


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
