"""A sign of life on a stream that is silent, in between the writes of its owner.

Both kinds hold a lock around each write, so that a heartbeat never comes into the middle of
one, and set one timer for all writes: a write only notes when it was.
"""

from __future__ import annotations

from time import monotonic

from .errors import StreamError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable
    from threading import Thread


class Heartbeats:
    """Calls `beat` from a thread of its own when nothing was written for `seconds`.

    `with heartbeats:` is around each write. There are no heartbeats before `start` and after
    `stop`, or when a beat has failed: the owner's next write will, too. With None for
    `seconds` there are none, and no thread.
    """

    def __init__(self, beat: Callable[[], None], seconds: float | None) -> None:
        from threading import Event, Lock

        self._beat = beat
        self._seconds = seconds
        self._lock = Lock()
        self._stopped = Event()
        self._thread: Thread | None = None
        self._written_at = 0.0

    def start(self) -> None:
        """Begin to listen, as if something had been written now."""
        if self._seconds is None or self._thread is not None or self._stopped.is_set():
            return
        from threading import Thread

        self._written_at = monotonic()
        thread = Thread(target=self._run, name="penstock-heartbeats", daemon=True)
        # `stop` waits for it, and can only do so for one that runs.
        thread.start()
        self._thread = thread

    def stop(self) -> None:
        """No more heartbeats. Returns when none is under way; may be repeated."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self._written_at = monotonic()
        self._lock.release()

    def _run(self) -> None:
        assert self._seconds is not None
        left = self._seconds
        while not self._stopped.wait(left):
            with self._lock:
                left = self._written_at + self._seconds - monotonic()
                if left > 0 or self._stopped.is_set():
                    continue
                try:
                    self._beat()
                except StreamError:
                    return
                self._written_at = monotonic()
                left = self._seconds


class AsyncHeartbeats:
    """The same on the running event loop, without a thread. `stop` is awaited.

    While something blocks the loop there are none.
    """

    def __init__(self, beat: Callable[[], Awaitable[None]], seconds: float | None) -> None:
        from asyncio import Lock, get_running_loop

        self._beat = beat
        self._seconds = seconds
        self._lock = Lock()
        self._loop = get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stopped = False
        self._written_at = 0.0

    def start(self) -> None:
        """Begin to listen, as if something had been written now."""
        if self._seconds is not None and self._timer is None and not self._is_stopped:
            self._written_at = self._loop.time()
            self._listen(self._seconds)

    async def stop(self) -> None:
        """No more heartbeats. Returns when none is under way; may be repeated."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None and not self._task.done():
            from asyncio import wait

            # Awaited directly, it would be cancelled with the caller, and half a chunk
            # cannot be taken back.
            await wait([self._task])

    async def __aenter__(self) -> None:
        await self._lock.acquire()

    async def __aexit__(self, *exc_info: object) -> None:
        self._written_at = self._loop.time()
        self._lock.release()

    def _listen(self, seconds: float) -> None:
        self._timer = self._loop.call_later(seconds, self._ring)

    def _left(self) -> float:
        assert self._seconds is not None
        return self._written_at + self._seconds - self._loop.time()

    def _ring(self) -> None:
        assert self._seconds is not None
        if self._lock.locked():
            # A write is held by a slow reader: there is no silence.
            self._listen(self._seconds)
        elif (left := self._left()) > 0:
            self._listen(left)
        else:
            self._task = self._loop.create_task(self._beat_once())

    async def _beat_once(self) -> None:
        assert self._seconds is not None
        async with self._lock:
            if self._left() <= 0 and not self._is_stopped:
                try:
                    await self._beat()
                except StreamError:
                    return
                self._written_at = self._loop.time()
        if not self._is_stopped:
            self._listen(max(0.0, self._left()))
