"""`penstock.testing.events`: each event is as its service makes it, and exactly that service's."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from decimal import Decimal

import pytest
from aws_lambda_powertools.utilities.parser import models

from penstock.event_sources.detect import all_sources, source_of
from penstock.testing import events

MAIL = b"""\
From: Ann <ann@example.com>
To: shop@example.com, Bob <bob@example.com>
Cc: carol@example.com
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
Date: Mon, 21 Sep 2026 10:00:00 +0000
Message-ID: <17@example.com>

Where is it?
"""

# The event, its source, and the model that AWS's Powertools have of it.
EVENTS = {
    "sqs": (events.sqs("one", "two", attributes={"n": 1, "s": "t", "b": b"\0"}), models.SqsModel),
    "sqs, fifo": (events.sqs("one", queue="orders.fifo", group_id="blue"), models.SqsModel),
    "sns": (events.sns("one", subject="s", attributes={"a": "b", "c": b"\0"}), models.SnsModel),
    "sns, plain": (events.sns("one"), models.SnsModel),
    "s3": (events.s3("a key", content=b"hello"), models.S3Model),
    "s3, removed": (events.s3("a", event_name="ObjectRemoved:Delete"), models.S3Model),
    "dynamodb": (
        events.dynamodb(
            (None, {"id": 1, "all": [None, True, 1.5, "t", b"\0", {"a": ()}]}),
            ({"id": 1}, {"id": 1, "a": "b"}),
            ({"id": 1}, None),
            keys=("id",),
        ),
        models.DynamoDBStreamModel,
    ),
    "kinesis": (events.kinesis("one", b"\xff"), models.KinesisDataStreamModel),
    "eventbridge": (events.eventbridge({"order": 17}), models.EventBridgeModel),
    "eventbridge, rule": (events.schedule_rule("daily"), models.EventBridgeModel),
    # Powertools' model wants an object for `detail`; a schedule has the text "{}".
    "eventbridge, scheduler": (events.scheduler("daily"), None),
    "kafka": (
        events.kafka("one", "two", key="k", headers={"h": "v"}),
        models.KafkaMskEventModel,
    ),
    "kafka, own": (
        events.kafka("one", key="k", self_managed=True),
        models.KafkaSelfManagedEventModel,
    ),
    "mq": (events.active_mq("one", b"\xff", properties={"a": "b"}), None),
    "mq, rabbit": (events.rabbit_mq("one", headers={"a": "b"}), None),
    "ses": (events.ses(), models.SesModel),
    "ses, mail": (events.ses(MAIL), models.SesModel),
    "logs": (events.logs("one", "two"), models.CloudWatchLogsModel),
}


@pytest.mark.parametrize("name", EVENTS)
def test_each_is_exactly_its_sources(name):
    event, _ = EVENTS[name]
    takers = [source.name for source in all_sources() if source.matches(event)]

    assert takers == [name.partition(",")[0]]
    assert source_of(event, all_sources()).request(event).method == "POST"


@pytest.mark.parametrize("name", [name for name, (_, model) in EVENTS.items() if model])
def test_each_passes_powertools_model_of_it(name):
    event, model = EVENTS[name]

    model.model_validate(json.loads(json.dumps(event)))


def test_every_one_is_json_and_every_builder_is_seen_here():
    assert json.loads(json.dumps([event for event, _ in EVENTS.values()]))
    assert dir(events) == sorted(events.__all__)
    assert all(callable(getattr(events, name)) for name in events.__all__)
    assert len(EVENTS) >= len(events.__all__)


def keys_of(value, above=""):
    """Each key, with those above it; of a list only the first item's."""
    if isinstance(value, list):
        return keys_of(value[0], f"{above}[]") if value else {above}
    if isinstance(value, dict) and value:
        return set().union(*(keys_of(inner, f"{above}.{key}") for key, inner in value.items()))
    return {above}


def test_a_message_of_sqs_has_these_keys():
    (record,) = events.sqs("one", attributes={"a": "b"})["Records"]

    assert keys_of(record) == {
        ".messageId",
        ".receiptHandle",
        ".body",
        ".attributes.ApproximateReceiveCount",
        ".attributes.SentTimestamp",
        ".attributes.SenderId",
        ".attributes.ApproximateFirstReceiveTimestamp",
        ".messageAttributes.a.stringValue",
        ".messageAttributes.a.stringListValues",
        ".messageAttributes.a.binaryListValues",
        ".messageAttributes.a.dataType",
        ".md5OfBody",
        ".md5OfMessageAttributes",
        ".eventSource",
        ".eventSourceARN",
        ".awsRegion",
    }


@pytest.mark.parametrize(
    ("value", "digest"),
    # As moto and LocalStack have them in their tests.
    [
        (1493147359900, "235c5c510d26fb653d073faed50ae77c"),
        (1493147359901, "994258b45346a2cc3f9cbb611aa7af30"),
    ],
)
def test_the_digests_of_sqs_are_true(value, digest):
    (record,) = events.sqs("Test message.", attributes={"timestamp": value})["Records"]

    assert record["md5OfBody"] == hashlib.md5(b"Test message.").hexdigest()
    assert record["md5OfMessageAttributes"] == digest


