"""What callers of `Invoke`, `InvokeWithResponseStream` and `InvokeAsync` say, read and checked.

Source: botocore's model (lambda/2015-03-31/service-2.json); the words of refusals as AWS has
them, where they are known.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from enum import Enum
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qs, unquote

from .. import limits
from ..http.http_server import BodyTooLargeError, Exchange
from ..lambda_api.errors import ApiError, invalid, not_valid
from ..lambda_api.names import Written, read_name
from ..lambda_api.shapes import ANY_NAME, QUALIFIER
from ..lambda_api.validation import Shape, Structure, Text, check


class Operation(Enum):
    """The three ways to call a function."""

    INVOKE = "Invoke"
    STREAM = "InvokeWithResponseStream"
    #: Of 2014, and deprecated since; SDKs still have it.
    ASYNC = "InvokeAsync"


_PATHS = {
    Operation.INVOKE: re.compile(r"/2015-03-31/functions/([^/]+)/invocations/?"),
    Operation.STREAM: re.compile(r"/2021-11-15/functions/([^/]+)/response-streaming-invocations/?"),
    Operation.ASYNC: re.compile(r"/2014-11-13/functions/([^/]+)/invoke-async/?"),
}

_MEMBERS: dict[str, Shape] = {
    "FunctionName": ANY_NAME,
    "Qualifier": QUALIFIER,
    "LogType": Text(values=("None", "Tail")),
    "TenantId": Text(r"[a-zA-Z0-9\._:\/=+\-@ ]+", 1, 256),
}
# Longer paths are not remembered.
_KEPT_PATH = 512

_INVOCATION_TYPE = Text(values=("Event", "RequestResponse", "DryRun"))


class InvokeRequest(NamedTuple):
    """A call, but for its event.

    `kind` is RequestResponse, Event or DryRun; to InvokeWithResponseStream it says nothing
    (captured). `client_context` is JSON on one line of ASCII. `trace_id` is as it came.
    """

    operation: Operation
    name: str
    qualifier: str | None
    kind: str
    wants_log: bool
    client_context: str | None
    tenant_id: str | None
    trace_id: str | None


class EventTooLargeError(ApiError):
    """The event has more than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
        body = {"Type": "User", "message": message}
        super().__init__(413, "RequestTooLargeException", body)
        self.limit = limit


def find_operation(path: str) -> tuple[Operation, str] | None:
    """The operation that has this path, and the name of the function in it; None: no such."""
    find = _find_operation if len(path) <= _KEPT_PATH else _find_operation.__wrapped__
    return find(path)


# Callers say the same over and over again.
@lru_cache(maxsize=256)
def _find_operation(path: str) -> tuple[Operation, str] | None:
    for operation, pattern in _PATHS.items():
        if match := pattern.fullmatch(path):
            return operation, unquote(match[1])
    return None


def read_request(
    exchange: Exchange, operation: Operation, written: str, *, region: str
) -> InvokeRequest:
    """Read all but the body; `written` is what stands for the function in the path.

    Raises:
        ApiError: something in it is nothing that AWS takes.
    """
    headers = exchange.headers
    kind = headers.get("x-amz-invocation-type") or "RequestResponse"
    log_type = headers.get("x-amz-log-type") or "None"
    tenant_id = headers.get("x-amz-tenant-id")
    qualifier = None
    if exchange.query:
        qualifier = parse_qs(exchange.query, keep_blank_values=True).get("Qualifier", [None])[0]
    function = _checked_name(operation, written, qualifier, kind, log_type, tenant_id, region)
    try:
        client_context = _client_context(headers.get("x-amz-client-context"))
    except (ValueError, RecursionError) as exc:
        raise invalid(f"Client context must be base64 of JSON: {exc}") from exc
    return InvokeRequest(
        operation,
        function.name,
        function.qualifier,
        "Event" if operation is Operation.ASYNC else kind,
        log_type == "Tail",
        client_context,
        tenant_id,
        headers.get("x-amzn-trace-id"),
    )


@lru_cache(maxsize=256)
def _checked_name(
    operation: Operation,
    written: str,
    qualifier: str | None,
    kind: str,
    log_type: str,
    tenant_id: str | None,
    region: str,
) -> Written:
    members = dict(_MEMBERS)
    if operation is Operation.INVOKE:
        members["InvocationType"] = _INVOCATION_TYPE
    given = {
        "FunctionName": written,
        "InvocationType": kind,
        "LogType": log_type,
        "Qualifier": qualifier,
        "TenantId": tenant_id,
    }
    if problems := check(Structure(members), given):
        raise not_valid(problems)
    return read_name(written, qualifier, region=region)


def read_event(exchange: Exchange, *, limit: int, check: bool) -> bytes:
    """Read the body: the event, `{}` if it is empty.

    Raises:
        ApiError: it is over the limit or, with `check`, no JSON.
    """
    try:
        event = exchange.read_body(limit)
    except BodyTooLargeError:
        raise EventTooLargeError(limit) from None
    if not event:
        return b"{}"
    if check:
        try:
            # `json.loads` would take UTF-16, too, which nobody after this expects.
            _DECODER.decode(event.decode())
        except (ValueError, RecursionError) as exc:
            raise ApiError(
                400,
                "InvalidRequestContentException",
                {"Type": "User", "message": f"Could not parse request body into json: {exc}"},
            ) from exc
    return event


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is none of JSON's values")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _client_context(encoded: str | None) -> str | None:
    """The JSON in `X-Amz-Client-Context`.

    Raises:
        ValueError: it is no base64 of JSON, or too long.
    """
    if not encoded:
        return None
    if len(encoded) > limits.CLIENT_CONTEXT:
        raise ValueError(f"it is longer than {limits.CLIENT_CONTEXT} bytes")
    return json.dumps(json.loads(b64decode(encoded, validate=True)))
