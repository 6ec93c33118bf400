"""How an app hears that its time is nearly up.

Lambda ends a function that is out of time between two bytes, and the environment with it.
Before that an ASGI app is told that its client is gone, and later cancelled; a WSGI app
gets an exception where it is.
"""

from __future__ import annotations

from ..deadline import DeadlineGuard

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Generator
    from typing import Any

# Of the time that there is at the start, and in milliseconds at most.
_SHARE, _MOST_MS = 0.1, 500


def guard_of(context: Any, margin_ms: int | None) -> DeadlineGuard | None:
    """What knows when the time has come: `margin_ms` before the deadline.

    None for `margin_ms` is a tenth of the time that is left now, at most 500 ms. With 0,
    off Lambda, and without a deadline, there is no guard.
    """
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    if remaining is None or margin_ms == 0:
        return None
    left = remaining()
    # A stand-in of a test, or a client that was given no deadline, says nothing of use.
    if not isinstance(left, (int, float)) or left <= 0:
        return None
    if margin_ms is None:
        margin_ms = int(min(_MOST_MS, left * _SHARE))
    return DeadlineGuard(context, max(1, margin_ms))


class Timed:
    """Awaits an app's coroutine; calls `warn` when the time has come, and cancels it later.

    It is cancelled after half of the margin, so that there is time to say that it failed;
    `give_up` is called before that, as the app may catch it and go on.
    No timer is set for an app that answers without waiting for anything.
    """

    def __init__(
        self,
        app: Coroutine[Any, Any, None],
        guard: DeadlineGuard,
        warn: Callable[[], None],
        give_up: Callable[[], None],
    ) -> None:
        self._app = app
        self._guard = guard
        self._patience = guard.margin_ms / 2000
        self._warn = warn
        self._give_up = give_up
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[Any] | None = None
        #: Whether the app was cancelled because its time was up.
        self.has_cancelled = False

    def __await__(self) -> Generator[Any, Any, None]:
        step = self._app.__await__()
        try:
            pending = next(step)
            self._set()
            while True:
                # The first time it waits; all others are between the app and the loop.
                try:
                    yield pending
                except GeneratorExit:
                    step.close()
                    raise
                except BaseException as exc:
                    pending = step.throw(exc)
                else:
                    break
            yield from step
        except StopIteration:
            return
        finally:
            self._stop()

    def _set(self) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._timer = loop.call_later(max(0.0, self._guard.seconds_left()), self._ring, loop)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._warn()
        self._timer = loop.call_later(self._patience, self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self.has_cancelled = True
            self._give_up()
            self._task.cancel()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.has_cancelled and self._task is not None:
            self._task.uncancel()
