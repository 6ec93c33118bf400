"""`streamify_response`: four shapes of handler behind one plain `(event, context)` callable.

The callable finds the invocation that it answers through `stream.current_responder`. There
is no mark on the function that another decorator could lose: Powertools', Sentry's or
anybody's decorators may go around it.
"""

from __future__ import annotations

from functools import wraps
from sys import modules

from .errors import HandlerShapeError, PreludeError
from .messages import Prelude
from .stream import AsyncResponseStream, HttpResponseStream, ResponseStream, current_responder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
    from types import CodeType
    from typing import Any, TypeAlias

    from .stream import Responder, Writable

    StreamingHandler: TypeAlias = (
        Callable[[Any, AsyncResponseStream, Any], Coroutine[Any, Any, Any]]
        | Callable[[Any, ResponseStream, Any], Any]
        | Callable[[Any, Any], Generator[Writable | Prelude, Any, Any]]
        | Callable[[Any, Any], AsyncGenerator[Writable | Prelude, Any]]
    )

# The flags of a code object, as in `inspect`, which costs 5 ms to import.
_VARARGS, _GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x04, 0x20, 0x80, 0x200

_SHAPES = """\
    async def handler(event, response_stream, context): ...   # await response_stream.write(...)
    def handler(event, response_stream, context): ...         # response_stream.write(...)
    def handler(event, context): ...                          # yield ...
    async def handler(event, context): ...                    # yield ..."""


def streamify_response(handler: StreamingHandler) -> Callable[[Any, Any], Any]:
    """Make a handler stream its response. The innermost decorator.

    The handler has one of four shapes, read once, here::

        async def handler(event, response_stream, context): ...  # await stream.write(...)
        def handler(event, response_stream, context): ...        # stream.write(...)
        def handler(event, context): ...                         # a generator: yield ...
        async def handler(event, context): ...                   # an async generator

    What comes back is a plain, blocking callable of `(event, context)`. Under a runtime
    that streams it sends the response while the handler runs and returns None; anywhere
    else it returns one buffered proxy response (a dict with `statusCode`, `headers`,
    `body`, `isBase64Encoded`), so that it can be called in a test or by a client that
    cannot stream. All async handlers of a process share one event loop.

    A generator yields chunks as `ResponseStream.write` takes them, and may yield one
    `Prelude` before them. Returning ends the stream. An exception before the first byte
    fails the invocation; after it, it is sent as the trailers of the response; in both
    cases it is raised to the caller as well.

    Raises:
        HandlerShapeError: the function has none of the four shapes.
    """
    run = _runner(handler)
    if "awslambdaric.bootstrap" in modules:
        from .runtime.takeover import install

        install()

    @wraps(handler)
    def streaming_handler(event: Any, context: Any) -> Any:
        responder = current_responder.get(None)
        if responder is not None:
            return run(responder, event, context)
        from .buffered import BufferedResponder, note_fallback

        note_fallback()
        buffered = BufferedResponder()
        run(buffered, event, context)
        return buffered.proxy_response(event)

    return streaming_handler


def _runner(handler: Any) -> Callable[[Responder, Any, Any], None]:
    """The one of the four ways to run that fits the handler's shape."""
    code, bound = _code_of(handler)
    flags = code.co_flags
    least = code.co_argcount - bound - len(_defaults_of(handler))
    most = 99 if flags & _VARARGS else code.co_argcount - bound

    def takes(count: int) -> bool:
        return least <= count <= most

    if flags & _ASYNC_GENERATOR and takes(2):
        return _in_loop(_answer_with_async_generator, handler)
    if flags & _GENERATOR and takes(2):
        return lambda *call: _answer_with_generator(handler, *call)
    if not flags & (_GENERATOR | _ASYNC_GENERATOR) and takes(3):
        if flags & _COROUTINE:
            return _in_loop(_answer_with_coroutine, handler)
        return lambda *call: _answer_with_function(handler, *call)
    name = getattr(handler, "__qualname__", repr(handler))
    kind = (
        "an async generator"
        if flags & _ASYNC_GENERATOR
        else "a generator"
        if flags & _GENERATOR
        else "an async def"
        if flags & _COROUTINE
        else "a def without yield"
    )
    count = f"{least}" if least == most else f"{least} or more"
    raise HandlerShapeError(
        f"{name} is {kind} that takes {count} argument{'s' if count != '1' else ''}, "
        f"which is none of the shapes that can stream:\n{_SHAPES}"
    )


