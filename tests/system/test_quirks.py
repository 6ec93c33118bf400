"""Every oddity of AWS's, on and off, and the line in the log beside the call that it bites."""

from __future__ import annotations

import base64
import os
import re
import socket
import sys
from pathlib import Path

import httpx
import pytest
from botocore.exceptions import ClientError

from penstock.emulator import limits
from penstock.emulator.quirks import STRICT, Quirks
from tests.tools import RawClient, lambda_client, line_of, wait_for

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
WITH_PRELUDE = """
    @streamify_response
    def handler(event, context):
        yield Prelude(202, {"content-type": "text/plain"})
        yield "whole"
"""
PROXY = """
    def handler(event, context):
        return {"statusCode": 202, "headers": {"content-type": "text/plain"}, "body": "whole"}
"""
EMPTY = """
    @streamify_response
    def handler(event, context):
        if event.get("rawPath") == "/full":
            yield "full"
"""
END_MARK = "only an end mark in the body itself tells a client for certain that it is whole"


def said_nothing(function) -> bool:
    function.wait_for_log("REPORT RequestId")
    return "(Function URL)" not in function.log and "(Lambda API)" not in function.log


def invoke(function, **options):
    return lambda_client(function.url).invoke(FunctionName="app", Payload=b"{}", **options)


def stream(function, **options):
    client = lambda_client(function.url)
    answer = client.invoke_with_response_stream(FunctionName="app", Payload=b"{}", **options)
    *chunks, complete = answer["EventStream"]
    body = b"".join(chunk["PayloadChunk"]["Payload"] for chunk in chunks)
    return body, complete["InvokeComplete"]


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


# stream-body-dropped


def test_a_buffered_url_drops_the_body_of_a_stream(serve):
    function = serve(WITH_PRELUDE, invoke_mode="BUFFERED")

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == (202, b"")
    assert line_of(function, answer) == (
        "the URL is BUFFERED, and the answer is a stream: AWS takes its head and drops its 5 "
        "bytes of body; make the URL RESPONSE_STREAM, or answer with adapt(app, mode='buffer')"
    )


def test_without_the_quirk_the_body_of_a_stream_arrives(serve):
    quirks = AWS.switched(off=["stream-body-dropped"])
    function = serve(WITH_PRELUDE, invoke_mode="BUFFERED", quirks=quirks)

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == (202, b"whole")
    assert said_nothing(function)


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


@pytest.mark.parametrize("invoke_mode", ["RESPONSE_STREAM", "BUFFERED"])
def test_a_status_that_is_none_is_a_502_that_says_why(serve, invoke_mode):
    source = "def handler(event, context): return {'statusCode': 'abc'}"
    function = serve(source, invoke_mode=invoke_mode)

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == (502, b"Internal Server Error")
    assert line_of(function, answer) == (
        'Penstock answers 502 to this (what AWS does is not known), because statusCode is "abc"; '
        "write a number from 200 to 599 (one that is made of digits may be text)"
    )


PRELUDE = """
    @streamify_response
    def handler(event, response_stream, context):
        response_stream.content_type = "application/vnd.awslambda.http-integration-response"
"""


@pytest.mark.parametrize("invoke_mode", ["RESPONSE_STREAM", "BUFFERED"])
def test_a_prelude_with_a_status_that_is_none_is_a_502_and_nothing_behind_it(serve, invoke_mode):
    source = (
        PRELUDE
        + """
        response_stream.write(b'{"statusCode":700}' + bytes(8) + b"body")
    """
    )
    function = serve(source, invoke_mode=invoke_mode)

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == (502, b"Internal Server Error")
    line = line_of(function, answer)
    assert line.startswith("Penstock answers 502 to this (what AWS does is not known), because ")
    assert "drops" not in function.log


@pytest.mark.parametrize("invoke_mode", ["RESPONSE_STREAM", "BUFFERED"])
@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        (
            '{"statusCode":103}',
            (
                "the status is 103, after which another response would have to come; "
                "write a number from 200 to 599"
            ),
        ),
        (
            '{"headers":{"a":"b\\\\nc"}}',
            "the value of 'a' has '\\n' in it, which would start another header; remove it",
        ),
    ],
)
def test_a_head_that_http_cannot_carry_is_a_502_and_nobody_says_that_aws_does_so(
    serve, invoke_mode, metadata, reason
):
    source = (
        PRELUDE
        + f"""
        response_stream.write(b'{metadata}' + bytes(8))
    """
    )
    function = serve(source, invoke_mode=invoke_mode)

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == (502, b"Internal Server Error")
    assert line_of(function, answer) == (
        f"Penstock answers 502 to this (what AWS does is not known), because {reason}"
    )


