"""`streamify_response`: four shapes of handler behind one plain `(event, context)` callable.

The callable finds the invocation that it answers through `stream.current_responder`. There
is no mark on the function that another decorator could lose: Powertools', Sentry's or
anybody's decorators may go around it.
"""

from __future__ import annotations

from functools import partial, wraps
from sys import modules

from .errors import HandlerShapeError, PreludeError
from .messages import Prelude
from .stream import AsyncResponseStream, HttpResponseStream, ResponseStream, current_responder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
    from inspect import Signature
    from types import CodeType
    from typing import Any, TypeAlias, overload

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


if TYPE_CHECKING:

    @overload
    def streamify_response(
        handler: StreamingHandler,
        *,
        join_ready: bool = False,
        deadline_margin_ms: int | None = None,
    ) -> Callable[[Any, Any], Any]: ...

    @overload
    def streamify_response(
        handler: None = None,
        *,
        join_ready: bool = False,
        deadline_margin_ms: int | None = None,
    ) -> Callable[[StreamingHandler], Callable[[Any, Any], Any]]: ...


def streamify_response(
    handler: StreamingHandler | None = None,
    *,
    join_ready: bool = False,
    deadline_margin_ms: int | None = None,
) -> Any:
    """Make a handler stream its response. The innermost decorator, with or without options.

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

    `join_ready`, for async generators: chunks that are ready at once, without anything
    being awaited between them, leave together, up to 32 KiB or 1 ms' worth. The first one
    never waits. It saves most of the cost of a burst of small chunks; a generator that
    blocks (`time.sleep`, a synchronous client) then holds back what it has yielded.

    `deadline_margin_ms`: raise `errors.DeadlineApproaching` in the handler so many
    milliseconds before Lambda ends it, once, so that it can end its stream properly: in
    async handlers at what they await then, in others wherever they are if they run on the
    main thread, else at the next write or `yield`.

    Raises:
        HandlerShapeError: the function has none of the four shapes, or not the one that an
            option is for.
    """
    if handler is None:
        return partial(
            streamify_response, join_ready=join_ready, deadline_margin_ms=deadline_margin_ms
        )
    if getattr(handler, "_streamified_by_penstock", False):
        raise HandlerShapeError(f"{_name_of(handler)} is decorated with streamify_response twice")
    run = _runner(handler, join_ready, deadline_margin_ms)
    take_over_aws_client()

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

    streaming_handler._streamified_by_penstock = True  # type: ignore[attr-defined]
    return streaming_handler


def take_over_aws_client() -> None:
    """Let AWS's own client stream, if this process runs under it."""
    if "awslambdaric.bootstrap" in modules:
        from .runtime.takeover import install

        install()


def _runner(
    handler: Any, join_ready: bool, deadline_margin_ms: int | None
) -> Callable[[Responder, Any, Any], None]:
    """The one of the four ways to run that fits the handler's shape."""
    shape = shape_of(handler)
    if join_ready and shape != "async generator":
        raise HandlerShapeError(
            f"join_ready is for async generators: {_name_of(handler)} is none, so nobody can "
            "tell whether its next chunk is ready"
        )
    if deadline_margin_ms is not None:
        from .deadline import guarded

        handler = guarded(handler, shape, deadline_margin_ms)
    if shape == "async generator":
        if join_ready:
            from .joining import answer_joining

            return _in_loop(answer_joining, handler)
        return _in_loop(_answer_with_async_generator, handler)
    if shape == "generator":
        return lambda *call: _answer_with_generator(handler, *call)
    if shape == "coroutine":
        return _in_loop(answer_with_coroutine, handler)
    return lambda *call: answer_with_function(handler, *call)


def shape_of(handler: Any) -> str:
    """Which of the four shapes a handler has: what it is, and how many arguments it takes."""
    code = _code_of(handler)
    if code is None:
        raise HandlerShapeError(
            f"{handler!r} is no Python function; the shapes that can stream are:\n{_SHAPES}"
        )
    is_plain = isinstance(handler, type(_runner)) and not hasattr(handler, "__wrapped__")
    takes = _plain_takes if is_plain else _any_takes
    flags = code.co_flags
    if flags & _ASYNC_GENERATOR and takes(handler, 2):
        return "async generator"
    if flags & _GENERATOR and takes(handler, 2):
        return "generator"
    if not flags & (_GENERATOR | _ASYNC_GENERATOR) and takes(handler, 3):
        if is_plain and code.co_varnames[1] == "context":
            raise HandlerShapeError(
                f"{_name_of(handler)} takes the context second; the stream is the second "
                f"argument, the context the third:\n{_SHAPES}"
            )
        return "coroutine" if flags & _COROUTINE else "function"
    kind = (
        "an async generator"
        if flags & _ASYNC_GENERATOR
        else "a generator"
        if flags & _GENERATOR
        else "an async def"
        if flags & _COROUTINE
        else "a def without yield"
    )
    wrapper = _wrapper_that_takes_less(handler)
    if wrapper is not None:
        raise HandlerShapeError(
            f"{_name_of(handler)} is wrapped in {wrapper}, which does not take what a handler "
            "that streams is given; put @streamify_response below that decorator, innermost"
        )
    raise HandlerShapeError(
        f"{_name_of(handler)} is {kind} that takes {_count_of_arguments(handler)}, "
        f"which is none of the shapes that can stream:\n{_SHAPES}"
    )


