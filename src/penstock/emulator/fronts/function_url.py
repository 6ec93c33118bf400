"""The Function URL of a function, in both invoke modes.

How the live service maps every kind of response was captured (us-east-1, 2026-09-15); the
table is in docs/reference/what-happens-when.md.
"""

from __future__ import annotations

import json
import logging
import time
from email.utils import formatdate

from ...errors import RemoteProtocolError
from ...event_sources.function_url import (
    UrlResponse,
    event_from_request,
    head_from_metadata,
    internal_server_error,
    response_from_result,
    streamed_response_from_result,
)
from ...messages import Request
from ...wire.prelude import CONTENT_TYPE as INTEGRATION_CONTENT_TYPE
from ...wire.prelude import PreludeDecoder
from .. import limits
from ..api_errors import too_many_requests
from ..environments import Environments, TooManyRequestsError
from ..function_urls import FunctionUrl
from ..http_server import BodyTooLargeError, Exchange, HeaderList
from ..invocations import Invocation, new_request_id, new_trace_id
from ..relay import BufferedReceiver, Ending, Outcome, ResponseHead

_log = logging.getLogger("penstock.emulator")

_BODILESS = (204, 304)


def handle(
    exchange: Exchange,
    environments: Environments,
    url: FunctionUrl,
    *,
    port: int,
    trusted_origin: str | None = None,
) -> None:
    """Answer one request to `url`, whose function `environments` run.

    A page of `trusted_origin` may read the answer, as with the `Cors` of a Function URL.
    """
    function = environments.function
    request_id, trace_id = new_request_id(), new_trace_id()
    headers = _platform_headers(request_id, trace_id)
    if trusted_origin is not None:
        headers += [("Access-Control-Allow-Origin", trusted_origin), ("Vary", "Origin")]
        headers.append(("Access-Control-Allow-Credentials", "true"))
        if _is_preflight(exchange):
            exchange.respond(200, [*headers, *_preflight_headers(exchange)])
            return
    try:
        body = exchange.read_body(limits.BUFFERED_PAYLOAD)
    except BodyTooLargeError:
        # The limit is documented; what AWS says is not.
        message = f"Request must be smaller than {limits.BUFFERED_PAYLOAD} bytes"
        _refuse(exchange, headers, 413, "RequestEntityTooLargeException", {"Message": message})
        return
    event = event_from_request(
        Request(
            method=exchange.method,
            path=exchange.path,
            query=exchange.query,
            headers=exchange.headers,
            body=body,
            source_ip=exchange.client_address,
            protocol=exchange.protocol,
        ),
        request_id=request_id,
        domain_name=url.domain_name,
        port=port,
        trace_id=trace_id,
        at=time.time(),
    )
    payload = json.dumps(event, separators=(",", ":")).encode()
    if len(payload) > limits.BUFFERED_PAYLOAD:
        message = f"Request must be smaller than {limits.BUFFERED_PAYLOAD} bytes"
        _refuse(exchange, headers, 413, "RequestEntityTooLargeException", {"Message": message})
        return
    streams = url.invoke_mode == "RESPONSE_STREAM"
    receiver = _StreamingReceiver(exchange, headers) if streams else BufferedReceiver()
    invocation = Invocation(
        function,
        payload,
        receiver,
        is_streaming=streams,
        qualifier=url.qualifier,
        request_id=request_id,
        trace_id=trace_id,
    )
    try:
        environments.invoke(invocation)
    except TooManyRequestsError:
        _refuse(exchange, headers, 429, "TooManyRequestsException", too_many_requests())
        return
    outcome = invocation.relay.wait()
    if outcome is None or invocation.relay.caller_gone:
        exchange.abort()
    elif isinstance(receiver, _StreamingReceiver):
        receiver.finish(outcome)
    else:
        _send(exchange, headers, _buffered_response(receiver, outcome))


def _is_preflight(exchange: Exchange) -> bool:
    asks = exchange.headers.get("access-control-request-method") is not None
    return exchange.method == "OPTIONS" and asks


def _preflight_headers(exchange: Exchange) -> HeaderList:
    """Whatever the page wants to send is allowed: its origin is trusted."""
    asked = exchange.headers
    return [
        ("Access-Control-Allow-Methods", asked.get("access-control-request-method") or "*"),
        ("Access-Control-Allow-Headers", asked.get("access-control-request-headers") or "*"),
    ]


def _buffered_response(receiver: BufferedReceiver, outcome: Outcome) -> UrlResponse:
    """BUFFERED mode: what one gets of a whole response."""
    head = receiver.head
    if outcome.ending not in (Ending.WHOLE, Ending.FAILED) or head is None:
        return internal_server_error()
    if head.content_type == INTEGRATION_CONTENT_TYPE:
        decoder = PreludeDecoder()
        try:
            body = decoder.receive(receiver.content)
        except RemoteProtocolError as exc:
            _log.warning("502, because %s", exc)
            return internal_server_error()
        if decoder.metadata is not None:
            # AWS applies the head and drops the body.
            if body:
                _log.warning(
                    "the Function URL is BUFFERED, and the answer is a stream: AWS takes its "
                    "head and drops its %d bytes of body; make the URL RESPONSE_STREAM, or "
                    "answer with adapt(app, mode='buffer')",
                    len(body),
                )
            return head_from_metadata(decoder.metadata)
    if not receiver.content:
        return UrlResponse(200, [("content-type", "application/json")])
    if not _is_json(head) or head.says_streaming:
        return UrlResponse(200, [("content-type", "application/octet-stream")], receiver.content)
    return response_from_result(receiver.content)


