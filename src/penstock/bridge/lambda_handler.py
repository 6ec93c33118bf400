"""`adapt`: an application as a Lambda handler."""

from __future__ import annotations

import os

from ..errors import AppError, EventError
from ..event_sources.function_url import FunctionUrl
from ..handler import answer_with_coroutine, answer_with_function, take_over_aws_client
from ..stream import current_responder
from . import wsgi
from .answering import AsyncKept, AsyncStreamed, Kept, Streamed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..messages import Request
    from ..stream import AsyncResponseStream, Responder, ResponseStream

_SOURCES = (FunctionUrl(),)

_TEXT = [("content-type", "text/plain; charset=utf-8")]


def adapt(
    app: Any, *, mode: str = "auto", interface: str | None = None
) -> Callable[[Any, Any], Any]:
    """Make a Lambda handler of an ASGI or WSGI application.

    `mode` is `auto`, which streams to callers that can stream (Function URLs, whose invoke
    mode must be RESPONSE_STREAM), or `buffer`, which answers with one proxy response.
    `interface`, "asgi" or "wsgi", is found out from how the app is called.

    What comes back is a plain, blocking callable of `(event, context)`. An ASGI app is
    started (its lifespan) once per environment; on Lambda while the environment starts.
    Its background tasks are finished before the next invocation, and the client does not
    wait for them. The event and the context are in the scope, or the environ, as
    `aws.event` and `aws.context`.

    An exception before the first byte is answered with status 500 and logged; after it,
    it fails the invocation.

    Raises:
        AppError: the app is neither, `mode` or `interface` is unknown, or, on Lambda, the
            app says that it cannot start.
    """
    if mode not in ("auto", "buffer"):
        raise AppError(f"mode is 'auto' or 'buffer', not {mode!r}")
    interface = interface or _interface_of(app)
    if interface not in ("asgi", "wsgi"):
        raise AppError(f"interface is 'asgi' or 'wsgi', not {interface!r}")
    take_over_aws_client()
    return _AsgiHandler(app, mode) if interface == "asgi" else _WsgiHandler(app, mode)


class _Handler:
    """What both kinds share: from the event to the request, and what fails on the way."""

    def __init__(self, app: Any, mode: str) -> None:
        self._app = app
        self._mode = mode

    def __call__(self, event: Any, context: Any) -> Any:
        source = _source_of(event)
        responder = current_responder.get(None) if self._mode == "auto" else None
        try:
            request: Request | None = source.request(event)
        except EventError as exc:
            _log("the event cannot be made a request", exc)
            request = None
        if responder is not None and source.can_stream:
            self._stream(request, responder, event, context)
            return None
        return source.result(self._keep(request, event, context).response, event)

    def _stream(self, request: Request | None, responder: Responder, event: Any, ctx: Any) -> None:
        raise NotImplementedError

    def _keep(self, request: Request | None, event: Any, context: Any) -> Kept:
        raise NotImplementedError


class _WsgiHandler(_Handler):
    """A WSGI application as a handler."""

    def _stream(self, request: Request | None, responder: Responder, event: Any, ctx: Any) -> None:
        def respond(event: Any, stream: ResponseStream, context: Any) -> None:
            into = Streamed(request.method if request else "", stream)
            self._respond(request, event, context, into, lambda: stream.started)

        answer_with_function(respond, responder, event, ctx)

    def _keep(self, request: Request | None, event: Any, context: Any) -> Kept:
        into = Kept(request.method if request else "")
        self._respond(request, event, context, into, lambda: False)
        return into

    def _respond(
        self,
        request: Request | None,
        event: Any,
        context: Any,
        into: Streamed | Kept,
        has_started: Callable[[], bool],
    ) -> None:
        if request is None:
            status, text = 400, b"Bad Request"
        else:
            try:
                wsgi.answer(self._app, wsgi.environ_of(request, event, context), into)
                return
            except Exception as exc:
                if has_started():
                    raise
                _log("the app failed before the first byte", exc)
            status, text = 500, b"Internal Server Error"
        into.restart(status, _TEXT)
        into.body(text)
        into.end()