def test_a_prelude_without_an_end_is_answered_once(serve, gate):
    source = (
        PRELUDE
        + """
        response_stream.write(b"x" * 20_000)
        pass_gate("refused")
        response_stream.write(b"x" * 20_000)
    """
    )
    function = serve(source, max_environments=1)

    with httpx.Client() as client:
        answer = client.get(function.url)
        gate.open("refused")

        assert (answer.status_code, answer.content) == (502, b"Internal Server Error")
        assert "no eight NUL bytes" in line_of(function, answer)
        function.wait_for_log("REPORT RequestId")
    assert function.log.count("no eight NUL bytes") == 1


# proxy-response-as-body


def test_a_proxy_response_is_the_body(serve):
    function = serve(PROXY)

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.json()["body"]) == (202, "whole")
    assert line_of(function, answer) == (
        "the handler answers with a proxy response, and the URL is RESPONSE_STREAM: AWS takes "
        "status and headers of it and sends all of its JSON as the body; make the URL BUFFERED, "
        "or stream the body after a Prelude"
    )


def test_without_the_quirk_its_body_is_the_body(serve):
    function = serve(PROXY, quirks=AWS.switched(off=["proxy-response-as-body"]))

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.text) == (202, "whole")
    assert answer.headers["content-type"] == "text/plain"
    assert said_nothing(function)


@pytest.mark.parametrize("result", ['{"path": "a/b"}', '"a/b"'])
def test_without_the_quirk_what_is_no_proxy_response_passes_as_ever(result, serve):
    quirks = AWS.switched(off=["proxy-response-as-body"])
    source = f"def handler(event, context): return {result}"

    answer = httpx.get(serve(source, quirks=quirks).url)

    assert answer.content == httpx.get(serve(source).url).content
    assert answer.text == result


# what a Function URL does not take


LISTS = """
    def handler(event, context):
        return {"statusCode": 202, "multiValueHeaders": {"x-a": ["1"]}, "cookies": "a=1"}
"""


@pytest.mark.parametrize("invoke_mode", ["RESPONSE_STREAM", "BUFFERED"])
def test_what_is_not_heeded_in_an_answer_is_explained(serve, invoke_mode):
    function = serve(LISTS, invoke_mode=invoke_mode)

    answer = httpx.get(function.url)

    assert answer.status_code == 202
    assert not {"x-a", "set-cookie"} & set(answer.headers)
    function.wait_for_log(
        f"{answer.headers['x-amzn-requestid']} (Function URL): not heeded in the answer, for a "
        'Function URL is not known to take it: cookies is "a=1"; write a list; '
        'multiValueHeaders has ["x-a"], which is for REST APIs and load balancers; write headers, '
        "with commas between several values, and cookies, a list"
    )


@pytest.mark.parametrize("invoke_mode", ["RESPONSE_STREAM", "BUFFERED"])
def test_what_is_not_heeded_in_a_prelude_is_explained(serve, invoke_mode):
    function = serve(
        """
        @streamify_response
        def handler(event, context):
            yield Prelude(202, {"x-b": "1"}, (), {"x-a": ["1"], "x-b": ["1"]})
        """,
        invoke_mode=invoke_mode,
    )

    httpx.get(function.url)

    log = function.wait_for_log("not heeded in the answer")
    assert log.count("not heeded in the answer") == 1
    assert 'multiValueHeaders has ["x-a"], which' in log


# dry-run-runs


def test_a_dry_run_of_a_stream_runs(serve):
    function = serve('def handler(event, context): return "ran"')
    client = lambda_client(function.url)

    # botocore takes the type as it is.
    body, _ = stream(function, InvocationType="DryRun")

    assert body == b'"ran"'
    assert "the type is DryRun, and the function runs all the same" in function.log
    assert client.invoke(FunctionName="app", InvocationType="DryRun")["StatusCode"] == 204


def test_without_the_quirk_a_dry_run_runs_nothing(serve):
    function = serve(
        'def handler(event, context): return "ran"',
        quirks=AWS.switched(off=["dry-run-runs"]),
    )

    answer = httpx.post(
        f"{function.url}/2021-11-15/functions/app/response-streaming-invocations",
        headers={"Authorization": "AWS4-HMAC-SHA256 x", "X-Amz-Invocation-Type": "DryRun"},
    )

    assert (answer.status_code, answer.content) == (204, b"")
    assert "START" not in function.log


# empty-body-hang

HANGS = AWS.switched(on=["empty-body-hang"])
GET = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_an_empty_body_ends_unless_asked_otherwise(serve):
    function = serve(EMPTY)

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == (200, b"")
    assert line_of(function, answer) == (
        "the body is empty, and on AWS the end of such an answer does not come at times "
        "(empty-body-hang); send at least one byte"
    )