def test_a_fifo_queue_says_group_and_order():
    record = events.sqs("one", queue="orders.fifo")["Records"][0]

    assert record["eventSourceARN"] == "arn:aws:sqs:us-east-1:123456789012:orders.fifo"
    assert record["attributes"]["MessageGroupId"] == "group"
    assert len(record["attributes"]["SequenceNumber"]) == 20
    # Deduplication by content: SHA-256 of the body.
    assert record["attributes"]["MessageDeduplicationId"] == hashlib.sha256(b"one").hexdigest()


def test_a_notification_of_sns_has_these_keys():
    event = events.sns("one", topic="orders", region="eu-west-1")

    assert keys_of(event["Records"][0]) == {
        ".EventSource",
        ".EventVersion",
        ".EventSubscriptionArn",
        ".Sns.Type",
        ".Sns.MessageId",
        ".Sns.TopicArn",
        ".Sns.Subject",
        ".Sns.Message",
        ".Sns.Timestamp",
        ".Sns.SignatureVersion",
        ".Sns.Signature",
        ".Sns.SigningCertUrl",
        ".Sns.UnsubscribeUrl",
        ".Sns.MessageAttributes",
    }
    assert event["Records"][0]["Sns"]["TopicArn"] == "arn:aws:sns:eu-west-1:123456789012:orders"


def test_the_key_of_an_object_is_encoded_as_in_a_url():
    made = events.s3("photos/red flower (1).jpg", content=b"hello")["Records"][0]["s3"]["object"]

    assert made["key"] == "photos/red+flower+%281%29.jpg"
    assert made["size"] == 5
    assert made["eTag"] == hashlib.md5(b"hello").hexdigest()


def test_an_object_that_was_removed_has_no_size():
    made = events.s3("a", event_name="ObjectRemoved:DeleteMarkerCreated", version_id="v1")

    assert set(made["Records"][0]["s3"]["object"]) == {"key", "versionId", "sequencer"}


def test_changes_of_dynamodb_are_those_of_awss_example():
    # Sizes and images of the example in "Using AWS Lambda with Amazon DynamoDB".
    before = {"Message": "New item!", "Id": 101}
    after = {"Message": "This item has changed", "Id": 101}
    event = events.dynamodb((None, before), (before, after), (after, None), keys=("Id",))
    changes = [(record["eventName"], record["dynamodb"]) for record in event["Records"]]

    assert [(name, change["SizeBytes"]) for name, change in changes] == [
        ("INSERT", 26),
        ("MODIFY", 59),
        ("REMOVE", 38),
    ]
    assert changes[1][1]["Keys"] == {"Id": {"N": "101"}}
    assert changes[1][1]["NewImage"] == {
        "Message": {"S": "This item has changed"},
        "Id": {"N": "101"},
    }
    assert changes[1][1]["OldImage"] == {"Message": {"S": "New item!"}, "Id": {"N": "101"}}
    assert "OldImage" not in changes[0][1]
    assert "NewImage" not in changes[2][1]
    numbers = [int(change["SequenceNumber"]) for _, change in changes]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize(
    ("value", "typed"),
    [
        (None, {"NULL": True}),
        (True, {"BOOL": True}),
        (1, {"N": "1"}),
        (Decimal("1.10"), {"N": "1.1"}),
        (2.0, {"N": "2"}),
        (-0.0, {"N": "0"}),
        (1e-7, {"N": "0.0000001"}),
        (-1500.0, {"N": "-1500"}),
        (Decimal("1E+125"), {"N": "1" + 125 * "0"}),
        (Decimal("-1E-130"), {"N": "-0." + 129 * "0" + "1"}),
        (int(38 * "9") * 100, {"N": 38 * "9" + "00"}),
        ("", {"S": ""}),
        (b"\0", {"B": "AA=="}),
        ([1, "a"], {"L": [{"N": "1"}, {"S": "a"}]}),
        ({"a": {}}, {"M": {"a": {"M": {}}}}),
    ],
)
def test_values_have_dynamodbs_types(value, typed):
    event = events.dynamodb((None, {"id": "1", "value": value}), keys=("id",))

    assert event["Records"][0]["dynamodb"]["NewImage"]["value"] == typed


def test_a_change_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="needs an item"):
        events.dynamodb((None, None), keys=("id",))
    with pytest.raises(ValueError, match="the item has no id, which is in the table's key"):
        events.dynamodb((None, {"a": 1}), keys=("id",))
    with pytest.raises(TypeError, match="DynamoDB has no object"):
        events.dynamodb((None, {"id": object()}), keys=("id",))


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (float("nan"), "DynamoDB has no number nan"),
        (Decimal("-Infinity"), "DynamoDB has no number -Infinity"),
        (int(39 * "9"), "has at most 38 digits, but 999"),
        (1e126, r"is from 1E-130 to 9\.99E\+125, .* not 1E\+126"),
        (Decimal("1E-131"), r"is from 1E-130 to 9\.99E\+125, .* not 1E-131"),
    ],
)
def test_a_number_that_dynamodb_does_not_have_is_refused(number, error):
    with pytest.raises(ValueError, match=error):
        events.dynamodb((None, {"id": "1", "value": number}), keys=("id",))


