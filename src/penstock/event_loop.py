"""The one event loop that all async handlers of a thread share.

The loop outlives the invocation, so that connection pools and background tasks made in one
invocation are still good in the next; between invocations it stands still, as Lambda
freezes the whole environment then.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from contextvars import copy_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, TypeVar

    Result = TypeVar("Result")

_of_thread = threading.local()
_shared: asyncio.AbstractEventLoop | None = None


class _Loop:
    """A loop that is closed when its thread, which alone holds it, has ended."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()

    def __del__(self) -> None:
        # A thread that is a daemon may be in the middle of it when the process ends.
        if not self.loop.is_running():
            self.loop.close()


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run `main` to its end on this thread's loop; blocks.

    Called from code that runs on an event loop itself (an async test, say), it runs on
    a thread and loop of its own, with the same context variables.
    """
    if asyncio._get_running_loop() is not None:
        return _run_in_thread(main)
    if _shared is not None:
        return _run_shared(main, _shared)
    loop = _loop()
    task = _begun(loop, main)
    if task.done() and _has_nothing_to_do(loop):
        return task.result()
    # At least one turn, for tasks of the background.
    try:
        return loop.run_until_complete(task)  # type: ignore[no-any-return]
    except BaseException:
        _take_note_of(task)
        raise


def share() -> None:
    """From now on every thread's `run` is on one loop, which has a thread of its own."""
    global _shared
    if _shared is None:
        _shared = asyncio.new_event_loop()
        threading.Thread(
            target=_run_for_ever, args=(_shared,), name="penstock-event-loop", daemon=True
        ).start()


def _run_for_ever(loop: asyncio.AbstractEventLoop) -> None:
    while True:
        try:
            loop.run_forever()
            return
        except (SystemExit, KeyboardInterrupt):
            # Of a task. Whoever awaits it hears of it; the loop is everybody's.
            pass


def _run_shared(main: Coroutine[Any, Any, Result], loop: asyncio.AbstractEventLoop) -> Result:
    async def contained() -> BaseException | None:
        # SystemExit would end the loop, for all others as well.
        try:
            result.append(await main)
        except BaseException as exc:
            return exc
        return None

    result: list[Result] = []
    # It takes this thread's context variables with it.
    error = asyncio.run_coroutine_threadsafe(contained(), loop).result()
    if error is not None:
        raise error
    return result[0]


def _has_nothing_to_do(loop: Any) -> bool:
    """Whether nothing is ready, no timer runs and no descriptor but its own is watched."""
    plain = type(loop) is asyncio.SelectorEventLoop
    inside: Any = loop
    watched = inside._selector.get_map() if plain else ()
    return plain and not inside._ready and not inside._scheduled and len(watched) <= 1


def _begun(loop: Any, main: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
    """A task for `main` that has run as far as it can without waiting for anything.

    It does so without a turn of the loop, which takes longer than most handlers do. Only on
    asyncio's own loop, whose inside this needs, and only if nobody else is to go first.
    """
    plain = type(loop) is asyncio.SelectorEventLoop
    if not plain or loop._ready or loop.get_debug() or loop.get_task_factory() is not None:
        return loop.create_task(main)  # type: ignore[no-any-return]
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(loop._asyncgen_firstiter_hook, loop._asyncgen_finalizer_hook)
    asyncio._set_running_loop(loop)
    loop._thread_id = threading.get_ident()
    task: asyncio.Task[Result] = asyncio.Task(main, loop=loop, name="penstock handler")
    try:
        # What it has put there: its first step.
        loop._ready.pop()._run()
    except BaseException:
        _take_note_of(task)
        raise
    finally:
        loop._thread_id = None
        asyncio._set_running_loop(None)
        sys.set_asyncgen_hooks(*hooks)
    return task


def _take_note_of(task: asyncio.Task[Any]) -> None:
    """SystemExit, say, is raised to the caller: nobody need hear of it from the task."""
    if task.done() and not task.cancelled():
        task.exception()


def _loop() -> Any:
    held: _Loop | None = getattr(_of_thread, "loop", None)
    if held is None or held.loop.is_closed():
        held = _of_thread.loop = _Loop()
    return held.loop


def _run_in_thread(main: Coroutine[Any, Any, Result]) -> Result:
    result: list[Result] = []
    error: list[BaseException] = []

    def work() -> None:
        try:
            with asyncio.Runner() as runner:
                result.append(runner.run(main))
        except BaseException as exc:
            error.append(exc)

    thread = threading.Thread(target=copy_context().run, args=(work,), name="penstock-handler")
    thread.start()
    thread.join()
    if error:
        raise error[0]
    return result[0]
