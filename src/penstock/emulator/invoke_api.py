"""`Invoke` and `InvokeWithResponseStream`, as AWS's SDKs and CLI call them.

Source: the Lambda API reference; captures of the live service for what it leaves open.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from urllib.parse import unquote

from ..wire import eventstream
from . import limits
from .api_errors import platform_headers, refuse, too_many_requests
from .environments import Environments, TooManyRequestsError
from .functions import ACCOUNT, LATEST
from .http_server import BodyTooLargeError, Exchange, HeaderList
from .invocations import Invocation, new_request_id
from .registry import Registry
from .relay import BufferedReceiver, Ending, Outcome, ResponseHead

_INVOKE = re.compile(r"/2015-03-31/functions/([^/]+)/invocations/?")
_STREAM = re.compile(r"/2021-11-15/functions/([^/]+)/response-streaming-invocations/?")

# A name, `name:qualifier`, a partial or a full ARN. (NamespacedFunctionName)
_FUNCTION_NAME = re.compile(
    r"(?:arn:[a-z-]+:lambda:)?(?:[a-z0-9-]+:)?(?:(?P<account>\d{12}):)?(?:function:)?"
    r"(?P<name>[a-zA-Z0-9_-]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9_-]+))?"
)

#: The name by which AWS's own emulator calls whatever function it runs.
RIE_NAME = "function"


class InvokeApi:
    """Invokes the functions of `registry`.

    `alone` is the name of the one that answers to the name that AWS's own emulator uses.
    """

    def __init__(self, registry: Registry, *, alone: str | None, region: str) -> None:
        self._registry = registry
        self._alone = alone
        self._region = region

    def is_invocation(self, path: str) -> bool:
        """Whether `path` is one of this API's."""
        return _INVOKE.fullmatch(path) is not None or _STREAM.fullmatch(path) is not None

    def handle(self, exchange: Exchange) -> None:
        """Answer one request to one of this API's paths."""
        stream = _STREAM.fullmatch(exchange.path)
        match = stream or _INVOKE.fullmatch(exchange.path)
        if match is None or exchange.method != "POST":
            refuse(exchange, 405, "MethodNotAllowedException", {"Message": "POST is allowed here"})
            return
        written = unquote(match.group(1))
        is_signed = exchange.headers.get("authorization") is not None
        if not is_signed and (stream or written != RIE_NAME):
            # Every AWS client signs; a web page cannot without being asked first.
            refuse(
                exchange,
                403,
                "MissingAuthenticationTokenException",
                {"Message": "Missing Authentication Token: use an AWS client, or sign"},
            )
            return
        found = self._find(exchange, written)
        if found is None:
            return
        event = self._event(exchange, check=is_signed)
        if event is not None:
            _Call(exchange, *found, event, is_streaming=stream is not None).run()

    def _find(self, exchange: Exchange, written: str) -> tuple[Environments, str | None] | None:
        """What the call is for, and its qualifier; None if it was refused."""
        match = _FUNCTION_NAME.fullmatch(written)
        name = match["name"] if match is not None else written
        qualifier = (match["qualifier"] if match is not None else None) or _query_value(
            exchange.query, "Qualifier"
        )
        environments = self._registry.find(name, qualifier)
        if environments is None and name == RIE_NAME and self._alone is not None:
            environments = self._registry.find(self._alone, qualifier)
        if environments is not None:
            return environments, qualifier
        arn = f"arn:aws:lambda:{self._region}:{ACCOUNT}:function:{name}:{qualifier or LATEST}"
        refuse(
            exchange,
            404,
            "ResourceNotFoundException",
            {"Type": "User", "Message": f"Function not found: {arn}"},
        )
        return None

    def _event(self, exchange: Exchange, *, check: bool) -> bytes | None:
        try:
            event = exchange.read_body(limits.BUFFERED_PAYLOAD)
        except BodyTooLargeError:
            refuse(
                exchange,
                413,
                "RequestTooLargeException",
                {
                    "Type": "User",
                    "message": "Request must be smaller than "
                    f"{limits.BUFFERED_PAYLOAD} bytes for the InvokeFunction operation",
                },
            )
            return None
        if not event:
            return b"{}"
        try:
            if check:
                json.loads(event)
        except (ValueError, RecursionError) as exc:
            refuse(
                exchange,
                400,
                "InvalidRequestContentException",
                {"Type": "User", "message": f"Could not parse request body into json: {exc}"},
            )
            return None
        return event


