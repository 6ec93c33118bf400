"""Kafka: records of topics, of Amazon MSK or of a cluster that is managed elsewhere."""

from __future__ import annotations

from .delivered import Delivered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# A cluster managed elsewhere goes by two names; the last is that of Powertools' models.
_SERVICES = ("aws:kafka", "SelfManagedKafka", "aws:SelfManagedKafka")


class Kafka(Delivered):
    """The records of topics, grouped by topic and partition."""

    name = "kafka"
    looks_for = 'eventSource "aws:kafka" or "SelfManagedKafka", and records'
    host = "kafka.amazonaws.com"
    path = "/kafka"

    def matches(self, event: Any) -> bool:
        """Whether the event holds records of a Kafka cluster."""
        return (
            isinstance(event, dict)
            and event.get("eventSource") in _SERVICES
            and isinstance(event.get("records"), dict)
        )
