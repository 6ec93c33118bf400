"""`adapt`: an application as a Lambda handler."""

from __future__ import annotations

import os

from ..errors import AppError, DeadlineApproaching
from ..event_sources.detect import all_sources
from ..event_sources.direct import Direct
from ..handler import answer_with_coroutine, answer_with_function, take_over_aws_client
from ..stream import current_responder
from . import wsgi
from .answering import AsyncKept, AsyncStreamed, Kept, Streamed
from .deadline import guard_of
from .interface import interface_of
from .options import (
    check_paths,
    checked_margin,
    checked_names,
    checked_sources,
    streaming_names,
)
from .routing import Router, log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from typing import Any

    from ..event_handlers import ServerSentEvents
    from ..event_sources.contract import EventSource
    from ..messages import Response
    from ..stream import AsyncResponseStream, Responder, ResponseStream
    from .routing import Call

_TEXT = [("content-type", "text/plain; charset=utf-8")]
_SERVER_ERROR = (500, b"Internal Server Error")
_TIMEOUT = (504, b"Gateway Timeout")


def adapt(
    app: Any,
    *,
    mode: str = "auto",
    stream: Iterable[str] | None = None,
    sources: Iterable[EventSource] = (),
    default_path: str | None = None,
    base_path: str = "",
    open_paths: Iterable[str] = (),
    deadline_margin_ms: int | None = None,
    sse: ServerSentEvents | bool = False,
    interface: str | None = None,
) -> Callable[[Any, Any], Any]:
    """Make a Lambda handler of an ASGI or WSGI application.

    `mode` is `auto`, which streams to the sources that `stream` names; `stream`, which
    streams to all that can take it; or `buffer`, which always answers with one proxy
    response. Only with `auto` may `stream` be given. It is `["function_url"]`, unless the
    variable PENSTOCK_STREAM has other names, with commas: the URL's invoke mode must then be
    RESPONSE_STREAM. No event tells whether its caller streams, and under a buffered one a
    stream's body is lost, so that has to be said for everything else.

    `sources` are event sources to ask besides those that Penstock knows, or, if one has the
    name of a known one, in its place: `[Sqs("/orders", per_record=True)]`. An event that no
    source knows is an error, or, with `default_path`, a POST of it to that path, whose answer
    is the result.
    `base_path` is the path below which the app is mounted, as the client sees it: `/api` for
    a custom domain's mapping, say. It becomes part of `root_path`, or `SCRIPT_NAME`, if
    whole segments of the path are the same; other paths stay as they are. The stage of an
    API needs no mention.
    `interface`, "asgi" or "wsgi", is found out from how the app is called.

    What comes back is a plain, blocking callable of `(event, context)`. An ASGI app is
    started (its lifespan) once per environment; on Lambda while the environment starts, and
    ended when that is told to end. Its background tasks are finished before the next
    invocation; the client of a stream does not wait for them, a whole answer leaves after
    them. The event and the context are in the scope, or the environ, as `aws.event` and
    `aws.context`, and `aws.source` is the name of the event's source, which no caller can
    forge. Events from within AWS are delivered as requests to paths that outside callers are
    refused (404), but for the sources that `open_paths` names.

    `deadline_margin_ms` before Lambda ends the invocation (default: a tenth of the time that
    there is at its start, 500 at most; 0: never) an ASGI app receives `http.disconnect`; if
    it goes on it is cancelled after half of that time. In a WSGI app `DeadlineApproaching`
    is raised.

    `sse`: True, or `penstock.sse(...)` with options, gives event streams of the app heartbeats
    while it is silent, and an `error` event if it fails; nothing else is touched.

    An exception before the first byte is answered with status 500 (504 at the deadline) and
    logged; after it, it fails the invocation.

    Raises:
        AppError: the app is neither, an option is not one of those possible, or, on Lambda,
            the app says that it cannot start.
        ValueError: `default_path` is no path.
    """
    if isinstance(app, _Handler):
        raise AppError(
            "the app is what adapt has made of one already; hand in the ASGI or WSGI app itself"
        )
    interface = interface or interface_of(app)
    if interface not in ("asgi", "wsgi"):
        raise AppError(f"interface is 'asgi' or 'wsgi', not {interface!r}")
    if not callable(app):
        raise AppError(f"the app is {app!r:.80}, which cannot be called")
    margin_ms = checked_margin(deadline_margin_ms)
    known = {source.name: source for source in all_sources()}
    known |= {source.name: source for source in checked_sources(sources)}
    if default_path is not None:
        if "direct" in known:
            raise AppError("default_path and a source called direct are two ways to say one thing")
        known["direct"] = Direct(default_path)
    asked = list(known.values())
    check_paths(asked)
    streaming = streaming_names(mode, stream, asked)
    router = Router(asked, base_path, checked_names("open_paths", open_paths), app)
    take_over_aws_client()
    kind = _AsgiHandler if interface == "asgi" else _WsgiHandler
    handler = kind(app, router, streaming, margin_ms)
    if sse:
        from .server_sent_events import event_streams_of

        handler.event_streams = event_streams_of(sse)
    return handler


