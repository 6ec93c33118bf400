"""The deadline guard: `DeadlineApproaching` in the handler before Lambda ends it.

Lambda ends a function that is out of time between two bytes. A handler that hears of it
shortly before can still say so in its stream and end it.

It is raised once, and only where the handler can deal with it:

- in async handlers at what they await when the time comes, or at their next write;
- in others on the main thread wherever they are, through a timer signal, except in the
  middle of a write, which first comes to its end;
- on other threads, where nothing may be raised from outside, at the next write or `yield`.
"""

from __future__ import annotations

from functools import wraps
from time import monotonic

from .errors import DeadlineApproaching

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from types import FrameType
    from typing import Any

# How often a signal that came in the middle of a write comes again.
_AGAIN_SECONDS = 0.005


def guarded(handler: Any, shape: str, margin_ms: int) -> Any:
    """The handler, of one of the four shapes, with the guard around each call of it."""
    if isinstance(margin_ms, bool) or not isinstance(margin_ms, int) or margin_ms <= 0:
        raise ValueError(
            f"deadline_margin_ms is a number of milliseconds above 0, not {margin_ms!r}"
        )
    ways: dict[str, Callable[[Any, int], Any]] = {
        "function": _guarded_function,
        "generator": _guarded_generator,
        "coroutine": _guarded_coroutine,
        "async generator": _guarded_async_generator,
    }
    return wraps(handler)(ways[shape](handler, margin_ms))


class DeadlineGuard:
    """Knows when the time has come, and has raised it or not."""

    def __init__(self, context: Any, margin_ms: int, now: Callable[[], float] = monotonic) -> None:
        self._context = context
        self._margin_ms = margin_ms
        self._now = now
        self._left_ms: int = context.get_remaining_time_in_millis()
        self._due_at: float = now() + (self._left_ms - margin_ms) / 1000
        self.raised = False

    def seconds_left(self) -> float:
        """Until the time has come; below 0 when it has."""
        return self._due_at - self._now()

    @property
    def _is_too_long(self) -> bool:
        return self._margin_ms >= self._left_ms

    def is_due(self) -> bool:
        """Whether the time has come and nobody has heard of it."""
        return not self.raised and self.seconds_left() <= 0

    def check(self) -> None:
        """Raise if the time has come: once."""
        if self.is_due():
            raise self.approaching()

    def approaching(self) -> DeadlineApproaching:
        """What to raise, which then is raised."""
        self.raised = True
        return DeadlineApproaching(
            f"{self._context.get_remaining_time_in_millis()} ms are left before Lambda ends "
            f"this invocation (deadline_margin_ms is {self._margin_ms}"
            + (f", and there were {self._left_ms} from its start)" if self._is_too_long else ")")
        )


def _guarded_function(handler: Any, margin_ms: int) -> Any:
    def call(event: Any, stream: Any, context: Any) -> Any:
        stream._guard = guard = DeadlineGuard(context, margin_ms)
        try:
            with _Timer(guard):
                return handler(event, stream, context)
        finally:
            stream._guard = None

    return call


def _guarded_generator(handler: Any, margin_ms: int) -> Any:
    def items(event: Any, context: Any) -> Iterator[Any]:
        guard = DeadlineGuard(context, margin_ms)
        inner = handler(event, context)
        move: Callable[..., Any] = inner.__next__
        arguments: tuple[Any, ...] = ()
        try:
            while True:
                try:
                    with _Timer(guard):
                        item = move(*arguments)
                except StopIteration:
                    return
                move, arguments = inner.__next__, ()
                try:
                    yield item
                    guard.check()
                except Exception as exc:
                    # At the `yield` that gave it, so that the handler can deal with it.
                    move, arguments = inner.throw, (exc,)
        finally:
            inner.close()

    return items


def _guarded_coroutine(handler: Any, margin_ms: int) -> Any:
    async def call(event: Any, stream: Any, context: Any) -> Any:
        stream._guard = guard = DeadlineGuard(context, margin_ms)
        try:
            return await _Driven(handler(event, stream, context), guard)
        finally:
            stream._guard = None

    return call


