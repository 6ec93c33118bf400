"""The deadline guard: `DeadlineApproaching` in the handler before Lambda ends it.

Lambda ends a function that is out of time between two bytes. A handler that hears of it
shortly before can still say so in its stream and end it.

It is raised once, and only where the handler can deal with it:

- in async handlers at what they await when the time comes, or at a write;
- in others on the main thread wherever they are, through a timer signal, but never in our
  own code, where it could leave a lock held or a response without its end;
- on other threads, where nothing may be raised from outside, at the next write or `yield`.

A write that has begun comes to its end first: half a chunk cannot be taken back.
"""

from __future__ import annotations

from _thread import get_ident
from functools import wraps
from time import monotonic

from .deadline_signal import NEVER, Timer
from .errors import DeadlineApproaching

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Generator, Iterator
    from typing import Any


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
    """Knows when the time has come, and has raised it or not.

    Off Lambda, where the context does not say how much is left, it never comes.
    """

    def __init__(self, context: Any, margin_ms: int, now: Callable[[], float] = monotonic) -> None:
        self._context = context
        self.margin_ms = margin_ms
        self._now = now
        remaining = getattr(context, "get_remaining_time_in_millis", None)
        self._left_ms: float = NEVER if remaining is None else remaining()
        self._due_at: float = now() + (self._left_ms - margin_ms) / 1000
        self.raised = False
        #: Whether a write is under way that is not the handler's, in which nothing is raised.
        self.is_held = False
        #: The thread or task that runs the handler, and whether it is in a write.
        self.owner: object = None
        self.writing = False

    def seconds_left(self) -> float:
        """Until the time has come; below 0 when it has."""
        return self._due_at - self._now()

    def check(self) -> None:
        """Raise if the time has come: once."""
        if not self.raised and not self.is_held and self.seconds_left() <= 0:
            raise self.approaching()

    def approaching(self, kind: type[DeadlineApproaching] = DeadlineApproaching) -> Exception:
        """What to raise, which then is raised."""
        self.raised = True
        late = f", and there were {self._left_ms} from its start"
        return kind(
            f"{self._context.get_remaining_time_in_millis()} ms are left before Lambda ends "
            f"this invocation (deadline_margin_ms is {self.margin_ms}"
            f"{late if self.margin_ms >= self._left_ms else ''})"
        )


def _guarded_function(handler: Any, margin_ms: int) -> Any:
    def call(event: Any, stream: Any, context: Any) -> Any:
        with GuardedBlock(DeadlineGuard(context, margin_ms), stream):
            return handler(event, stream, context)

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
                    with Timer(guard):
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
        from asyncio import current_task

        guard = DeadlineGuard(context, margin_ms)
        guard.owner = current_task()
        stream._guard, sink = guard, stream._sink
        stream._sink = _HeldAsyncSink(sink, guard)
        try:
            return await _Driven(handler(event, stream, context), guard)
        finally:
            stream._guard, stream._sink = None, sink

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


class GuardedBlock:
    """Raises in the block, which may write to `stream`, when the time has come."""

    def __init__(self, guard: DeadlineGuard, stream: Any = None) -> None:
        self._guard = guard
        self._stream = stream
        self._timer = Timer(guard)

    def __enter__(self) -> None:
        self._guard.owner = get_ident()
        stream = self._stream
        if stream is not None:
            self._sink = stream._sink
            stream._guard, stream._sink = self._guard, _HeldSink(stream._sink, self._guard)
        self._timer.__enter__()

    def __exit__(self, *exc_info: object) -> None:
        self._timer.__exit__()
        if self._stream is not None:
            self._stream._guard, self._stream._sink = None, self._sink


class _HeldSink:
    """A sink in whose calls nothing is raised from outside."""

    def __init__(self, sink: Any, guard: DeadlineGuard) -> None:
        self._sink = sink
        self._guard = guard

    def begin(self, content_type: str, chunks: list[bytes]) -> None:
        self._call(self._sink.begin, content_type, chunks)
        self._guard.check()

    def send(self, data: bytes) -> None:
        self._call(self._sink.send, data)
        self._guard.check()

    def end(self) -> None:
        self._call(self._sink.end)

    def fail(self, error: BaseException) -> None:
        self._call(self._sink.fail, error)

    def _call(self, call: Callable[..., None], *arguments: Any) -> None:
        guard = self._guard
        if get_ident() != guard.owner:
            call(*arguments)
            return
        guard.writing = True
        try:
            call(*arguments)
        finally:
            guard.writing = False


