"""Chunks of an async generator that are ready at once leave together: `join_ready`.

The generator is stepped by hand. A step that comes back with a chunk was ready; a step that
comes back with something to wait for was not, and then all that was held leaves first.
"""

from __future__ import annotations

from time import monotonic
from types import coroutine

from .errors import StreamBrokenError
from .handler import is_failure, take_prelude
from .messages import Prelude
from .stream import AsyncResponseStream, encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from .stream import Responder

JOINED_BYTES = 32768
JOINED_SECONDS = 0.001


async def answer_joining(handler: Any, responder: Responder, event: Any, context: Any) -> None:
    """Run an async generator and send what it yields, joined while it is ready."""
    stream = AsyncResponseStream(responder.async_sink())
    begun = False
    held: list[bytes] = []
    size, since = 0, 0.0
    items = handler(event, context)
    step = anext(items).__await__()
    try:
        while True:
            try:
                try:
                    pending = step.send(None)
                    if held:
                        try:
                            await _send(held, stream)
                            size = 0
                        except BaseException as exc:
                            # Raised where the generator waits.
                            pending = step.throw(exc)
                except StopIteration as ready:
                    item = ready.value
                else:
                    item = await _rest_of(step, pending)
            except StopAsyncIteration:
                break
            # What cannot be sent is raised at the `yield` that gave it.
            try:
                if isinstance(item, Prelude):
                    take_prelude(stream, item)
                elif not begun:
                    await stream._write(item)
                    begun = True
                else:
                    chunk = item if type(item) is bytes else encoded(item)
                    now = monotonic()
                    if not held:
                        since = now
                    held.append(chunk)
                    size += len(chunk)
                    if size >= JOINED_BYTES or now - since >= JOINED_SECONDS:
                        await _send(held, stream)
                        size = 0
            except Exception as exc:
                step = items.athrow(exc).__await__()
            else:
                step = anext(items).__await__()
        if held:
            await _send(held, stream)
        await stream.end()
    except BaseException as exc:
        if is_failure(exc):
            try:
                # It was yielded before what went wrong.
                if held and not stream.ended:
                    await _send(held, stream)
            except StreamBrokenError:
                pass
            finally:
                await stream._fail(exc)
        raise
    finally:
        await items.aclose()


async def _send(held: list[bytes], stream: AsyncResponseStream) -> None:
    """Let out all that is held. It stays held if it could not even begin to leave."""
    await stream._write(b"".join(held))
    held.clear()


@coroutine
def _rest_of(step: Generator[Any, Any, Any], pending: Any) -> Generator[Any, Any, Any]:
    """Awaits the rest of a step that has begun, from what it waits for."""
    try:
        while True:
            try:
                sent = yield pending
            except GeneratorExit:
                step.close()
                raise
            except BaseException as exc:
                pending = step.throw(exc)
            else:
                pending = step.send(sent)
    except StopIteration as ready:
        return ready.value
