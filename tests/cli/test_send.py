"""`penstock send`: events out of arguments, files and lines."""

from __future__ import annotations

import io
import json
import sys
import types

import pytest
from botocore.session import get_session

from penstock.event_sources.detect import all_sources


@pytest.fixture
def printed(send):
    """The events that a command prints instead of sending them."""

    def printed(*arguments):
        status, out, err = send(*arguments, "--print")
        assert (status, err) == (0, "")
        decoder, found = json.JSONDecoder(), []
        while out := out.strip():
            event, end = decoder.raw_decode(out)
            found.append(event)
            out = out[end:]
        return found

    return printed


@pytest.fixture
def standard_input(monkeypatch):
    def fill(data):
        monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(data)))

    return fill


@pytest.mark.parametrize(
    ("arguments", "source"),
    [
        (["sqs", "app", "one"], "sqs"),
        (["sns", "app", "one"], "sns"),
        (["s3", "app", "one"], "s3"),
        (["dynamodb", "app", '{"id": 1}'], "dynamodb"),
        (["kinesis", "app", "one"], "kinesis"),
        (["eventbridge", "app", "{}"], "eventbridge"),
        (["schedule", "app"], "eventbridge"),
        (["schedule", "app", "--scheduler"], "eventbridge"),
        (["kafka", "app", "one"], "kafka"),
        (["kafka", "app", "one", "--self-managed"], "kafka"),
        (["mq", "app", "one"], "mq"),
        (["mq", "app", "one", "--rabbit"], "mq"),
        (["ses", "app"], "ses"),
        (["logs", "app", "one"], "logs"),
    ],
)
def test_each_event_is_exactly_its_services(printed, arguments, source):
    (event,) = printed(*arguments)

    assert [each.name for each in all_sources() if each.matches(event)] == [source]


def bodies(event):
    return [record["body"] for record in event["Records"]]


def test_options_may_stand_before_and_between_and_after_messages(printed):
    for arguments in (
        ["--queue", "orders", "app", "one", "two"],
        ["app", "one", "--queue", "orders", "two"],
        ["app", "--queue", "orders", "one", "two"],
        ["app", "one", "two", "--queue", "orders"],
    ):
        (event,) = printed("sqs", *arguments)
        assert bodies(event) == ["one", "two"]
        assert event["Records"][0]["eventSourceARN"].endswith(":orders")


def test_a_message_may_look_like_an_option(send):
    for arguments in (["app", "one"], ["app", "--queue", "orders", "one"]):
        _, out, _ = send("sqs", "--print", *arguments, "--", "--two", "-x")

        assert bodies(json.loads(out)) == ["one", "--two", "-x"]


def test_messages_come_from_arguments_files_and_lines(printed, tmp_path):
    (tmp_path / "whole").write_text("a\nb\n")
    (tmp_path / "lines").write_text("c\n\nd\n")

    (event,) = printed(
        "sqs", "app", "0", "--file", str(tmp_path / "whole"), "--lines", str(tmp_path / "lines")
    )

    assert bodies(event) == ["0", "a\nb\n", "c", "d"]


def test_messages_come_from_standard_input(printed, standard_input):
    standard_input(b"one\ntwo\n")
    assert bodies(*printed("sqs", "app", "--lines", "-")) == ["one", "two"]
    standard_input(b"one\ntwo\n")
    assert bodies(*printed("sqs", "app", "--file", "-")) == ["one\ntwo\n"]


def test_services_that_deliver_one_by_one_get_an_event_for_each(printed):
    one, two = printed("sns", "app", "one", "two", "--subject", "s", "--topic", "orders")

    assert one["Records"][0]["Sns"]["Message"] == "one"
    assert two["Records"][0]["Sns"]["Message"] == "two"
    assert two["Records"][0]["Sns"]["Subject"] == "s"


