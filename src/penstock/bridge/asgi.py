"""An ASGI 3.0 application: one request of it.

Source: the ASGI specification, "HTTP & WebSocket ASGI Message Format" 2.5. Of its
extensions none is offered: what has no place in Lambda's answers (early hints, trailers,
files sent by their path) is what a framework then does without.
"""

from __future__ import annotations

import asyncio

from ..errors import AppError, StreamBrokenError
from .answering import BodyLength
from .deadline import Timed
from .routing import log
from .text import field_bytes, host_and_port
from .wrapped_apps import wrapped_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping
    from typing import Any, TypeAlias

    from ..deadline import DeadlineGuard
    from ..messages import Request
    from .answering import AsyncKept, AsyncStreamed
    from .server_sent_events import AsyncEventStreams

    Message: TypeAlias = MutableMapping[str, Any]
    App: TypeAlias = Callable[
        [Any, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
        Awaitable[None],
    ]


# They look for routes with the whole path, root path and all, and would find none.
_TAKE_PATH_BELOW_ROOT = ("falcon", "sanic")


def takes_path_below_root(app: Any) -> bool:
    """Whether the app, or what it wraps, wants the path without the root path."""
    return any(
        base.__module__.partition(".")[0] in _TAKE_PATH_BELOW_ROOT
        for each in wrapped_in(app)
        for base in type(each).__mro__
    )


def http_scope(
    request: Request, state: dict[str, Any], is_path_below_root: bool = False
) -> dict[str, Any]:
    """The scope of a request.

    The `path` has the `root_path` in front, as ASGI has it, unless `is_path_below_root`.
    """
    from urllib.parse import unquote_to_bytes

    headers = request.headers
    scheme = (headers.get("x-forwarded-proto") or "https").partition(",")[0].strip()
    raw_path = request.path.encode("utf-8", "surrogateescape")
    if is_path_below_root:
        raw_path = raw_path[len(request.root_path) :] or b"/"
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": _http_version(request.protocol),
        "method": request.method.upper(),
        "scheme": scheme,
        "path": unquote_to_bytes(raw_path).decode("utf-8", "replace"),
        "raw_path": raw_path,
        "query_string": request.query.encode("utf-8", "surrogateescape"),
        "root_path": unquote_to_bytes(request.root_path).decode("utf-8", "replace"),
        "headers": [
            (key.lower().encode("latin-1", "replace"), field_bytes(value)) for key, value in headers
        ],
        # Of what comes from within AWS nobody at an address is the client.
        "client": (request.source_ip, 0) if request.source_ip else None,
        "server": host_and_port(headers.get("host"), scheme),
        "state": dict(state),
    }


def _http_version(protocol: str) -> str:
    version = protocol.rpartition("/")[2] or "1.1"
    return version.removesuffix(".0") if version[:1] in "23" else version


async def answer(
    app: App,
    scope: dict[str, Any],
    body: bytes,
    into: AsyncStreamed | AsyncKept | AsyncEventStreams,
    guard: DeadlineGuard | None,
) -> None:
    """Run the app for one request and give what it sends to `into`.

    Returns when the app has returned, after its background tasks; the client of a stream has
    its response when the app has sent the last of it. When `guard` says that the time has come,
    the app hears that its client is gone; if it then goes on, it is cancelled.

    Raises:
        AppError: the app returned without a whole response, which is also one of another
            length than its `content-length`, or broke the order of messages.
        DeadlineApproaching: it was cancelled.
        BaseException: what the app raises.
    """
    exchange = _Exchange(body, into)
    if (call_when_gone := getattr(into, "call_when_gone", None)) is not None:
        # A heartbeat may notice it, while the app itself is silent.
        call_when_gone(exchange.lose_client)
    running: Any = app(scope, exchange.receive, exchange.send)
    timed = None
    if guard is not None:
        timed = running = Timed(running, guard, exchange.run_out_of_time, exchange.give_up)
    try:
        await running
    except BaseException as exc:
        if timed is not None and timed.has_cancelled and guard is not None:
            raise guard.approaching() from exc
        if isinstance(exc, asyncio.CancelledError):
            # Nobody has cancelled the request; the app has awaited what was. It would go on
            # up and end the whole process.
            raise AppError("the ASGI app was cancelled, by something that it awaited") from exc
        if not exchange.is_broken or not isinstance(exc, Exception):
            raise
        if not _is_of_the_connection(exc):
            log("the app failed after its client had gone", exc)
    finally:
        exchange.disconnected.set()
    if not into.has_ended and not exchange.is_broken:
        if guard is not None and (exchange.was_told_of_time or guard.seconds_left() <= 0):
            raise guard.approaching()
        raise exchange.length_error or AppError(
            "the ASGI app returned without a response"
            if not into.has_head
            else "the ASGI app returned before the end of its response: its last "
            "http.response.body has more_body=True"
        )


