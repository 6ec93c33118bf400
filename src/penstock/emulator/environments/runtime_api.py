"""The Runtime API of one environment, as AWS's own serves it.

Source: AWS documentation, "Using the Lambda runtime API for custom runtimes", and AWS's
open emulator for the texts of errors.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Protocol

from ...errors import RemoteProtocolError
from ...messages import Headers
from ...wire import runtime_api as wire
from ...wire.trailers import ERROR_BODY, ERROR_TYPE, MAX_BLOCK, decode_error_body
from .. import limits
from ..access import AccessRules
from ..http.http_server import BodyTooLargeError, Exchange, HeaderList
from ..invocations import Invocation
from ..relay import Ending, Outcome, ResponseHead, truncated
from .extensions_api import PREFIXES as EXTENSION_PATHS
from .extensions_api import ExtensionsApi

_JSON = [("Content-Type", "application/json")]
_INVOCATION = f"{wire.VERSION}/runtime/invocation/"


class RuntimeEnvironment(Protocol):
    """What the Runtime API needs of the environment that it belongs to."""

    def find_invocation(self, request_id: str) -> Invocation | None:
        """The one with this id, while it is not finished."""

    def has_timed_out(self, request_id: str) -> bool:
        """Whether it was given up because it took too long; tells it once."""

    def next_invocation(
        self, is_connected: Callable[[], bool], deliver: Callable[[Invocation], None]
    ) -> bool:
        """Block until there is one, and `deliver` it; False when the environment is to end.

        Whoever asks gets none, either, when `is_connected` says that it has gone.
        """

    def restore_next(self, is_connected: Callable[[], bool]) -> bool:
        """Block until the runtime may go on after its snapshot; False if it may not."""

    def init_failed(self, outcome: Outcome) -> None:
        """The start of the runtime failed."""

    def answered(self, invocation: Invocation) -> None:
        """The runtime has answered, well or badly, and has not been told so yet."""

    def connection_lost(self, invocation: Invocation) -> None:
        """A response was cut by the closing of its connection."""


class RuntimeApi:
    """Answers the requests of one environment's runtime client, and of its extensions."""

    def __init__(
        self, environment: RuntimeEnvironment, extensions: ExtensionsApi | None = None
    ) -> None:
        self._environment = environment
        self._extensions = extensions
        # Of the last GET and the last other request: a client's headers are mostly the same.
        self._last_trusted: dict[bool, Headers] = {}

    def handle(self, exchange: Exchange) -> None:
        """Answer one request."""
        path = exchange.path
        if exchange.headers is not self._last_trusted.get(exchange.method == "GET"):
            if (reason := _foreign(exchange.headers)) is not None:
                _refuse(exchange, 403, "Forbidden", reason)
                return
            self._last_trusted[exchange.method == "GET"] = exchange.headers
        if exchange.method == "GET" and path == wire.NEXT:
            self._next(exchange)
        elif exchange.method == "POST" and path == wire.INIT_ERROR:
            self._init_error(exchange)
        elif exchange.method == "GET" and path == wire.RESTORE_NEXT:
            if self._environment.restore_next(exchange.is_connected):
                exchange.respond(200, _JSON, b"{}")
            else:
                exchange.abort()
        elif exchange.method == "POST" and path == wire.RESTORE_ERROR:
            self._init_error(exchange)
        elif exchange.method == "POST" and path.startswith(_INVOCATION):
            request_id, _, action = path.removeprefix(_INVOCATION).partition("/")
            invocation = self._environment.find_invocation(request_id)
            if action not in ("response", "error"):
                _refuse(exchange, 400, "InvalidRequestID", "Invalid request ID")
            elif invocation is None:
                self._refuse_answer(exchange, request_id)
            elif action == "response":
                self._response(exchange, invocation)
            else:
                self._error(exchange, invocation)
        elif self._extensions is not None and path.startswith(EXTENSION_PATHS):
            self._extensions.handle(exchange)
        elif exchange.method == "GET" and path == f"{wire.VERSION}/ping":
            exchange.respond(200, [("Content-Type", "text/plain")], b"pong")
        else:
            _refuse(exchange, 404, "NotFound", f"no such path: {exchange.method} {path}")

    def _next(self, exchange: Exchange) -> None:
        def deliver(invocation: Invocation) -> None:
            exchange.respond(200, _event_headers(invocation), invocation.event)

        if not self._environment.next_invocation(exchange.is_connected, deliver):
            exchange.abort()

    def _init_error(self, exchange: Exchange) -> None:
        body = _read(exchange)
        if body is not None:
            self._environment.init_failed(_error_outcome(exchange, body))
            _accept(exchange)

    def _response(self, exchange: Exchange, invocation: Invocation) -> None:
        mode = exchange.headers.get(wire.RESPONSE_MODE)
        if mode is not None and mode != "streaming":
            invocation.relay.break_off(Outcome(Ending.ERROR, "Runtime.InvalidResponseModeHeader"))
            self._environment.answered(invocation)
            _refuse(exchange, 400, "InvalidFunctionResponseMode", "Invalid function response mode")
            return
        head = ResponseHead(
            content_type=exchange.headers.get("content-type") or "",
            says_streaming=mode is not None,
        )
        if not invocation.begin(head, exchange.abort):
            self._refuse_answer(exchange, invocation.request_id)
            return
        relay = invocation.relay
        try:
            for data in exchange.body():
                invocation.produced_bytes += len(data)
                if not relay.body(data):
                    self._environment.answered(invocation)
                    _refuse_size(exchange, relay.limit)
                    return
            invocation.response_ended_at = time.monotonic()
        except (RemoteProtocolError, OSError):
            self._environment.connection_lost(invocation)
            self._refuse_truncated(exchange, invocation)
            return
        if (size := _size_of_trailers(exchange)) > MAX_BLOCK:
            self._refuse_truncated(
                exchange,
                invocation,
                f"the trailers, which tell the error, have {size} bytes, and Lambda reads "
                f"{MAX_BLOCK}; make the error's message or its stack trace shorter",
            )
            return
        failure = _trailer_outcome(exchange)
        if failure is not None:
            relay.end(failure)
            self._environment.answered(invocation)
            _accept(exchange)
            return
        try:
            # First the runtime, whose next request all others wait for.
            _accept(exchange)
        finally:
            relay.end()
            self._environment.answered(invocation)

    def _refuse_truncated(
        self, exchange: Exchange, invocation: Invocation, reason: str = ""
    ) -> None:
        invocation.relay.cut(truncated(invocation.request_id, reason))
        self._environment.answered(invocation)
        _refuse(exchange, 400, "TruncatedHTTPRequest", "HTTP request detected as truncated")

    def _error(self, exchange: Exchange, invocation: Invocation) -> None:
        body = _read(exchange)
        if body is None:
            return
        if invocation.relay.report_error(_error_outcome(exchange, body)):
            self._environment.answered(invocation)
            _accept(exchange)
        else:
            self._refuse_answer(exchange, invocation.request_id)

    def _refuse_answer(self, exchange: Exchange, request_id: str) -> None:
        """Refuse an answer to what is over, or was never asked."""
        if self._environment.has_timed_out(request_id):
            _refuse(exchange, 410, "InvokeTimeout", "Invoke timeout")
        else:
            _refuse(exchange, 400, "InvalidRequestID", "Invalid request ID")


