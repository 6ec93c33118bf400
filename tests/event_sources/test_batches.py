"""Batches: what counts as a report, windows, and records delivered one by one."""

from __future__ import annotations

import copy
import json

import pytest

from penstock.errors import DeliveryError, EventError
from penstock.event_sources.dynamodb import DynamoDb
from penstock.event_sources.kafka import Kafka
from penstock.event_sources.kinesis import Kinesis
from penstock.event_sources.sqs import Sqs
from penstock.messages import Response

from .delivered_events import answer, change, kafka_event, message, stream_record

HANDLED = Response(200, [])
NOT_HANDLED = Response(500, [])


def messages(*identifiers, queue="orders"):
    arn = f"arn:aws:sqs:eu-central-1:111122223333:{queue}"
    return {"Records": [message(item) | {"eventSourceARN": arn} for item in identifiers]}


def kafka_records(**offsets):
    """`orders_0=[15, 16]` are two records of partition 0 of the topic "orders"."""
    return kafka_event("aws:kafka") | {
        "records": {
            partition.replace("_", "-"): [{"offset": offset} for offset in values]
            for partition, values in offsets.items()
        }
    }


def failed(*items):
    return {"batchItemFailures": [{"itemIdentifier": item} for item in items]}


class App:
    """Answers each delivered event, with failure for those that have a failing identifier."""

    def __init__(self, source, failing=(), time_for=1000):
        self.source = source
        self.failing = failing
        self.time_for = time_for
        self.asked = 0
        self.seen = []
        self.events = []

    def __call__(self, event):
        self.asked += 1
        if len(self.seen) == self.time_for:
            return None
        [(_, identifier, _)] = self.source.records_of(event)
        self.seen.append(identifier)
        self.events.append(event)
        return NOT_HANDLED if identifier in self.failing else HANDLED


# Kafka's reports.


def test_a_record_of_kafka_is_reported_by_partition_and_offset():
    report = failed({"partition": "orders-0", "offset": 15})

    assert Kafka().result(answer(report), kafka_event("aws:kafka")) == report


@pytest.mark.parametrize(
    ("item", "complaint"),
    [
        ("orders-0:15", "without an itemIdentifier"),
        ({}, "without an itemIdentifier"),
        ({"partition": 0, "offset": 15}, "without an itemIdentifier"),
        ({"partition": "orders-0", "offset": "15"}, "without an itemIdentifier"),
        ({"partition": "orders-0", "offset": True}, "without an itemIdentifier"),
        ({"partition": "orders-0", "offset": 16}, "no record of the event"),
        ({"partition": "orders-1", "offset": 15}, "no record of the event"),
    ],
)
def test_what_names_no_record_of_kafka_fails_the_whole_batch(item, complaint):
    with pytest.raises(DeliveryError, match=complaint):
        Kafka().result(answer(failed(item)), kafka_event("aws:kafka"))


# Tumbling windows.

WINDOW = {
    "window": {"start": "2026-09-15T11:15:00Z", "end": "2026-09-15T11:17:00Z"},
    "state": {"17": 2},
    "shardId": "shardId-000000000006",
    "isFinalInvokeForWindow": False,
    "isWindowTerminatedEarly": False,
}
IN_WINDOWS = [
    pytest.param(
        Kinesis(),
        {
            "Records": [stream_record("4959")],
            "eventSourceARN": "arn:aws:kinesis:eu-central-1:111122223333:stream/orders",
            **WINDOW,
        },
        id="kinesis",
    ),
    pytest.param(
        DynamoDb(),
        {
            "Records": [change("111")],
            "eventSourceARN": "arn:aws-cn:dynamodb:cn-north-1:111122223333:table/orders/stream/1",
            **WINDOW,
        },
        id="dynamodb",
    ),
]


@pytest.mark.parametrize(("source", "event"), IN_WINDOWS)
def test_the_state_of_a_window_is_passed_on_with_the_failures(source, event):
    state = {"17": 3, "sum": {"EUR": 1.5}}

    assert source.result(answer({"state": state, "took": 1}), event) == {
        "state": state,
        "batchItemFailures": [],
    }


@pytest.mark.parametrize(("source", "event"), IN_WINDOWS)
@pytest.mark.parametrize("response", [answer({}), answer({"state": None}), answer(b""), HANDLED])
def test_no_state_before_the_end_of_a_window_is_a_failure(source, event, response):
    with pytest.raises(DeliveryError, match=r'has no state; .* should be {"state": {...}}'):
        source.result(response, event)


@pytest.mark.parametrize(("source", "event"), IN_WINDOWS)
def test_the_last_event_of_a_window_may_be_answered_without_state(source, event):
    last = {**event, "isFinalInvokeForWindow": True}

    assert source.result(HANDLED, last) == failed()
    assert source.result(answer({"state": {"a": 1}}), last) == {**failed(), "state": {"a": 1}}


