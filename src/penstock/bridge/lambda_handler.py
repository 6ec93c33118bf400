"""`adapt`: an application as a Lambda handler."""

from __future__ import annotations

import os

from ..errors import AppError, EventError
from ..event_sources.detect import all_sources, source_of
from ..handler import answer_with_coroutine, answer_with_function, take_over_aws_client
from ..stream import current_responder
from . import wsgi
from .answering import AsyncKept, AsyncStreamed, Kept, Streamed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from ..event_sources.contract import EventSource
    from ..messages import Request
    from ..stream import AsyncResponseStream, Responder, ResponseStream

_TEXT = [("content-type", "text/plain; charset=utf-8")]
_BAD_REQUEST = (400, b"Bad Request")
_NOT_FOUND = (404, b"Not Found")
_SERVER_ERROR = (500, b"Internal Server Error")


def adapt(
    app: Any,
    *,
    mode: str = "auto",
    stream: Iterable[str] | None = None,
    sources: Iterable[EventSource] | None = None,
    interface: str | None = None,
) -> Callable[[Any, Any], Any]:
    """Make a Lambda handler of an ASGI or WSGI application.

    `mode` is `auto`, which streams to the sources that `stream` names; `stream`, which
    streams to all that can take it; or `buffer`, which always answers with one proxy
    response. `stream` is `["function_url"]`, unless the variable PENSTOCK_STREAM has other
    names, with commas: the URL's invoke mode must then be RESPONSE_STREAM. No event tells
    whether its caller streams, and under a buffered one a stream's body is lost, so that
    has to be said for everything else.

    `sources` are the event sources to ask; default: all of `event_sources`.
    `interface`, "asgi" or "wsgi", is found out from how the app is called.

    What comes back is a plain, blocking callable of `(event, context)`. An ASGI app is
    started (its lifespan) once per environment; on Lambda while the environment starts.
    Its background tasks are finished before the next invocation, and the client does not
    wait for them. The event and the context are in the scope, or the environ, as
    `aws.event` and `aws.context`, and `aws.source` is the name of the event's source, which
    no caller can forge. Events from within AWS are delivered as requests to paths that
    outside callers are refused (404).

    An exception before the first byte is answered with status 500 and logged; after it,
    it fails the invocation.

    Raises:
        AppError: the app is neither, `mode` or `interface` is unknown, or, on Lambda, the
            app says that it cannot start.
    """
    if mode not in ("auto", "stream", "buffer"):
        raise AppError(f"mode is 'auto', 'stream' or 'buffer', not {mode!r}")
    interface = interface or _interface_of(app)
    if interface not in ("asgi", "wsgi"):
        raise AppError(f"interface is 'asgi' or 'wsgi', not {interface!r}")
    asked = list(sources) if sources is not None else all_sources()
    if mode == "stream":
        stream = [source.name for source in asked if source.can_stream]
    streaming = set() if mode == "buffer" else _streaming_names(stream, asked)
    take_over_aws_client()
    kind = _AsgiHandler if interface == "asgi" else _WsgiHandler
    return kind(app, asked, streaming)


class _Handler:
    """What both kinds share: from the event to the request, and what fails on the way."""

    def __init__(self, app: Any, sources: Sequence[EventSource], streaming: set[str]) -> None:
        self._app = app
        self._sources = sources
        self._streaming = streaming
        self._refused = {
            _normal(source.path) for source in sources if source.is_internal and source.path
        }

    def __call__(self, event: Any, context: Any) -> Any:
        source = source_of(event, self._sources)
        call = _Call(event, context, source)
        try:
            call.request = source.request(event)
        except EventError as exc:
            if source.is_internal:
                raise
            _log("the event cannot be made a request", exc)
            call.refusal = _BAD_REQUEST
        else:
            is_outside = bool(self._refused) and not source.is_internal
            if is_outside and _normal(call.request.path) in self._refused:
                call.refusal = _NOT_FOUND
        responder = current_responder.get(None) if source.name in self._streaming else None
        if responder is not None:
            self._stream(call, responder)
            return None
        return source.result(self._keep(call).response, event)

    def _stream(self, call: _Call, responder: Responder) -> None:
        raise NotImplementedError

    def _keep(self, call: _Call) -> Kept:
        raise NotImplementedError


