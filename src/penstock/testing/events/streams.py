"""Kinesis Data Streams.

Source: AWS documentation, "Using Lambda to process records from Amazon Kinesis Data Streams".
"""

from __future__ import annotations

from typing import Any

from .common import REGION, arn, base64_of, digits, milliseconds


def kinesis(
    *data: str | bytes,
    stream: str = "stream",
    partition_key: str = "1",
    shard: int = 0,
    region: str = REGION,
) -> dict[str, Any]:
    """The event of a batch of records of one shard of a stream, in order."""
    first = int(digits(56, "4959"))
    shard_id = f"shardId-{shard:012}"
    return {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": partition_key,
                    "sequenceNumber": str(first + index),
                    "data": base64_of(item),
                    "approximateArrivalTimestamp": milliseconds() / 1000,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"{shard_id}:{first + index}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": arn("iam", "", "role/lambda-role"),
                "awsRegion": region,
                "eventSourceARN": arn("kinesis", region, f"stream/{stream}"),
            }
            for index, item in enumerate(data)
        ]
    }