class _Call:
    """One call of a function through the API."""

    def __init__(
        self,
        exchange: Exchange,
        environments: Environments,
        qualifier: str | None,
        event: bytes,
        *,
        is_streaming: bool,
    ) -> None:
        self._exchange = exchange
        self._environments = environments
        self._qualifier = qualifier
        self._event = event
        self._is_streaming = is_streaming
        self._wants_log = exchange.headers.get("x-amz-log-type") == "Tail"

    def run(self) -> None:
        kind = self._exchange.headers.get("x-amz-invocation-type") or "RequestResponse"
        try:
            client_context = _client_context(self._exchange.headers.get("x-amz-client-context"))
        except (ValueError, RecursionError) as exc:
            refuse(
                self._exchange,
                400,
                "InvalidParameterValueException",
                {"Type": "User", "message": f"Client context must be base64 of JSON: {exc}"},
            )
            return
        if kind == "DryRun" and not self._is_streaming:
            self._exchange.respond(204, platform_headers(new_request_id()))
            return
        # InvokeWithResponseStream runs the function whatever the type says (captured).
        receiver = _EventStreamReceiver(self) if self._is_streaming else BufferedReceiver()
        invocation = Invocation(
            self._environments.function,
            self._event,
            receiver,
            is_streaming=self._is_streaming,
            qualifier=self._qualifier,
            client_context=client_context,
            tenant_id=self._exchange.headers.get("x-amz-tenant-id"),
            trace_id=self._exchange.headers.get("x-amzn-trace-id"),
        )
        self.invocation = invocation
        if kind == "Event" and not self._is_streaming:
            self._environments.invoke_later(invocation)
            self._exchange.respond(202, self.headers(invocation, version=False))
            return
        try:
            self._environments.invoke(invocation)
        except TooManyRequestsError:
            refuse(
                self._exchange,
                429,
                "TooManyRequestsException",
                too_many_requests(),
                [("Retry-After", "1")],
            )
            return
        outcome = invocation.relay.wait()
        if outcome is None or invocation.relay.caller_gone:
            self._exchange.abort()
        elif isinstance(receiver, _EventStreamReceiver):
            receiver.finish(outcome)
        else:
            self._respond(invocation, receiver, outcome)

    def headers(self, invocation: Invocation, *, version: bool = True) -> HeaderList:
        """What Lambda says with every answer."""
        headers = [
            *platform_headers(invocation.request_id),
            ("x-amzn-Trace-Id", invocation.trace_id),
        ]
        return (
            [*headers, ("x-amz-executed-version", invocation.function.version)]
            if version
            else headers
        )

    def log_result(self) -> str | None:
        """The end of the log in base64, if the caller wants it; waits for its last line."""
        if not self._wants_log:
            return None
        self.invocation.finished.wait()
        return b64encode(self.invocation.log.last()).decode()

    @property
    def exchange(self) -> Exchange:
        return self._exchange

    def _respond(
        self, invocation: Invocation, receiver: BufferedReceiver, outcome: Outcome
    ) -> None:
        headers = [*self.headers(invocation), ("x-amzn-Remapped-Content-Length", "0")]
        if (log := self.log_result()) is not None:
            headers.append(("X-Amz-Log-Result", log))
        # A stream that failed after its first byte is a success to Invoke (captured).
        if outcome.ending in (Ending.WHOLE, Ending.FAILED):
            body = receiver.content
            says = receiver.head.content_type if receiver.head is not None else ""
            is_json = says.partition(";")[0].strip() == "application/json" or not body
            content_type = "application/json" if is_json else "application/octet-stream"
        else:
            body, content_type = outcome.payload, "application/json"
            headers.append(("X-Amz-Function-Error", "Unhandled"))
        self._exchange.respond(200, [*headers, ("Content-Type", content_type)], body)


class _EventStreamReceiver:
    """Sends a response as frames of the binary event stream."""

    def __init__(self, call: _Call) -> None:
        self._call = call

    def begin(self, head: ResponseHead) -> None:
        """Send the HTTP head: it comes with the runtime's, not before."""
        content_type = head.content_type or "application/octet-stream"
        self._call.exchange.begin(
            200,
            [
                *self._call.headers(self._call.invocation),
                ("Content-Type", eventstream.CONTENT_TYPE),
                ("x-amzn-Remapped-Content-Type", content_type),
            ],
        )

    def body(self, data: bytes) -> None:
        """Send a part of the body, the prelude included, as a `PayloadChunk`."""
        self._call.exchange.send(b"".join(eventstream.payload_chunk(data)))

    def finish(self, outcome: Outcome) -> None:
        """Send `InvokeComplete`, which on AWS does not tell a failure from a success."""
        exchange = self._call.exchange
        if not exchange.answered:
            self.begin(ResponseHead("application/json", says_streaming=False))
            if outcome.payload:
                self.body(outcome.payload)
        log = self._call.log_result()
        detail = json.dumps({"LogResult": log} if log is not None else {}).encode()
        exchange.send(b"".join(eventstream.invoke_complete(detail)))
        exchange.end()


def _client_context(encoded: str | None) -> str | None:
    """The JSON in `X-Amz-Client-Context`, on one line of ASCII.

    Raises:
        ValueError: it is no base64 of JSON, or too long.
    """
    if not encoded:
        return None
    if len(encoded) > limits.CLIENT_CONTEXT:
        raise ValueError(f"it is longer than {limits.CLIENT_CONTEXT} bytes")
    return json.dumps(json.loads(b64decode(encoded, validate=True)))


def _query_value(query: str, name: str) -> str | None:
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if key == name:
            return unquote(value)
    return None