class _Handler:
    """What both kinds share: whether an event is answered with a stream, and failures."""

    def __init__(
        self, app: Any, router: Router, streaming: set[str], deadline_margin_ms: int | None
    ) -> None:
        self._app = app
        self._router = router
        self._streaming = streaming
        self._margin_ms = deadline_margin_ms
        self.event_streams: ServerSentEvents | None = None

    def __call__(self, event: Any, context: Any) -> Any:
        call = self._router.call(event, context)
        if call.is_by_record:
            return self._by_record(call)
        if call.source.name in self._streaming:
            responder = current_responder.get(None)
            if responder is not None:
                self._stream(call, responder)
                return None
            from ..buffered import note_fallback

            note_fallback()
        return call.source.result(self._keep(call).response, event)

    def _by_record(self, call: Call) -> Any:
        guard = guard_of(call.context, self._margin_ms)

        def deliver(event: Any) -> Response | None:
            if guard is not None and guard.seconds_left() <= 0:
                return None
            return self._keep(call.part(event)).response

        source: Any = call.source
        return source.result_by_record(call.event, deliver)

    def _stream(self, call: Call, responder: Responder) -> None:
        raise NotImplementedError

    def _keep(self, call: Call) -> Kept:
        raise NotImplementedError


class _WsgiHandler(_Handler):
    """A WSGI application as a handler."""

    def _stream(self, call: Call, responder: Responder) -> None:
        def respond(event: Any, stream: ResponseStream, context: Any) -> None:
            self._respond(call, Streamed(call.method, stream), stream)

        answer_with_function(respond, responder, call.event, call.context)

    def _keep(self, call: Call) -> Kept:
        into = Kept(call.method)
        self._respond(call, into, None)
        return into

    def _respond(self, call: Call, into: Streamed | Kept, stream: ResponseStream | None) -> None:
        refusal = call.refusal
        if refusal is None and call.request is not None:
            environ = wsgi.environ_of(call.request, call.marks())
            guard = guard_of(call.context, self._margin_ms)
            try:
                if self.event_streams is None or not isinstance(into, Streamed):
                    wsgi.answer(self._app, environ, into, guard, stream)
                else:
                    from .server_sent_events import EventStreams

                    with EventStreams(into, self.event_streams, call.context) as events:
                        wsgi.answer(self._app, environ, events, guard, stream)
                return
            except Exception as exc:
                refusal = _answer_to(exc, into)
                if refusal is None:
                    return
        status, text = refusal or _SERVER_ERROR
        into.head(status, _TEXT)
        into.body(text)
        into.end()


class _AsgiHandler(_Handler):
    """An ASGI application as a handler."""

    def __init__(
        self, app: Any, router: Router, streaming: set[str], deadline_margin_ms: int | None
    ) -> None:
        super().__init__(app, router, streaming, deadline_margin_ms)
        # asyncio costs 20 ms to import: a WSGI app does without.
        from ..event_loop import run
        from . import asgi
        from .lifespan import EndOnSigterm, Lifespan

        self._run_loop = run
        self._asgi = asgi
        self._is_path_below_root = asgi.takes_path_below_root(app)
        self._lifespan = Lifespan(app)
        self._ending = EndOnSigterm(self._lifespan, run)
        if "AWS_LAMBDA_RUNTIME_API" in os.environ:
            self._ending.install()
            # With many invocations at once, the loop that they share is not there yet.
            if "AWS_LAMBDA_MAX_CONCURRENCY" not in os.environ:
                run(self._lifespan.start())

    def _run(self, main: Coroutine[Any, Any, None]) -> None:
        try:
            self._run_loop(main)
        finally:
            self._ending.end_if_due()

    def _stream(self, call: Call, responder: Responder) -> None:
        async def respond(event: Any, stream: AsyncResponseStream, context: Any) -> None:
            await self._respond(call, AsyncStreamed(call.method, stream))

        self._run(answer_with_coroutine(respond, responder, call.event, call.context))

    def _keep(self, call: Call) -> Kept:
        into = AsyncKept(call.method)
        self._run(self._respond(call, into))
        return into

    async def _respond(self, call: Call, into: AsyncStreamed | AsyncKept) -> None:
        refusal = call.refusal
        if refusal is None and call.request is not None:
            await self._lifespan.start()
            scope = self._asgi.http_scope(
                call.request, self._lifespan.state, self._is_path_below_root
            )
            scope |= call.marks()
            guard = guard_of(call.context, self._margin_ms)
            try:
                answer, body = self._asgi.answer, call.request.body
                if self.event_streams is None or not isinstance(into, AsyncStreamed):
                    await answer(self._app, scope, body, into, guard)
                else:
                    from .server_sent_events import AsyncEventStreams

                    async with AsyncEventStreams(into, self.event_streams, call.context) as events:
                        await answer(self._app, scope, body, events, guard)
                return
            except Exception as exc:
                refusal = _answer_to(exc, into)
                if refusal is None:
                    return
        status, text = refusal or _SERVER_ERROR
        into.head(status, _TEXT)
        await into.body(text)
        await into.end()


def _answer_to(
    exc: Exception, into: Streamed | Kept | AsyncStreamed | AsyncKept
) -> tuple[int, bytes] | None:
    """What is answered to the app's exception: nothing, if the client has an answer.

    Raises:
        Exception: the same, if something has left already and more was to come.
    """
    if into.has_ended:
        # The client has a whole response: a framework's error page, say.
        log("the app failed after its response", exc)
        return None
    if into.has_started:
        raise exc
    log("the app failed before the first byte", exc)
    return _TIMEOUT if isinstance(exc, DeadlineApproaching) else _SERVER_ERROR