def _code_of(handler: Any) -> CodeType | None:
    """The code of the innermost function: behind decorators, partials and methods."""
    function = handler
    for _ in range(100):
        if isinstance(function, partial):
            function = function.func
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        elif hasattr(function, "__func__"):
            function = function.__func__
        elif hasattr(function, "__code__"):
            code: CodeType = function.__code__
            return code
        else:
            # An object that is called: its class says how.
            call = getattr(type(function), "__call__", None)  # noqa: B004
            if call is None or not (hasattr(call, "__code__") or hasattr(call, "__wrapped__")):
                return None
            function = call
    return None


def _plain_takes(function: Any, count: int) -> bool:
    """Whether a function takes so many arguments, without `inspect`: it costs 5 ms."""
    code = function.__code__
    least = code.co_argcount - len(function.__defaults__ or ())
    has_names_to_give = code.co_kwonlyargcount > len(function.__kwdefaults__ or ())
    is_enough = count <= code.co_argcount or bool(code.co_flags & _VARARGS)
    return least <= count and is_enough and not has_names_to_give


def _any_takes(handler: Any, count: int) -> bool:
    """The same for everything else that can be called."""
    try:
        _signature(handler).bind(*range(count))
        # What a decorator inside takes may be less than what it says it wraps.
        _signature(handler, follow_wrapped=False).bind(*range(count))
    except TypeError:
        return False
    return True


def _wrapper_that_takes_less(handler: Any) -> str | None:
    """The name of a decorator's function that hides a handler of one of the shapes."""
    wrapped = getattr(handler, "__wrapped__", None)
    if wrapped is None or not any(_any_takes(wrapped, count) for count in (2, 3)):
        return None
    code = getattr(handler, "__code__", None)
    return code.co_qualname if code is not None else type(handler).__name__


def _signature(handler: Any, *, follow_wrapped: bool = True) -> Signature:
    from inspect import signature

    is_function = hasattr(handler, "__code__") or hasattr(handler, "__wrapped__")
    if not is_function and not isinstance(handler, partial):
        # An object that is called: its class may say so with a static method.
        handler = handler.__call__
    return signature(handler, follow_wrapped=follow_wrapped)


def _count_of_arguments(handler: Any) -> str:
    from inspect import Parameter

    parameters = _signature(handler).parameters.values()
    least = sum(
        parameter.default is Parameter.empty
        and parameter.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
        for parameter in parameters
    )
    more = " or more" if least < len(parameters) else ""
    return f"{least}{more} argument{'s' if more or least != 1 else ''}"


def _name_of(handler: Any) -> str:
    return getattr(handler, "__qualname__", None) or repr(handler)


def _in_loop(
    answer: Callable[[Any, Responder, Any, Any], Coroutine[Any, Any, None]], handler: Any
) -> Callable[[Responder, Any, Any], None]:
    # asyncio costs 20 ms to import: only handlers that need it pay, and they do while the
    # environment starts, not in their first invocation.
    from .event_loop import run

    return lambda *call: run(answer(handler, *call))


def answer_with_function(handler: Any, responder: Responder, event: Any, context: Any) -> None:
    """Run a plain function that writes to a stream, and end or fail the stream for it."""
    stream = ResponseStream(responder.blocking_sink())
    try:
        result = handler(event, stream, context)
        if hasattr(result, "__await__"):
            getattr(result, "close", lambda: None)()
            raise TypeError(
                f"{_name_of(handler)} is a plain def, but what it is decorated with inside "
                "of streamify_response made it async; make it an async def as well"
            )
        stream.end()
    except BaseException as exc:
        if is_failure(exc):
            stream._fail(exc)
        raise


async def answer_with_coroutine(
    handler: Any, responder: Responder, event: Any, context: Any
) -> None:
    """The same for a coroutine function."""
    stream = AsyncResponseStream(responder.async_sink())
    try:
        await handler(event, stream, context)
        await stream.end()
    except BaseException as exc:
        if is_failure(exc):
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
                    take_prelude(stream, item)
                else:
                    stream.write(item)
            except Exception as exc:
                item = items.throw(exc)
            else:
                item = next(items)
    except StopIteration:
        stream.end()
    except BaseException as exc:
        if is_failure(exc):
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
                    take_prelude(stream, item)
                else:
                    await stream._write(item)
            except Exception as exc:
                item = await items.athrow(exc)
            else:
                item = await anext(items)
    except StopAsyncIteration:
        await stream.end()
    except BaseException as exc:
        if is_failure(exc):
            await stream._fail(exc)
        raise
    finally:
        await items.aclose()


def take_prelude(stream: ResponseStream | AsyncResponseStream, prelude: Prelude) -> None:
    """Put a yielded prelude in front of the response."""
    if stream.started:
        raise PreludeError("a Prelude goes first, before any part of the body")
    HttpResponseStream.from_(stream, prelude)


def is_failure(exc: BaseException) -> bool:
    """Whether the response failed, rather than the whole process being asked to end.

    On `SystemExit` the connection closes in mid-response and the platform sees a cut.
    """
    return not isinstance(exc, (SystemExit, KeyboardInterrupt))
