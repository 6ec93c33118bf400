"""CloudWatch Logs: log events of a subscription."""

from __future__ import annotations

from .delivered import Delivered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Logs(Delivered):
    """The log events of a subscription filter, still compressed (gzip, in base64)."""

    name = "logs"
    looks_for = "awslogs.data"
    host = "logs.amazonaws.com"
    path = "/logs"

    def matches(self, event: Any) -> bool:
        """Whether the event holds log events."""
        logs = event.get("awslogs") if isinstance(event, dict) else None
        return isinstance(logs, dict) and isinstance(logs.get("data"), str)
