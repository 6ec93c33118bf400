"""Kafka, ActiveMQ and RabbitMQ.

Sources: AWS documentation, "Using Lambda with Amazon MSK", "Using Lambda with self-managed
Apache Kafka", "Using Lambda with Amazon MQ".
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from .common import REGION, arn, as_bytes, base64_of, milliseconds


def kafka(
    *values: str | bytes,
    topic: str = "topic",
    key: str | bytes | None = None,
    headers: Mapping[str, str | bytes] | None = None,
    partition: int = 0,
    offset: int = 15,
    self_managed: bool = False,
    region: str = REGION,
) -> dict[str, Any]:
    """The event of a batch of records of a topic's partition, beginning at `offset`.

    The cluster is one of Amazon MSK, or `self_managed`. All records have the same key and
    headers; without a key, the records have none (whether AWS then sends null is
    unconfirmed).
    """
    cluster = f"cluster/demo/{uuid4()}-4"
    broker = (
        "kafka.example.com:9092"
        if self_managed
        else f"b-1.demo.a1bcde.c1.kafka.{region}.amazonaws.com:9092"
    )
    return {
        "eventSource": "SelfManagedKafka" if self_managed else "aws:kafka",
        **({} if self_managed else {"eventSourceArn": arn("kafka", region, cluster)}),
        "bootstrapServers": broker,
        "records": {
            f"{topic}-{partition}": [
                {
                    "topic": topic,
                    "partition": partition,
                    "offset": offset + index,
                    "timestamp": milliseconds(),
                    "timestampType": "CREATE_TIME",
                    **({} if key is None else {"key": base64_of(key)}),
                    "value": base64_of(value),
                    "headers": [
                        {name: list(as_bytes(header))} for name, header in (headers or {}).items()
                    ],
                }
                for index, value in enumerate(values)
            ]
        },
    }


def active_mq(
    *messages: str | bytes,
    queue: str = "queue",
    properties: Mapping[str, str] | None = None,
    region: str = REGION,
) -> dict[str, Any]:
    """The event of a batch of messages of an ActiveMQ broker; text or bytes messages of JMS."""
    broker, now = f"b-{uuid4()}", milliseconds()
    return {
        "eventSource": "aws:mq",
        "eventSourceArn": arn("mq", region, f"broker:broker:{broker}"),
        "messages": [
            {
                "messageID": f"ID:{broker}-1.mq.{region}.amazonaws.com-37557-{now}-4:1:1:1:{index}",
                "messageType": f"jms/{'text' if isinstance(message, str) else 'bytes'}-message",
                "deliveryMode": 1,
                "replyTo": None,
                "type": None,
                "expiration": "60000",
                "priority": 1,
                "correlationId": f"ID:{secrets.token_hex(8)}",
                "redelivered": False,
                "destination": {"physicalName": queue},
                "data": base64_of(message),
                "timestamp": now,
                "brokerInTime": now,
                "brokerOutTime": now + 1,
                "properties": dict(properties or {}),
            }
            for index, message in enumerate(messages, 1)
        ],
    }


def rabbit_mq(
    *messages: str | bytes,
    queue: str = "queue",
    virtual_host: str = "/",
    headers: Mapping[str, str | bytes] | None = None,
    content_type: str = "text/plain",
    region: str = REGION,
) -> dict[str, Any]:
    """The event of a batch of messages of a queue of a RabbitMQ broker."""
    return {
        "eventSource": "aws:rmq",
        "eventSourceArn": arn("mq", region, f"broker:broker:b-{uuid4()}"),
        "rmqMessagesByQueue": {
            f"{queue}::{virtual_host}": [
                {
                    "basicProperties": {
                        "contentType": content_type,
                        "contentEncoding": None,
                        "headers": {
                            name: {"bytes": list(as_bytes(value))}
                            for name, value in (headers or {}).items()
                        },
                        "deliveryMode": 1,
                        "priority": 34,
                        "correlationId": None,
                        "replyTo": None,
                        "expiration": "60000",
                        "messageId": None,
                        "timestamp": _java_date(),
                        "type": None,
                        "userId": "AIDACKCEVSQ6C2EXAMPLE",
                        "appId": None,
                        "clusterId": None,
                        "bodySize": len(as_bytes(message)),
                    },
                    "redelivered": False,
                    "data": base64_of(message),
                }
                for message in messages
            ]
        },
    }


_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


def _java_date() -> str:
    """The time now, as `Jan 1, 1970, 12:33:41 AM`."""
    now = datetime.now(UTC)
    # Not by strftime, whose names are those of the locale.
    month = _MONTHS[3 * now.month - 3 : 3 * now.month]
    half = "AM" if now.hour < 12 else "PM"
    return f"{month} {now.day}, {now.year}, {now.hour % 12 or 12}:{now:%M:%S} {half}"
