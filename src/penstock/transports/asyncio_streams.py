"""Sending and receiving on a connection without blocking the event loop.

Bytes are handed to the kernel directly, within the call, and the loop is asked only when
the kernel will not take more. So a chunk has left before the next line of the handler
runs, also if that line blocks the loop.
"""

from __future__ import annotations

import asyncio

from ..errors import StreamBrokenError
from .blocking import AnsweredEarly, BlockingConnection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

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

    def send_ready(self, buffers: Sequence[bytes]) -> Sequence[bytes]:
        """Send what the kernel takes at once, if nobody is waiting to send.

        Returns what is left, which goes to `send_rest` before anything else is done.

        Raises:
            StreamBrokenError: an earlier send was cancelled in its middle.
            OSError: the connection is broken.
        """
        if self._waiting:
            return buffers
        self._check()
        return self._connection.send_ready(buffers)

    async def send_rest(self, rest: Sequence[bytes], buffers: Sequence[bytes]) -> None:
        """Send what `send_ready` has left of `buffers`; raises as it does."""
        if self._turn is None:
            self._turn = asyncio.Lock()
        self._waiting += 1
        try:
            async with self._turn:
                self._check()
                while rest:
                    await self._writable()
                    rest = self._connection.send_ready(rest)
        except BaseException:
            # Half a chunk cannot be taken back.
            self._cut = self._cut or rest is not buffers
            raise
        finally:
            self._waiting -= 1

    def receive_soon(self) -> bytes | None:
        """Bytes that are here within a millisecond, or None."""
        if self._connection.is_readable_within(_SOON_MS):
            return self._connection.receive()
        return None

    async def receive(self) -> bytes:
        """Bytes as they come; empty when the other side has closed."""
        ready = self._loop.create_future()
        self._loop.add_reader(self._fileno, _wake, ready, "readable")
        try:
            await ready
        finally:
            self._loop.remove_reader(self._fileno)
            self._connection.stay_blocking()
        return self._connection.receive()

    def _check(self) -> None:
        if self._cut:
            raise StreamBrokenError("an earlier write was cancelled in its middle")
        if self._connection.socket.fileno() < 0:
            raise StreamBrokenError("the connection is closed")

    async def _writable(self) -> None:
        ready = self._loop.create_future()
        self._loop.add_writer(self._fileno, _wake, ready, "writable")
        self._loop.add_reader(self._fileno, _wake, ready, "readable")
        try:
            if await ready == "readable" and not self._connection.is_writable():
                raise AnsweredEarly
        finally:
            self._loop.remove_writer(self._fileno)
            self._loop.remove_reader(self._fileno)
            self._connection.stay_blocking()


def _wake(ready: asyncio.Future[str], how: str) -> None:
    if not ready.done():
        ready.set_result(how)
