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
        # Each chunk with what lets the write go on that sent it; None when it is over.
        self._chunks: Queue[tuple[bytes, Callable[[], object]] | None] = Queue()
        self._lock = threading.Lock()
        # Of the chunk that was read last.
        self._let_go: Callable[[], object] | None = None
        self._error: BaseException | None = None
        self._given = False
        self._left = False
        self._over = False

    def __iter__(self) -> Steps:
        return self

    def __next__(self) -> bytes:
        if self._over:
            raise StopIteration
        self._release()
        try:
            handed_over = self._chunks.get(timeout=self._timeout)
        except Empty:
            raise TimeoutError(
                f"the handler neither wrote nor returned within {self._timeout} seconds"
            ) from None
        if handed_over is not None:
            chunk, self._let_go = handed_over
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
        wanted = threading.Event()
        self._hand_over(data, wanted.set)
        wanted.wait()
        self._check_reader()

    def end(self) -> None:
        """Part of being a sink."""

    def fail(self, error: BaseException) -> None:
        """Part of being a sink."""
        self._error = error

    def _hand_over(self, data: bytes, let_go: Callable[[], object]) -> None:
        with self._lock:
            self._check_reader()
            self._chunks.put((data, let_go))

    def _check_reader(self) -> None:
        if self._left:
            raise StreamBrokenError("the test has stopped reading")

    def _release(self) -> None:
        let_go, self._let_go = self._let_go, None
        if let_go is not None:
            let_go()

    def _leave(self) -> None:
        with self._lock:
            self._left = True
        self._release()
        while not self._chunks.empty():
            handed_over = self._chunks.get()
            if handed_over is not None:
                handed_over[1]()

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
        from asyncio import Event, get_running_loop

        loop, wanted = get_running_loop(), Event()

        def let_go() -> None:
            try:
                loop.call_soon_threadsafe(wanted.set)
            except RuntimeError:
                pass  # the handler has given the write up, and its loop is closed

        self._steps._hand_over(data, let_go)
        await wanted.wait()
        self._steps._check_reader()

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
    stream, as a runtime whose other end has gone would, and waits for the handler to
    return, for at most `timeout` seconds.

    Raises:
        TimeoutError: from `next`, the handler neither wrote nor returned within `timeout`
            seconds.
    """
    steps = Steps(timeout)
    thread = threading.Thread(
        target=copy_context().run,
        args=(steps._run, handler, {} if event is None else event, context or Context()),
        name="penstock-stepped",
        daemon=True,
    )
    thread.start()
    try:
        yield steps
    finally:
        steps._leave()
        thread.join(timeout)