def test_an_empty_body_hangs_on_request_until_the_emulator_stops(serve):
    function = serve(EMPTY, quirks=HANGS, max_environments=1)
    with RawClient(function.port) as client:
        client.send(GET.encode())
        head = client.read_until(b"\r\n\r\n")
        assert b"200 OK" in head
        request_id = re.search(rb"(?i)x-amzn-requestid: (\S+)", head)[1].decode()
        line = function.wait_for_log("the body is empty, and the connection is left open")
        assert f"penstock: {request_id} (Function URL): the body is empty" in line
        # The environment is free for others, who get what has a body whole.
        assert httpx.get(f"{function.url}/full").text == "full"
        client.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.socket.recv(1)
        client.socket.setblocking(True)
        assert client.received == b""

        function.emulator.stop()

        try:
            assert client.read_all() == b""
        except ConnectionResetError:
            pass


@pytest.mark.skipif(sys.platform != "linux", reason="open sockets are counted in /proc")
def test_a_client_that_leaves_an_empty_body_leaves_nothing_behind(serve):
    function = serve(EMPTY, quirks=HANGS)
    assert httpx.get(f"{function.url}/full").text == "full"
    wait_for(lambda: connections_to(function.port) == 0, "the end of the first connection")
    with RawClient(function.port) as client:
        client.send(GET.encode())
        client.read_until(b"\r\n\r\n")
        function.wait_for_log("the connection is left open")
        assert connections_to(function.port) == 1

    wait_for(lambda: connections_to(function.port) == 0, "the end of the connection")


def connections_to(port: int) -> int:
    """How many connections this process has accepted at a port."""
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            if not os.readlink(link).startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(link.name))) as copy:
                if copy.family == socket.AF_INET and copy.getsockname()[1] == port:
                    found += copy.getpeername() is not None
        except OSError:
            continue
    return found


@pytest.mark.parametrize("status", [204, 304])
def test_what_can_have_no_body_does_not_hang(serve, status):
    function = serve(
        f"""
        @streamify_response
        def handler(event, context):
            yield Prelude({status})
        """,
        quirks=HANGS,
    )

    assert httpx.get(function.url).status_code == status


def test_head_does_not_hang(serve):
    assert httpx.head(serve(EMPTY, quirks=HANGS).url).status_code == 200


# What is no switch


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


def test_a_body_over_the_limit_is_explained(serve):
    function = serve('def handler(event, context): return "x" * 6291555', invoke_mode="BUFFERED")

    answer = httpx.get(function.url)

    assert answer.status_code == 502
    assert line_of(function, answer) == (
        "the response is over 6291556 bytes, and AWS answers 502; make the URL RESPONSE_STREAM, "
        "which takes 200 MiB, and stream it"
    )


def test_a_request_over_the_limit_is_explained(serve):
    function = serve(EMPTY)

    answer = httpx.post(function.url, content=b"x" * 6_291_557)

    assert answer.status_code == 413
    assert line_of(function, answer) == (
        "the request's body is over the 6 MB that Lambda takes, and AWS answers 413; "
        "have the client put it into S3, by a presigned URL, and send its key"
    )


def test_an_event_over_the_limit_is_explained(serve):
    """In base64 a body grows by a third."""
    function = serve(EMPTY)

    answer = httpx.post(function.url, content=b"x" * 5_000_000)

    assert answer.status_code == 413
    assert re.fullmatch(
        r"the event, of \d{7} bytes with its body in base64, is over the 6 MB that Lambda takes, "
        "and AWS answers 413; have the client put it into S3, by a presigned URL, and send its key",
        line_of(function, answer),
    )


@pytest.mark.parametrize("call", ["Invoke", "InvokeWithResponseStream"])
def test_an_event_over_the_limit_of_the_api_is_explained(call, serve):
    function = serve(EMPTY)
    paths = {
        "Invoke": "/2015-03-31/functions/app/invocations",
        "InvokeWithResponseStream": "/2021-11-15/functions/app/response-streaming-invocations",
    }

    answer = httpx.post(
        function.url + paths[call],
        content=b'"' + b"x" * 6_291_557 + b'"',
        headers={"Authorization": "AWS4-HMAC-SHA256 x"},
    )

    assert answer.status_code == 413
    assert (
        f"penstock: {answer.headers['x-amzn-requestid']} (Lambda API): an event may have 6291556 "
        "bytes, this one has more, and AWS answers 413; put it into S3, and send its key\n"
    ) in function.log