class _StreamingReceiver:
    """RESPONSE_STREAM mode: decodes the prelude, then passes every chunk on."""

    def __init__(self, exchange: Exchange, headers: HeaderList) -> None:
        self._exchange = exchange
        self._headers = headers
        self._prelude: PreludeDecoder | None = None
        self._result: bytearray | None = None
        self._has_body = True

    def begin(self, head: ResponseHead) -> None:
        """Send the head now, unless a prelude or a JSON result is still to tell it."""
        if head.content_type == INTEGRATION_CONTENT_TYPE:
            self._prelude = PreludeDecoder()
        elif _is_json(head) and not head.says_streaming:
            # A plain handler's JSON: a proxy response in it decides on the head.
            self._result = bytearray()
        else:
            content_type = head.content_type or "application/octet-stream"
            self._begin(UrlResponse(200, [("content-type", content_type)]))

    def body(self, data: bytes) -> None:
        """Pass a part of the body on."""
        if self._result is not None:
            self._result += data
            if len(self._result) > limits.BUFFERED_PAYLOAD:
                whole, self._result = bytes(self._result), None
                self._begin(UrlResponse(200, [("content-type", "application/json")]))
                self._send(whole)
            return
        if self._prelude is not None and self._prelude.metadata is None:
            try:
                data = self._prelude.receive(data)
            except RemoteProtocolError as exc:
                _log.warning("502, because %s", exc)
                self._answer_whole(internal_server_error())
                return
            if self._prelude.metadata is None:
                return
            self._begin(head_from_metadata(self._prelude.metadata))
        self._send(data)

    def finish(self, outcome: Outcome) -> None:
        """End the answer in the way that the response has ended."""
        if self._result is not None and outcome.ending is Ending.WHOLE:
            self._answer_whole(streamed_response_from_result(bytes(self._result)))
        elif not self._exchange.answered:
            if outcome.ending in (Ending.WHOLE, Ending.FAILED) or not outcome.payload:
                # A prelude that never became whole, or a failure that nobody has words for.
                self._answer_whole(internal_server_error())
            else:
                # As captured for /error: a 200 whose body is the error.
                self._answer_whole(
                    UrlResponse(200, [("content-type", "application/json")], outcome.payload)
                )
        elif outcome.ending in (Ending.CUT, Ending.TIMEOUT):
            # What AWS does here was never captured, so the truth is told: it is not whole.
            self._exchange.abort()
        elif self._has_body or outcome.ending is not Ending.WHOLE:
            # Also after trailers: AWS ends such a body as if it were whole (captured).
            self._end()

    def _begin(self, response: UrlResponse) -> None:
        method = self._exchange.method
        self._has_body = response.status not in _BODILESS and method != "HEAD"
        fields = _all_headers(self._headers, response)
        if method == "HEAD" and response.status not in _BODILESS:
            fields.append(("content-length", "0"))
        try:
            self._exchange.begin(response.status, fields)
        except ValueError as exc:
            _log.warning("502, because %s", exc)
            self._answer_whole(internal_server_error())
            return
        if response.body:
            self._send(response.body)
        if not self._has_body:
            # As captured for HEAD: the answer is sent before the function has finished.
            self._exchange.end()

    def _send(self, data: bytes) -> None:
        if self._has_body and data:
            self._exchange.send(data)

    def _end(self) -> None:
        if self._has_body:
            self._has_body = False
            self._exchange.end()

    def _answer_whole(self, response: UrlResponse) -> None:
        self._result = None
        self._has_body = False
        _send(self._exchange, self._headers, response)


def _send(exchange: Exchange, headers: HeaderList, response: UrlResponse) -> None:
    try:
        exchange.respond(response.status, _all_headers(headers, response), response.body)
    except ValueError as exc:
        _log.warning("502, because %s", exc)
        failed = internal_server_error()
        exchange.respond(failed.status, [*headers, *failed.headers], failed.body)


# What the front door says itself; a `content-length` of the function's is renamed on AWS.
_OURS = {"connection", "date", "transfer-encoding", "keep-alive", "upgrade", "x-amzn-requestid"}


def _all_headers(ours: HeaderList, response: UrlResponse) -> HeaderList:
    """The platform's headers, then the function's; CORS is the function's if it does it."""
    theirs = [
        ("x-amzn-remapped-content-length" if name == "content-length" else name, value)
        for name, value in response.headers
    ]
    if any(name == "access-control-allow-origin" for name, _ in theirs):
        ours = [(name, value) for name, value in ours if not name.startswith("Access-Control-")]
    return [*ours, *((name, value) for name, value in theirs if name not in _OURS)]


def _refuse(
    exchange: Exchange, headers: HeaderList, status: int, error_type: str, body: dict[str, str]
) -> None:
    fields = [
        *headers,
        ("Content-Type", "application/json"),
        ("x-amzn-ErrorType", error_type),
    ]
    exchange.respond(status, fields, json.dumps(body, separators=(",", ":")).encode())


def _platform_headers(request_id: str, trace_id: str) -> HeaderList:
    return [
        ("Date", formatdate(usegmt=True)),
        ("x-amzn-RequestId", request_id),
        ("X-Amzn-Trace-Id", trace_id),
    ]


def _is_json(head: ResponseHead) -> bool:
    return head.content_type.partition(";")[0].strip().lower() == "application/json"
