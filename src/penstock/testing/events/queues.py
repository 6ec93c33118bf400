"""SQS and SNS.

Sources: AWS documentation, "Using Lambda with Amazon SQS", "Invoking Lambda functions with
Amazon SNS notifications", "Amazon SQS message metadata" (the digest of attributes).
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from .common import REGION, arn, base64_of, digits, iso, milliseconds


def sqs(
    *messages: str,
    queue: str = "queue",
    attributes: Mapping[str, str | int | float | bytes] | None = None,
    group_id: str | None = None,
    region: str = REGION,
) -> dict[str, Any]:
    """The event of a batch of messages of a queue.

    `attributes` are those of each message: text, numbers or bytes. A queue whose name ends
    with `.fifo` is a FIFO queue, whose messages have `group_id` (default "group").
    """
    if not messages:
        raise ValueError("a batch has at least one message, as in sqs('order 17')")
    for message in messages:
        if not isinstance(message, str):
            raise TypeError(
                f"a message of SQS is text, not {message!r:.80}; make JSON text with json.dumps"
            )
    is_fifo = queue.endswith(".fifo")
    return {
        "Records": [
            _message(body, queue, attributes or {}, "group" if is_fifo else None, group_id, region)
            for body in messages
        ]
    }


def sns(
    message: str,
    *,
    subject: str | None = None,
    topic: str = "topic",
    attributes: Mapping[str, str | bytes] | None = None,
    region: str = REGION,
) -> dict[str, Any]:
    """The event of a notification of a topic, which always comes alone."""
    topic_arn = arn("sns", region, topic)
    subscription = f"{topic_arn}:{uuid4()}"
    site = f"https://sns.{region}.amazonaws.com"
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": subscription,
                "Sns": {
                    "Type": "Notification",
                    "MessageId": str(uuid4()),
                    "TopicArn": topic_arn,
                    "Subject": subject,
                    "Message": message,
                    "Timestamp": iso(),
                    "SignatureVersion": "1",
                    "Signature": b64encode(secrets.token_bytes(256)).decode(),
                    "SigningCertUrl": f"{site}/SimpleNotificationService-"
                    f"{secrets.token_hex(16)}.pem",
                    "UnsubscribeUrl": f"{site}/?Action=Unsubscribe&SubscriptionArn={subscription}",
                    "MessageAttributes": {
                        name: {"Type": "String", "Value": value}
                        if isinstance(value, str)
                        else {"Type": "Binary", "Value": base64_of(value)}
                        for name, value in (attributes or {}).items()
                    },
                },
            }
        ]
    }


def _message(
    body: str,
    queue: str,
    attributes: Mapping[str, str | int | float | bytes],
    default_group: str | None,
    group_id: str | None,
    region: str,
) -> dict[str, Any]:
    now = milliseconds()
    typed = {name: _typed(value) for name, value in attributes.items()}
    system = {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": str(now),
        "SenderId": "AIDAIENQZJOLO23YVJ4VO",
        "ApproximateFirstReceiveTimestamp": str(now + 2),
    }
    # Messages of other queues may have a group, too, for fairness among tenants.
    if group := group_id or default_group:
        system["MessageGroupId"] = group
    if default_group:
        system["SequenceNumber"] = digits(20, "188")
        system["MessageDeduplicationId"] = hashlib.sha256(body.encode()).hexdigest()
    record = {
        "messageId": str(uuid4()),
        "receiptHandle": "AQEB" + b64encode(secrets.token_bytes(180)).decode(),
        "body": body,
        "attributes": system,
        "messageAttributes": {
            name: {
                "binaryValue" if kind == "Binary" else "stringValue": base64_of(value)
                if kind == "Binary"
                else value.decode(),
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": kind,
            }
            for name, (kind, value) in typed.items()
        },
        "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn("sqs", region, queue),
        "awsRegion": region,
    }
    if typed:
        record["md5OfMessageAttributes"] = _digest(typed)
    return record


def _typed(value: str | int | float | bytes) -> tuple[str, bytes]:
    if isinstance(value, bytes):
        return "Binary", value
    return ("String" if isinstance(value, str) else "Number"), str(value).encode()


def _digest(attributes: Mapping[str, tuple[str, bytes]]) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for name, (kind, value) in sorted(attributes.items()):
        for part in (name.encode(), kind.encode()):
            digest.update(len(part).to_bytes(4) + part)
        digest.update(b"\2" if kind == "Binary" else b"\1")
        digest.update(len(value).to_bytes(4) + value)
    return digest.hexdigest()
