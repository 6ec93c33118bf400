"""Function URLs: payload format 2.0.

What the URL itself does with it, in front of a function, is in `function_url_events.py`.
"""

from __future__ import annotations

from ..errors import EventError
from ..messages import Request, Response
from .common import (
    body_of,
    encoded_path,
    format_2_result,
    headers_of,
    line_of,
    method_of,
    pairs_of,
    sent_query,
    text_of,
    texts_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class FunctionUrl:
    """The source of a Function URL's events: an event source, as `adapt` asks for it."""

    name = "function_url"
    looks_for = 'version "2.0" and ".lambda-url." in requestContext.domainName'
    can_stream = True
    is_internal = False
    path = ""

    def matches(self, event: Any) -> bool:
        """Whether a Function URL has made this event."""
        if not isinstance(event, dict) or event.get("version") != "2.0":
            return False
        context = event.get("requestContext")
        domain = context.get("domainName") if isinstance(context, dict) else None
        return isinstance(domain, str) and ".lambda-url." in domain

    def request(self, event: Any) -> Request:
        """The request that the event tells of.

        Raises:
            EventError: something in it is not as a Function URL makes it.
        """
        body = body_of(event)
        http = event["requestContext"].get("http")
        if not isinstance(http, dict):
            raise EventError("requestContext.http of a Function URL's event is no object")
        return Request(
            method=method_of(http, "method"),
            path=encoded_path(text_of(event, "rawPath", "/")),
            query=sent_query(event, "rawQueryString"),
            headers=headers_of(pairs_of(event, "headers"), texts_of(event, "cookies"), body),
            body=body,
            source_ip=line_of(http, "sourceIp", ""),
            protocol=line_of(http, "protocol", "HTTP/1.1"),
        )

    def result(self, response: Response, event: Any) -> dict[str, Any]:
        """The JSON that answers the event with a whole response."""
        return format_2_result(response)
