"""Events from within AWS: whose they are, the request they become, and what answers count."""

from __future__ import annotations

import copy
import json

import pytest

from penstock.errors import DeliveryError, EventError
from penstock.event_sources.dynamodb import DynamoDb
from penstock.event_sources.eventbridge import EventBridge
from penstock.event_sources.function_url import FunctionUrl
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

NOBODYS = [
    None,
    True,
    0,
    1.5,
    "",
    "aws:sqs",
    [],
    [message("m-1")],
    {},
    {"Records": None},
    {"Records": []},
    {"Records": {}},
    {"Records": "aws:sqs"},
    {"Records": [None]},
    {"Records": [[]]},
    {"Records": [{}]},
    {"Records": [{"eventSource": None}]},
    {"Records": [{"eventSource": ["aws:sqs"]}]},
    {"Records": [{"eventSource": {"aws:sqs": 1}}]},
    {"Records": [{"eventSource": "aws:unheard-of"}]},
    # Not alike: whose they are as a whole nobody can say.
    {"Records": [message("m-1"), change("111")]},
    {"Records": [message("m-1"), None]},
    {"records": [message("m-1")]},
    {"eventSource": "aws:sqs"},
    {"eventSource": "aws:kafka"},
    {"eventSource": "aws:kafka", "records": []},
    {"eventSource": ["aws:kafka"], "records": {}},
    {"eventSource": {}, "records": {}, "messages": []},
    {"eventSource": "aws:amq", "messages": {}},
    {"eventSource": "aws:amq", "rmqMessagesByQueue": {}},
    {"eventSource": "aws:rmq", "messages": []},
    {"eventSource": [], "messages": []},
    {"awslogs": None},
    {"awslogs": {"data": None}},
    {"awslogs": ["data"]},
    {"awslogs": "data"},
    {"version": "0"},
    {"version": 0, "detail-type": "a", "source": "b", "detail": {}},
    {"version": "0", "detail-type": None, "source": "b", "detail": {}},
    {"version": "0", "detail-type": "a", "source": [], "detail": {}},
    {"version": "0", "detail-type": "a", "source": "b"},
    FUNCTION_URL_EVENT,
]


@pytest.mark.parametrize(("name", "event"), ALL)
def test_exactly_one_source_takes_an_event_for_its_own(name, event):
    takers = [source.name for source in [FunctionUrl(), *SOURCES] if source.matches(event)]

    assert takers == [name]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
@pytest.mark.parametrize("event", NOBODYS, ids=lambda event: json.dumps(event)[:60])
def test_what_no_service_makes_is_nobodys_and_raises_nothing(source, event):
    assert source.matches(event) is False


def test_a_function_url_keeps_a_request_that_looks_like_a_delivered_event():
    assert FunctionUrl().matches(FUNCTION_URL_EVENT)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_sources_are_internal_and_cannot_stream(source):
    assert source.is_internal
    assert not source.can_stream
    assert source.looks_for
    assert (source.path, source.host) == PATHS_AND_HOSTS[source.name]


@pytest.mark.parametrize(("name", "event"), ALL)
def test_an_event_becomes_one_post_with_all_of_it_in_the_body(name, event):
    path, host = PATHS_AND_HOSTS[name]

    request = BY_NAME[name].request(event)

    assert (request.method, request.path, request.query) == ("POST", path, "")
    assert list(request.headers) == [
        ("host", host),
        ("content-type", "application/json"),
        ("content-length", str(len(request.body))),
    ]
    assert json.loads(request.body) == event
    assert request.source_ip == ""


def test_the_body_is_compact_and_has_non_ascii_as_it_is():
    request = Sqs().request({"Records": [{"eventSource": "aws:sqs", "body": "Zürich 京都"}]})

    assert request.body == '{"Records":[{"eventSource":"aws:sqs","body":"Zürich 京都"}]}'.encode()
    assert request.headers.get("content-length") == str(len(request.body))


