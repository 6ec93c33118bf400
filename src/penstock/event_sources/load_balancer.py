"""Application Load Balancers: functions as targets, in both directions.

The target group's attribute `lambda.multi_value_headers.enabled` says whether events have
single values or lists, and which of the two an answer must have. Path and query are as
they were sent: the load balancer decodes nothing, so nothing is encoded here again.

Sources: AWS documentation, "Use Lambda functions as targets of an Application Load
Balancer"; a live capture with lists (hotsock/voker, us-west-2, 2026-07-10).
"""

from __future__ import annotations

from ..messages import Request
from .common import (
    body_of,
    encoded_path,
    headers_of,
    last_address,
    method_of,
    multi_value_result,
    pairs_of,
    single_value_fields,
    status_description,
    text_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..messages import Response

# RFC 3986 section 3.4, with what is already encoded, and without "&" and "=", which are
# between values: a load balancer has none in a name, and no "&" in a value.
_QUERY_CHARACTERS = "%/?!$'()*+,;:@"


class LoadBalancer:
    """The source of an Application Load Balancer's events."""

    name = "load_balancer"
    looks_for = "requestContext.elb"
    can_stream = False
    is_internal = False
    path = ""

    def matches(self, event: Any) -> bool:
        """Whether a load balancer has made this event."""
        if not isinstance(event, dict):
            return False
        context = event.get("requestContext")
        return isinstance(context, dict) and "elb" in context

    def request(self, event: Any) -> Request:
        """The request that the event tells of.

        `source_ip` is the last address of `x-forwarded-for`, which the load balancer has
        put there itself; those before it are the client's word.

        Raises:
            EventError: something in it is not as a load balancer makes it.
        """
        has_lists = _has_lists(event)
        body = body_of(event)
        pairs = pairs_of(event, "multiValueHeaders" if has_lists else "headers")
        headers = headers_of(pairs, body=body)
        return Request(
            method=method_of(event, "httpMethod"),
            path=encoded_path(text_of(event, "path", "/")),
            query=_query(event),
            headers=headers,
            body=body,
            source_ip=last_address(headers),
        )

    def result(self, response: Response, event: Any) -> dict[str, Any]:
        """The JSON that answers the event with a whole response, with lists if it has them.

        Of single values there can be one per name. Cookies cannot be joined (RFC 6265
        section 3), so each gets the name in another case: a load balancer sends those as
        fields of their own (users' word, Kludex/mangum#185; not captured).
        """
        result = multi_value_result(response)
        result["statusDescription"] = status_description(response.status)
        if not _has_lists(event):
            del result["multiValueHeaders"]
            result["headers"] = single_value_fields(response.headers)
        return result


def _has_lists(event: dict[str, Any]) -> bool:
    return event.get("multiValueHeaders") is not None


def _query(event: dict[str, Any]) -> str:
    pairs = pairs_of(event, "multiValueQueryStringParameters")
    pairs = pairs or pairs_of(event, "queryStringParameters")
    if not pairs:
        return ""
    from urllib.parse import quote

    return "&".join(
        quote(name, safe=_QUERY_CHARACTERS, errors="replace")
        + "="
        + quote(value, safe=_QUERY_CHARACTERS + "=", errors="replace")
        for name, value in pairs
    )