class _Exchange:
    """The `receive` and `send` of one request."""

    def __init__(self, body: bytes, into: AsyncStreamed | AsyncKept | AsyncEventStreams) -> None:
        self._body: bytes | None = body
        self._into = into
        self._has_started = False
        self._is_over = False
        self._is_out_of_time = False
        self._length: BodyLength | None = None
        #: Whether the app has heard, in whichever way, that its time is up while its response
        #: was not whole.
        self.was_told_of_time = False
        self.is_broken = False
        self.disconnected = asyncio.Event()

    @property
    def length_error(self) -> AppError | None:
        """What the app has been told because its body is not as long as its head says."""
        return self._length.error if self._length is not None else None

    async def receive(self) -> Message:
        """The request, once; then, when the response is over or nobody reads it, its end."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self.disconnected.wait()
        if self._is_out_of_time and not self._is_over:
            self.was_told_of_time = True
        return {"type": "http.disconnect"}

    def lose_client(self) -> None:
        """The client is known to be gone."""
        self.is_broken = True
        self.disconnected.set()

    def run_out_of_time(self) -> None:
        """Tell the app that its client is gone: for it there is no time any more."""
        self._is_out_of_time = True
        self.disconnected.set()

    def give_up(self) -> None:
        """The app is about to be cancelled. What it sends after that need not be all."""
        if not self._is_over:
            self.was_told_of_time = True

    async def send(self, message: Message) -> None:
        """Take a message of the response.

        Raises:
            AppError: it is not its turn, or the body is not as long as the head says. Of a
                message with which it would be too long nothing is sent.
            OSError: the client is gone.
        """
        kind = message["type"]
        if kind == "http.response.start":
            if self._has_started:
                raise AppError("http.response.start was sent twice")
            # Errors in the head are raised here, where nothing has left yet.
            fields = list(_text_fields(message))
            self._into.head(message["status"], fields)
            self._length = BodyLength(fields) if self._into.takes_body else None
            self._has_started = True
        elif kind == "http.response.body":
            await self._send_body(message)
        else:
            raise AppError(
                f"an ASGI app cannot send {kind!r} in answer to a request: the scope offers "
                "no extensions"
            )

    async def _send_body(self, message: Message) -> None:
        into = self._into
        if self._is_over:
            raise AppError("http.response.body was sent after the end of the response")
        if not self._has_started:
            raise AppError("http.response.body was sent before http.response.start")
        data = message.get("body", b"")
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise AppError(f"the body of http.response.body is bytes, not {type(data).__name__}")
        data = bytes(data)
        has_more = message.get("more_body", False)
        if self._length is not None:
            # Before the part is sent: what is wrong with the only one is then a real 500.
            self._length.add(data)
            # Who ends because there is no client or time any more need not send all.
            if not (has_more or self.was_told_of_time or self.is_broken):
                self._length.check_end()
        try:
            if has_more:
                await into.body(data)
            else:
                if data:
                    await into.body(data)
                self._is_over = True
                # Who ends because there is no client any more does not say that it is whole.
                if not self.was_told_of_time:
                    await into.end()
                self.disconnected.set()
        except StreamBrokenError:
            self.is_broken = True
            self.disconnected.set()
            raise


def _is_of_the_connection(exc: BaseException | None) -> bool:
    """Whether it is what `send` has raised, or what a framework has made of that.

    What was raised while that was dealt with may as well be a mistake in the dealing.
    """
    while exc is not None:
        if isinstance(exc, OSError):
            return True
        # Starlette's ClientDisconnect, for one, is raised with no cause.
        is_said = "disconnect" in type(exc).__name__.lower()
        exc = exc.__cause__ or (exc.__context__ if is_said else None)
    return False


def _text_fields(message: Message) -> Iterable[tuple[str, str]]:
    for name, value in message.get("headers", ()):
        if isinstance(name, str) or isinstance(value, str):
            raise AppError("an ASGI app's header fields are bytes, not str")
        yield bytes(name).decode("latin-1"), bytes(value).decode("latin-1").strip(" \t")
