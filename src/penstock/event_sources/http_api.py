"""API Gateway HTTP APIs: payload formats 2.0 and 1.0, in both directions.

HTTP APIs give the path decoded, in both formats: `/a%20b` arrives as `/a b` and `/a%2Fb`
as `/a/b`, which nobody can undo. The query of 2.0 is as sent; that of 1.0 is decoded, as
in events of REST APIs. HTTP APIs never stream.

Sources: AWS documentation, "Create AWS Lambda proxy integrations for HTTP APIs"; the path:
a live capture (hotsock/voker, us-west-2, 2026-07-10) and fastify/aws-lambda-fastify#169.
For the path in 1.0 there is no capture, only middleapi/standard-server#93.
"""

from __future__ import annotations

from ..errors import EventError
from ..messages import Request
from .common import (
    body_of,
    encoded_path,
    format_2_result,
    headers_of,
    multi_value_result,
    object_of,
    pairs_of,
    text_of,
)
from .rest_api import request_from_maps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..messages import Response


class HttpApiV2:
    """The source of an HTTP API's events in payload format 2.0."""

    name = "http_api"
    looks_for = (
        'version "2.0" and requestContext.http, without ".lambda-url." in its domainName '
        "and without a routeArn"
    )
    can_stream = False
    is_internal = False
    path = ""

    def matches(self, event: Any) -> bool:
        """Whether an HTTP API has made this event, in format 2.0, and not for an authorizer."""
        if not isinstance(event, dict) or event.get("version") != "2.0" or "routeArn" in event:
            return False
        context = event.get("requestContext")
        # The context of VPC Lattice has no `http`, that of a Function URL has.
        if not isinstance(context, dict) or "http" not in context:
            return False
        domain = context.get("domainName")
        return not isinstance(domain, str) or ".lambda-url." not in domain

    def request(self, event: Any) -> Request:
        """The request that the event tells of.

        Raises:
            EventError: something in it is not as an HTTP API makes it.
        """
        http = object_of(event["requestContext"], "http")
        cookies = event.get("cookies") or []
        if not isinstance(cookies, list) or not all(isinstance(item, str) for item in cookies):
            raise EventError("cookies should be a list of text, and is not")
        return Request(
            method=text_of(http, "method", "GET"),
            path=encoded_path(text_of(event, "rawPath", "/"), is_decoded=True),
            query=text_of(event, "rawQueryString", ""),
            headers=headers_of(pairs_of(event, "headers"), cookies),
            body=body_of(event),
            source_ip=text_of(http, "sourceIp", ""),
            protocol=text_of(http, "protocol", "HTTP/1.1"),
        )

    def result(self, response: Response, event: Any) -> dict[str, Any]:
        """The JSON that answers the event with a whole response."""
        return format_2_result(response)


class HttpApiV1:
    """The source of an HTTP API's events in payload format 1.0."""

    name = "http_api_v1"
    looks_for = 'version "1.0" with requestContext and httpMethod, without a methodArn'
    can_stream = False
    is_internal = False
    path = ""

    def matches(self, event: Any) -> bool:
        """Whether an HTTP API has made this event, in format 1.0, and not for an authorizer."""
        return (
            isinstance(event, dict)
            and event.get("version") == "1.0"
            and "httpMethod" in event
            and "methodArn" not in event
            and isinstance(event.get("requestContext"), dict)
        )

    def request(self, event: Any) -> Request:
        """The request that the event tells of.

        Raises:
            EventError: something in it is not as an HTTP API makes it.
        """
        return request_from_maps(event, is_path_decoded=True)

    def result(self, response: Response, event: Any) -> dict[str, Any]:
        """The JSON that answers the event with a whole response."""
        return multi_value_result(response)