def test_an_asynchronous_event_over_the_limit_is_explained(serve):
    function = serve(EMPTY)

    with pytest.raises(ClientError) as raised:
        lambda_client(function.url).invoke(
            FunctionName="app", InvocationType="Event", Payload=b'"' + b"x" * 1_048_577 + b'"'
        )

    metadata = raised.value.response["ResponseMetadata"]
    assert metadata["HTTPStatusCode"] == 413
    assert (
        f"penstock: {metadata['RequestId']} (Lambda API): an asynchronous event may have 1048576 "
        "bytes, this one has more, and AWS answers 413; put it into S3, and send its key\n"
    ) in function.log


def test_a_response_of_invoke_over_the_limit_is_explained(serve):
    function = serve('def handler(event, context): return "x" * 6291555')

    assert invoke(function)["FunctionError"] == "Unhandled"

    log = function.wait_for_log("is larger than Lambda allows")
    assert (
        "(6291556 bytes).): AWS gives whoever invokes this error instead; stream it, up to 200 "
        "MiB, to InvokeWithResponseStream, a Function URL with RESPONSE_STREAM or an integration "
        "with STREAM, or put it into S3, and answer with a link to it\n"
    ) in log


def test_a_stream_over_the_limit_is_explained(serve, monkeypatch):
    monkeypatch.setattr(limits, "STREAMED_RESPONSE", 4)
    function = serve(WITH_PRELUDE)

    assert stream(function)[0] == b'{"sta'

    assert (
        "(4 bytes).): AWS sends one byte more, and ends the stream; put it into S3, and answer "
        "with a link to it\n"
    ) in function.wait_for_log("is larger than Lambda allows")


def test_a_proxy_response_over_the_limit_whose_head_is_lost_is_explained(serve):
    function = serve("""
        def handler(event, context):
            return {"statusCode": 202, "body": "x" * 6_500_000}
    """)

    answer = httpx.get(function.url)

    assert (answer.status_code, len(answer.content)) == (200, 6_500_031)
    assert line_of(function, answer) == (
        "the handler returns an object of more than 6291556 bytes, which is passed on as it "
        "comes: of a proxy response status and headers are lost so, and what AWS does with one "
        "of this size is not known; stream the body after a Prelude"
    )


def test_json_over_the_limit_that_loses_nothing_is_not_spoken_of(serve):
    function = serve('def handler(event, context): return "x" * 6_500_000')

    assert len(httpx.get(function.url).content) == 6_500_002

    assert said_nothing(function)


def test_an_unknown_url_is_told_which_there_are(serve):
    function = serve(EMPTY)
    headers = {"Host": f"other.lambda-url.localhost:{function.port}"}

    answer = httpx.get(function.url, headers=headers)

    assert (answer.status_code, answer.json()) == (403, {"Message": None})
    assert (
        "penstock: there is no Function URL at 'other.lambda-url.localhost', and AWS answers "
        f"403; there is http://app.lambda-url.localhost:{function.port}/\n"
    ) in function.wait_for_log("there is http")


def test_what_the_front_door_says_itself_is_renamed_in_the_functions_answer(serve):
    function = serve("""
        # A Prelude would leave some of them out.
        @streamify_response
        def handler(event, response_stream, context):
            headers = {"www-authenticate": "Basic", "date": "then", "server": "own",
                       "connection": "close", "content-length": "3", "x-own": "1"}
            metadata = json.dumps({"statusCode": 401, "headers": headers})
            response_stream.content_type = "application/vnd.awslambda.http-integration-response"
            response_stream.write(metadata.encode() + bytes(8) + b"one")
    """)

    answer = httpx.get(function.url)

    remapped = {
        name.removeprefix("x-amzn-remapped-"): value
        for name, value in answer.headers.items()
        if name.startswith("x-amzn-remapped-")
    }
    assert remapped == {
        "www-authenticate": "Basic",
        "date": "then",
        "server": "own",
        "connection": "close",
        "content-length": "3",
    }
    assert "www-authenticate" not in answer.headers
    assert answer.headers["date"] != "then"
    assert answer.headers["x-own"] == "1"
    assert answer.text == "one"


def test_a_call_too_many_is_explained(serve, gate):
    function = serve(
        """
        @streamify_response
        def handler(event, context):
            yield "first"
            pass_gate("end")
        """,
        max_environments=1,
    )
    with httpx.stream("GET", function.url) as running:
        chunks = running.iter_raw()
        assert next(chunks) == b"first"

        answer = httpx.get(function.url)

        assert (answer.status_code, answer.json()["Type"]) == (429, "User")
        assert line_of(function, answer).startswith("AWS answers 429 to this: ")
        gate.open("end")
        assert list(chunks) == []