def _guarded_async_generator(handler: Any, margin_ms: int) -> Any:
    async def items(event: Any, context: Any) -> Any:
        guard = DeadlineGuard(context, margin_ms)
        inner = handler(event, context)
        step = anext(inner)
        try:
            while True:
                try:
                    item = await _Driven(step, guard)
                except StopAsyncIteration:
                    return
                try:
                    yield item
                    guard.check()
                except Exception as exc:
                    step = inner.athrow(exc)
                else:
                    step = anext(inner)
        finally:
            await inner.aclose()

    return items


class _Timer:
    """Raises on the main thread by way of a signal, while the block runs; else does nothing.

    A function that uses SIGALRM itself keeps it: then only writes and yields raise.
    """

    def __init__(self, guard: DeadlineGuard) -> None:
        self._guard = guard
        self._is_set = False

    def __enter__(self) -> None:
        import signal
        import threading

        if (
            self._guard.raised
            or threading.current_thread() is not threading.main_thread()
            or signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL
        ):
            return
        self._is_set = True
        signal.signal(signal.SIGALRM, self._ring)
        # 0 would turn the timer off.
        seconds = max(self._guard.seconds_left(), 1e-6)
        signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)

    def __exit__(self, *exc_info: object) -> None:
        self._stop()

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if self._guard.raised or _is_in_penstock(frame):
            return
        self._stop()
        raise self._guard.approaching()

    def _stop(self) -> None:
        if self._is_set:
            import signal

            self._is_set = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)


_PENSTOCK = __name__.rpartition(".")[0] + "."
_PIPELINES = _PENSTOCK + "pipelines"


def _is_in_penstock(interrupted: FrameType | None) -> bool:
    """Whether what was interrupted is work of Penstock's that has to come to its end."""
    frame = interrupted
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        # `pipeline` does the handler's work: reading a file, say.
        if module.startswith(_PENSTOCK) and module != _PIPELINES:
            break
        frame = frame.f_back
    # Below the handler there is this module, which called it.
    return frame is None or frame is interrupted or module != __name__


class _Driven:
    """Awaits a coroutine, or a step of an async generator, and raises in it when it is time.

    As `asyncio.timeout` does it, by cancelling the task, which here is turned into
    `DeadlineApproaching` before the handler sees it.
    """

    def __init__(self, step: Any, guard: DeadlineGuard) -> None:
        self._step = step.__await__()
        self._guard = guard

    def __await__(self) -> Generator[Any, Any, Any]:
        step, guard = self._step, self._guard
        move: Callable[..., Any] = step.send
        arguments: tuple[Any, ...] = (None,)
        alarm: _Alarm | None = None
        try:
            while True:
                pending = move(*arguments)
                if alarm is None and not guard.raised:
                    alarm = _Alarm(guard)
                try:
                    sent = yield pending
                except GeneratorExit:
                    step.close()
                    raise
                except BaseException as exc:
                    if alarm is not None and alarm.has_caused(exc):
                        exc = guard.approaching()
                    move, arguments = step.throw, (exc,)
                else:
                    move, arguments = step.send, (sent,)
        except StopIteration as done:
            return done.value
        finally:
            if alarm is not None:
                alarm.stop()


class _Alarm:
    """Cancels the task it was made in when the time has come."""

    def __init__(self, guard: DeadlineGuard) -> None:
        import asyncio

        self._guard = guard
        self._task = asyncio.current_task()
        self._rang = False
        loop = asyncio.get_running_loop()
        self._call = loop.call_later(max(0.0, guard.seconds_left()), self._ring)

    def has_caused(self, error: BaseException) -> bool:
        """Whether `error` is the cancelling of this alarm and of nobody else."""
        import asyncio

        if not self._rang or not isinstance(error, asyncio.CancelledError):
            return False
        self._rang = False
        assert self._task is not None
        return self._task.uncancel() == 0

    def stop(self) -> None:
        """Ring no more."""
        self._call.cancel()
        if self._rang and self._task is not None:
            self._rang = False
            self._task.uncancel()

    def _ring(self) -> None:
        if not self._guard.raised and self._task is not None:
            self._rang = True
            self._task.cancel()
