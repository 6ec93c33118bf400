"""`Invoke`, `InvokeWithResponseStream` and `InvokeAsync`, as AWS's SDKs and CLI call them.

Source: the Lambda API reference; captures of the live service for what it leaves open.
"""

from __future__ import annotations

import json
from base64 import b64encode

from ...wire import eventstream
from .. import limits
from ..api_errors import platform_headers, refuse, too_many_requests
from ..concurrency import TooManyRequestsError
from ..environments.environments import Environments
from ..functions import LATEST
from ..http.http_server import Exchange, HeaderList
from ..invocations import Invocation, new_request_id
from ..lambda_api.errors import ApiError, not_found
from ..lambda_api.names import function_arn
from ..registry import Registry
from ..relay import BufferedReceiver, Ending, Outcome, ResponseHead
from .event_invokes import EventInvokes
from .event_queue import QueueFullError
from .invoke_oddities import Oddities
from .invoke_requests import (
    EventTooLargeError,
    InvokeRequest,
    Operation,
    find_operation,
    read_event,
    read_request,
)
from .lineage import RecursiveInvocationError, next_trace_id

#: The name by which AWS's own emulator calls whatever function it runs.
RIE_NAME = "function"


# What is said besides with an error. The rest of a body that is too large is not read.
_MORE: dict[int, HeaderList] = {
    413: [("Connection", "close")],
    429: [("Retry-After", "1")],
}


class _ThrottledError(ApiError):
    """The call is one too many: for AWS's `reason`, and `why` is a line for the log."""

    def __init__(self, reason: str, why: str) -> None:
        super().__init__(429, "TooManyRequestsException", too_many_requests(reason))
        self.why = why


class InvokeApi:
    """Invokes the functions of `registry`, asynchronously by `events`.

    `alone` is the name of the one that answers to the name that AWS's own emulator uses.
    Without it that is the only one that there is.
    """

    def __init__(
        self,
        registry: Registry,
        events: EventInvokes,
        *,
        alone: str | None,
        region: str,
        oddities: Oddities,
    ) -> None:
        self._registry = registry
        self._events = events
        self._alone = alone
        self._region = region
        self._oddities = oddities

    def is_invocation(self, path: str) -> bool:
        """Whether `path` is one of this API's."""
        return find_operation(path) is not None

    def handle(self, exchange: Exchange) -> None:
        """Answer one request to one of this API's paths."""
        try:
            self._prepared(exchange).run()
        except ApiError as error:
            request_id = new_request_id()
            if isinstance(error, EventTooLargeError):
                self._oddities.say_event_too_large(request_id, error.limit)
            elif isinstance(error, _ThrottledError):
                self._oddities.say_throttled(request_id, error.why)
            refuse(
                exchange,
                error.status,
                error.error_type,
                error.body,
                _MORE.get(error.status),
                request_id=request_id,
            )

    def _prepared(self, exchange: Exchange) -> _Call:
        """The call that a request makes.

        Raises:
            ApiError: it is refused.
        """
        found = find_operation(exchange.path)
        if found is None or exchange.method != "POST":
            raise ApiError(405, "MethodNotAllowedException", {"Message": "POST is allowed here"})
        operation, written = found
        is_signed = exchange.headers.get("authorization") is not None
        if not is_signed and (operation is not Operation.INVOKE or written != RIE_NAME):
            # Every AWS client signs; a web page cannot without being asked first.
            raise ApiError(
                403,
                "MissingAuthenticationTokenException",
                {"Message": "Missing Authentication Token: use an AWS client, or sign"},
            )
        request = read_request(exchange, operation, written, region=self._region)
        environments = self._find(request)
        is_event = request.kind == "Event" and operation is not Operation.STREAM
        limit = limits.EVENT_PAYLOAD if is_event else limits.BUFFERED_PAYLOAD
        event = read_event(exchange, limit=limit, check=is_signed or is_event)
        return _Call(exchange, request, environments, self._events, event, self._oddities)

    def _find(self, request: InvokeRequest) -> Environments:
        """What the call is for.

        Raises:
            ApiError: there is no such function, version or alias.
        """
        environments = self._registry.find(request.name, request.qualifier)
        if environments is None and request.name == RIE_NAME:
            names = [self._alone] if self._alone is not None else self._registry.names
            if len(names) == 1:
                environments = self._registry.find(names[0], request.qualifier)
        if environments is None:
            arn = function_arn(self._region, request.name, request.qualifier or LATEST)
            raise not_found(f"Function not found: {arn}")
        return environments