class _AsgiHandler(_Handler):
    """An ASGI application as a handler."""

    def __init__(self, app: Any, mode: str) -> None:
        super().__init__(app, mode)
        # asyncio costs 20 ms to import: a WSGI app does without.
        from ..event_loop import run
        from . import asgi

        self._run = run
        self._asgi = asgi
        self._lifespan = asgi.Lifespan(app)
        is_alone = "AWS_LAMBDA_MAX_CONCURRENCY" not in os.environ
        if "AWS_LAMBDA_RUNTIME_API" in os.environ and is_alone:
            run(self._lifespan.start())

    def _stream(self, request: Request | None, responder: Responder, event: Any, ctx: Any) -> None:
        async def respond(event: Any, stream: AsyncResponseStream, context: Any) -> None:
            into = AsyncStreamed(request.method if request else "", stream)
            await self._respond(request, event, context, into, lambda: stream.started)

        self._run(answer_with_coroutine(respond, responder, event, ctx))

    def _keep(self, request: Request | None, event: Any, context: Any) -> Kept:
        into = AsyncKept(request.method if request else "")
        self._run(self._respond(request, event, context, into, lambda: False))
        return into

    async def _respond(
        self,
        request: Request | None,
        event: Any,
        context: Any,
        into: AsyncStreamed | AsyncKept,
        has_started: Callable[[], bool],
    ) -> None:
        if request is None:
            status, text = 400, b"Bad Request"
        else:
            await self._lifespan.start()
            scope = self._asgi.http_scope(request, event, context, self._lifespan.state)
            try:
                await self._asgi.answer(self._app, scope, request.body, into)
                return
            except Exception as exc:
                if into.has_ended:
                    # The client has a whole response, of a framework's error page, say.
                    _log("the app failed after its response", exc)
                    return
                if has_started():
                    raise
                _log("the app failed before the first byte", exc)
            status, text = 500, b"Internal Server Error"
        into.restart(status, _TEXT)
        await into.body(text)
        await into.end()


def _source_of(event: Any) -> FunctionUrl:
    for source in _SOURCES:
        if source.matches(event):
            return source
    found = f"keys {sorted(map(str, event))}" if isinstance(event, dict) else type(event).__name__
    looked_for = "; ".join(f"{source.name}: {source.looks_for}" for source in _SOURCES)
    raise EventError(f"no source knows this event ({found:.200}); looked for {looked_for}")


def _interface_of(app: Any) -> str | None:
    """How the app is called, by its code: with (environ, start_response), or as ASGI 3.0."""
    call: Any = app if hasattr(app, "__code__") else getattr(type(app), "__call__", None)  # noqa: B004
    while hasattr(call, "__wrapped__"):
        call = call.__wrapped__
    code = getattr(call, "__code__", None)
    if code is None:
        from inspect import Parameter, iscoroutinefunction, signature

        try:
            parameters = signature(app).parameters.values()
        except (TypeError, ValueError):
            parameters = []  # type: ignore[assignment]
        count = sum(parameter.default is Parameter.empty for parameter in parameters)
        is_async = iscoroutinefunction(call)
    else:
        count = code.co_argcount - (call is not app and not hasattr(app, "__code__"))
        is_async = bool(code.co_flags & 0x80)
    if is_async or count == 3:
        return "asgi"
    if count == 2:
        return "wsgi"
    raise AppError(
        f"{app!r:.80} is called with {count} arguments, so it is neither an ASGI 3.0 app "
        "(scope, receive, send) nor a WSGI app (environ, start_response); "
        "say which with interface='asgi' or 'wsgi'"
    )


def _log(what: str, exc: BaseException) -> None:
    import logging

    logging.getLogger("penstock").error(what, exc_info=exc)
