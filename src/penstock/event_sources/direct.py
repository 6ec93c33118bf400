"""Plain JSON: what somebody invokes the function with, and no service has made."""

from __future__ import annotations

from ..errors import DeliveryError
from .delivered import Delivered, json_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..messages import Response


class Direct(Delivered):
    """Any event that no other source knows; what the app answers is the result.

    JSON is the result as it is, anything else is text; an empty body is null. It is in
    nobody's list of sources unless put there, as it hides what others fail to recognise.
    """

    name = "direct"
    looks_for = "any event that no other source knows"
    host = "lambda.amazonaws.com"
    is_fallback = True

    def __init__(self, path: str) -> None:
        super().__init__(path)

    def matches(self, event: Any) -> bool:
        """It takes any event, after all others have refused it."""
        return True

    def result(self, response: Response, event: Any) -> Any:
        """The app's JSON, or its text if the content type is another; null for an empty body.

        Raises:
            DeliveryError: the status is not from 200 to 299, what is called JSON is none,
                or what is not is no UTF-8.
        """
        self.check_status(response)
        content_type = (response.headers.get("content-type") or "").lower()
        is_json = not content_type or "json" in content_type
        try:
            return json_of(response) if is_json else response.body.decode() or None
        except ValueError:
            if content_type and is_json:
                raise self._neither("is called JSON and is none") from None
        try:
            return response.body.decode()
        except UnicodeDecodeError:
            raise self._neither("is neither JSON nor text in UTF-8") from None

    def _neither(self, what: str) -> DeliveryError:
        return DeliveryError(f"the app's answer to POST {self.path} {what}")
