"""Events from within AWS, of every source, and an app's answer to them."""

from __future__ import annotations

import json

import pytest

from penstock.event_sources.dynamodb import DynamoDb
from penstock.event_sources.eventbridge import EventBridge
from penstock.event_sources.kafka import Kafka
from penstock.event_sources.kinesis import Kinesis
from penstock.event_sources.logs import Logs
from penstock.event_sources.mq import Mq
from penstock.event_sources.s3 import S3
from penstock.event_sources.ses import Ses
from penstock.event_sources.sns import Sns
from penstock.event_sources.sqs import Sqs
from penstock.messages import Response

SOURCES = [
    Sqs(),
    Sns(),
    S3(),
    DynamoDb(),
    Kinesis(),
    EventBridge(),
    Kafka(),
    Mq(),
    Ses(),
    Logs(),
]
BY_NAME = {source.name: source for source in SOURCES}

PATHS_AND_HOSTS = {
    "sqs": ("/sqs", "sqs.amazonaws.com"),
    "sns": ("/sns", "sns.amazonaws.com"),
    "s3": ("/s3", "s3.amazonaws.com"),
    "dynamodb": ("/dynamodb", "dynamodb.amazonaws.com"),
    "kinesis": ("/kinesis", "kinesis.amazonaws.com"),
    "eventbridge": ("/eventbridge", "events.amazonaws.com"),
    "kafka": ("/kafka", "kafka.amazonaws.com"),
    "mq": ("/mq", "mq.amazonaws.com"),
    "ses": ("/ses", "ses.amazonaws.com"),
    "logs": ("/logs", "logs.amazonaws.com"),
}

ACCOUNT = "111122223333"


def message(identifier, body="order 17 is paid"):
    return {
        "messageId": identifier,
        "receiptHandle": "AQEBzWwaftRI0KuVm4tP",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1789473342381"},
        "messageAttributes": {},
        "md5OfBody": "0b0d4f0a5a2e4a0f8a2b6a4d9d1d6b0e",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:eu-central-1:{ACCOUNT}:orders",
        "awsRegion": "eu-central-1",
    }


def change(sequence_number):
    return {
        "eventID": "c81e728d9d4c2f636f067f89cc14862c",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1789473342,
            "Keys": {"order": {"N": "17"}},
            "NewImage": {"order": {"N": "17"}, "state": {"S": "paid"}},
            "SequenceNumber": sequence_number,
            "SizeBytes": 31,
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": f"arn:aws:dynamodb:eu-central-1:{ACCOUNT}:table/orders/stream/2026",
    }


def stream_record(sequence_number):
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "17",
            "sequenceNumber": sequence_number,
            "data": "b3JkZXIgMTcgaXMgcGFpZA==",
            "approximateArrivalTimestamp": 1789473342.381,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{sequence_number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": f"arn:aws:iam::{ACCOUNT}:role/orders",
        "awsRegion": "eu-central-1",
        "eventSourceARN": f"arn:aws:kinesis:eu-central-1:{ACCOUNT}:stream/orders",
    }


def kafka_event(service):
    return {
        "eventSource": service,
        "bootstrapServers": "b-1.orders.a1b2c3.c2.kafka.eu-central-1.amazonaws.com:9092",
        "records": {
            "orders-0": [
                {
                    "topic": "orders",
                    "partition": 0,
                    "offset": 15,
                    "timestamp": 1789473342381,
                    "timestampType": "CREATE_TIME",
                    "key": "MTc=",
                    "value": "cGFpZA==",
                    "headers": [{"trace": [49, 50]}],
                }
            ]
        },
    }


def active_mq_event(service):
    return {
        "eventSource": service,
        "eventSourceArn": f"arn:aws:mq:eu-central-1:{ACCOUNT}:broker:orders:b-1",
        "messages": [
            {
                "messageID": "ID:b-1.mq.eu-central-1.amazonaws.com-37557-1:1:1:1:1",
                "messageType": "jms/text-message",
                "deliveryMode": 1,
                "timestamp": 1789473342381,
                "redelivered": False,
                "destination": {"physicalName": "orders"},
                "data": "b3JkZXIgMTcgaXMgcGFpZA==",
            }
        ],
    }


