"""`penstock send`: events out of arguments and files, sent to a function of an emulator."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
import types
from pathlib import Path

import pytest
from botocore.session import get_session

from penstock.cli import main
from penstock.event_sources.detect import all_sources

FUNCTION = """
def handler(event, context):
    records = event.get("Records") or [x for part in event["records"].values() for x in part]
    failed = []
    for record in records:
        told = json.dumps(record)
        if "crash" in told:
            raise ValueError("no more")
        if "broken" in told or "YnJva2Vu" in told:
            failed.append(record.get("messageId") or record.get("kinesis", {}).get("sequenceNumber")
                or {"partition": "topic-0", "offset": record.get("offset")})
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}

def echo(event, context):
    return event

def malformed(event, context):
    return {"batchItemFailures": [{"itemIdentifier": "nobody"}]}

def no_list(event, context):
    return {"batchItemFailures": "all"}

@streamify_response
def breaks_off(event, context):
    yield '{"batchItemFailures": ['
    raise ValueError("no more")

@streamify_response
def has_no_bottom(event, context):
    yield "[" * 100_000

@streamify_response
def says_nothing(event, context):
    yield ""

@streamify_response
def streams(event, context):
    yield "plain "
    yield "text"
"""


@pytest.fixture
def send(capsys):
    """Runs the command; gives its status and what it has printed."""

    def send(*arguments):
        status = main(["send", *arguments])
        return status, *capsys.readouterr()

    return send


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


def test_the_answer_is_shown(serve, send):
    function = serve(FUNCTION, "echo")

    status, out, err = send("eventbridge", "app", '{"a": "ü"}', "--endpoint", function.url)

    assert (status, err) == (0, "")
    assert json.loads(out)["detail"] == {"a": "ü"}
    assert '"ü"' in out


def test_an_answer_that_is_no_json_is_shown_as_it_is(serve, send):
    function = serve(FUNCTION, "streams")

    assert send("schedule", "app", "--endpoint", function.url) == (0, "plain text\n", "")


def test_a_batch_that_was_handled(serve, send):
    function = serve(FUNCTION)

    status, out, err = send("sqs", "app", "one", "two", "--endpoint", function.url)

    assert (status, err) == (0, "")
    assert out == '{"batchItemFailures": []}\n  1  handled: one\n  2  handled: two\n'


REPORT_OF_ONE = (
    "1 of 3 failed. AWS reads this report only if the event source mapping has "
    "ReportBatchItemFailures."
)


@pytest.mark.parametrize(
    ("source", "last"),
    [
        ("sqs", "handled"),
        ("kinesis", "handled, but comes again"),
        ("kafka", "handled, but comes again"),
    ],
)
def test_a_batch_of_which_a_message_failed(serve, send, source, last):
    function = serve(FUNCTION)

    status, out, err = send(source, "app", "one", "broken", "two", "--endpoint", function.url)

    assert (status, err) == (1, "")
    assert out.splitlines()[1:] == [
        "  1  handled: one",
        "  2  failed: broken",
        f"  3  {last}: two",
        REPORT_OF_ONE,
    ]


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        ("malformed", "names 'nobody', which no message of the batch has"),
        ("no_list", "is no list but 'all'"),
    ],
)
def test_a_report_that_aws_would_not_understand(serve, send, handler, error):
    function = serve(FUNCTION, handler)

    status, _, err = send("sqs", "app", "one", "--endpoint", function.url)

    assert status == 1
    assert err == f"The report of failures {error}: to AWS the whole batch has failed.\n"


@pytest.mark.parametrize("wrong", ["", None, "nobody"])
def test_a_report_with_a_wrong_identifier_is_told_a_right_one(serve, send, wrong):
    function = serve(
        f"def handler(event, context):\n"
        f"    return {{'batchItemFailures': [{{'itemIdentifier': {wrong!r}}}]}}\n"
    )

    _, _, err = send("kafka", "app", "one", "--topic", "orders", "--endpoint", function.url)

    assert err == (
        f"The report of failures has {{'itemIdentifier': {wrong!r}}}; for the first message of the "
        'batch it would be {"itemIdentifier": {"partition": "orders-0", "offset": 15}}: to AWS '
        "the whole batch has failed.\n"
    )


@pytest.mark.parametrize("source", ["sqs", "kinesis"])
def test_an_answer_to_a_batch_that_is_no_json_is_a_failure(serve, send, source):
    function = serve(FUNCTION, "breaks_off")

    status, out, err = send(source, "app", "one", "--endpoint", function.url)

    assert (status, out) == (1, '{"batchItemFailures": [\n')
    assert err.startswith("The answer to a batch is no JSON (Expecting value: ")
    assert "): to AWS the whole batch has failed, if the event source mapping has " in err


def test_an_answer_that_is_too_deep_to_be_read_is_shown_and_a_failure(serve, send):
    function = serve(FUNCTION, "has_no_bottom")

    status, out, err = send("sqs", "app", "one", "--endpoint", function.url)

    assert (status, out) == (1, "[" * 100_000 + "\n")
    assert err.startswith("The answer to a batch is no JSON (")


def test_an_empty_answer_to_a_batch_reports_nothing(serve, send):
    function = serve(FUNCTION, "says_nothing")

    assert send("sqs", "app", "one", "--endpoint", function.url) == (0, "\n", "")


def test_the_functions_error_is_told(serve, send):
    function = serve(FUNCTION)

    status, out, err = send("sqs", "app", "crash", "--endpoint", function.url)

    assert (status, out) == (1, "")
    assert err.startswith("penstock: app failed: ValueError: no more\n")
    assert 'raise ValueError("no more")' in err


def test_a_failure_does_not_keep_the_next_event_back(serve, send):
    function = serve(FUNCTION)

    status, out, err = send("sns", "app", "crash", "one", "--endpoint", function.url)

    assert status == 1
    assert "ValueError: no more" in err
    assert out == '{"batchItemFailures": []}\n'


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["sqs", "app", "--attribute", "a", "one"], "--attribute takes NAME=VALUE, not 'a'"),
        (
            ["sqs", "app", "--attribute", "a=1", "--attribute", "a=2", "one"],
            "--attribute is given twice with the name 'a'; give it once",
        ),
        (["eventbridge", "app", "[1]"], """a JSON object, as in '{"order": 17}', not [1]"""),
        (["eventbridge", "app", '"x"'], """a JSON object, as in '{"order": 17}', not 'x'"""),
        (["sqs", "app", "--file", "/none"], "cannot read /none: No such file or directory"),
        (["s3", "app", "k", "--content", "/none"], "cannot read /none: No such file"),
        (["ses", "app", "--mail", "/none"], "cannot read /none: No such file"),
        (["sqs", "app", "\udcff"], r"the message b'\xff' is no text in UTF-8"),
        (["eventbridge", "app", "{"], "the message '{' is no JSON: Expecting property name"),
        (["dynamodb", "app", "[]"], "an item is a JSON object with attributes, not []"),
        (["dynamodb", "app", '{"a": 1}', "--key", "id"], "the item has no id, which is in"),
        (["dynamodb", "app", '{"a": [1]}'], "text, a number or bytes, but a is [1]"),
        (["dynamodb", "app", '{"a": NaN}'], """'{"a": NaN}' is no JSON: there is no NaN"""),
        (["eventbridge", "app", '{"a": -Infinity}'], "is no JSON: there is no -Infinity"),
        (["eventbridge", "app", '{"a": -1e999}'], "is no JSON: -1e999 is too large for a number"),
        (["eventbridge", "app", "[" * 100_000], "[[[ is no JSON: "),
        (["dynamodb", "app", '{"a": 1e126}'], "from 1E-130 to 9.99E+125, or as far below zero"),
        (["dynamodb", "app", '{"a": 1e99999999999999999999}'], "is no JSON: "),
        (["dynamodb", "app", '{"a": 1}', "--event-name", "MODIFY"], "--old goes with"),
        (["dynamodb", "app", '{"a": 1}', "--old", "{}"], "--old goes with --event-name MODIFY"),
        (["sqs", "app", "1", "--endpoint", "ftp://x"], "'ftp://x' is no emulator's address"),
        (["sqs", "app", "1", "--endpoint", "http://x:y"], "'http://x:y' is no address"),
    ],
)
def test_what_cannot_be_is_told(send, arguments, error):
    status, out, err = send(*arguments)

    assert (status, out) == (1, "")
    assert err.startswith("penstock: ")
    assert error in err


def test_an_emulator_that_is_not_there_is_told(send, serve):
    function = serve(FUNCTION)
    function.emulator.stop()

    _, _, err = send("sqs", "app", "one", "--endpoint", function.url)

    assert err == (
        f"penstock: nothing listens at {function.url}; start the function: penstock dev TARGET\n"
    )


def test_a_function_that_is_not_there_is_told(send, serve):
    function = serve(FUNCTION)

    status, _, err = send("sqs", "orders", "one", "--endpoint", function.url)

    assert status == 1
    assert "orders at http://127.0.0.1:" in err
    assert "was not invoked: ResourceNotFoundException: Function not found: arn:aws:" in err
    assert err.endswith("; the functions there are: app\n")


def test_a_host_that_nobody_knows_is_told(send):
    _, _, err = send("sqs", "app", "one", "--endpoint", "http://nosuch.invalid:1")

    assert err.startswith("penstock: cannot invoke app at http://nosuch.invalid:1: ")
    assert "gaierror" not in err


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["sqs", "app"], "nothing to send: name a MESSAGE, --file or --lines"),
        (["s3", "app"], "nothing to send: name a KEY"),
        (["sqs", "app", "--file", "-", "--lines", "-"], "standard input can be read only once"),
        (["sqs", "app", "one", "--prot", "x"], "unrecognized arguments: --prot x"),
        (
            ["sqs", "app", "1", "--wait", "0"],
            "argument --wait: it is a number of seconds, over 0, not '0'",
        ),
        (["s3", "app", "k", "--lines", "x"], "unrecognized arguments: --lines x"),
    ],
)
def test_wrong_usage_is_answered_with_the_usage_of_the_source(capsys, arguments, error):
    with pytest.raises(SystemExit) as ended:
        main(["send", *arguments])

    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith(f"usage: penstock send {arguments[0]} ")
    assert err.endswith(f"error: {error}\n")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["kafka", "--partition", "-1"], "--partition: it is a number, 0 or more, not '-1'"),
        (["kafka", "--partition", "one"], "--partition: it is a number, 0 or more, not 'one'"),
        (["s3", "--event-name", "nonsense"], "S3 has no event 'nonsense'; it has ObjectCreated:P"),
        (["s3", "--event-name", "ObjectCreated:*"], "S3 has no event 'ObjectCreated:*'; it has"),
    ],
)
def test_what_no_service_sends_is_told_with_what_it_does(capsys, arguments, error):
    with pytest.raises(SystemExit) as ended:
        main(["send", *arguments, "app", "x"])

    assert ended.value.code == 2
    assert error in capsys.readouterr().err


def test_the_usage_says_that_options_come_after_the_source(capsys):
    with pytest.raises(SystemExit):
        main(["send", "--endpoint", "http://localhost:9000", "sqs", "app", "one"])

    usage = capsys.readouterr().err.partition("\n")[0]
    assert usage == "usage: penstock send SOURCE FUNCTION [MESSAGE ...] [options]"


def test_the_help_of_each_source_has_an_example_that_is_right(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("orders.txt", "service.log", "record.bin", "flower.jpg", "events.jsonl"):
        (tmp_path / name).write_text("one\n")
    (tmp_path / "order.json").write_text("{}")
    (tmp_path / "question.eml").write_text("From: a@example.com\nTo: b@example.com\n\n")
    with pytest.raises(SystemExit):
        main(["send", "--help"])
    helps = [capsys.readouterr().out]
    sources = re.findall(r"^    (\w+)", helps[0], re.M)
    assert len(sources) == 11
    for source in sources:
        with pytest.raises(SystemExit):
            main(["send", source, "--help"])
        helps.append(capsys.readouterr().out)
        assert f"penstock send {source} app" in helps[-1]
    for text in helps:
        examples = text.partition("examples:\n")[2].replace("\\\n", "")
        for line in re.findall(r"^  penstock (send .*)$", examples, re.M):
            arguments = shlex.split(line.partition(" > ")[0])
            assert main([*arguments, "--print"]) == 0, line
            assert json.JSONDecoder().raw_decode(capsys.readouterr().out)


def test_every_option_is_in_the_page(capsys):
    page = (Path(__file__).parents[2] / "docs/reference/send.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` (\|.*)$", page, re.M))
    common = page.partition("## Sources")[0]
    with pytest.raises(SystemExit):
        main(["send", "--help"])
    sources = re.findall(r"^    (\w+)", capsys.readouterr().out.partition("\noptions:")[0], re.M)
    assert set(rows) == set(sources)
    for source in sources:
        with pytest.raises(SystemExit):
            main(["send", source, "--help"])
        for option in re.findall(r"^  (--[\w-]+)", capsys.readouterr().out, re.M):
            assert f"`{option}" in common + rows[source], f"{option} of {source}"


def test_who_reads_may_have_enough():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as nobody:
        done = subprocess.run(
            [sys.executable, "-m", "penstock.cli", "send", "sqs", "--print", "app", "x"],
            stdout=nobody,
            stderr=subprocess.PIPE,
            timeout=30,
        )
    assert (done.returncode, done.stderr) == (1, b"")
