"""SQS: messages of a queue."""

from __future__ import annotations

from .batches import RecordBatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Sqs(RecordBatch):
    """The messages of a queue; a message that failed is named by its `messageId`."""

    name = "sqs"
    looks_for = 'eventSource "aws:sqs" in all Records'
    host = "sqs.amazonaws.com"
    path = "/sqs"
    event_source = "aws:sqs"

    def identifier_of(self, record: dict[str, Any]) -> str | None:
        """The message's identifier."""
        identifier = record.get("messageId")
        return identifier if isinstance(identifier, str) and identifier else None

    def keeps_order(self, event: Any) -> bool:
        """Whether the queue is a FIFO queue, which its name says."""
        return any(
            isinstance(arn := record.get("eventSourceARN"), str) and arn.endswith(".fifo")
            for record in event["Records"]
        )

    def reports_rest(self, event: Any) -> bool:
        """What is not reported is deleted, so a FIFO queue needs each that waits."""
        return True