def test_attributes_and_headers(printed):
    (queue,) = printed("sqs", "app", "one", "--attribute", "a=b=c")
    (topic,) = printed("kafka", "app", "one", "--header", "a=b", "--key", "k")

    attribute = queue["Records"][0]["messageAttributes"]["a"]
    assert (attribute["stringValue"], attribute["dataType"]) == ("b=c", "String")
    (record,) = topic["records"]["topic-0"]
    assert (record["headers"], record["key"]) == ([{"a": [98]}], "aw==")


def test_an_object_has_the_size_of_a_file(printed, tmp_path):
    (tmp_path / "flower.jpg").write_bytes(b"hello")

    (event,) = printed(
        *("s3", "app", "red flower.jpg", "--bucket", "pictures"),
        *("--content", str(tmp_path / "flower.jpg"), "--event-name", "s3:ObjectCreated:Copy"),
    )

    (record,) = event["Records"]
    assert record["eventName"] == "ObjectCreated:Copy"
    assert record["s3"]["bucket"]["arn"] == "arn:aws:s3:::pictures"
    assert record["s3"]["object"]["key"] == "red+flower.jpg"
    assert record["s3"]["object"]["size"] == 5


def test_every_event_that_awss_client_knows_can_be_sent(printed):
    names = get_session().get_service_model("s3").shape_for("Event").enum
    names = [name for name in names if not name.endswith("*")]

    for name in names:
        (event,) = printed("s3", "app", "key", "--event-name", name)
        assert f"s3:{event['Records'][0]['eventName']}" == name
    assert "s3:ObjectAcl:Put" in names


def test_a_change_of_an_item(printed):
    (event,) = printed(
        *("dynamodb", "app", '{"id": "17", "state": "paid"}', "--table", "orders"),
        *("--event-name", "MODIFY", "--old", '{"state": "new"}'),
    )

    change = event["Records"][0]["dynamodb"]
    assert change["Keys"] == {"id": {"S": "17"}}
    assert change["OldImage"] == {"id": {"S": "17"}, "state": {"S": "new"}}
    assert change["NewImage"] == {"id": {"S": "17"}, "state": {"S": "paid"}}


def test_the_numbers_of_an_item_keep_their_digits(printed):
    item = '{"a": 1.10, "b": 12345678901234567890.123, "c": 1e3, "d": [-0.0], "e": 7}'

    (event,) = printed(
        *("dynamodb", "app", item, "--event-name", "MODIFY", "--old", '{"a": 2.20e-7}')
    )

    change = event["Records"][0]["dynamodb"]
    assert change["NewImage"] == {
        "a": {"N": "1.1"},
        "b": {"N": "12345678901234567890.123"},
        "c": {"N": "1000"},
        "d": {"L": [{"N": "0"}]},
        "e": {"N": "7"},
    }
    assert change["OldImage"]["a"] == {"N": "0.00000022"}


def test_an_event_of_a_bus(printed):
    (event,) = printed(
        *("eventbridge", "app", '{"order": 17}', "--detail-type", "Order Paid"),
        *("--source", "shop", "--resource", "arn:x", "--region", "eu-west-1"),
    )

    assert event["detail"] == {"order": 17}
    assert (event["detail-type"], event["source"]) == ("Order Paid", "shop")
    assert (event["resources"], event["region"]) == (["arn:x"], "eu-west-1")


def test_a_mail_from_a_file_and_from_options(printed, tmp_path):
    (tmp_path / "mail.eml").write_bytes(b"From: a@example.com\r\nTo: b@example.com\r\n\r\nhi")

    (stored,) = printed("ses", "app", "--mail", str(tmp_path / "mail.eml"))
    (made,) = printed("ses", "app", "Where?", "--from", "c@example.com", "--to", "d@example.com")

    assert stored["Records"][0]["ses"]["mail"]["source"] == "a@example.com"
    assert made["Records"][0]["ses"]["mail"]["source"] == "c@example.com"
    assert made["Records"][0]["ses"]["mail"]["commonHeaders"]["subject"] == "Where?"