@pytest.mark.parametrize(("source", "event"), IN_WINDOWS)
@pytest.mark.parametrize("state", ["secret", 5, ["secret"], True])
def test_a_state_that_is_no_object_is_a_failure(source, event, state):
    with pytest.raises(DeliveryError, match="for state; to an event of a time window") as caught:
        source.result(answer({"state": state}), event)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("source", "event"), IN_WINDOWS)
def test_without_a_window_a_state_is_not_passed_on(source, event):
    assert source.result(answer({"state": {}}), {"Records": event["Records"]}) == failed()


@pytest.mark.parametrize(("source", "event"), IN_WINDOWS)
def test_a_window_that_ends_without_records_is_its_source_s(source, event):
    last = {**event, "Records": [], "isFinalInvokeForWindow": True}

    assert [it.name for it in (Kinesis(), DynamoDb(), Sqs()) if it.matches(last)] == [source.name]
    for arn in (None, 5, "", "arn:aws:kinesis", "arn:aws:sqs:a:b:c", "x:aws:kinesis:a:b:c"):
        assert not source.matches({**last, "eventSourceARN": arn})
    assert not source.matches({**last, "window": None})


@pytest.mark.parametrize(("source", "event"), IN_WINDOWS)
def test_an_event_of_a_window_is_delivered_whole_as_its_state_goes_from_call_to_call(source, event):
    delivered = []

    def deliver(part):
        delivered.append(part)
        return answer({"state": {"a": 1}})

    assert source.result_by_record(event, deliver) == {**failed(), "state": {"a": 1}}
    assert delivered == [event]
    with pytest.raises(DeliveryError, match="no time"):
        source.result_by_record(event, lambda part: None)


# One by one.


def test_records_are_delivered_whole_or_one_by_one_as_the_source_was_told():
    assert not Sqs().per_record
    assert Sqs("/queue", per_record=True).per_record
    assert Sqs("/queue", per_record=True).path == "/queue"