class _HeldAsyncSink:
    """The same for a sink that is awaited."""

    def __init__(self, sink: Any, guard: DeadlineGuard) -> None:
        self._sink = sink
        self._guard = guard

    async def begin(self, content_type: str, chunks: list[bytes]) -> None:
        await self._call(self._sink.begin(content_type, chunks))
        self._guard.check()

    async def send(self, data: bytes) -> None:
        await self._call(self._sink.send(data))
        self._guard.check()

    async def end(self) -> None:
        await self._call(self._sink.end())

    async def fail(self, error: BaseException) -> None:
        await self._call(self._sink.fail(error))

    async def _call(self, call: Coroutine[Any, Any, None]) -> None:
        from asyncio import current_task

        guard = self._guard
        if current_task() is not guard.owner:
            await call
            return
        guard.writing = True
        try:
            await call
        finally:
            guard.writing = False


class _Driven:
    """Awaits a coroutine, or a step of an async generator, and raises in it when it is time.

    As `asyncio.timeout` does it, by cancelling the task. The handler sees an exception that
    is both a `DeadlineApproaching` and a `CancelledError`, for whoever is awaited cleans up
    on the latter only; a handler that lets it through has failed and was not cancelled.
    """

    def __init__(self, step: Any, guard: DeadlineGuard) -> None:
        self._step = step.__await__()
        self._guard = guard

    def __await__(self) -> Generator[Any, Any, Any]:
        step = self._step
        alarm = _Alarm(self._guard)
        move: Callable[..., Any] = step.send
        arguments: tuple[Any, ...] = (None,)
        try:
            while True:
                pending = move(*arguments)
                alarm.arm()
                try:
                    sent = yield pending
                except GeneratorExit:
                    step.close()
                    raise
                except BaseException as exc:
                    move, arguments = step.throw, (alarm.instead_of(exc),)
                else:
                    alarm.settle()
                    move, arguments = step.send, (sent,)
        except StopIteration as done:
            return done.value
        except DeadlineApproaching as exc:
            raise DeadlineApproaching(*exc.args).with_traceback(exc.__traceback__) from None
        finally:
            alarm.stop()


class _Alarm:
    """Cancels the handler's task when the time has come, and owns up to it."""

    def __init__(self, guard: DeadlineGuard) -> None:
        self._guard = guard
        self._task: asyncio.Task[Any] | None = None
        self._call: asyncio.TimerHandle | None = None
        self._rang = False

    def arm(self) -> None:
        """Ring when it is time, if that has not been heard; also again."""
        seconds = self._guard.seconds_left()
        if self._call is None and not self._guard.raised and seconds < NEVER:
            import asyncio

            self._task = asyncio.current_task()
            loop = asyncio.get_running_loop()
            self._call = loop.call_later(max(0.0, seconds), self._ring)

    def instead_of(self, error: BaseException) -> BaseException:
        """What to raise for `error`: itself unless it is this alarm's doing alone."""
        import asyncio

        if not self._rang:
            return error
        others = self.settle()
        if others or not isinstance(error, asyncio.CancelledError):
            return error
        return self._guard.approaching(_cancelling())

    def settle(self) -> int:
        """Take the cancelling back. Returns how often others have cancelled."""
        if not self._rang or self._task is None:
            return 0
        self._rang = False
        return self._task.uncancel()

    def stop(self) -> None:
        """Ring no more."""
        if self._call is not None:
            self._call.cancel()
        self.settle()

    def _ring(self) -> None:
        self._call = None
        # A write tells it by itself when it is done.
        if self._task is not None and not self._guard.raised and not self._guard.writing:
            self._rang = True
            self._task.cancel()


def _cancelling() -> type[DeadlineApproaching]:
    import asyncio

    class DeadlineApproachingInTask(DeadlineApproaching, asyncio.CancelledError):
        pass

    return DeadlineApproachingInTask
