"""Kinesis Data Streams: records of a stream."""

from __future__ import annotations

from .batches import Shard
from .delivered import text_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Kinesis(Shard):
    """The records of a data stream; one that failed is named by its sequence number."""

    name = "kinesis"
    looks_for = 'eventSource "aws:kinesis" in all Records'
    host = "kinesis.amazonaws.com"
    path = "/kinesis"
    event_source = "aws:kinesis"

    def identifier_of(self, record: dict[str, Any]) -> str | None:
        """The record's sequence number."""
        return text_at(record, "kinesis", "sequenceNumber")
