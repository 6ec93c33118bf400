"""What AWS makes of a failure, on and off, and the line in the log beside the call."""

from __future__ import annotations

import base64
import re

import httpx
import pytest

from penstock.emulator.quirks import STRICT, Quirks
from tests.system.oddities import EMPTY, invoke, said_nothing, stream
from tests.tools import line_of

AWS = Quirks()

FAILS_LATE = """
    @streamify_response
    def handler(event, context):
        yield "partial"
        raise ValueError("late")
"""
FAILS_EARLY = """
    @streamify_response
    def handler(event, context):
        raise ValueError("early")
        yield
"""

END_MARK = "only an end mark in the body itself tells a client for certain that it is whole"


# clean-end-after-failure


def test_a_failed_stream_ends_like_a_whole_one(serve):
    function = serve(FAILS_LATE)

    answer = httpx.get(function.url)

    assert answer.content == b"partial"
    assert line_of(function, answer) == (
        "the response failed after its first byte (ValueError: late), and AWS ends the body like "
        f"a whole one; {END_MARK}"
    )


def test_strict_cuts_the_connection_of_a_failed_stream(serve):
    function = serve(FAILS_LATE, quirks=STRICT)

    with httpx.stream("GET", function.url) as answer:
        chunks = answer.iter_raw()
        assert next(chunks) == b"partial"
        with pytest.raises(httpx.RemoteProtocolError):
            next(chunks)

    assert line_of(function, answer) == (
        "the response failed after its first byte (ValueError: late), and AWS ends the body like "
        "a whole one; here the connection is cut, for clean-end-after-failure is off; "
        f"{END_MARK}"
    )


def test_a_buffered_url_answers_with_what_there_was(serve):
    function = serve(FAILS_LATE, invoke_mode="BUFFERED")

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == (200, b"partial")
    assert line_of(function, answer) == (
        "the response failed after its first byte (ValueError: late), and AWS answers with what "
        "there was of it, as if it were whole; answer with adapt(app, mode='buffer') or without a "
        "stream, and a failure is a 502"
    )


def test_strict_answers_502_at_a_buffered_url(serve):
    function = serve(FAILS_LATE, invoke_mode="BUFFERED", quirks=STRICT)

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == (502, b"Internal Server Error")
    assert line_of(function, answer) == (
        "the response failed after its first byte (ValueError: late), and AWS answers with what "
        "there was of it, as if it were whole; here it is 502, for clean-end-after-failure is off; "
        "answer with adapt(app, mode='buffer') or without a stream, and a failure is a 502"
    )


# no-error-code


def test_invoke_complete_tells_no_failure(serve):
    function = serve(FAILS_LATE)

    assert stream(function) == (b"partial", {})
    request_id = re.search(r"START RequestId: (\S+)", function.log)[1]
    assert (
        f"penstock: {request_id} (Lambda API): the function failed (ValueError: late), and AWS's "
        "InvokeComplete tells nothing of it, no ErrorCode; only an end mark in the payload tells "
        "a caller for certain that it is whole\n"
    ) in function.wait_for_log("(Lambda API)")


def test_strict_fills_the_error_code(serve):
    function = serve(FAILS_LATE, quirks=STRICT)

    body, complete = stream(function, LogType="Tail")

    assert body == b"partial"
    assert complete["ErrorCode"] == "ValueError"
    assert '"errorMessage"' in complete["ErrorDetails"]
    assert "late" in complete["ErrorDetails"]
    assert b"START" in base64.b64decode(complete["LogResult"])


def test_strict_fills_the_error_code_of_what_failed_at_once(serve):
    function = serve(FAILS_EARLY, quirks=STRICT)

    body, complete = stream(function)

    assert b'"errorMessage"' in body
    assert complete["ErrorCode"] == "ValueError"


@pytest.mark.parametrize("quirks", [AWS, STRICT])
def test_a_whole_stream_has_no_error_code(serve, quirks):
    function = serve(EMPTY, quirks=quirks)

    assert stream(function) == (b"", {})
    assert said_nothing(function)


# failed-stream-succeeds