EVENTS = {
    "sqs": [
        {"Records": [message("m-1")]},
        {"Records": [message("m-1"), message("m-2", "Zürich 京都 🚲")]},
    ],
    "sns": [
        {
            "Records": [
                {
                    "EventSource": "aws:sns",
                    "EventVersion": "1.0",
                    "EventSubscriptionArn": f"arn:aws:sns:eu-central-1:{ACCOUNT}:orders:5be1",
                    "Sns": {
                        "Type": "Notification",
                        "MessageId": "7f2c0f56-3d3b-5c6e-9d0e-5b1c7a1f4c11",
                        "TopicArn": f"arn:aws:sns:eu-central-1:{ACCOUNT}:orders",
                        "Subject": None,
                        "Message": "order 17 is paid",
                        "Timestamp": "2026-09-15T11:15:42.381Z",
                        "MessageAttributes": {},
                    },
                }
            ]
        }
    ],
    "s3": [
        {
            "Records": [
                {
                    "eventVersion": "2.1",
                    "eventSource": "aws:s3",
                    "awsRegion": "eu-central-1",
                    "eventTime": "2026-09-15T11:15:42.381Z",
                    "eventName": "ObjectCreated:Put",
                    "userIdentity": {"principalId": "AWS:AIDAEXAMPLE"},
                    "s3": {
                        "s3SchemaVersion": "1.0",
                        "configurationId": "invoices",
                        "bucket": {"name": "invoices", "arn": "arn:aws:s3:::invoices"},
                        "object": {"key": "2026/17+paid.pdf", "size": 1024, "sequencer": "00A1"},
                    },
                }
            ]
        }
    ],
    "dynamodb": [{"Records": [change("111"), change("222")]}],
    "kinesis": [{"Records": [stream_record("4959"), stream_record("4960")]}],
    "eventbridge": [
        {
            "version": "0",
            "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
            "detail-type": "Order Paid",
            "source": "shop.orders",
            "account": ACCOUNT,
            "time": "2026-09-15T11:15:42Z",
            "region": "eu-central-1",
            "resources": [],
            "detail": {"order": 17},
        },
        {
            "version": "0",
            "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": ACCOUNT,
            "time": "2026-09-15T11:15:00Z",
            "region": "eu-central-1",
            "resources": [f"arn:aws:events:eu-central-1:{ACCOUNT}:rule/every-minute"],
            "detail": {},
        },
        # EventBridge Scheduler, whose detail is text.
        {
            "version": "0",
            "id": "0b9e2c61-57d0-4a3b-8b57-1d0c7a3ce9f4",
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": ACCOUNT,
            "time": "2026-09-15T11:15:00Z",
            "region": "eu-central-1",
            "resources": [f"arn:aws:scheduler:eu-central-1:{ACCOUNT}:schedule/default/nightly"],
            "detail": "{}",
        },
    ],
    "kafka": [
        {
            **kafka_event("aws:kafka"),
            "eventSourceArn": f"arn:aws:kafka:eu-central-1:{ACCOUNT}:cluster/orders/7b",
        },
        kafka_event("SelfManagedKafka"),
        kafka_event("aws:SelfManagedKafka"),
    ],
    "mq": [
        active_mq_event("aws:amq"),
        active_mq_event("aws:mq"),
        {
            "eventSource": "aws:rmq",
            "eventSourceArn": f"arn:aws:mq:eu-central-1:{ACCOUNT}:broker:orders:b-2",
            "rmqMessagesByQueue": {
                "orders::/": [
                    {
                        "basicProperties": {"contentType": "text/plain", "headers": None},
                        "redelivered": False,
                        "data": "b3JkZXIgMTcgaXMgcGFpZA==",
                    }
                ]
            },
        },
    ],
    "ses": [
        {
            "Records": [
                {
                    "eventSource": "aws:ses",
                    "eventVersion": "1.0",
                    "ses": {
                        "mail": {
                            "timestamp": "2026-09-15T11:15:42.381Z",
                            "source": "jane@example.com",
                            "messageId": "o3vrnil0e2ic28trm7dfhrc2v0clambda4nbp0g1",
                            "destination": ["orders@example.com"],
                        },
                        "receipt": {
                            "recipients": ["orders@example.com"],
                            "action": {"type": "Lambda", "invocationType": "Event"},
                        },
                    },
                }
            ]
        }
    ],
    "logs": [{"awslogs": {"data": "H4sIAAAAAAAAA6tWKkktLlGyUlAqS8wpTtVRUCrJzE1VsjI0NAIA"}}],
}

ALL = [
    pytest.param(name, event, id=f"{name}-{number}")
    for name, events in EVENTS.items()
    for number, event in enumerate(events)
]

FUNCTION_URL_EVENT = {
    "version": "2.0",
    "routeKey": "$default",
    "rawPath": "/sqs",
    "rawQueryString": "",
    "headers": {"host": "sqs.amazonaws.com", "content-type": "application/json"},
    "requestContext": {
        "domainName": "abc.lambda-url.eu-central-1.on.aws",
        "http": {"method": "POST", "path": "/sqs", "sourceIp": "203.0.113.7"},
    },
    "body": json.dumps(EVENTS["sqs"][0]),
    "isBase64Encoded": False,
}


def answer(body, content_type="application/json"):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return Response(200, [("content-type", content_type)], body)
