"""API Gateway REST APIs: proxy integration, in both directions.

REST APIs leave the path as it was sent, without the stage, and decode the query, plus
signs included. Bodies in base64 are decoded for the client only if the API's
`binaryMediaTypes` say so.

Sources: AWS documentation, "Lambda proxy integrations in API Gateway"; path and query:
a live capture (hotsock/voker, us-west-2, 2026-07-10).
"""

from __future__ import annotations

from ..messages import Request
from .common import (
    body_of,
    encoded_path,
    headers_of,
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
        "without a version, elb or a methodArn"
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
        if not isinstance(context, dict) or "elb" in context:
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
    return Request(
        method=text_of(event, "httpMethod", "GET"),
        path=encoded_path(text_of(event, "path", "/"), is_decoded=is_path_decoded),
        query=_encoded_query(event),
        headers=headers_of(pairs_of(event, headers)),
        body=body_of(event),
        source_ip=text_of(object_of(context, "identity"), "sourceIp", ""),
        protocol=text_of(context, "protocol", "HTTP/1.1"),
    )


def _encoded_query(event: dict[str, Any]) -> str:
    pairs = pairs_of(event, "multiValueQueryStringParameters")
    # API Gateway repeats the last values here; events made by hand may have others.
    known = set(pairs)
    pairs += [pair for pair in pairs_of(event, "queryStringParameters") if pair not in known]
    if not pairs:
        return ""
    from urllib.parse import quote, urlencode

    return urlencode(pairs, quote_via=quote, safe="", errors="replace")