def _innermost(handler: Any) -> Any:
    """The function whose signature tells the shape, behind wrappers and partials."""
    seen = 0
    while seen < 100:
        seen += 1
        inner = getattr(handler, "__wrapped__", None) or getattr(handler, "func", None)
        if inner is None:
            break
        handler = inner
    return handler


def _code_of(handler: Any) -> tuple[CodeType, int]:
    """The code of the function, and how many of its arguments are taken already."""
    bound = len(getattr(handler, "args", ())) if hasattr(handler, "func") else 0
    function = _innermost(handler)
    if not hasattr(function, "__code__") and not hasattr(function, "__func__"):
        function = getattr(function, "__call__", None)  # noqa: B004 - an object that is called
    if hasattr(function, "__func__"):
        bound += 1
        function = _innermost(function.__func__)
    code = getattr(function, "__code__", None)
    if code is None:
        raise HandlerShapeError(
            f"{handler!r} is no Python function; the shapes that can stream are:\n{_SHAPES}"
        )
    return code, bound


def _defaults_of(handler: Any) -> tuple[Any, ...]:
    function = _innermost(handler)
    if not hasattr(function, "__code__") and not hasattr(function, "__func__"):
        function = getattr(function, "__call__", function)  # noqa: B004
    return getattr(function, "__defaults__", None) or ()


def _in_loop(
    answer: Callable[[Any, Responder, Any, Any], Coroutine[Any, Any, None]], handler: Any
) -> Callable[[Responder, Any, Any], None]:
    # asyncio costs 20 ms to import: only handlers that need it pay, and they do while the
    # environment starts, not in their first invocation.
    from .event_loop import run

    return lambda *call: run(answer(handler, *call))


def _answer_with_function(handler: Any, responder: Responder, event: Any, context: Any) -> None:
    stream = ResponseStream(responder.blocking_sink())
    try:
        handler(event, stream, context)
        stream.end()
    except BaseException as exc:
        if _is_failure(exc):
            stream._fail(exc)
        raise


async def _answer_with_coroutine(
    handler: Any, responder: Responder, event: Any, context: Any
) -> None:
    stream = AsyncResponseStream(responder.async_sink())
    try:
        await handler(event, stream, context)
        await stream.end()
    except BaseException as exc:
        if _is_failure(exc):
            await stream._fail(exc)
        raise


def _answer_with_generator(handler: Any, responder: Responder, event: Any, context: Any) -> None:
    stream = ResponseStream(responder.blocking_sink())
    items = handler(event, context)
    try:
        item = next(items)
        while True:
            # What cannot be sent is raised at the `yield` that gave it, so that the
            # traceback names the line and `finally` blocks run.
            try:
                if isinstance(item, Prelude):
                    _take_prelude(stream, item)
                else:
                    stream.write(item)
            except Exception as exc:
                item = items.throw(exc)
            else:
                item = next(items)
    except StopIteration:
        stream.end()
    except BaseException as exc:
        if _is_failure(exc):
            stream._fail(exc)
        raise
    finally:
        items.close()


async def _answer_with_async_generator(
    handler: Any, responder: Responder, event: Any, context: Any
) -> None:
    stream = AsyncResponseStream(responder.async_sink())
    items = handler(event, context)
    try:
        item = await anext(items)
        while True:
            try:
                if isinstance(item, Prelude):
                    _take_prelude(stream, item)
                else:
                    await stream.write(item)
            except Exception as exc:
                item = await items.athrow(exc)
            else:
                item = await anext(items)
    except StopAsyncIteration:
        await stream.end()
    except BaseException as exc:
        if _is_failure(exc):
            await stream._fail(exc)
        raise
    finally:
        await items.aclose()


def _take_prelude(stream: ResponseStream | AsyncResponseStream, prelude: Prelude) -> None:
    if stream.started:
        raise PreludeError("a Prelude goes first, before any part of the body")
    HttpResponseStream.from_(stream, prelude)


def _is_failure(exc: BaseException) -> bool:
    """Whether the response failed, rather than the whole process being asked to end.

    On `SystemExit` the connection closes in mid-response and the platform sees a cut.
    """
    return not isinstance(exc, (SystemExit, KeyboardInterrupt))