def test_invoke_calls_a_failed_stream_a_success(serve):
    function = serve(FAILS_LATE)

    answer = invoke(function)

    assert "FunctionError" not in answer
    assert answer["Payload"].read() == b"partial"
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert (
        f"penstock: {request_id} (Lambda API): the response failed after its first byte "
        "(ValueError: late), and AWS's Invoke calls it a success, without FunctionError; "
    ) in function.wait_for_log("(Lambda API)")


def test_strict_gives_invoke_the_error(serve):
    function = serve(FAILS_LATE, quirks=STRICT)

    answer = invoke(function)

    assert answer["FunctionError"] == "Unhandled"
    assert b"late" in answer["Payload"].read()


# error-is-200


def test_an_error_before_the_first_byte_is_a_200(serve):
    function = serve(FAILS_EARLY)

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.json()["errorType"]) == (200, "ValueError")
    assert line_of(function, answer) == (
        "the function failed before its first byte (ValueError: early), and AWS answers 200 with "
        "the error as the body; catch it and send a Prelude with status_code=500, or make the "
        "URL BUFFERED, which answers 502"
    )


NO_HANDLER_CATCHES = {
    "an exit": ("def handler(event, context): os._exit(3)", "Runtime.ExitError"),
    "a syntax error": ("def handler(:", "Runtime.UserCodeSyntaxError"),
    "no handler": ("", "Runtime.HandlerNotFound"),
    "no module": ("import nosuch", "Runtime.ImportModuleError"),
    "a failed import": ("open('/nosuch')", "FileNotFoundError"),
    "no shape": ("@streamify_response\ndef handler(a): yield a", "HandlerShapeError"),
    "too few parameters": ("def handler(event): ...", "TypeError"),
    "no JSON": ("def handler(event, context): return object()", "Runtime.MarshalError"),
}


@pytest.mark.parametrize("failure", NO_HANDLER_CATCHES)
def test_what_no_handler_catches_it_is_not_told_to_catch(failure, serve):
    source, error_type = NO_HANDLER_CATCHES[failure]
    function = serve(source)

    answer = httpx.get(function.url)

    assert answer.json()["errorType"] == error_type
    line = line_of(function, answer)
    assert line.startswith(f"the function failed before its first byte ({error_type}: ")
    assert "200 with the error as the body; make the URL BUFFERED" in line


def test_a_response_that_is_cut_before_its_head_is_whole_had_begun(serve):
    function = serve("def handler(event, context): return 'Hello'")

    answer = httpx.get(function.url, headers={"X-Penstock-Fault": "kill=3"})

    assert answer.json()["errorType"] == "Runtime.ExitError"
    line = line_of(function, answer)
    assert line.startswith("the response was cut off before its head was whole (Runtime.ExitError")


def test_strict_answers_502_to_an_error(serve):
    function = serve(FAILS_EARLY, quirks=STRICT)

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == (502, b"Internal Server Error")
    assert line_of(function, answer) == (
        "the function failed before its first byte (ValueError: early), and AWS answers 200 with "
        "the error as the body; here it is 502, for error-is-200 is off; catch it and send a "
        "Prelude with status_code=500, or make the URL BUFFERED, which answers 502"
    )


@pytest.mark.parametrize("quirks", [AWS, STRICT])
def test_a_buffered_url_answers_502_to_an_error(serve, quirks):
    function = serve(FAILS_EARLY, quirks=quirks, invoke_mode="BUFFERED")

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == (502, b"Internal Server Error")
    assert line_of(function, answer) == (
        "AWS answers 502 to this, because the function failed (ValueError: early); catch it and "
        "answer with a statusCode that tells it"
    )


def test_a_process_that_dies_in_mid_stream_is_explained(serve):
    function = serve("""
        @streamify_response
        def handler(event, context):
            yield "partial"
            os._exit(3)
    """)

    with httpx.stream("GET", function.url) as answer, pytest.raises(httpx.RemoteProtocolError):
        answer.read()

    line = line_of(function, answer)
    assert line.startswith("the connection is cut in the middle of the body: it came no further (")
    assert line.endswith(END_MARK)
