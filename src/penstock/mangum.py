"""Mangum's name and arguments over `adapt`: a change of one import.

Answers are buffered, as Mangum's are, until a stream is asked for. Written against Mangum
0.22; `docs/how-to/migrate-from-mangum.md` has what is different.
"""

from __future__ import annotations

import os

from .bridge.lambda_handler import adapt
from .errors import AppError
from .event_sources.detect import all_sources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from .bridge.asgi import App, Message


class Mangum:
    """A Lambda handler of an ASGI application: a callable of `(event, context)`.

    `lifespan` is `auto`: an app that has no lifespan does without; `on`: that is an error;
    `off`: the app is not asked. It runs once per environment, not once per invocation.
    `api_gateway_base_path` is what `adapt` calls `base_path`. `exclude_headers` are fields
    that are left out of every response. `text_mime_types` changes nothing: a body is sent as
    text if it is text. `custom_handlers` have to become sources of `adapt`.

    `stream` names the event sources to stream to, as for `adapt`. Without it, and without
    the variable PENSTOCK_STREAM, each answer is one proxy response, which is right for a
    Function URL whose invoke mode is BUFFERED.

    Raises:
        AppError: an argument that cannot be used; on Lambda also what `adapt` raises.
    """

    def __init__(
        self,
        app: App,
        lifespan: str = "auto",
        api_gateway_base_path: str | None = "/",
        custom_handlers: Iterable[Any] | None = None,
        text_mime_types: Iterable[str] | None = None,
        exclude_headers: Iterable[str] | None = None,
        *,
        stream: Iterable[str] | None = None,
    ) -> None:
        if lifespan not in ("auto", "on", "off"):
            raise AppError(f"lifespan is 'auto', 'on' or 'off', not {lifespan!r}")
        if custom_handlers:
            raise AppError(
                "custom_handlers are classes that Mangum calls, which Penstock does not; use "
                "penstock.adapt(app, sources=[...]) with objects as "
                "penstock.event_sources.contract describes them"
            )
        # Mangum knows no events but requests: they fail, and take no path from the app.
        others = [source.name for source in all_sources() if source.is_internal]
        inner = app
        app = _for_requests(app, others)
        if exclude_headers:
            app = _without_headers(app, exclude_headers)
        if lifespan == "on":
            app = _with_lifespan(app)
        elif lifespan == "off":
            app = _without_lifespan(app)
        # So that `adapt` sees of which framework it is.
        app.__wrapped__ = inner  # type: ignore[attr-defined]
        if stream is None and "PENSTOCK_STREAM" not in os.environ:
            stream = ()
        self._handler = adapt(
            app,
            stream=stream,
            base_path="/" + (api_gateway_base_path or "").strip("/"),
            open_paths=others,
            interface="asgi",
        )

    def __init_subclass__(cls) -> None:
        raise AppError(
            f"{cls.__name__} cannot be made of penstock.mangum.Mangum: there is nothing in it to "
            "override; wrap the handler, the app, or a source for penstock.adapt(sources=[...])"
        )

    def __call__(self, event: Any, context: Any) -> Any:
        """Answer an event."""
        return self._handler(event, context)


def _for_requests(app: App, others: list[str]) -> App:
    """An app that no event from within AWS reaches."""

    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        if scope.get("aws.source") in others:
            raise AppError(
                f"penstock.mangum.Mangum takes requests, and this is an event of "
                f"{scope['aws.source']}; penstock.adapt(app) delivers it to the app"
            )
        await app(scope, receive, send)

    return refusing


def _without_headers(app: App, names: Iterable[str]) -> App:
    excluded = {name.lower().encode() for name in names}

    async def excluding(scope: Any, receive: Any, send: Any) -> None:
        async def send_others(message: Message) -> None:
            if message["type"] == "http.response.start":
                fields = message.get("headers", ())
                kept = [field for field in fields if bytes(field[0]).lower() not in excluded]
                message = {**message, "headers": kept}
            await send(message)

        await app(scope, receive, send_others if scope["type"] == "http" else send)

    return excluding


def _with_lifespan(app: App) -> App:
    """An app that cannot start if it has no lifespan."""

    async def insisting(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        has_started = False

        async def send_noticed(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        why = "it returned without an answer"
        try:
            await app(scope, receive, send_noticed)
        except Exception as exc:
            if has_started:
                raise
            why = f"{type(exc).__name__}: {exc}"
        if not has_started:
            failed = f"lifespan is 'on', and the app has none: {why}"
            await send({"type": "lifespan.startup.failed", "message": failed})

    return insisting


def _without_lifespan(app: App) -> App:
    """An app that is never told of its start and its end."""

    async def ignoring(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    return ignoring