class _Call:
    """One call of a function through the API."""

    def __init__(
        self,
        exchange: Exchange,
        request: InvokeRequest,
        environments: Environments,
        events: EventInvokes,
        event: bytes,
        oddities: Oddities,
    ) -> None:
        self.exchange = exchange
        self.oddities = oddities
        self._request = request
        self._environments = environments
        self._events = events
        self._event = event

    def run(self) -> None:
        """Make the call and answer.

        Raises:
            ApiError: the function was not called.
        """
        is_streaming = self._request.operation is Operation.STREAM
        is_dry = self._request.kind == "DryRun"
        if is_dry and not (is_streaming and self.oddities.quirks.dry_run_runs):
            self.exchange.respond(204, platform_headers(new_request_id()))
            return
        function = self._environments.function
        try:
            trace_id = next_trace_id(self._request.trace_id, function.name)
            if self._request.kind == "Event" and not is_streaming:
                self._accept(function.name, trace_id)
                return
            receiver = _EventStreamReceiver(self) if is_streaming else BufferedReceiver()
            invocation = self.invocation = Invocation(
                function,
                self._event,
                receiver,
                is_streaming=is_streaming,
                qualifier=self._request.qualifier,
                client_context=self._request.client_context,
                tenant_id=self._request.tenant_id,
                trace_id=trace_id,
            )
            if is_dry:
                self.oddities.say_dry_run_runs(invocation)
            self._environments.invoke(invocation)
        except TooManyRequestsError as exc:
            raise _ThrottledError(exc.reason, f"AWS answers 429 to this: {exc}") from exc
        except RecursiveInvocationError as exc:
            body = {"Type": "User", "Message": str(exc)}
            raise ApiError(400, "RecursiveInvocationException", body) from exc
        outcome = invocation.relay.wait()
        if outcome is None or invocation.relay.caller_gone:
            self.exchange.abort()
        elif isinstance(receiver, _EventStreamReceiver):
            receiver.finish(outcome)
        else:
            self._respond(receiver, outcome)

    def _accept(self, name: str, trace_id: str) -> None:
        try:
            request_id = self._events.accept(
                name,
                self._request.qualifier,
                self._event,
                trace_id=trace_id,
                client_context=self._request.client_context,
                tenant_id=self._request.tenant_id,
            )
        except QueueFullError as exc:
            why = f"429, for a limit of the emulator's own: {exc}"
            raise _ThrottledError("CallerRateLimitExceeded", why) from exc
        headers = [*platform_headers(request_id), ("x-amzn-Trace-Id", trace_id)]
        self.exchange.respond(202, headers)

    def headers(self) -> HeaderList:
        """What Lambda says with every answer of a function."""
        return [
            *platform_headers(self.invocation.request_id),
            ("x-amzn-Trace-Id", self.invocation.trace_id),
            ("x-amz-executed-version", self.invocation.function.version),
        ]

    def log_result(self) -> str | None:
        """The end of the log in base64, if the caller wants it; waits for its last line."""
        if not self._request.wants_log:
            return None
        self.invocation.finished.wait()
        return b64encode(self.invocation.log.last()).decode()

    def _respond(self, receiver: BufferedReceiver, outcome: Outcome) -> None:
        headers = [*self.headers(), ("x-amzn-Remapped-Content-Length", "0")]
        if (log := self.log_result()) is not None:
            headers.append(("X-Amz-Log-Result", log))
        # A stream that failed after its first byte is a success to Invoke (captured).
        if outcome.ending is Ending.WHOLE or self.oddities.succeeds(self.invocation, outcome):
            body = receiver.content
            head = receiver.head if body else None
            content_type = self.oddities.content_type(self.invocation, head)
        else:
            body, content_type = outcome.payload, "application/json"
            headers.append(("X-Amz-Function-Error", "Unhandled"))
        self.exchange.respond(200, [*headers, ("Content-Type", content_type)], body)


class _EventStreamReceiver:
    """Sends a response as frames of the binary event stream."""

    def __init__(self, call: _Call) -> None:
        self._call = call
        self._bandwidth = call.oddities.bandwidth()

    def begin(self, head: ResponseHead) -> None:
        """Send the HTTP head: it comes with the runtime's, not before."""
        content_type = head.content_type or "application/octet-stream"
        self._call.exchange.begin(
            200,
            [
                *self._call.headers(),
                ("Content-Type", eventstream.CONTENT_TYPE),
                ("x-amzn-Remapped-Content-Type", content_type),
            ],
        )

    def body(self, data: bytes) -> None:
        """Send a part of the body, the prelude included, as a `PayloadChunk`."""
        if self._bandwidth is not None:
            self._bandwidth.take(len(data))
        self._call.exchange.send(*eventstream.payload_chunk(data))

    def finish(self, outcome: Outcome) -> None:
        """Send `InvokeComplete`, which on AWS does not tell a failure from a success."""
        exchange = self._call.exchange
        if not exchange.answered:
            self.begin(ResponseHead("application/json", says_streaming=False))
            if outcome.payload:
                self.body(outcome.payload)
        log = self._call.log_result()
        told = self._call.oddities.error(self._call.invocation, outcome)
        detail = json.dumps(told if log is None else {**told, "LogResult": log}).encode()
        exchange.send(b"".join(eventstream.invoke_complete(detail)))
        exchange.end()