@pytest.mark.parametrize("key", [[1], {"a": 1}, True, None])
def test_a_key_is_text_a_number_or_bytes(key):
    with pytest.raises(ValueError, match="is text, a number or bytes, but id is "):
        events.dynamodb((None, {"id": key}), keys=("id",))


def test_the_size_of_a_number_is_that_of_its_digits():
    def size(number):
        (record,) = events.dynamodb((None, {"n": number}), keys=("n",))["Records"]
        return record["dynamodb"]["SizeBytes"] // 2 - len("n")

    sizes = [size(n) for n in (7, 1000, Decimal("0.0012"), -123, int(38 * "9"))]
    assert sizes == [2, 2, 2, 4, 20]


def test_records_of_kinesis_are_in_the_order_of_their_shard():
    records = events.kinesis("one", b"\xff", partition_key="blue", shard=3)["Records"]
    numbers = [record["kinesis"]["sequenceNumber"] for record in records]

    assert [base64.b64decode(record["kinesis"]["data"]) for record in records] == [b"one", b"\xff"]
    assert int(numbers[0]) < int(numbers[1])
    assert len(numbers[0]) == len(numbers[1]) == 56
    assert records[0]["eventID"] == f"shardId-000000000003:{numbers[0]}"
    assert records[0]["invokeIdentityArn"] == "arn:aws:iam::123456789012:role/lambda-role"


def test_schedules_differ_in_who_tells_and_in_the_detail():
    rule, schedule = events.schedule_rule("nightly"), events.scheduler("nightly")

    assert (rule["source"], rule["detail"]) == ("aws.events", {})
    assert rule["resources"] == ["arn:aws:events:us-east-1:123456789012:rule/nightly"]
    assert (schedule["source"], schedule["detail"]) == ("aws.scheduler", "{}")
    assert schedule["resources"] == [
        "arn:aws:scheduler:us-east-1:123456789012:schedule/default/nightly"
    ]
    assert set(rule) == set(schedule)
    assert rule["detail-type"] == schedule["detail-type"] == "Scheduled Event"


def test_records_of_kafka_have_offsets_and_headers_in_bytes():
    event = events.kafka("one", "two", topic="orders", partition=2, key="k", headers={"h": "v"})
    first, second = event["records"]["orders-2"]

    assert (first["offset"], second["offset"]) == (15, 16)
    assert base64.b64decode(first["value"]) == b"one"
    assert first["headers"] == [{"h": [118]}]
    assert keys_of(first) == {
        *(".topic", ".partition", ".offset", ".timestamp", ".timestampType", ".key", ".value"),
        ".headers[].h[]",
    }


def test_a_cluster_managed_elsewhere_has_no_arn():
    assert set(events.kafka("one", self_managed=True)) == {
        "eventSource",
        "bootstrapServers",
        "records",
    }


def test_messages_of_a_broker_are_text_or_bytes():
    text, data = events.active_mq("one", b"\xff", queue="orders")["messages"]
    (rabbit,) = events.rabbit_mq("one", queue="orders")["rmqMessagesByQueue"]["orders::/"]

    assert (text["messageType"], data["messageType"]) == ("jms/text-message", "jms/bytes-message")
    assert text["messageID"] != data["messageID"]
    assert text["destination"] == {"physicalName": "orders"}
    assert base64.b64decode(data["data"]) == b"\xff"
    assert rabbit["basicProperties"]["bodySize"] == 3


def test_a_mail_is_told_by_its_headers():
    record = events.ses(MAIL, function_name="inbox")["Records"][0]["ses"]

    assert record["mail"]["source"] == "ann@example.com"
    assert record["receipt"]["recipients"] == [
        "shop@example.com",
        "bob@example.com",
        "carol@example.com",
    ]
    assert record["mail"]["commonHeaders"]["subject"] == "Grüße"
    assert record["mail"]["commonHeaders"]["messageId"] == "<17@example.com>"
    assert record["receipt"]["action"]["functionArn"].endswith(":function:inbox")
    assert "Where is it?" not in json.dumps(record)


def test_log_events_are_compressed():
    data = events.logs("one", "grün", log_group="/g")["awslogs"]["data"]
    told = json.loads(gzip.decompress(base64.b64decode(data)))

    assert told["messageType"] == "DATA_MESSAGE"
    assert told["logGroup"] == "/g"
    assert [each["message"] for each in told["logEvents"]] == ["one", "grün"]
    assert len({each["id"] for each in told["logEvents"]}) == 2


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: events.sqs(), "a batch has at least one message"),
        (lambda: events.sqs({"a": 1}), "a message of SQS is text, not {'a': 1}; make JSON text"),
        (lambda: events.kinesis(3), "data is text or bytes, not 3; make JSON text"),
    ],
)
def test_what_no_service_delivers_is_refused(make, error):
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(error)}"):
        make()
