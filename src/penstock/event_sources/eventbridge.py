"""EventBridge: events of a bus, and schedules."""

from __future__ import annotations

from .delivered import Delivered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class EventBridge(Delivered):
    """The events of a bus as AWS passes them on, and those of schedules without an input.

    Rules and schedules with an input of their own send what that says, which nobody can know.
    """

    name = "eventbridge"
    looks_for = 'version "0", detail-type, source and detail'
    host = "events.amazonaws.com"
    path = "/eventbridge"

    def matches(self, event: Any) -> bool:
        """Whether the event has EventBridge's envelope."""
        # `detail` may be anything: EventBridge Scheduler sends it as the text "{}".
        return (
            isinstance(event, dict)
            and event.get("version") == "0"
            and isinstance(event.get("detail-type"), str)
            and isinstance(event.get("source"), str)
            and "detail" in event
        )
