"""API Gateway REST APIs: proxy integration, in both directions.

REST APIs leave the path as it was sent, without the stage, and decode the query, plus
signs included. Bodies in base64 are decoded for the client only if the API's
`binaryMediaTypes` say so.

The path that the client has sent is `requestContext.path`. At the API's own address it is
the stage and `path`, and the stage is the request's root path; behind a custom domain both
are the same, with what its mapping adds in front.

Sources: AWS documentation, "Lambda proxy integrations in API Gateway"; path and query:
a live capture (hotsock/voker, us-west-2, 2026-07-10); the two paths, for every kind of
mapping: localstack/localstack#12296 and aws-powertools/powertools-lambda-python#579.
"""

from __future__ import annotations

from ..messages import Request
from .common import (
    body_of,
    encoded_path,
    headers_of,
    line_of,
    method_of,
    multi_value_result,
    object_of,
    pairs_of,
    text_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..messages import Response


class RestApi:
    """The source of a REST API's events, buffered or with responses that stream."""

    name = "rest_api"
    looks_for = (
        "httpMethod, multiValueHeaders and requestContext with apiId, stage or resourcePath, "
        "without a version, elb, connectionId or a methodArn"
    )
    can_stream = True
    is_internal = False
    path = ""

    def matches(self, event: Any) -> bool:
        """Whether a REST API has made this event, and not for an authorizer."""
        if not isinstance(event, dict) or "multiValueHeaders" not in event:
            return False
        if event.get("version") is not None or "methodArn" in event or "httpMethod" not in event:
            return False
        context = event.get("requestContext")
        # A WebSocket API's `$connect` may look like a request.
        if not isinstance(context, dict) or "elb" in context or "connectionId" in context:
            return False
        return any(key in context for key in ("apiId", "stage", "resourcePath"))

    def request(self, event: Any) -> Request:
        """The request that the event tells of.

        Raises:
            EventError: something in it is not as a REST API makes it.
        """
        return request_from_maps(event, is_path_decoded=False)

    def result(self, response: Response, event: Any) -> dict[str, Any]:
        """The JSON that answers the event with a whole response."""
        return multi_value_result(response)


def request_from_maps(event: dict[str, Any], *, is_path_decoded: bool) -> Request:
    """The request of an event that has its headers and its decoded query in maps.

    Raises:
        EventError: something in it is not as API Gateway makes it.
    """
    context = event["requestContext"]
    headers = "headers" if event.get("multiValueHeaders") is None else "multiValueHeaders"
    body = body_of(event)
    sent = text_of(event, "path", "/")
    path = encoded_path(sent, is_decoded=is_path_decoded)
    root_path = ""
    whole = context.get("path")
    if isinstance(whole, str) and whole != sent and is_at_own_address(context):
        whole = encoded_path(whole, is_decoded=is_path_decoded)
        stage = root_path_of(whole, context)
        if stage and whole in (stage + path, stage + path.rstrip("/")):
            path, root_path = whole, stage
    return Request(
        method=method_of(event, "httpMethod"),
        path=path,
        root_path=root_path,
        query=_encoded_query(event),
        headers=headers_of(pairs_of(event, headers), body=body),
        body=body,
        source_ip=line_of(object_of(context, "identity"), "sourceIp", ""),
        protocol=line_of(context, "protocol", "HTTP/1.1"),
    )


def is_at_own_address(context: dict[str, Any]) -> bool:
    """Whether the client has called the API by its own address, not by a custom domain."""
    domain = context.get("domainName")
    return isinstance(domain, str) and ".execute-api." in domain


def root_path_of(path: str, context: dict[str, Any]) -> str:
    """The event's stage as the first segment of `path`, or "" if it is not that."""
    stage = context.get("stage")
    if not isinstance(stage, str) or stage in ("", "$default"):
        return ""
    root_path = "/" + stage
    return root_path if path == root_path or path.startswith(root_path + "/") else ""


def _encoded_query(event: dict[str, Any]) -> str:
    pairs = pairs_of(event, "multiValueQueryStringParameters")
    # API Gateway repeats the last values here; events made by hand may have others.
    known = set(pairs)
    pairs += [pair for pair in pairs_of(event, "queryStringParameters") if pair not in known]
    if not pairs:
        return ""
    from urllib.parse import quote, urlencode

    return urlencode(pairs, quote_via=quote, safe="", errors="replace")