_LOOPBACK_ONLY = AccessRules()


def _foreign(headers: Headers) -> str | None:
    """Why what sent these headers is no runtime, or None: a page in a browser would say where
    it comes from, or be known by another host.
    """
    if "origin" in headers or "sec-fetch-site" in headers:
        return "this is for the environment's runtime, not for web pages"
    # Every browser names the host; programs of HTTP/1.0 need not.
    if "host" in headers and not _LOOPBACK_ONLY.knows_host_of(headers):
        return (
            f"the host {headers.get('host')!r} is not the environment's; a runtime sends none, "
            "or what AWS_LAMBDA_RUNTIME_API says"
        )
    return None


def _event_headers(invocation: Invocation) -> HeaderList:
    delivered_at = invocation.delivered_at or time.monotonic()
    left = delivered_at + invocation.function.timeout - time.monotonic()
    deadline_ms = int((time.time() + left) * 1000)
    headers = [
        ("Content-Type", "application/json"),
        ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
        ("Lambda-Runtime-Deadline-Ms", str(deadline_ms)),
        ("Lambda-Runtime-Invoked-Function-Arn", invocation.invoked_arn),
        ("Lambda-Runtime-Trace-Id", invocation.trace_id),
    ]
    if invocation.client_context:
        headers.append(("Lambda-Runtime-Client-Context", invocation.client_context))
    if invocation.tenant_id:
        headers.append(("Lambda-Runtime-Aws-Tenant-Id", invocation.tenant_id))
    return headers


def _size_of_trailers(exchange: Exchange) -> int:
    """In bytes on the wire, with the empty line behind them."""
    return sum(len(name) + len(value.encode()) + 4 for name, value in exchange.trailers) + 2


def _trailer_outcome(exchange: Exchange) -> Outcome | None:
    """The failure that trailers tell of, if they do."""
    if not len(exchange.trailers):
        return None
    declared = {
        name.strip().lower()
        for line in exchange.headers.get_all("trailer")
        for name in line.split(",")
    }
    # As on AWS, a trailer that was not declared is lost.
    heard = {name.lower(): value for name, value in exchange.trailers if name.lower() in declared}
    error_type = heard.get(ERROR_TYPE.lower())
    error_body = heard.get(ERROR_BODY.lower())
    if error_type is None and error_body is None:
        return None
    error = decode_error_body(error_body or "")
    payload = json.dumps(error).encode() if error is not None else b""
    return Outcome(Ending.FAILED, error_type or "Runtime.Unknown", payload)


def _error_outcome(exchange: Exchange, body: bytes) -> Outcome:
    error_type = exchange.headers.get(ERROR_TYPE)
    if error_type is None:
        try:
            error = json.loads(body)
        except (ValueError, RecursionError):
            error = None
        error_type = str(error.get("errorType", "")) if isinstance(error, dict) else ""
    return Outcome(Ending.ERROR, error_type or "Runtime.Unknown", body)


def _read(exchange: Exchange) -> bytes | None:
    try:
        return exchange.read_body(limits.BUFFERED_PAYLOAD)
    except BodyTooLargeError:
        _refuse_size(exchange, limits.BUFFERED_PAYLOAD)
        return None


def _accept(exchange: Exchange) -> None:
    exchange.respond(202, _JSON, b'{"status":"OK"}\n')


def _refuse_size(exchange: Exchange, limit: int) -> None:
    message = f"Exceeded maximum allowed payload size ({limit} bytes)."
    _refuse(exchange, 413, "RequestEntityTooLarge", message)


def _refuse(exchange: Exchange, status: int, error_type: str, message: str) -> None:
    body = json.dumps({"errorMessage": message, "errorType": error_type}, separators=(",", ":"))
    exchange.respond(status, _JSON, body.encode() + b"\n")
