"""`penstock send`: what it says of the answer of a function, and where there is none."""

from __future__ import annotations

import json

import pytest

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
