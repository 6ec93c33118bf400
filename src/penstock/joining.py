"""Chunks of an async generator that are ready at once leave together: `join_ready`.

The generator is stepped by hand. A step that comes back with a chunk was ready; a step that
comes back with something to wait for was not, and then all that was held leaves first.
"""

from __future__ import annotations

from time import monotonic

from .handler import is_failure, take_prelude
from .messages import Prelude
from .stream import AsyncResponseStream, encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from .stream import Responder

JOINED_BYTES = 32768
JOINED_SECONDS = 0.001


async def answer_joining(handler: Any, responder: Responder, event: Any, context: Any) -> None:
    """Run an async generator and send what it yields, joined while it is ready."""
    stream = AsyncResponseStream(responder.async_sink())
    held = _Held(stream)
    items = handler(event, context)
    step = anext(items).__await__()
    try:
        while True:
            try:
                try:
                    pending = step.send(None)
                except StopIteration as ready:
                    item = ready.value
                else:
                    item = await _waited_for(pending, step, held)
            except StopAsyncIteration:
                break
            # What cannot be sent is raised at the `yield` that gave it.
            try:
                if isinstance(item, Prelude):
                    take_prelude(stream, item)
                elif not stream.started:
                    await stream.write(item)
                elif held.add(encoded(item)):
                    await held.send()
            except Exception as exc:
                step = items.athrow(exc).__await__()
            else:
                step = anext(items).__await__()
        await held.send()
        await stream.end()
    except BaseException as exc:
        if is_failure(exc):
            try:
                # It was yielded before what went wrong.
                await held.send()
            finally:
                await stream._fail(exc)
        raise
    finally:
        await items.aclose()


async def _waited_for(pending: Any, step: Generator[Any, Any, Any], held: _Held) -> Any:
    """What the step comes back with in the end; what is held leaves before the wait."""
    try:
        await held.send()
    except BaseException as exc:
        # Raised where the generator waits.
        return await _Rest(step, step.throw, exc)
    return await _Rest(step, lambda: pending)


class _Held:
    """Chunks that wait to leave together."""

    __slots__ = ("_chunks", "_first", "_size", "_stream")

    def __init__(self, stream: AsyncResponseStream) -> None:
        self._stream = stream
        self._chunks: list[bytes] = []
        self._size = 0
        self._first = 0.0

    def add(self, chunk: bytes) -> bool:
        """Hold one more; whether they are to leave now."""
        now = monotonic()
        if not self._chunks:
            self._first = now
        self._chunks.append(chunk)
        self._size += len(chunk)
        return self._size >= JOINED_BYTES or now - self._first >= JOINED_SECONDS

    async def send(self) -> None:
        """Let out all that is held."""
        if self._chunks:
            chunks, self._chunks, self._size = self._chunks, [], 0
            await self._stream.write(b"".join(chunks))


class _Rest:
    """The rest of a step that has begun: awaited, it goes on from what it waits for."""

    __slots__ = ("_first_move", "_step")

    def __init__(
        self, step: Generator[Any, Any, Any], move: Callable[..., Any], *arguments: Any
    ) -> None:
        self._step = step
        self._first_move = (move, arguments)

    def __await__(self) -> Generator[Any, Any, Any]:
        step = self._step
        move, arguments = self._first_move
        try:
            while True:
                pending = move(*arguments)
                try:
                    sent = yield pending
                except GeneratorExit:
                    step.close()
                    raise
                except BaseException as exc:
                    move, arguments = step.throw, (exc,)
                else:
                    move, arguments = step.send, (sent,)
        except StopIteration as ready:
            return ready.value
