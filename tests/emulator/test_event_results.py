"""What becomes of asynchronous invocations: records, destinations, dead letters, loops."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.emulator.invoke.event_invokes import EventInvokeConfig
from tests.tools import wait_for

from .event_functions import FAILS, PRINTS, Lambda, running


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Lambda]:
    with running(tmp_path) as aws:
        yield aws


def test_a_record_of_a_success_goes_to_a_function(aws: Lambda) -> None:
    aws.add("def handler(event, context): return {'total': 9}")
    aws.add(PRINTS, "audit")
    aws.configure(on_success="arn:aws:lambda:us-east-1:123456789012:function:audit")
    request_id = aws.send({"order": 7})
    aws.wait_for_log("got {")
    (line,) = re.findall(r"^\[audit\] got (.*)$", aws.log, re.MULTILINE)
    record = json.loads(line)
    assert record["requestContext"]["requestId"] == request_id
    assert record["requestPayload"] == {"order": 7}
    assert record["responsePayload"] == {"total": 9}


def test_a_destination_that_is_not_there_is_told_of(aws: Lambda) -> None:
    aws.add(PRINTS)
    aws.configure(on_success="arn:aws:lambda:us-east-1:123456789012:function:audit:live")
    aws.send()
    aws.wait_for_log("the destination audit:live does not exist")


def test_a_queue_is_not_emulated_and_said_so(aws: Lambda) -> None:
    aws.add(PRINTS)
    aws.configure(on_success="arn:aws:sqs:us-east-1:123456789012:queue")
    aws.send()
    aws.wait_for_log("queue gets no records: sqs is not emulated; a function's ARN does")


def test_a_file_that_cannot_be_written_is_told_of(aws: Lambda) -> None:
    aws.add(PRINTS)
    aws.configure(on_success="file:///none/records.jsonl")
    aws.send()
    aws.wait_for_log("cannot write /none/records.jsonl: No such file or directory")
    wait_for(lambda: aws.events.undone == 0, "the end of the event")


def test_a_record_that_is_too_large_is_told_of(aws: Lambda) -> None:
    aws.add("def handler(event, context): return 'x' * 2_000_000")
    aws.add(PRINTS, "audit")
    aws.configure(on_success="arn:aws:lambda:us-east-1:123456789012:function:audit")
    aws.send()
    aws.wait_for_log("the record is too large for audit: 2000")


def test_a_response_that_is_no_json_goes_nowhere(aws: Lambda) -> None:
    aws.add("""
        @streamify_response
        def handler(event, context):
            yield b"no json"
    """)
    path = aws.configure()
    aws.send()
    aws.wait_for_log("gets no record, for the response of app:$LATEST is no JSON")
    assert not path.exists()


def test_a_dead_letter_goes_to_a_file(aws: Lambda) -> None:
    aws.add(FAILS)
    path = aws.folder / "dead.jsonl"
    aws.configs["app"] = EventInvokeConfig(maximum_retry_attempts=0, dead_letter=path.as_uri())
    request_id = aws.send({"order": 7})
    assert aws.wait_for_record(path) == {
        "MessageAttributes": {
            "RequestID": request_id,
            "ErrorCode": "200",
            "ErrorMessage": "never",
        },
        "Body": {"order": 7},
    }


FAILS_LATE = """
@streamify_response
def handler(event, context):
    yield b"[1]"
    raise ValueError("late")
"""


def test_a_stream_that_fails_after_its_first_byte_is_a_success_as_on_aws(aws: Lambda) -> None:
    aws.add(FAILS_LATE)
    path = aws.configure()
    aws.send()
    record = aws.wait_for_record(path)
    assert record["requestContext"]["condition"] == "Success"
    assert record["responsePayload"] == [1]


def test_without_that_quirk_it_is_a_failure(aws: Lambda) -> None:
    aws.with_options(failed_stream_succeeds=False)
    aws.add(FAILS_LATE)
    path = aws.configure(maximum_retry_attempts=0)
    aws.send()
    record = aws.wait_for_record(path)
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["responsePayload"]["errorMessage"] == "late"


def test_an_alias_stands_in_the_record_with_the_version_that_ran(aws: Lambda) -> None:
    aws.add(PRINTS)
    aws.registry.put_alias("app", "live", "$LATEST")
    path = aws.configure()
    aws.send(qualifier="live")
    record = aws.wait_for_record(path)
    assert record["requestContext"]["functionArn"].endswith(":function:app:live")
    assert record["responseContext"]["executedVersion"] == "$LATEST"


def test_a_loop_over_a_destination_ends(aws: Lambda) -> None:
    aws.add("def handler(event, context): pass")
    aws.configure(on_success="arn:aws:lambda:us-east-1:123456789012:function:app")
    aws.send()
    aws.wait_for_log("the record for app is dropped: Lambda has detected your function being")
    assert aws.log.count("START RequestId") == 16
    wait_for(lambda: aws.events.undone == 0, "the end of the last event")
