"""Kinesis Data Streams: records of a stream."""

from __future__ import annotations

from .delivered import Batched, text_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Kinesis(Batched):
    """The records of a data stream; one that failed is named by its sequence number.

    Of several, AWS goes back to the lowest and tries everything from there on again.
    """

    name = "kinesis"
    looks_for = 'eventSource "aws:kinesis" in all Records'
    host = "kinesis.amazonaws.com"
    path = "/kinesis"
    event_source = "aws:kinesis"

    def identifier_of(self, record: dict[str, Any]) -> str | None:
        """The record's sequence number."""
        return text_at(record, "kinesis", "sequenceNumber")