@pytest.mark.parametrize(
    ("source", "event", "parts"),
    [
        (
            Sqs(per_record=True),
            messages("m-1", "m-2"),
            [messages("m-1"), messages("m-2")],
        ),
        (
            Kinesis(per_record=True),
            {"Records": [stream_record("1"), stream_record("2")]},
            [{"Records": [stream_record("1")]}, {"Records": [stream_record("2")]}],
        ),
        (
            DynamoDb(per_record=True),
            {"Records": [change("1"), change("2")]},
            [{"Records": [change("1")]}, {"Records": [change("2")]}],
        ),
        (
            Kafka(per_record=True),
            kafka_records(orders_0=[15, 16], orders_1=[7]),
            [
                kafka_records(orders_0=[15]),
                kafka_records(orders_0=[16]),
                kafka_records(orders_1=[7]),
            ],
        ),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_each_record_is_delivered_in_an_event_of_the_same_shape(source, event, parts):
    app = App(source)
    before = copy.deepcopy(event)

    assert source.result_by_record(event, app) == failed()
    assert app.events == parts
    assert all(source.matches(part) for part in parts)
    assert event == before


def test_what_else_an_event_holds_is_in_each_part():
    app = App(Sqs())

    Sqs().result_by_record({**messages("m-1", "m-2"), "trace": "1"}, app)

    assert app.events == [{**messages(item), "trace": "1"} for item in ("m-1", "m-2")]


def test_messages_of_a_queue_fail_each_for_itself():
    app = App(Sqs(), failing={"m-1", "m-3"})

    report = Sqs().result_by_record(messages("m-1", "m-2", "m-3", "m-4"), app)

    assert report == failed("m-1", "m-3")
    assert app.seen == ["m-1", "m-2", "m-3", "m-4"]


def test_after_a_failure_nothing_more_of_a_fifo_queue_is_delivered_and_all_of_it_reported():
    app = App(Sqs(), failing={"m-2"})

    report = Sqs().result_by_record(messages("m-1", "m-2", "m-3", "m-4", queue="o.fifo"), app)

    assert report == failed("m-2", "m-3", "m-4")
    assert app.seen == ["m-1", "m-2"]


@pytest.mark.parametrize(
    ("source", "record"), [(Kinesis(), stream_record), (DynamoDb(), change)], ids=["kinesis", "ddb"]
)
def test_after_a_failure_nothing_more_of_a_shard_is_delivered_and_the_failure_reported(
    source, record
):
    app = App(source, failing={"2"})

    report = source.result_by_record({"Records": [record(item) for item in "1234"]}, app)

    assert report == failed("2")
    assert app.seen == ["1", "2"]


def test_a_failure_in_a_partition_of_kafka_holds_back_that_partition_only():
    app = App(Kafka(), failing={"orders-0:15"})

    report = Kafka().result_by_record(kafka_records(orders_0=[14, 15, 16], orders_1=[7, 8]), app)

    assert report == failed({"partition": "orders-0", "offset": 15})
    assert app.seen == ["orders-0:14", "orders-0:15", "orders-1:7", "orders-1:8"]


@pytest.mark.parametrize(
    ("source", "event", "report"),
    [
        (Sqs(), messages("m-1", "m-2", "m-3"), failed("m-2", "m-3")),
        (Sqs(), messages("m-1", "m-2", "m-3", queue="o.fifo"), failed("m-2", "m-3")),
        (Kinesis(), {"Records": [stream_record(item) for item in "123"]}, failed("2")),
        (
            Kafka(),
            kafka_records(orders_0=[14, 15, 16], orders_1=[7, 8]),
            failed({"partition": "orders-0", "offset": 15}, {"partition": "orders-1", "offset": 7}),
        ),
    ],
    ids=["queue", "fifo queue", "shard", "kafka"],
)
def test_what_there_was_no_time_for_is_tried_again(source, event, report):
    app = App(source, time_for=1)

    assert source.result_by_record(event, app) == report
    assert len(app.seen) == 1
    assert app.asked == 2


@pytest.mark.parametrize(
    ("response", "is_handled"),
    [
        (Response(204, []), True),
        (answer(b"OK", "text/plain"), True),
        (Response(302, []), False),
        (Response(404, []), False),
        (answer(b"{"), False),
        # An app that answers a batch of one as it would any batch.
        (answer(failed()), True),
        (answer(failed("m-1")), False),
        (answer(failed("another")), False),
    ],
    ids=lambda value: f"{value.status} {value.body!r}" if isinstance(value, Response) else "",
)
def test_a_record_is_handled_if_its_answer_would_be_a_success_of_a_batch(response, is_handled):
    report = Sqs().result_by_record(messages("m-1"), lambda part: response)

    assert report == (failed() if is_handled else failed("m-1"))


@pytest.mark.parametrize(
    ("source", "event"),
    [
        (Sqs(), {"Records": [message("m-1"), message(None)]}),
        (Sqs(), {"Records": [message("m-1"), message("")]}),
        (Kinesis(), {"Records": [stream_record("1"), {"eventSource": "aws:kinesis"}]}),
        (DynamoDb(), {"Records": [change("1"), {**change("2"), "dynamodb": None}]}),
        (Kafka(), kafka_records(orders_0=[1, None])),
        (Kafka(), kafka_records(orders_0=[1, True])),
        (Kafka(), {"eventSource": "aws:kafka", "records": {"a-0": [{"offset": 1}, "secret"]}}),
        (Kafka(), {"eventSource": "aws:kafka", "records": {"a-0": "secret"}}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_record_that_could_not_be_reported_fails_the_batch_before_anything_is_delivered(
    source, event
):
    app = App(source)

    with pytest.raises(EventError, match="has no identifier") as caught:
        source.result_by_record(event, app)

    assert app.seen == []
    assert "secret" not in str(caught.value)


def test_two_records_of_one_identifier_fail_the_batch():
    with pytest.raises(EventError, match="has the identifier of another"):
        Sqs().result_by_record(messages("m-1", "m-1"), App(Sqs()))


def test_what_ends_the_app_ends_the_batch():
    def deliver(part):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Sqs().result_by_record(messages("m-1"), deliver)


def test_a_batch_of_ten_thousand_is_delivered_in_order_and_once():
    identifiers = [f"m-{number}" for number in range(10_000)]
    app = App(Sqs(), failing={"m-9999"}, time_for=10_001)

    assert Sqs().result_by_record(messages(*identifiers), app) == failed("m-9999")
    assert app.seen == identifiers


@pytest.mark.parametrize("source", [Sqs(), Kinesis(), Kafka()], ids=lambda source: source.name)
def test_the_report_is_json(source):
    event = {
        "sqs": messages("m-1"),
        "kinesis": {"Records": [stream_record("1")]},
        "kafka": kafka_records(orders_0=[1]),
    }[source.name]

    report = source.result_by_record(event, lambda part: NOT_HANDLED)

    assert json.loads(json.dumps(report)) == report
    assert len(report["batchItemFailures"]) == 1


@pytest.mark.parametrize(
    "near",
    [
        {"batchItemFailure": []},
        {"BatchItemFailures": [{"itemIdentifier": "m1"}]},
        {"batch_item_failures": [], "batchItemFailures": None},
        [{"itemIdentifier": "m1"}],
    ],
)
def test_what_is_nearly_a_report_fails_the_whole_batch(near):
    """To AWS it would be a success: what failed would be deleted."""
    with pytest.raises(DeliveryError, match=r"which nobody reads.*reported as failed"):
        Sqs().result(answer(near), messages("m1"))


@pytest.mark.parametrize("far", [{"failures": []}, {"batch": 1}, [], ["m1"], [{"id": "m1"}]])
def test_what_is_no_report_at_all_is_a_success(far):
    assert Sqs().result(answer(far), messages("m1")) == {"batchItemFailures": []}
