"""`stepped`: a handler that goes on only as far as the test has read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from queue import Empty, Queue
from typing import Any

from ..errors import StreamBrokenError, StreamError
from ..stream import current_responder
from .context import Context


class Steps:
    """The chunks of a response, one at a time; the handler waits in each write.

    An iterator of `bytes`, where a prelude is a chunk like any other. Ends when the handler
    has returned, and raises what the handler raised. `content_type` is known from the
    first chunk on.
    """

    def __init__(self, timeout: float) -> None:
        self.content_type: str | None = None
        self._timeout = timeout
        self._chunks: Queue[bytes | None] = Queue()
        self._wanted: Queue[bool] = Queue()
        self._error: BaseException | None = None
        self._given = False
        self._first = True
        self._over = False

    def __iter__(self) -> Steps:
        return self

    def __next__(self) -> bytes:
        if self._over:
            raise StopIteration
        if not self._first:
            self._wanted.put(True)
        self._first = False
        try:
            chunk = self._chunks.get(timeout=self._timeout)
        except Empty:
            raise TimeoutError(
                f"the handler neither wrote nor returned within {self._timeout} seconds"
            ) from None
        if chunk is not None:
            return chunk
        self._over = True
        if self._error is not None:
            raise self._error
        raise StopIteration

    # The responder, and the blocking sink.

    def blocking_sink(self) -> Steps:
        """Part of being a responder."""
        if self._given:
            raise StreamError("this invocation has a response stream already")
        self._given = True
        return self

    def async_sink(self) -> _AsyncSteps:
        """Part of being a responder."""
        return _AsyncSteps(self.blocking_sink())

    def begin(self, content_type: str, chunks: list[bytes]) -> None:
        """Part of being a sink."""
        self.content_type = content_type
        for chunk in chunks:
            self.send(chunk)

    def send(self, data: bytes) -> None:
        """Hand `data` over and wait until the test wants more."""
        self._chunks.put(data)
        if not self._wanted.get():
            self._wanted.put(False)
            raise StreamBrokenError("the test has stopped reading")

    def end(self) -> None:
        """Part of being a sink."""

    def fail(self, error: BaseException) -> None:
        """Part of being a sink."""

    def _run(self, handler: Callable[[Any, Any], Any], event: Any, context: Any) -> None:
        current_responder.set(self)
        try:
            handler(event, context)
        except BaseException as exc:
            self._error = exc
        self._chunks.put(None)


class _AsyncSteps:
    """The awaited face of `Steps`: waits without blocking the handler's loop."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    async def begin(self, content_type: str, chunks: list[bytes]) -> None:
        self._steps.content_type = content_type
        for chunk in chunks:
            await self.send(chunk)

    async def send(self, data: bytes) -> None:
        from asyncio import to_thread

        await to_thread(self._steps.send, data)

    async def end(self) -> None:
        self._steps.end()

    async def fail(self, error: BaseException) -> None:
        self._steps.fail(error)


@contextmanager
def stepped(
    handler: Callable[[Any, Any], Any],
    event: Any = None,
    context: Any = None,
    *,
    timeout: float = 10,
) -> Iterator[Steps]:
    """Run `handler` in a thread and read its chunks in step with it.

    Inside the `with` block `next(steps)` is the next chunk; the handler is held in the
    write that sent it until the following `next`. Leaving the block early breaks the
    stream, as a runtime whose other end has gone would.

    Raises:
        TimeoutError: from `next`, the handler neither wrote nor returned within `timeout`
            seconds.
    """
    steps = Steps(timeout)
    thread = threading.Thread(
        target=copy_context().run,
        args=(steps._run, handler, {} if event is None else event, context or Context()),
        name="penstock-stepped",
    )
    thread.start()
    try:
        yield steps
    finally:
        steps._wanted.put(False)
        thread.join(timeout)