class _Call:
    """One event on its way: as the request it tells of, or with the answer that refuses it."""

    def __init__(self, event: Any, context: Any, source: EventSource) -> None:
        self.event = event
        self.context = context
        self.source = source
        self.request: Request | None = None
        self.refusal: tuple[int, bytes] | None = None

    @property
    def method(self) -> str:
        """The request's method, if there is a request."""
        return self.request.method.upper() if self.request is not None else ""

    def marks(self) -> dict[str, Any]:
        """What the app finds of Lambda in its scope or environ."""
        return {
            "aws.event": self.event,
            "aws.context": self.context,
            "aws.source": self.source.name,
        }


class _WsgiHandler(_Handler):
    """A WSGI application as a handler."""

    def _stream(self, call: _Call, responder: Responder) -> None:
        def respond(event: Any, stream: ResponseStream, context: Any) -> None:
            self._respond(call, Streamed(call.method, stream), lambda: stream.started)

        answer_with_function(respond, responder, call.event, call.context)

    def _keep(self, call: _Call) -> Kept:
        into = Kept(call.method)
        self._respond(call, into, lambda: False)
        return into

    def _respond(self, call: _Call, into: Streamed | Kept, has_started: Callable[[], bool]) -> None:
        refusal = call.refusal
        if refusal is None and call.request is not None:
            try:
                wsgi.answer(self._app, wsgi.environ_of(call.request, call.marks()), into)
                return
            except Exception as exc:
                if has_started():
                    raise
                _log("the app failed before the first byte", exc)
        status, text = refusal or _SERVER_ERROR
        into.head(status, _TEXT)
        into.body(text)
        into.end()


class _AsgiHandler(_Handler):
    """An ASGI application as a handler."""

    def __init__(self, app: Any, sources: Sequence[EventSource], streaming: set[str]) -> None:
        super().__init__(app, sources, streaming)
        # asyncio costs 20 ms to import: a WSGI app does without.
        from ..event_loop import run
        from . import asgi

        self._run = run
        self._asgi = asgi
        self._lifespan = asgi.Lifespan(app)
        is_alone = "AWS_LAMBDA_MAX_CONCURRENCY" not in os.environ
        if "AWS_LAMBDA_RUNTIME_API" in os.environ and is_alone:
            run(self._lifespan.start())

    def _stream(self, call: _Call, responder: Responder) -> None:
        async def respond(event: Any, stream: AsyncResponseStream, context: Any) -> None:
            await self._respond(call, AsyncStreamed(call.method, stream), lambda: stream.started)

        self._run(answer_with_coroutine(respond, responder, call.event, call.context))

    def _keep(self, call: _Call) -> Kept:
        into = AsyncKept(call.method)
        self._run(self._respond(call, into, lambda: False))
        return into

    async def _respond(
        self, call: _Call, into: AsyncStreamed | AsyncKept, has_started: Callable[[], bool]
    ) -> None:
        refusal = call.refusal
        if refusal is None and call.request is not None:
            await self._lifespan.start()
            scope = self._asgi.http_scope(call.request, self._lifespan.state) | call.marks()
            try:
                await self._asgi.answer(self._app, scope, call.request.body, into)
                return
            except Exception as exc:
                if into.has_ended:
                    # The client has a whole response: a framework's error page, say.
                    _log("the app failed after its response", exc)
                    return
                if has_started():
                    raise
                _log("the app failed before the first byte", exc)
        status, text = refusal or _SERVER_ERROR
        into.head(status, _TEXT)
        await into.body(text)
        await into.end()


def _streaming_names(stream: Iterable[str] | None, sources: Sequence[EventSource]) -> set[str]:
    """The sources whose events are answered with a stream."""
    possible = {source.name for source in sources if source.can_stream}
    if stream is None:
        named = os.environ.get("PENSTOCK_STREAM")
        if named is None:
            return possible & {"function_url"}
        stream = filter(None, named.split(","))
    names = {name.strip() for name in stream}
    if unknown := names - possible:
        raise AppError(
            f"{', '.join(sorted(unknown))} cannot be streamed to; those that can: "
            f"{', '.join(sorted(possible))}"
        )
    return names


def _normal(path: str) -> str:
    """A path as routers may read it: decoded, without dots, doubled or last slashes."""
    from posixpath import normpath
    from urllib.parse import unquote

    return normpath("/" + unquote(path).strip("/"))


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
