"""SQS: messages of a queue."""

from __future__ import annotations

from .delivered import Batched

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Sqs(Batched):
    """The messages of a queue; a message that failed is named by its `messageId`."""

    name = "sqs"
    looks_for = 'eventSource "aws:sqs" in all Records'
    host = "sqs.amazonaws.com"
    path = "/sqs"
    event_source = "aws:sqs"

    def identifier_of(self, record: dict[str, Any]) -> str | None:
        """The message's identifier."""
        identifier = record.get("messageId")
        return identifier if isinstance(identifier, str) else None
