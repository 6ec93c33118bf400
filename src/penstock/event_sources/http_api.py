"""API Gateway HTTP APIs: payload formats 2.0 and 1.0, in both directions.

HTTP APIs give the path decoded, in both formats: `/a%20b` arrives as `/a b` and `/a%2Fb`
as `/a/b`, which nobody can undo. The query of 2.0 is as sent; that of 1.0 is decoded, as
in events of REST APIs. HTTP APIs never stream.

The path of 2.0 begins with the stage, unless that is `$default`. At the API's own address
the client has sent it so, and the stage is the request's root path. A custom domain leads
to a stage without naming it: there the path has a segment that nobody has sent, which is
taken away. What a mapping has in place of the stage is nowhere in the event.

Sources: AWS documentation, "Create AWS Lambda proxy integrations for HTTP APIs"; the path:
a live capture (hotsock/voker, us-west-2, 2026-07-10) and fastify/aws-lambda-fastify#169.
For the path in 1.0 there is no capture, only middleapi/standard-server#93. The stage in
2.0: logandk/serverless-wsgi#191, with an event, and behind custom domains
CodeGenieApp/serverless-express#465; Powertools for AWS Lambda removes it whatever the domain.
The stage in 1.0: users' word, jeremydaly/lambda-api#136 and dougmoscrop/serverless-http#143.
"""

from __future__ import annotations

from ..messages import Request
from .common import (
    body_of,
    encoded_path,
    format_2_result,
    headers_of,
    line_of,
    method_of,
    multi_value_result,
    object_of,
    pairs_of,
    sent_query,
    text_of,
    texts_of,
)
from .rest_api import is_at_own_address, request_from_maps, root_path_of

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
        body = body_of(event)
        context = event["requestContext"]
        http = object_of(context, "http")
        path = encoded_path(text_of(event, "rawPath", "/"), is_decoded=True)
        root_path = root_path_of(path, context)
        if root_path and not is_at_own_address(context):
            path, root_path = path[len(root_path) :] or "/", ""
        return Request(
            method=method_of(http, "method"),
            path=path,
            root_path=root_path,
            query=sent_query(event, "rawQueryString"),
            headers=headers_of(pairs_of(event, "headers"), texts_of(event, "cookies"), body),
            body=body,
            source_ip=line_of(http, "sourceIp", ""),
            protocol=line_of(http, "protocol", "HTTP/1.1"),
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
        context = event["requestContext"]
        request = request_from_maps(event, is_path_decoded=True)
        if not request.root_path and is_at_own_address(context):
            request.root_path = root_path_of(request.path, context)
        return request

    def result(self, response: Response, event: Any) -> dict[str, Any]:
        """The JSON that answers the event with a whole response."""
        return multi_value_result(response)
