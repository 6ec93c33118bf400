"""What a Function URL does: the event that it makes of a request, and its answer to a result.

Payload format 2.0, as the live service was seen to do it.

Sources: AWS documentation, "Invoking Lambda function URLs"; captures of the live service
(us-east-1, 2026-09-15) where it says nothing, or something else.
"""

from __future__ import annotations

import json
import time
from base64 import b64decode, b64encode
from functools import lru_cache
from urllib.parse import unquote_plus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..messages import Request

# Bodies of these types are passed as text, all others in base64, forms included.
_TEXT_TYPES = ("application/json", "application/xml", "application/javascript")

INTERNAL_SERVER_ERROR = b"Internal Server Error"

_REFUSED_HERE = "Penstock answers 502 to this (what AWS does is not known), because"
_NO_JSON = f"{_REFUSED_HERE} the function's response is no JSON; return what json.dumps takes"


class UrlResponse:
    """What a Function URL answers: `status`, `headers` (a list of pairs) and `body`.

    `refusal` is a line for the log if that is a 502 instead of what the function wanted;
    `unheeded` tells what in the function's answer is passed over, and what would be right.
    """

    __slots__ = ("body", "headers", "refusal", "status", "unheeded")

    def __init__(
        self, status: int, headers: list[tuple[str, str]], body: bytes = b"", refusal: str = ""
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.refusal = refusal
        self.unheeded: list[str] = []

    def __repr__(self) -> str:
        return f"<UrlResponse {self.status}, {len(self.body)} bytes>"


def event_from_request(
    request: Request,
    *,
    request_id: str,
    domain_name: str,
    port: int,
    trace_id: str,
    at: float,
    owner: str = "",
    caller: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The event that a Function URL makes of `request`.

    With AWS_IAM `caller` is who has signed it and `owner` the account that owns the URL;
    the signature itself is left out, as the live service does (an event of 2022).
    `at` is when the request came, in seconds since 1970. Keys that do not apply are left
    out, as the live service does. What a client says about itself in `x-forwarded-*` and
    `x-amzn-trace-id` is replaced by what is true.
    """
    headers = _event_headers(request, port=port, trace_id=trace_id)
    if caller is not None:
        headers.pop("authorization", None)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query,
    }
    cookies = [
        cookie.strip()
        for line in request.headers.get_all("cookie")
        for cookie in line.replace(",", ";").split(";")
        if cookie.strip()
    ]
    if cookies:
        event["cookies"] = cookies
    event["headers"] = headers
    parameters = _query_parameters(request.query)
    if parameters:
        event["queryStringParameters"] = parameters
    event["requestContext"] = {
        "accountId": "anonymous" if caller is None else owner,
        "apiId": domain_name.partition(".")[0],
        **({} if caller is None else {"authorizer": {"iam": dict(caller)}}),
        "domainName": domain_name,
        "domainPrefix": domain_name.partition(".")[0],
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": _time(int(at)),
        "timeEpoch": int(at * 1000),
    }
    text = _as_text(request)
    if request.body:
        event["body"] = text if text is not None else b64encode(request.body).decode()
    event["isBase64Encoded"] = bool(request.body) and text is None
    return event


def response_from_result(payload: bytes) -> UrlResponse:
    """What a Function URL in BUFFERED mode makes of a handler's JSON."""
    try:
        result = json.loads(payload)
    except (ValueError, RecursionError):
        return internal_server_error(_NO_JSON)
    if isinstance(result, dict) and "statusCode" in result:
        return _proxy_response(result)
    body = result if isinstance(result, str) else _compact(result)
    if isinstance(result, dict):
        # As captured. The order of the keys was not kept there, either; by what rule is not known.
        body = body.replace("/", "\\/")
    return UrlResponse(200, [("content-type", "application/json")], _utf8(body))


def streamed_response_from_result(payload: bytes) -> UrlResponse:
    """What a Function URL in RESPONSE_STREAM mode makes of a handler's JSON.

    Status, headers and cookies of a proxy response are applied, but the body is the whole
    JSON: nothing looks for `body` in it.
    """
    try:
        result = json.loads(payload)
    except (ValueError, RecursionError):
        result = None
    if isinstance(result, dict) and "statusCode" in result:
        response = head_from_metadata(result)
        if not response.refusal:
            response.body = payload
        return response
    return UrlResponse(200, [("content-type", "application/json")], payload)


def head_from_metadata(metadata: Mapping[str, Any]) -> UrlResponse:
    """The head that a prelude, or a proxy response, asks for; without a body.

    Values of wrong types are treated as kindly as AWS treats them; what cannot be a
    response at all becomes a 502.
    """
    status = _number_in(metadata)
    if status is None or not 100 <= status <= 599:
        return internal_server_error(f"{_REFUSED_HERE} {_why_no_status(metadata)}")
    headers = metadata.get("headers")
    fields = [
        (str(name).lower(), _as_java_would(value))
        for name, value in (headers.items() if isinstance(headers, dict) else ())
        if value is not None
    ]
    if not any(name == "content-type" for name, _ in fields):
        fields.append(("content-type", "application/json"))
    cookies = metadata.get("cookies")
    fields += [
        ("set-cookie", str(cookie)) for cookie in (cookies if isinstance(cookies, list) else ())
    ]
    response = UrlResponse(status, fields)
    response.unheeded = _unheeded(metadata)
    return response


def _number_in(metadata: Mapping[str, Any]) -> int | None:
    """The `statusCode`, a number or digits; None if it is neither."""
    try:
        return int(str(metadata.get("statusCode", 200)))
    except ValueError:
        return None


def _why_no_status(metadata: Mapping[str, Any]) -> str:
    return (
        f"statusCode is {_shown(metadata['statusCode'])}; write a number from 200 to 599 (one that "
        "is made of digits may be text)"
    )


def internal_server_error(refusal: str = "") -> UrlResponse:
    """The 502 for a function that failed; 21 bytes, called JSON, and none."""
    headers = [("content-type", "application/json")]
    return UrlResponse(502, headers, INTERNAL_SERVER_ERROR, refusal)


def _unheeded(metadata: Mapping[str, Any]) -> list[str]:
    """What of a head is passed over, each with what would be right."""
    headers, cookies = metadata.get("headers"), metadata.get("cookies")
    unheeded = []
    if headers and not isinstance(headers, dict):
        unheeded.append(f"headers is {_shown(headers)}; write an object")
    if cookies and not isinstance(cookies, list):
        unheeded.append(f"cookies is {_shown(cookies)}; write a list")
    several = metadata.get("multiValueHeaders")
    if isinstance(several, dict):
        # What is in both is no loss: an application behind `adapt` has repeated headers here
        # for REST APIs, and joined in `headers`.
        sent = {str(name).lower() for name in headers} if isinstance(headers, dict) else set()
        several = [name for name in several if name.lower() not in sent]
    if several:
        unheeded.append(
            f"multiValueHeaders has {_shown(several)}, which is for REST APIs and load "
            "balancers; write headers, with commas between several values, and cookies, a list"
        )
    return unheeded


def _shown(value: object) -> str:
    return f"{json.dumps(value):.80}"


def _proxy_response(result: dict[str, Any]) -> UrlResponse:
    response = head_from_metadata(result)
    if response.refusal:
        if _number_in(result) is None:
            return response
        # As captured for 700.
        return internal_server_error(f"AWS answers 502 to this, because {_why_no_status(result)}")
    body = result.get("body")
    flag = result.get("isBase64Encoded")
    if flag and flag is not True:
        response.unheeded.append(f"isBase64Encoded is {_shown(flag)}; write a boolean, true")
    if body is None:
        content = b""
    elif not isinstance(body, str):
        content = _utf8(_compact(body))
    elif flag is True:
        # As AWS: what is no base64 in it is skipped.
        content = _lenient_base64(body)
    else:
        content = _utf8(body)
    response.body = content
    return response


def _event_headers(request: Request, *, port: int, trace_id: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in request.headers:
        key = name.lower()
        if key == "connection":
            continue
        headers[key] = f"{headers[key]},{value}" if key in headers else value
    if headers.pop("transfer-encoding", None) is not None:
        # The front door takes the whole body before it makes the event.
        headers["content-length"] = str(len(request.body))
    if request.method not in ("HEAD", "OPTIONS"):
        headers.setdefault("content-length", str(len(request.body)))
    headers["x-amzn-trace-id"] = trace_id.partition(";")[0]
    headers["x-forwarded-for"] = request.source_ip
    headers["x-forwarded-port"] = str(port)
    headers["x-forwarded-proto"] = "http"
    return headers


@lru_cache(maxsize=2)
def _time(second: int) -> str:
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(second))


def _query_parameters(query: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for part in query.split("&"):
        if not part:
            continue
        name, _, value = part.partition("=")
        name, value = unquote_plus(name), unquote_plus(value)
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    return parameters


def _as_text(request: Request) -> str | None:
    content_type = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if not content_type.startswith("text/") and content_type not in _TEXT_TYPES:
        return None
    try:
        return request.body.decode()
    except UnicodeDecodeError:
        return None


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _utf8(text: str) -> bytes:
    """UTF-8, with a question mark for half of a character."""
    return text.encode("utf-8", "replace")


def _lenient_base64(text: str) -> bytes:
    digits = "".join(
        character
        for character in text
        if character.isascii() and (character.isalnum() or character in "+/")
    )
    # Of a last group of one digit nothing can be made.
    digits = digits[: len(digits) - (len(digits) % 4 == 1)]
    return b64decode(digits + "=" * (-len(digits) % 4))


def _as_java_would(value: object) -> str:
    """A header value that is no string, as the service prints it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        inside = ", ".join(f"{key}={_as_java_would(item)}" for key, item in value.items())
        return "{" + inside + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_as_java_would, value)) + "]"
    return "null" if value is None else str(value)