def test_half_of_a_character_arrives_as_the_event_had_it():
    event = json.loads(r'{"Records":[{"eventSource":"aws:sqs","body":"\ud83d ü"}]}')

    body = Sqs().request(event).body

    assert body == rb'{"Records":[{"eventSource":"aws:sqs","body":"\ud83d \u00fc"}]}'
    assert json.loads(body) == event


def test_an_event_that_is_not_json_is_an_event_error():
    event = {"Records": [{"eventSource": "aws:sqs", "body": b"bytes"}]}

    with pytest.raises(EventError, match="cannot be written as JSON: Object of type bytes"):
        Sqs().request(event)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_path_can_be_chosen(source):
    chosen = type(source)("/internal/queue")
    event = EVENTS[source.name][0]

    assert chosen.path == "/internal/queue"
    assert chosen.request(event).path == "/internal/queue"
    with pytest.raises(DeliveryError, match="POST /internal/queue with status 500"):
        chosen.result(Response(500, []), event)
    assert type(source)().path == PATHS_AND_HOSTS[source.name][0]


@pytest.mark.parametrize(
    "path", ["", "sqs", "//sqs", "/a?b", "/a#b", "/a b", "/a\n", "/ü", 7, b"/sqs"]
)
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match="path of an event source is like '/queue'"):
        Sqs(path)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
@pytest.mark.parametrize(("name", "event"), ALL)
def test_a_status_from_200_to_299_is_success(name, event, status):
    result = BY_NAME[name].result(Response(status, []), event)

    takes_reports = name in ("sqs", "kinesis", "dynamodb", "kafka")
    assert result == ({"batchItemFailures": []} if takes_reports else {})


@pytest.mark.parametrize("status", [100, 199, 400, 404, 500, 503])
@pytest.mark.parametrize(("name", "event"), ALL)
def test_any_other_status_fails_the_invocation_and_tells_nothing_of_the_event(name, event, status):
    path, _ = PATHS_AND_HOSTS[name]
    response = Response(status, [], b'{"batchItemFailures": []}')

    with pytest.raises(DeliveryError) as caught:
        BY_NAME[name].result(response, event)

    assert str(caught.value) == f"the app answered POST {path} with status {status}"


BATCHES = [
    pytest.param(Sqs(), {"Records": [message("m-1"), message("m-2")]}, "m-2", id="sqs"),
    pytest.param(Kinesis(), EVENTS["kinesis"][0], "4960", id="kinesis"),
    pytest.param(DynamoDb(), EVENTS["dynamodb"][0], "222", id="dynamodb"),
]


def answer(body, content_type="application/json"):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return Response(200, [("content-type", content_type)], body)


@pytest.mark.parametrize(("source", "event", "failed"), BATCHES)
def test_the_app_reports_which_records_have_failed(source, event, failed):
    report = {"batchItemFailures": [{"itemIdentifier": failed}]}

    assert source.result(answer(report), event) == report
    # Flask and others call a text HTML unless told what it is.
    assert source.result(answer(report, "text/html"), event) == report


@pytest.mark.parametrize(("source", "event", "failed"), BATCHES)
def test_only_the_report_of_an_answer_is_passed_on(source, event, failed):
    item = {"itemIdentifier": failed, "reason": "no such order"}

    result = source.result(answer({"batchItemFailures": [item], "took": 3}), event)

    assert result == {"batchItemFailures": [{"itemIdentifier": failed}]}


@pytest.mark.parametrize(("source", "event", "failed"), BATCHES)
@pytest.mark.parametrize(
    "response",
    [
        answer(b""),
        answer(b" \r\n"),
        answer({}),
        answer(None),
        answer([]),
        answer("OK"),
        answer({"ok": True}),
        answer({"batchItemFailures": []}),
        answer({"batchItemFailures": None}),
        answer(b"OK", "text/plain"),
        answer(b"<p>OK</p>", "text/html"),
        answer(b"\xff\xfe\x00", "application/octet-stream"),
    ],
    ids=lambda response: response.body.decode("latin-1") or "empty",
)
def test_an_answer_without_a_report_is_a_success_of_the_whole_batch(
    source, event, failed, response
):
    assert source.result(response, event) == {"batchItemFailures": []}


