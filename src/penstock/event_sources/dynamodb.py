"""DynamoDB Streams: changes of a table."""

from __future__ import annotations

from .batches import Shard
from .delivered import text_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class DynamoDb(Shard):
    """The changes of a table; one that failed is named by its sequence number."""

    name = "dynamodb"
    looks_for = 'eventSource "aws:dynamodb" in all Records'
    host = "dynamodb.amazonaws.com"
    path = "/dynamodb"
    event_source = "aws:dynamodb"

    def identifier_of(self, record: dict[str, Any]) -> str | None:
        """The change's sequence number."""
        return text_at(record, "dynamodb", "SequenceNumber")
