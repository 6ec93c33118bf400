"""REST APIs of API Gateway, with Lambda proxy integrations.

Their errors are as AWS words them; where each is known from stands beside it.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable, Collection
from email.utils import formatdate

from ...event_sources.rest_api_events import event_from_request
from ...messages import Request
from .. import limits
from ..bandwidth import Bandwidth
from ..environments import Environments, TooManyRequestsError
from ..functions import ACCOUNT
from ..http_server import BodyTooLargeError, Exchange, HeaderList
from ..invocations import Invocation, new_request_id, new_trace_id
from ..relay import BufferedReceiver, Ending, Outcome
from ..rest_apis import Integration, RestApi, Route
from .rest_api_answers import MalformedResponseError, response_from_result
from .rest_api_streaming import StreamingReceiver, wait_for_stream

# Status: (x-amzn-ErrorType, body). The blank after the colon is AWS's.
_ERRORS = {
    500: ("InternalServerErrorException", b'{"message": "Internal server error"}'),
    502: ("InternalServerErrorException", b'{"message": "Internal server error"}'),
    504: ("InternalServerErrorException", b'{"message": "Endpoint request timed out"}'),
}


class ApiGateway:
    """Answers what is sent to REST APIs.

    `find` gives the environments of the function of that name; `write_line` takes lines
    for the log.
    """

    def __init__(
        self,
        apis: Collection[RestApi],
        find: Callable[[str], Environments | None],
        write_line: Callable[[str], object],
    ) -> None:
        self._apis = {api.id.lower(): api for api in apis}
        self._find = find
        self._write_line = write_line

    def handle(self, exchange: Exchange, api_id: str, *, port: int) -> None:
        """Answer one request to the API called `api_id`, in any case."""
        call = _Call(exchange, port, self._write_line)
        api = self._apis.get(api_id.lower())
        if api is None:
            known = ", ".join(f"http://{api.domain_name}:{port}" for api in self._apis.values())
            call.say(
                f"there is no such REST API ({api_id}), and AWS answers 403; "
                + (f"there is {known}" if known else "start with --rest-api STREAM to have one")
            )
            call.refuse_plainly(403, "ForbiddenException", b'{"message":"Forbidden"}')
            return
        parts = api.split(exchange.path)
        if parts is None:
            call.say(
                f"there is no such stage, and AWS answers 403; the address of this API is "
                f"http://{api.domain_name}:{port}/{api.stage}/"
            )
            call.refuse_plainly(403, "ForbiddenException", b'{"message":"Forbidden"}')
            return
        root_path, path = parts
        found = api.find(exchange.method, path)
        environments = self._find(found[0].integration.function) if found else None
        if found is None or environments is None:
            call.say("the API has no such resource and method, and AWS answers 403")
            call.refuse_plainly(
                403,
                "MissingAuthenticationTokenException",
                b'{"message":"Missing Authentication Token"}',
            )
            return
        payload = call.event(api, *found, root_path=root_path)
        if payload is not None:
            call.pass_on(api, found[0].integration, environments, payload)


class _Call:
    """One request to an API, up to its answer."""

    def __init__(self, exchange: Exchange, port: int, write_line: Callable[[str], object]) -> None:
        self._exchange = exchange
        self._port = port
        self._write_line = write_line
        # The API's own id: the invocation has another.
        self._request_id = new_request_id()
        self._extended_id = base64.urlsafe_b64encode(secrets.token_bytes(11)).decode()
        self._trace_id = new_trace_id()
        self._headers: HeaderList = [
            ("Date", formatdate(usegmt=True)),
            ("x-amzn-RequestId", self._request_id),
            ("x-amz-apigw-id", self._extended_id),
            ("X-Amzn-Trace-Id", self._trace_id.partition(";")[0]),
        ]

    def say(self, line: str) -> None:
        """Explain what becomes of this request, in the log."""
        self._write_line(f"{self._exchange.method} {self._exchange.path} (REST API): {line}")

    def refuse(self, status: int) -> None:
        """Answer with one of API Gateway's own errors."""
        self.refuse_plainly(status, *_ERRORS[status])

    def refuse_plainly(self, status: int, error_type: str, body: bytes) -> None:
        """Answer with `body`, which is JSON or else text."""
        content_type = "application/json" if body.startswith(b"{") else "text/plain"
        fields = [("Content-Type", content_type), ("x-amzn-ErrorType", error_type)]
        self._exchange.respond(status, [*self._headers, *fields], body)

    def event(
        self, api: RestApi, route: Route, parameters: dict[str, str], *, root_path: str
    ) -> bytes | None:
        """The event for the function, as JSON; None if the request is refused as too large."""
        exchange = self._exchange
        is_binary = api.is_binary(exchange.headers.get("content-type"))
        try:
            body = exchange.read_body(limits.API_PAYLOAD)
        except BodyTooLargeError:
            # The text is in many a user's report.
            text = f"HTTP content length exceeded {limits.API_PAYLOAD} bytes."
            self.refuse_plainly(413, "RequestEntityTooLargeException", text.encode())
            return None
        if not is_binary and not _is_text(body):
            self.say(
                "the body is no UTF-8 and reaches the function damaged, as on AWS, for its type "
                "is none of the API's binaryMediaTypes; without a template this API has none"
            )
        event = event_from_request(
            Request(
                method=exchange.method,
                path=exchange.path,
                root_path=root_path,
                query=exchange.query,
                headers=exchange.headers,
                body=body,
                source_ip=exchange.client_address,
                protocol=exchange.protocol,
            ),
            resource=route.resource,
            path_parameters=parameters,
            account_id=ACCOUNT,
            domain_name=api.domain_name,
            deployment_id=api.deployment_id,
            resource_id=route.resource_id,
            request_id=self._request_id,
            extended_request_id=self._extended_id,
            trace_id=self._trace_id,
            port=self._port,
            at=time.time(),
            is_binary=is_binary,
        )
        payload = json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode(
            "utf-8", "replace"
        )
        if len(payload) > limits.BUFFERED_PAYLOAD:
            self.say(
                f"the event is of {len(payload)} bytes, and Lambda takes "
                f"{limits.BUFFERED_PAYLOAD}: AWS answers 413, though an API takes 10 MB"
            )
            # What it says then is in users' reports only.
            self.refuse_plainly(
                413, "RequestEntityTooLargeException", b'{"message":"Request Too Long"}'
            )
            return None
        return payload

    def pass_on(
        self, api: RestApi, integration: Integration, environments: Environments, payload: bytes
    ) -> None:
        """Invoke the function, and answer."""
        exchange = self._exchange
        streams = integration.transfer_mode == "STREAM"
        receiver: StreamingReceiver | BufferedReceiver
        if streams:
            receiver = StreamingReceiver(
                exchange,
                self._headers,
                refuse=self.refuse,
                say=self.say,
                bandwidth=Bandwidth(limits.API_BURST, limits.API_RATE) if api.bandwidth else None,
            )
        else:
            receiver = BufferedReceiver()
        invocation = Invocation(
            environments.function,
            payload,
            receiver,
            is_streaming=streams,
            trace_id=self._trace_id,
        )
        try:
            environments.invoke(invocation)
        except TooManyRequestsError as exc:
            # 500, not 429: seen in API Gateway's execution logs.
            self.say(f"{exc}: AWS answers 500 here, where a Function URL answers 429")
            self.refuse(500)
            return
        relay = invocation.relay
        if isinstance(receiver, StreamingReceiver):
            outcome = wait_for_stream(
                relay, receiver, timeout=integration.timeout, idle=integration.idle
            )
            if relay.caller_gone:
                exchange.abort()
            elif outcome is not None:
                receiver.finish(outcome)
            return
        outcome = relay.wait(integration.timeout)
        if outcome is None:
            self.say(
                f"AWS answers 504, because there was no response within {integration.timeout:g} "
                "seconds; the function runs on; a STREAM integration may take 15 minutes"
            )
            self.refuse(504)
            return
        self._send_whole(api, receiver, outcome)

    def _send_whole(self, api: RestApi, receiver: BufferedReceiver, outcome: Outcome) -> None:
        """BUFFERED: the answer that the whole response makes."""
        if outcome.ending not in (Ending.WHOLE, Ending.FAILED):
            self.say(f"AWS answers 502, because the function failed ({outcome.detail})")
            self.refuse(502)
            return
        accepted = (self._exchange.headers.get("accept") or "").partition(",")[0]
        try:
            response = response_from_result(
                receiver.content, accepts_binary=api.is_binary(accepted), say=self.say
            )
            fields = [*self._headers, *response.headers]
            self._exchange.respond(response.status, fields, response.body)
        except (MalformedResponseError, ValueError) as exc:
            self.say(f"AWS answers 502 to this, because {exc}")
            self.refuse(502)


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
