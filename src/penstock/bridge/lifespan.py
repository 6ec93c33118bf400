"""The lifespan of an ASGI application: its start, once per environment, and its end.

Source: the ASGI specification, "Lifespan Protocol" 2.0. That Lambda says SIGTERM before it
ends an environment, but only if an extension is registered: AWS documentation, "Lambda
execution environment lifecycle", shutdown phase.
"""

from __future__ import annotations

import asyncio
from contextvars import copy_context

from ..errors import AppError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

    from .asgi import App, Message

# Lambda gives 500 ms with an internal extension and 2 s with an external one.
_END_SECONDS = 1.5


# Nobody else may hold them, and a task that is collected runs its `finally` blocks then.
_running: set[asyncio.Task[None]] = set()


class Lifespan:
    """The start and the end of an app, whose own task goes on in between.

    An app that does not know of lifespans is taken as started.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        # What is in force where the app is adapted, not in the invocation that comes first.
        self._context = copy_context()
        self.state: dict[str, Any] = {}
        self._failure: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Start the app, if that has not been done; return when it has started.

        Raises:
            AppError: it says that it cannot start.
        """
        # A loop that is closed has taken the app with it: in tests there are several.
        if self._loop is None or self._loop.is_closed():
            self._begin()
        if not self._started.is_set():
            await self._started.wait()
        if self._failure is not None:
            raise AppError(f"the app could not start: {self._failure}")

    async def end(self) -> None:
        """Tell an app that has started to end; return when it has, or does not in time."""
        if self._task is None or self._task.done():
            return
        self._ending.set()
        await asyncio.wait([self._task], timeout=_END_SECONDS)

    def _begin(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._messages = ["lifespan.startup", "lifespan.shutdown"]
        self._started = asyncio.Event()
        self._ending = asyncio.Event()
        self.state.clear()
        self._failure = None
        self._task = asyncio.create_task(
            self._run(), name="penstock lifespan", context=self._context.copy()
        )
        _running.add(self._task)
        self._task.add_done_callback(_running.discard)
        # It waits for as long as there is an environment: nothing is lost with it.
        self._task._log_destroy_pending = False  # type: ignore[attr-defined]

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self._app(scope, self._receive, self._send)
        except Exception as exc:
            import logging

            log = logging.getLogger("penstock")
            if not self._started.is_set():
                # As other servers do: an app that cannot start has a message to say so.
                log.info("the app has no lifespan", exc_info=exc)
            else:
                log.error("the app's lifespan failed", exc_info=exc)
        finally:
            self._started.set()

    async def _receive(self) -> Message:
        if len(self._messages) == 1:
            await self._ending.wait()
        if not self._messages:
            await asyncio.get_running_loop().create_future()
        return {"type": self._messages.pop(0)}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if not kind.startswith("lifespan."):
            raise AppError(f"an ASGI app cannot send {kind!r} in its lifespan")
        if kind == "lifespan.startup.failed":
            self._failure = str(message.get("message", "")) or "lifespan.startup.failed"
        elif kind == "lifespan.shutdown.failed" and self._ending.is_set():
            import logging

            logging.getLogger("penstock").error("the app could not end: %s", message.get("message"))
        if kind.startswith("lifespan.startup."):
            self._started.set()


class EndOnSigterm:
    """Ends the app when the process is told to end, and then the process, as SIGTERM does.

    Only on the main thread; AWS's client hears of signals from Python 3.12 on. A handler
    that the function has set before is called afterwards; one that it sets later is left
    alone, and this one is then never called.
    """

    def __init__(self, lifespan: Lifespan, run: Callable[[Any], Any]) -> None:
        self._lifespan = lifespan
        self._run = run
        self._before: Any = None
        self._is_due = False
        self._task: asyncio.Task[None] | None = None

    def install(self) -> None:
        """Listen for the signal from now on."""
        import signal
        import threading

        if threading.current_thread() is threading.main_thread():
            self._before = signal.getsignal(signal.SIGTERM)
            signal.signal(signal.SIGTERM, self._handle)

    def end_if_due(self) -> None:
        """End now if the signal came during a request and that is over before it took effect."""
        if self._is_due:
            self._end()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        loop = asyncio._get_running_loop()
        if loop is None:
            self._end()
            return
        # In the middle of a request, which ends with the process. The loop, asleep in its
        # `select`, would not notice a task that is made beside it.
        self._is_due = True
        loop.call_soon_threadsafe(self._end_on_loop, loop)

    def _end_on_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        async def end() -> None:
            await self._lifespan.end()
            self._die()

        self._task = loop.create_task(end(), name="penstock end")

    def _end(self) -> None:
        self._run(self._lifespan.end())
        self._die()

    def _die(self) -> None:
        import os
        import signal
        import sys

        self._is_due = False
        if callable(self._before):
            self._before(signal.SIGTERM, None)
            return
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
