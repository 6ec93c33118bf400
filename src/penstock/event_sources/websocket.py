"""API Gateway WebSocket APIs: routes, each a path below one.

Nothing of a WebSocket reaches the app: it gets a request for each connection, message and
end, and sends to clients with the `@connections` API.

Sources: AWS documentation, "API Gateway WebSocket APIs", "Set up route responses" and "Manage
connected users and client apps". That the client of a failed invocation gets the message
"Internal server error", and that an answer is sent to it whatever its `statusCode`, is users'
word (aws-samples/simple-websockets-chat-app#46, stackoverflow.com/q/56394190).
"""

from __future__ import annotations

from ..errors import DeliveryError, EventError
from .delivered import Delivered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..messages import Response

_EVENT_TYPES = ("CONNECT", "MESSAGE", "DISCONNECT")


class WebSocket(Delivered):
    """The routes of a WebSocket API: `$connect` is posted to `/websocket/connect`, and so on.

    A route of another name has it percent-encoded, as one segment. One called "connect"
    comes to the path of `$connect`; `requestContext.eventType` tells them apart.
    """

    name = "websocket"
    looks_for = "requestContext with connectionId, routeKey and eventType, without a methodArn"
    host = "apigateway.amazonaws.com"
    path = "/websocket"
    has_paths_below = True

    def matches(self, event: Any) -> bool:
        """Whether a WebSocket API has made this event, and not for an authorizer."""
        if not isinstance(event, dict) or "methodArn" in event:
            return False
        context = event.get("requestContext")
        return (
            isinstance(context, dict)
            and isinstance(context.get("connectionId"), str)
            and isinstance(context.get("routeKey"), str)
            and context.get("eventType") in _EVENT_TYPES
        )

    def path_of(self, event: Any) -> str:
        """The path of the event's route.

        Raises:
            EventError: the route has a name that no path can have.
        """
        route: str = event["requestContext"]["routeKey"]
        name = route.removeprefix("$")
        # "." and ".." mean something in a path, encoded or not.
        if not name or any(part in (".", "..") for part in name.split("/")):
            raise EventError("the routeKey of a WebSocket API's event is empty, or has a . or ..")
        from urllib.parse import quote

        return f"{self.path.rstrip('/')}/{quote(name, safe='', errors='replace')}"

    def result(self, response: Response, event: Any) -> dict[str, Any]:
        """The JSON that answers the event: the app's status and its text.

        For `$connect` a status that is not from 200 to 299 refuses the connection; a
        `sec-websocket-protocol` is passed on. The text of other routes is sent to the
        client if the route has a route response.

        Raises:
            DeliveryError: the status is 500 or more, or the body is no text. The client is
                refused, or gets API Gateway's "Internal server error" instead of the app's.
        """
        if response.status >= 500:
            raise DeliveryError(f"the app answered POST {self.path} with status {response.status}")
        try:
            body = response.body.decode()
        except UnicodeDecodeError:
            raise DeliveryError(
                f"the app's answer to POST {self.path} is no text in UTF-8, and a WebSocket API "
                "sends text only"
            ) from None
        result: dict[str, Any] = {"statusCode": response.status, "body": body}
        protocol = response.headers.get("sec-websocket-protocol")
        if protocol is not None and event["requestContext"]["eventType"] == "CONNECT":
            result["headers"] = {"Sec-WebSocket-Protocol": protocol}
        return result
