"""An ASGI 3.0 application: one request of it, and its lifespan.

Source: the ASGI specification, "HTTP & WebSocket ASGI Message Format" 2.5 and "Lifespan
Protocol" 2.0.
"""

from __future__ import annotations

import asyncio

from ..errors import AppError, StreamBrokenError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping
    from typing import Any, TypeAlias

    from ..messages import Request
    from .answering import AsyncKept, AsyncStreamed

    Message: TypeAlias = MutableMapping[str, Any]
    App: TypeAlias = Callable[
        [Any, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
        Awaitable[None],
    ]

_VERSION = {"version": "3.0", "spec_version": "2.5"}


def http_scope(request: Request, state: dict[str, Any]) -> dict[str, Any]:
    """The scope of a request."""
    from urllib.parse import unquote_to_bytes

    headers = request.headers
    host = headers.get("host", "")
    name, _, port = (host or "").partition(":")
    scheme = (headers.get("x-forwarded-proto") or "https").partition(",")[0].strip()
    raw_path = request.path.encode("utf-8", "surrogateescape")
    server_port = int(port) if port.isdecimal() and len(port) < 6 else 443
    return {
        "type": "http",
        "asgi": dict(_VERSION),
        "http_version": request.protocol.rpartition("/")[2] or "1.1",
        "method": request.method.upper(),
        "scheme": scheme,
        "path": unquote_to_bytes(raw_path).decode("utf-8", "replace"),
        "raw_path": raw_path,
        "query_string": request.query.encode("utf-8", "surrogateescape"),
        "root_path": "",
        "headers": [
            (key.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
            for key, value in headers
        ],
        "client": (request.source_ip, 0),
        "server": (name or "lambda", server_port),
        "state": dict(state),
    }


async def answer(
    app: App, scope: dict[str, Any], body: bytes, into: AsyncStreamed | AsyncKept
) -> None:
    """Run the app for one request and give what it sends to `into`.

    Returns when the app has returned, after its background tasks; the client has its
    response when the app has sent the last of it.

    Raises:
        AppError: the app returned without a whole response, or broke the order of messages.
        BaseException: what the app raises.
    """
    exchange = _Exchange(body, into)
    try:
        await app(scope, exchange.receive, exchange.send)
    except Exception:
        if not exchange.is_broken:
            raise
        # Nobody is there any more who could be told.
    finally:
        exchange.disconnected.set()
    if not into.has_ended and not exchange.is_broken:
        raise AppError(
            "the ASGI app returned without a response"
            if not into.has_head
            else "the ASGI app returned before the end of its response: its last "
            "http.response.body has more_body=True"
        )


class _Exchange:
    """The `receive` and `send` of one request."""

    def __init__(self, body: bytes, into: AsyncStreamed | AsyncKept) -> None:
        self._body: bytes | None = body
        self._into = into
        self._started: Message | None = None
        self.is_broken = False
        self.disconnected = asyncio.Event()

    async def receive(self) -> Message:
        """The request, once; then, when the response is over or nobody reads it, its end."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self.disconnected.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a message of the response.

        Raises:
            AppError: it is not its turn.
            OSError: the client is gone.
        """
        kind = message["type"]
        if kind == "http.response.start":
            if self._started is not None:
                raise AppError("http.response.start was sent twice")
            self._started = message
        elif kind == "http.response.body":
            await self._send_body(message)
        else:
            raise AppError(f"an ASGI app cannot send {kind!r} in answer to a request")

    async def _send_body(self, message: Message) -> None:
        into = self._into
        if into.has_ended:
            raise AppError("http.response.body was sent after the end of the response")
        if self._started is None:
            raise AppError("http.response.body was sent before http.response.start")
        try:
            if not into.has_head:
                # Errors in the head are raised here, where nothing has left yet.
                into.head(self._started["status"], _text_fields(self._started))
            data = bytes(message.get("body", b""))
            if message.get("more_body", False):
                await into.body(data)
            else:
                if data:
                    await into.body(data)
                await into.end()
                self.disconnected.set()
        except StreamBrokenError:
            self.is_broken = True
            self.disconnected.set()
            raise


def _text_fields(message: Message) -> Iterable[tuple[str, str]]:
    for name, value in message.get("headers", ()):
        yield bytes(name).decode("latin-1"), bytes(value).decode("latin-1").strip(" \t")


class Lifespan:
    """The start of an app, once per environment. The app's own task goes on for ever.

    An app that does not know of lifespans is taken as started.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self.state: dict[str, Any] = {}
        self._failure: str | None = None
        self._asked = False
        self._answered = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the app, if that has not been done; return when it has started.

        Raises:
            AppError: it says that it cannot start.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._run())
            # It waits for as long as there is an environment: nothing is lost with it.
            self._task._log_destroy_pending = False  # type: ignore[attr-defined]
        if not self._answered.is_set():
            await self._answered.wait()
        if self._failure is not None:
            raise AppError(f"the app could not start: {self._failure}")

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": dict(_VERSION), "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        except Exception as exc:
            if not self._answered.is_set():
                import logging

                # As other servers do: an app that cannot start has a message to say so.
                logging.getLogger("penstock").info("the app has no lifespan", exc_info=exc)
        finally:
            self._answered.set()

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "lifespan.startup"}
        # An environment ends without notice.
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def _send(self, message: Message) -> None:
        if not message["type"].startswith("lifespan."):
            raise AppError(f"an ASGI app cannot send {message['type']!r} in its lifespan")
        if message["type"] == "lifespan.startup.failed":
            self._failure = str(message.get("message", "")) or "lifespan.startup.failed"
        if message["type"].startswith("lifespan.startup."):
            self._answered.set()
