"""The Extensions API of one environment, and the doors of its Telemetry and Logs API.

Sources: AWS documentation, "Lambda Extensions API", "Lambda Telemetry API"; AWS's open
emulator for the texts of errors.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from ..functions import ACCOUNT, Function
from ..http.http_server import BodyTooLargeError, Exchange
from .extensions import Extension, ExtensionRefusedError, Extensions, State
from .telemetry_api import Subscription, SubscriptionError, read_subscription

#: The paths begin so.
PREFIXES = ("/2020-01-01/extension/", "/2020-08-15/logs", "/2022-07-01/telemetry")

_EXTENSION = "/2020-01-01/extension/"
_JSON = ("Content-Type", "application/json")
_BODY = 1024 * 1024


class ExtensionsApi:
    """Answers what extensions ask.

    `on_failure` gets an extension that has reported an error, and its kind; `subscribe` a
    subscription to the environment's events, and may raise `SubscriptionError`.
    """

    def __init__(
        self,
        function: Function,
        extensions: Extensions,
        *,
        on_failure: Callable[[Extension, State], None],
        subscribe: Callable[[Extension, Subscription], None],
    ) -> None:
        self._function = function
        self._extensions = extensions
        self._on_failure = on_failure
        self._subscribe = subscribe

    def handle(self, exchange: Exchange) -> None:
        """Answer one request."""
        called = exchange.method, exchange.path.rstrip("/")
        try:
            if called == ("POST", f"{_EXTENSION}register"):
                self._register(exchange)
            elif called == ("GET", f"{_EXTENSION}event/next"):
                self._next(exchange)
            elif called == ("POST", f"{_EXTENSION}init/error"):
                self._error(exchange, State.INIT_ERROR)
            elif called == ("POST", f"{_EXTENSION}exit/error"):
                self._error(exchange, State.EXIT_ERROR)
            elif called in (("PUT", "/2022-07-01/telemetry"), ("PUT", "/2020-08-15/logs")):
                self._subscribe_to_events(exchange, called[1])
            else:
                message = f"no such path: {exchange.method} {exchange.path}"
                _respond(exchange, 404, {"errorMessage": message, "errorType": "NotFound"})
        except ExtensionRefusedError as exc:
            _respond(exchange, 403, {"errorMessage": exc.message, "errorType": exc.error_type})
        except SubscriptionError as exc:
            error = {"errorMessage": str(exc), "errorType": exc.error_type}
            _respond(exchange, exc.status, error)
        except BodyTooLargeError:
            error = {"errorMessage": "Request too large", "errorType": "RequestEntityTooLarge"}
            _respond(exchange, 413, error)

    def _register(self, exchange: Exchange) -> None:
        name = exchange.headers.get("lambda-extension-name")
        if not name:
            raise ExtensionRefusedError("Extension.InvalidExtensionName", "Empty extension name")
        try:
            request = json.loads(exchange.read_body(_BODY))
            events = request.get("events") or []
            if not all(isinstance(event, str) for event in events):
                raise ValueError("events must be a list of strings")
            if request.get("configurationKeys"):
                raise ValueError(
                    "configurationKeys are deprecated; use environment variables instead"
                )
        except (ValueError, AttributeError, TypeError, RecursionError) as exc:
            raise ExtensionRefusedError("InvalidRequestFormat", str(exc)) from exc
        is_shared = self._function.max_concurrency is not None
        extension = self._extensions.register(name, events, is_shared=is_shared)
        answer = {
            "functionName": self._function.name,
            "functionVersion": self._function.version,
            "handler": self._function.handler,
        }
        wanted = exchange.headers.get("lambda-extension-accept-feature") or ""
        if "accountId" in [feature.strip() for feature in wanted.split(",")]:
            answer["accountId"] = ACCOUNT
        _respond(exchange, 200, answer, [("Lambda-Extension-Identifier", extension.identifier)])

    def _next(self, exchange: Exchange) -> None:
        extension = self._caller(exchange)
        event = self._extensions.next_event(extension, exchange.is_connected)
        if event is None:
            exchange.abort()
            return
        headers = [("Lambda-Extension-Event-Identifier", str(uuid.uuid4()))]
        _respond(exchange, 200, event, headers)

    def _error(self, exchange: Exchange, state: State) -> None:
        extension = self._caller(exchange)
        error_type = exchange.headers.get("lambda-extension-function-error-type")
        if not error_type:
            raise ExtensionRefusedError(
                "Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found"
            )
        exchange.read_body(_BODY)
        self._extensions.failed(extension, state, error_type)
        _respond(exchange, 202, {"status": "OK"})
        self._on_failure(extension, state)

    def _subscribe_to_events(self, exchange: Exchange, path: str) -> None:
        extension = self._caller(exchange)
        subscription = read_subscription(exchange.read_body(_BODY), is_logs_api="logs" in path)
        self._subscribe(extension, subscription)
        exchange.respond(200, [("Content-Type", "text/plain; charset=utf-8")], b"OK")

    def _caller(self, exchange: Exchange) -> Extension:
        identifier = exchange.headers.get("lambda-extension-identifier")
        if not identifier:
            raise ExtensionRefusedError(
                "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header"
            )
        try:
            uuid.UUID(identifier)
        except ValueError as exc:
            raise ExtensionRefusedError(
                "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier"
            ) from exc
        extension = self._extensions.find(identifier)
        if extension is None:
            raise ExtensionRefusedError(
                "Extension.UnknownExtensionIdentifier", f"Unknown extension {identifier}"
            )
        return extension


def _respond(
    exchange: Exchange,
    status: int,
    answer: dict[str, Any],
    headers: Sequence[tuple[str, str]] = (),
) -> None:
    body = json.dumps(answer, separators=(",", ":")).encode() + b"\n"
    exchange.respond(status, [_JSON, *headers], body)
