"""EventBridge: events of a bus, and schedules."""

from __future__ import annotations

from .delivered import Delivered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_REST = frozenset(("id", "account", "time", "region", "resources"))


class EventBridge(Delivered):
    """The events of a bus as AWS passes them on, and those of schedules without an input.

    Rules and schedules with an input of their own send what that says, which nobody can know.
    """

    name = "eventbridge"
    looks_for = (
        'detail-type, source and detail, with version "0" or id, account, time, region, resources'
    )
    host = "events.amazonaws.com"
    path = "/eventbridge"

    def matches(self, event: Any) -> bool:
        """Whether the event has EventBridge's envelope."""
        # `detail` may be anything: EventBridge Scheduler sends it as the text "{}". SAM's
        # events for tests have no `version`, but all the rest.
        return (
            isinstance(event, dict)
            and (event.get("version") == "0" or event.keys() >= _REST)
            and isinstance(event.get("detail-type"), str)
            and isinstance(event.get("source"), str)
            and "detail" in event
        )
