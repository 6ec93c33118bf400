"""VPC Lattice: functions as targets, event structure version 2.0, in both directions.

Sources: AWS documentation, "Lambda functions as targets in VPC Lattice"; that `path` has
the query in it: Powertools for AWS Lambda. Unconfirmed: that a name may come in several
cases, which is how several cookies are answered here, and whether the values of
`queryStringParameters`, used only if `path` has no query, are decoded.
"""

from __future__ import annotations

from ..messages import Request
from .common import (
    body_as_text,
    body_of,
    encoded_path,
    headers_of,
    last_address,
    pairs_of,
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
        path, _, query = text_of(event, "path", "/").partition("?")
        pairs = pairs_of(event, "queryStringParameters")
        if pairs and not query:
            from urllib.parse import quote, urlencode

            query = urlencode(pairs, quote_via=quote, safe="", errors="replace")
        headers = headers_of(pairs_of(event, "headers"))
        return Request(
            method=text_of(event, "method", "GET"),
            path=encoded_path(path),
            query=query,
            headers=headers,
            body=body_of(event),
            source_ip=last_address(headers),
        )

    def result(self, response: Response, event: Any) -> dict[str, Any]:
        """The JSON that answers the event with a whole response."""
        body, is_base64 = body_as_text(response)
        return {
            "statusCode": response.status,
            "statusDescription": status_description(response.status),
            "headers": single_value_fields(response.headers),
            "body": body,
            "isBase64Encoded": is_base64,
        }
