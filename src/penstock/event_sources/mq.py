"""Amazon MQ: messages of ActiveMQ and of RabbitMQ."""

from __future__ import annotations

from .delivered import Delivered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Where each broker has its messages, and of what type they are there. For ActiveMQ, Lambda's
# documentation has "aws:mq", Amazon MQ's has "aws:amq".
_MESSAGES = {
    "aws:amq": ("messages", list),
    "aws:mq": ("messages", list),
    "aws:rmq": ("rmqMessagesByQueue", dict),
}


class Mq(Delivered):
    """The messages of a broker's queues."""

    name = "mq"
    looks_for = 'eventSource "aws:amq" and messages, or "aws:rmq" and rmqMessagesByQueue'
    host = "mq.amazonaws.com"
    path = "/mq"

    def matches(self, event: Any) -> bool:
        """Whether the event holds messages of a broker."""
        service = event.get("eventSource") if isinstance(event, dict) else None
        if not isinstance(service, str) or service not in _MESSAGES:
            return False
        key, kind = _MESSAGES[service]
        return isinstance(event.get(key), kind)
