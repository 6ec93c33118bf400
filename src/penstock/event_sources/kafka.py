"""Kafka: records of topics, of Amazon MSK or of a cluster that is managed elsewhere.

Sources: AWS documentation, "Using Lambda with Amazon MSK", "Configuring error handling
controls for Kafka event sources"; the identifiers: AWS's Powertools and its types for Rust
(aws-lambda-rust-runtime#1164).
"""

from __future__ import annotations

from .batches import Batched

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .batches import KafkaOffset

# A cluster managed elsewhere goes by two names; the last is that of Powertools' models.
_SERVICES = ("aws:kafka", "SelfManagedKafka", "aws:SelfManagedKafka")


class Kafka(Batched):
    """The records of topics, grouped by topic and partition.

    A record that failed is named by its group and its offset:
    `{"itemIdentifier": {"partition": "orders-0", "offset": 15}}`. AWS goes back to the lowest
    offset of each partition. Here an identifier is the text "orders-0:15".
    """

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

    def records_of(self, event: Any) -> Iterator[tuple[str, str | None, Any]]:
        """Each record: its topic and partition, its identifier, and the event with it alone."""
        for partition, records in event["records"].items():
            for record in records if isinstance(records, list) else [records]:
                offset = record.get("offset") if isinstance(record, dict) else None
                item = {"partition": partition, "offset": offset}
                yield (
                    partition,
                    self.identifier_in(item),
                    {**event, "records": {partition: [record]}},
                )

    def keeps_order(self, event: Any) -> bool:
        """It does, within a partition."""
        return True

    def identifier_in(self, item: object) -> str | None:
        """Partition and offset of an `itemIdentifier`, or None if it is none."""
        if not isinstance(item, dict):
            return None
        partition, offset = item.get("partition"), item.get("offset")
        if not isinstance(partition, str) or type(offset) is not int:
            return None
        return f"{partition}:{offset}"

    def item_identifier(self, identifier: str) -> KafkaOffset:
        """The `itemIdentifier` of a record."""
        partition, _, offset = identifier.rpartition(":")
        return {"partition": partition, "offset": int(offset)}
