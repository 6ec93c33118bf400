"""Lambda@Edge: requests that come to CloudFront, answered without an origin.

Events of responses (`viewer-response`, `origin-response`) are no requests and not taken.

Sources: AWS documentation of CloudFront, "Lambda@Edge event structure", "Generate HTTP
responses in request triggers", "Restrictions on all edge functions", "Restrictions on
Lambda@Edge" and "Quotas on Lambda@Edge".
"""

from __future__ import annotations

from ..errors import EventError
from ..messages import Request, Response
from .common import (
    body_as_text,
    body_of,
    encoded_path,
    headers_of,
    line_of,
    method_of,
    object_of,
    sent_query,
    text_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The most that may be answered, headers and body together.
_LIMITS = {"viewer-request": 40 * 1024, "origin-request": 1024 * 1024}

# CloudFront answers 502 if a function adds one of these.
_DISALLOWED = frozenset(
    {
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "trailer",
        "upgrade",
        "x-accel-buffering",
        "x-accel-charset",
        "x-accel-limit-rate",
        "x-accel-redirect",
        "x-amzn-auth",
        "x-amzn-cf-billing",
        "x-amzn-cf-id",
        "x-amzn-cf-xff",
        "x-amzn-errortype",
        "x-amzn-fle-profile",
        "x-amzn-header-count",
        "x-amzn-header-order",
        "x-amzn-lambda-integration-tag",
        "x-amzn-requestid",
        "x-cache",
        "x-forwarded-proto",
        "x-real-ip",
    }
)
_DISALLOWED_PREFIXES = ("x-amz-cf-", "x-edge-")
_READ_ONLY = {
    "viewer-request": frozenset(
        {"cdn-loop", "content-length", "host", "transfer-encoding", "via"},
    ),
    "origin-request": frozenset(
        {
            "accept-encoding",
            "cdn-loop",
            "content-length",
            "if-modified-since",
            "if-none-match",
            "if-range",
            "if-unmodified-since",
            "transfer-encoding",
            "via",
        }
    ),
}


class LambdaEdge:
    """The source of CloudFront's events of requests, of viewers or to origins."""

    name = "lambda_edge"
    looks_for = 'Records[0].cf.config.eventType "viewer-request" or "origin-request"'
    can_stream = False
    is_internal = False
    path = ""

    def matches(self, event: Any) -> bool:
        """Whether CloudFront has made this event, for a request."""
        records = event.get("Records") if isinstance(event, dict) else None
        if not isinstance(records, list) or len(records) != 1 or not isinstance(records[0], dict):
            return False
        if "eventSource" in records[0] or "EventSource" in records[0]:
            return False
        cf = records[0].get("cf")
        config = cf.get("config") if isinstance(cf, dict) else None
        kind = config.get("eventType") if isinstance(config, dict) else None
        return isinstance(kind, str) and kind in _LIMITS

    def request(self, event: Any) -> Request:
        """The request that the event tells of.

        Raises:
            EventError: something in it is not as CloudFront makes it, or the body is not
                whole: cut by CloudFront (`status` 413), or held back, as the function's
                association does not include bodies (`status` 500).
        """
        cf = event["Records"][0]["cf"]
        request = cf.get("request")
        if not isinstance(request, dict):
            raise EventError("Records[0].cf.request should be an object")
        pairs = _pairs_of(request)
        body = _body_of(request, pairs, cf["config"]["eventType"])
        return Request(
            method=method_of(request, "method"),
            path=encoded_path(text_of(request, "uri", "/")),
            query=sent_query(request, "querystring"),
            headers=headers_of(pairs, body=body),
            body=body,
            source_ip=line_of(request, "clientIp", ""),
        )

    def result(self, response: Response, event: Any) -> dict[str, Any]:
        """CloudFront's generated response.

        Fields that CloudFront does not take are left out. A response that is too large for it
        is replaced by one with status 500 and logged, as CloudFront's own 502 would tell
        nobody why.
        """
        kind = event["Records"][0]["cf"]["config"]["eventType"]
        fields = [
            (name, value)
            for name, value in response.headers
            if name.lower() not in _DISALLOWED
            and name.lower() not in _READ_ONLY[kind]
            and not name.lower().startswith(_DISALLOWED_PREFIXES)
        ]
        size = len(response.body) + sum(
            len(name) + len(value.encode("utf-8", "replace")) for name, value in fields
        )
        # The least that it can be by any way of counting: nothing is refused that may pass.
        if size > _LIMITS[kind]:
            _log_too_large(size, kind)
            return _generated(
                Response(500, (), b"The response is larger than Lambda@Edge can send."),
                [("content-type", "text/plain; charset=utf-8")],
            )
        return _generated(response, fields)


def _generated(response: Response, fields: list[tuple[str, str]]) -> dict[str, Any]:
    headers: dict[str, list[dict[str, str]]] = {}
    for name, value in fields:
        headers.setdefault(name.lower(), []).append({"key": name, "value": value})
    result: dict[str, Any] = {"status": str(response.status)}
    phrase = _phrase(response.status)
    if phrase:
        result["statusDescription"] = phrase
    result["headers"] = headers
    # A 204 may have no body, not even an empty one.
    if response.body:
        result["body"], is_base64 = body_as_text(response)
        result["bodyEncoding"] = "base64" if is_base64 else "text"
    return result


def _phrase(status: int) -> str:
    from http import HTTPStatus

    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _pairs_of(request: dict[str, Any]) -> list[tuple[str, str]]:
    """The header fields of a map from names in lower case to lists of keys and values."""
    pairs = []
    for lower, fields in object_of(request, "headers").items():
        if not isinstance(fields, list):
            raise EventError(f"a header should be a list, found {type(fields).__name__}")
        for field in fields:
            value = field.get("value") if isinstance(field, dict) else None
            name = field.get("key", lower) if isinstance(field, dict) else None
            if not isinstance(name, str) or not isinstance(value, str):
                raise EventError('a header field should be {"key": "...", "value": "..."}')
            pairs.append((name, value))
    return pairs


def _body_of(request: dict[str, Any], pairs: list[tuple[str, str]], kind: str) -> bytes:
    body = object_of(request, "body")
    if not body:
        framing = {name.lower(): value.strip() for name, value in pairs}
        if framing.get("content-length", "0") != "0" or "transfer-encoding" in framing:
            raise _not_whole(
                "the request has a body and the event has not; "
                "the function's association with CloudFront has to include bodies (IncludeBody)",
                500,
            )
        return b""
    if body.get("inputTruncated"):
        raise _not_whole(
            f"CloudFront has cut the request's body; it passes at most {_LIMITS[kind] // 1024} KB "
            f"of it to a function of {kind}",
            413,
        )
    encoding = text_of(body, "encoding", "base64")
    if encoding not in ("base64", "text"):
        raise EventError('body.encoding should be "base64" or "text"')
    return body_of({"body": body.get("data"), "isBase64Encoded": encoding == "base64"})


def _not_whole(message: str, status: int) -> EventError:
    """The error of a body that is not all here; `status` is what the client is to be told."""
    error = EventError(message)
    error.status = status
    return error


def _log_too_large(size: int, kind: str) -> None:
    import logging

    logging.getLogger("penstock").error(
        "the app's response has %d bytes with its headers, and Lambda@Edge takes at most %d "
        "for a %s; answered with status 500",
        size,
        _LIMITS[kind],
        kind,
    )