@pytest.mark.parametrize(("source", "event", "failed"), BATCHES)
@pytest.mark.parametrize(
    ("response", "complaint"),
    [
        (answer({"batchItemFailures": {}}), "has a dict for batchItemFailures"),
        (answer({"batchItemFailures": "m-1"}), "has a str for batchItemFailures"),
        (answer({"batchItemFailures": False}), "has a bool for batchItemFailures"),
        (answer({"batchItemFailures": ["m-1"]}), "without an itemIdentifier"),
        (answer({"batchItemFailures": [None]}), "without an itemIdentifier"),
        (answer({"batchItemFailures": [{}]}), "without an itemIdentifier"),
        (answer({"batchItemFailures": [{"messageId": "m-1"}]}), "without an itemIdentifier"),
        (answer({"batchItemFailures": [{"itemIdentifier": ""}]}), "without an itemIdentifier"),
        (answer({"batchItemFailures": [{"itemIdentifier": None}]}), "without an itemIdentifier"),
        (answer({"batchItemFailures": [{"itemIdentifier": 222}]}), "without an itemIdentifier"),
        (answer({"batchItemFailures": [{"itemIdentifier": "secret"}]}), "no record of the event"),
        (answer(b"OK"), "is not valid JSON"),
        (answer(b'{"batchItemFailures": ['), "is not valid JSON"),
        (answer(b"{'batchItemFailures': []}", "text/html"), "is not valid JSON"),
        (answer(b"[" * 100_000), "is not valid JSON"),
        (answer(b'{"batchItemFailures": [], "took": NaN}'), "is not valid JSON"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.body[:50].decode(),
)
def test_a_malformed_report_fails_the_whole_batch(source, event, failed, response, complaint):
    with pytest.raises(DeliveryError, match=complaint) as caught:
        source.result(response, event)

    assert str(caught.value).startswith(f"the app's answer to POST {source.path} ")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("source", "event", "failed"), BATCHES)
def test_one_wrong_item_among_right_ones_fails_the_whole_batch(source, event, failed):
    report = {"batchItemFailures": [{"itemIdentifier": failed}, {"itemIdentifier": "other"}]}

    with pytest.raises(DeliveryError, match="no record of the event"):
        source.result(answer(report), event)


@pytest.mark.parametrize("source", [Sqs(), Kinesis(), DynamoDb()], ids=lambda source: source.name)
@pytest.mark.parametrize("part", [{}, {"messageId": 1}, {"kinesis": [], "dynamodb": None}], ids=str)
def test_records_without_identifiers_cannot_be_reported(source, part):
    event = {"Records": [{"eventSource": source.event_source, **part}]}

    assert source.result(answer(b""), event) == {"batchItemFailures": []}
    with pytest.raises(DeliveryError):
        source.result(answer({"batchItemFailures": [{"itemIdentifier": "None"}]}), event)


@pytest.mark.parametrize("name", ["sns", "s3", "eventbridge", "mq", "ses", "logs"])
@pytest.mark.parametrize("body", [b"OK", b"{", b'{"batchItemFailures": "all"}', b"\xff\0"])
def test_where_no_report_is_taken_the_body_does_not_count(name, body):
    assert BY_NAME[name].result(answer(body), EVENTS[name][0]) == {}


@pytest.mark.parametrize(("name", "event"), ALL)
def test_the_event_is_never_changed(name, event):
    before = copy.deepcopy(event)

    BY_NAME[name].matches(event)
    BY_NAME[name].request(event)
    BY_NAME[name].result(Response(200, []), event)

    assert event == before


def test_a_scheduled_event_as_sam_makes_it_has_no_version():
    event = {
        "id": "cdc73f9d-aea9-11e3-9d5a-835b769c0d9c",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "1970-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/ExampleRule"],
        "detail": {},
    }
    assert EventBridge().matches(event)
    for key in event:
        assert not EventBridge().matches({name: event[name] for name in event if name != key})
