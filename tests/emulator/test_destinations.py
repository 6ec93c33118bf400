"""Invocation records and where they can go."""

from __future__ import annotations

import json
import os
import re
import threading
from pathlib import Path

import pytest

from penstock.emulator.invoke.destinations import (
    FunctionDestination,
    Result,
    append_line,
    dead_letter,
    read_destination,
    record,
)

ARN = "arn:aws:lambda:us-east-1:123456789012:function:app"
FAILURE = Result("RetriesExhausted", 3, 200, "$LATEST", "Unhandled", b'{"errorMessage": "no"}')


def made(result: Result, event: bytes = b"{}") -> str:
    return record(
        request_id="id", function_arn=f"{ARN}:$LATEST", event=event, result=result
    ).decode()


def test_a_destination_is_a_function() -> None:
    assert read_destination(ARN) == FunctionDestination("app", None)
    assert read_destination(f"{ARN}:live") == FunctionDestination("app", "live")
    assert read_destination(f"{ARN}:$LATEST") == FunctionDestination("app", "$LATEST")


def test_a_destination_is_a_file() -> None:
    assert read_destination("file:///tmp/a%20b.jsonl") == Path("/tmp/a b.jsonl")
    assert read_destination("file://localhost/tmp/out") == Path("/tmp/out")


@pytest.mark.parametrize(
    ("destination", "problem"),
    [
        ("arn:aws:sqs:us-east-1:123456789012:queue", "sqs is not emulated"),
        ("arn:aws:sns:us-east-1:123456789012:topic", "sns is not emulated"),
        ("arn:aws:events:us-east-1:123456789012:event-bus/default", "events is not emulated"),
        ("arn:aws:s3:::bucket", "s3 is not emulated"),
        ("out.jsonl", "it is no ARN"),
        ("file:out.jsonl", "an absolute path is needed"),
        ("file://host/out.jsonl", "an absolute path is needed"),
    ],
)
def test_other_destinations_are_told_apart(destination: str, problem: str) -> None:
    said = read_destination(destination)
    assert isinstance(said, str)
    assert problem in said
    assert destination in said


def test_a_record_is_as_aws_writes_it() -> None:
    text = made(FAILURE, b'{"order": 7}')
    timestamp = re.search(r'"timestamp":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"', text)
    assert timestamp
    assert text == (
        f'{{"version":"1.0","timestamp":"{timestamp[1]}","requestContext":{{"requestId":"id",'
        f'"functionArn":"{ARN}:$LATEST","condition":"RetriesExhausted",'
        '"approximateInvokeCount":3},"requestPayload":{"order": 7},"responseContext":'
        '{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},'
        '"responsePayload":{"errorMessage": "no"}}'
    )


def test_a_success_has_no_error() -> None:
    document = json.loads(made(Result("Success", 1, 200, "3", response=b"null")))
    assert document["responseContext"] == {"statusCode": 200, "executedVersion": "3"}
    assert document["responsePayload"] is None


def test_an_empty_response_is_left_out() -> None:
    assert "responsePayload" not in json.loads(made(Result("Success", 1, 200, "3")))


def test_what_was_never_called_has_no_response() -> None:
    document = json.loads(made(Result("ZeroReservedConcurrency", 0)))
    assert "responseContext" not in document
    assert document["requestContext"]["approximateInvokeCount"] == 0


def test_events_and_responses_stand_in_it_as_they_are_on_one_line() -> None:
    text = made(Result("Success", 1, 200, "3", response=b'[\r\n1.50,"\\n"]'), b'{\n"a":1,"a":2}')
    assert '"requestPayload":{ "a":1,"a":2}' in text
    assert '"responsePayload":[  1.50,"\\n"]' in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (b"\xff", "decode"),
        (b"one", "Expecting value"),
        (b"{", "property name"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_response_that_is_no_json_makes_no_record(response: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        made(Result("Success", 1, 200, "3", response=response))


def test_a_dead_letter_has_the_event_and_the_error() -> None:
    letter = json.loads(dead_letter(request_id="id", event=b"[1]", result=FAILURE))
    assert letter == {
        "MessageAttributes": {"RequestID": "id", "ErrorCode": "200", "ErrorMessage": "no"},
        "Body": [1],
    }


def test_a_dead_letter_needs_no_response() -> None:
    letter = json.loads(
        dead_letter(request_id="id", event=b"1", result=Result("EventAgeExceeded", 0, 429))
    )
    assert letter["MessageAttributes"]["ErrorCode"] == "429"
    assert letter["MessageAttributes"]["ErrorMessage"] == ""


def test_a_pipe_that_nobody_reads_is_an_error_and_holds_nothing_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device"):
        append_line(tmp_path / "pipe", b"line")


def test_a_pipe_that_takes_no_more_is_an_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(BlockingIOError, match=r"took [1-9][0-9]* of 10000001 bytes"):
            append_line(tmp_path / "pipe", b"x" * 10_000_000)
        with pytest.raises(BlockingIOError, match="took 0 of 5 bytes"):
            append_line(tmp_path / "pipe", b"line")
    finally:
        os.close(reader)


def test_lines_of_several_threads_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    lines = [bytes([65 + number]) * 100_000 for number in range(8)]
    threads = [threading.Thread(target=append_line, args=(path, line)) for line in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.read_bytes().splitlines()) == lines
