"""One request to a REST API: where it goes, its event, and API Gateway's own errors.

These are as AWS words them; where each is known from stands beside it.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import PenstockError
from ...event_sources.rest_api_events import event_from_request
from ...messages import Request
from .. import limits
from ..api_errors import platform_headers
from ..functions import ACCOUNT
from ..http.http_server import BodyTooLargeError, Exchange, HeaderList
from ..invocations import new_request_id, new_trace_id
from ..rest_apis import Method, RestApi, Stage
from .answering import INTO_S3

# Status: (x-amzn-ErrorType, body). The blank after the colon is AWS's.
_ERRORS = {
    500: ("InternalServerErrorException", b'{"message": "Internal server error"}'),
    502: ("InternalServerErrorException", b'{"message": "Internal server error"}'),
    504: ("InternalServerErrorException", b'{"message": "Endpoint request timed out"}'),
}


class RefusedError(PenstockError):
    """API Gateway answers by itself; the text is for the log."""

    def __init__(self, status: int, error_type: str, body: bytes, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.error_type = error_type
        self.body = body


def failed(status: int, reason: str) -> RefusedError:
    """One of the errors that API Gateway has for whatever goes wrong behind it."""
    return RefusedError(status, *_ERRORS[status], reason)


@dataclass(frozen=True)
class Target:
    """What a request has been found to be for. `path` lacks the stage."""

    api: RestApi
    stage: Stage
    method: Method
    path: str
    path_parameters: Mapping[str, str]


class Call:
    """One request to an API, up to its answer.

    `headers` are those of every answer of API Gateway's; `port` is the one that it came to.
    """

    def __init__(self, exchange: Exchange, port: int, write_line: Callable[[str], object]) -> None:
        self.exchange = exchange
        self.port = port
        self._write_line = write_line
        # The API's own id: the invocation has another.
        self._request_id = new_request_id()
        self._extended_id = base64.urlsafe_b64encode(secrets.token_bytes(11)).decode()
        self.trace_id = new_trace_id()
        self.headers: HeaderList = [
            *platform_headers(self._request_id),
            ("x-amz-apigw-id", self._extended_id),
            ("X-Amzn-Trace-Id", self.trace_id.partition(";")[0]),
        ]

    def say(self, line: str) -> None:
        """Explain what becomes of this request, in the log."""
        request = f"{self.exchange.method} {self.exchange.path} (REST API)"
        self._write_line(f"{self._request_id}: {request}: {line}")

    def refuse(self, status: int) -> None:
        """Answer with one of the errors for what goes wrong behind API Gateway."""
        self._answer(status, *_ERRORS[status])

    def refuse_as(self, refused: RefusedError) -> None:
        """Answer with this error, and explain it in the log."""
        self.say(str(refused))
        self._answer(refused.status, refused.error_type, refused.body)

    def read_body(self, target: Target) -> bytes:
        """The request's body, for a function or a backend.

        Raises:
            RefusedError: it is too large.
        """
        exchange = self.exchange
        try:
            body = exchange.read_body(limits.API_PAYLOAD)
        except BodyTooLargeError:
            # The text is in many a user's report.
            text = f"HTTP content length exceeded {limits.API_PAYLOAD} bytes."
            raise RefusedError(
                413,
                "RequestEntityTooLargeException",
                text.encode(),
                f"an API takes {limits.API_PAYLOAD} bytes, the body has more, and AWS answers 413; "
                + INTO_S3,
            ) from None
        if not self.is_binary(target) and not is_text(body):
            self.say(
                "the body is no UTF-8 and gets on damaged, as on AWS, for its type "
                "is none of the API's binaryMediaTypes" + _how_binary(target.api)
            )
        return body

    def is_binary(self, target: Target) -> bool:
        """Whether the request's body is of one of the API's binary media types."""
        return target.api.is_binary(self.exchange.headers.get("content-type"))

    def accepts_binary(self, target: Target) -> bool:
        """Whether the first type that the client accepts is one of them."""
        accepted = self.exchange.headers.get("accept") or ""
        return target.api.is_binary(accepted.partition(",")[0])

    def request(self, target: Target, body: bytes = b"") -> Request:
        """The request as a value; its root path is the stage."""
        exchange = self.exchange
        return Request(
            method=exchange.method,
            path=exchange.path,
            root_path=f"/{target.stage.stage_name}",
            query=exchange.query,
            headers=exchange.headers,
            body=body,
            source_ip=exchange.client_address,
            protocol=exchange.protocol,
        )

    def event(
        self, target: Target, body: bytes = b"", authorizer: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The event for the function behind the method."""
        return event_from_request(
            self.request(target, body),
            resource=target.method.resource_path,
            path_parameters=dict(target.path_parameters),
            account_id=ACCOUNT,
            domain_name=target.api.domain_name,
            deployment_id=target.api.deployment_id(target.stage),
            resource_id=target.method.resource_id,
            request_id=self._request_id,
            extended_request_id=self._extended_id,
            trace_id=self.trace_id,
            port=self.port,
            at=time.time(),
            is_binary=self.is_binary(target),
            stage_variables=target.stage.variables,
            authorizer=authorizer,
        )

    def _answer(self, status: int, error_type: str, body: bytes) -> None:
        content_type = "application/json" if body.startswith(b"{") else "text/plain"
        fields = [("Content-Type", content_type), ("x-amzn-ErrorType", error_type)]
        self.exchange.respond(status, [*self.headers, *fields], body)


def last_of(values: list[str] | None) -> str | None:
    """The value of a parameter that was sent several times."""
    return values[-1] if values else None


def value_in(context: Mapping[str, Any], path: str) -> str | None:
    """What stands in an event's `requestContext` at a path with dots, as text."""
    found: Any = context
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return None if found is None else str(found)


def is_text(body: bytes) -> bool:
    """Whether it is UTF-8."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _how_binary(api: RestApi) -> str:
    known = ", ".join(api.binary_media_types)
    return f" ({known})" if known else "; this API has none"
