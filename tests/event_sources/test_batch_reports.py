"""An app's report of the records that have failed: what counts as one, and what fails the batch."""

from __future__ import annotations

import pytest

from penstock.errors import DeliveryError
from penstock.event_sources.dynamodb import DynamoDb
from penstock.event_sources.kinesis import Kinesis
from penstock.event_sources.sqs import Sqs
from tests.event_sources.delivered_events import BY_NAME, EVENTS, answer, message

BATCHES = [
    pytest.param(Sqs(), {"Records": [message("m-1"), message("m-2")]}, "m-2", id="sqs"),
    pytest.param(Kinesis(), EVENTS["kinesis"][0], "4960", id="kinesis"),
    pytest.param(DynamoDb(), EVENTS["dynamodb"][0], "222", id="dynamodb"),
]


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
