"""VPC Lattice: functions as targets, event structure versions 2.0 and 1.0, both directions.

Sources: AWS documentation, "Lambda functions as targets in VPC Lattice"; that `path` and
`raw_path` have the query in them: Powertools for AWS Lambda. Unconfirmed: that a name may
come in several cases, which is how several cookies are answered here, and whether the values
of the map of the query, used only if the path has none, are decoded.
"""

from __future__ import annotations

from ..messages import Request
from .common import (
    body_as_text,
    body_of,
    encoded_path,
    headers_of,
    last_address,
    method_of,
    pairs_of,
    sent_query,
    single_value_fields,
    status_description,
    text_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..messages import Response


class Lattice:
    """The source of VPC Lattice's events in version 2.0."""

    name = "vpc_lattice"
    looks_for = 'version "2.0" and requestContext.serviceNetworkArn'
    can_stream = False
    is_internal = False
    path = ""

    def matches(self, event: Any) -> bool:
        """Whether VPC Lattice has made this event, in version 2.0."""
        if not isinstance(event, dict) or event.get("version") != "2.0":
            return False
        context = event.get("requestContext")
        return isinstance(context, dict) and "serviceNetworkArn" in context

    def request(self, event: Any) -> Request:
        """The request that the event tells of.

        Raises:
            EventError: something in it is not as VPC Lattice makes it.
        """
        return _request(event, "path", "queryStringParameters", body_of(event))

    def result(self, response: Response, event: Any) -> dict[str, Any]:
        """The JSON that answers the event with a whole response."""
        return _result(response)


class LatticeV1:
    """The source of VPC Lattice's events in version 1.0, which have single values only."""

    name = "vpc_lattice_v1"
    looks_for = "raw_path, method and is_base64_encoded, without a version"
    can_stream = False
    is_internal = False
    path = ""

    def matches(self, event: Any) -> bool:
        """Whether VPC Lattice has made this event, in version 1.0."""
        return (
            isinstance(event, dict)
            and all(key in event for key in ("raw_path", "method", "is_base64_encoded"))
            and not any(key in event for key in ("version", "requestContext", "Records"))
        )

    def request(self, event: Any) -> Request:
        """The request that the event tells of.

        Raises:
            EventError: something in it is not as VPC Lattice makes it.
        """
        body = body_of(
            {"body": event.get("body"), "isBase64Encoded": event["is_base64_encoded"]},
        )
        return _request(event, "raw_path", "query_string_parameters", body)

    def result(self, response: Response, event: Any) -> dict[str, Any]:
        """The JSON that answers the event with a whole response."""
        return _result(response)


def _request(event: dict[str, Any], path_key: str, query_key: str, body: bytes) -> Request:
    path, _, query = text_of(event, path_key, "/").partition("?")
    query = sent_query({path_key: query}, path_key)
    pairs = pairs_of(event, query_key)
    if pairs and not query:
        from urllib.parse import quote, urlencode

        query = urlencode(pairs, quote_via=quote, safe="", errors="replace")
    headers = headers_of(pairs_of(event, "headers"), body=body)
    return Request(
        method=method_of(event, "method"),
        path=encoded_path(path),
        query=query,
        headers=headers,
        body=body,
        source_ip=last_address(headers),
    )


def _result(response: Response) -> dict[str, Any]:
    body, is_base64 = body_as_text(response)
    return {
        "statusCode": response.status,
        "statusDescription": status_description(response.status),
        "headers": single_value_fields(response.headers),
        "body": body,
        "isBase64Encoded": is_base64,
    }
