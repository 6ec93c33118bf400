"""What a Function URL makes of streams that are not as they should be, and the log's word on it.

Some come from a runtime that answers as AWS's for Node.js does, where ours would not.
"""

from __future__ import annotations

import sys

import httpx
import pytest

from penstock.emulator.quirks import STRICT, Quirks
from tests.tools import PATIENCE, RawClient, lambda_client, line_of

AWS = Quirks()
HANGS = AWS.switched(on=["empty-body-hang"])
INTEGRATION = "application/vnd.awslambda.http-integration-response"
BINARY = "application/octet-stream"
JSON = "application/json"
ISE = (502, b"Internal Server Error")
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

# Answers each invocation with the same: a type, chunks, and perhaps the trailers of a failure.
RUNTIME = """
import os, socket

TYPE, CHUNKS, ERROR, MODE = {answer!r}
address = os.environ["AWS_LAMBDA_RUNTIME_API"]
host, _, port = address.partition(":")
base = "/2018-06-01/runtime/invocation"
while True:
    api = socket.create_connection((host, int(port)))
    api.sendall(f"GET {{base}}/next HTTP/1.1\\r\\nHost: {{address}}\\r\\n\\r\\n".encode())
    head = b""
    while b"\\r\\n\\r\\n" not in head:
        head += api.recv(65536)
    request_id = head.partition(b"Lambda-Runtime-Aws-Request-Id: ")[2][:36].decode()
    post = socket.create_connection((host, int(port)))
    head = [
        f"POST {{base}}/{{request_id}}/response HTTP/1.1",
        f"Host: {{address}}",
        f"Content-Type: {{TYPE}}",
        f"Lambda-Runtime-Function-Response-Mode: {{MODE}}",
        "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
        "Transfer-Encoding: chunked",
    ]
    post.sendall("\\r\\n".join(head).encode() + b"\\r\\n\\r\\n")
    for chunk in CHUNKS:
        post.sendall(b"%x\\r\\n%s\\r\\n" % (len(chunk), chunk))
    error = f"Lambda-Runtime-Function-Error-Type: {{ERROR}}\\r\\n" if ERROR else ""
    post.sendall(f"0\\r\\n{{error}}\\r\\n".encode())
    post.recv(65536)
    post.close()
"""


@pytest.fixture
def answering(serve, tmp_path):
    """Serve a function whose runtime answers with a type, chunks and an error, if it has one."""

    def answering(
        content_type: str, *chunks: bytes, error: str = "", mode: str = "streaming", **options
    ):
        runtime = tmp_path / "runtime.py"
        runtime.write_text(RUNTIME.format(answer=(content_type, chunks, error, mode)))
        return serve("", command=(sys.executable, str(runtime)), **options)

    return answering


def ask(function) -> tuple[int, bytes]:
    answer = httpx.get(function.url)
    return answer.status_code, answer.content


# A prelude that is announced, and not a byte of it


def test_a_head_that_does_not_come_is_lost(answering):
    function = answering(INTEGRATION)

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == BINARY
    assert answer.headers["transfer-encoding"] == "chunked"
    assert line_of(function, answer) == (
        "the response was to begin with a prelude and has not a byte, so AWS answers 200 without "
        "the status and headers that it was to have, and on AWS the end of such an answer does "
        "not come at times (empty-body-hang); send at least one byte, in Node.js with write() "
        "before end()"
    )


def test_a_head_that_does_not_come_hangs_on_request(answering):
    function = answering(INTEGRATION, quirks=HANGS)

    with RawClient(function.port) as client:
        client.send(GET)
        head = client.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        function.wait_for_log("(empty-body-hang); send at least one byte, in Node.js with write()")
        client.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.socket.recv(1)


def test_a_head_that_does_not_come_is_lost_for_head_too(answering):
    function = answering(INTEGRATION)

    answer = httpx.head(function.url, timeout=PATIENCE)

    assert (answer.status_code, answer.headers["content-length"]) == (200, "0")
    assert line_of(function, answer).startswith("the response was to begin with a prelude")


def test_a_failure_instead_of_a_head_is_told_for_head_too(answering):
    function = answering(INTEGRATION, error="TypeError")

    answer = httpx.head(function.url, timeout=PATIENCE)

    assert (answer.status_code, answer.headers["content-length"]) == (200, "0")
    assert line_of(function, answer) == (
        "the response failed before its first byte (TypeError), and AWS answers 200 with an empty "
        "body; catch it and send a Prelude with status_code=500"
    )


def test_a_failure_instead_of_a_head_is_a_200_unless_it_is_to_be_seen(answering):
    failing = {"content_type": INTEGRATION, "error": "TypeError"}

    assert ask(answering(**failing)) == (200, b"")

    strict = answering(**failing, quirks=STRICT)
    answer = httpx.get(strict.url)

    assert (answer.status_code, answer.content) == ISE
    assert line_of(strict, answer) == (
        "the response failed before its first byte (TypeError), and AWS answers 200 with an empty "
        "body; here it is 502, for clean-end-after-failure is off; catch it and send a Prelude "
        "with status_code=500"
    )


# A prelude whose status is none


@pytest.mark.parametrize("invoke_mode", ["RESPONSE_STREAM", "BUFFERED"])
@pytest.mark.parametrize("status", ["700", '"abc"', "99", "200.5"])
def test_a_prelude_without_a_status_that_can_be_is_a_502(status, invoke_mode, answering):
    prelude = b'{"statusCode":%s}' % status.encode() + bytes(8)
    function = answering(INTEGRATION, prelude, b"streamed-", b"bytes", invoke_mode=invoke_mode)

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == ISE
    assert answer.headers["content-length"] == "21"
    assert line_of(function, answer) == (
        f"Penstock answers 502 to this (what AWS does is not known), because statusCode is {status}"
        "; write a number from 200 to 599 (one that is made of digits may be text)"
    )


def test_a_prelude_without_a_status_that_can_be_has_no_body_with_the_quirk_off(answering):
    quirks = AWS.switched(off=["stream-body-dropped"])
    chunks = (b'{"statusCode":700}' + bytes(8), b"streamed")
    function = answering(INTEGRATION, *chunks, invoke_mode="BUFFERED", quirks=quirks)

    assert ask(function) == ISE


@pytest.mark.parametrize("head", [b'{"statusCode":103}', b'{"headers":{"a":"b\\nc"}}'])
def test_of_a_head_that_cannot_be_sent_nobody_says_that_aws_takes_it(head, answering):
    function = answering(INTEGRATION, head + bytes(8) + b"body", invoke_mode="BUFFERED")

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == ISE
    assert line_of(function, answer).startswith("Penstock answers 502 to this")
    assert function.log.count("(Function URL)") == 1


@pytest.mark.parametrize(("method", "status"), [("GET", 204), ("GET", 304), ("HEAD", 200)])
def test_a_buffered_url_drops_nothing_for_which_there_is_no_place(method, status, answering):
    head = b'{"statusCode":%d}' % status + bytes(8)
    function = answering(INTEGRATION, head, b"body", invoke_mode="BUFFERED")

    assert httpx.request(method, function.url).status_code == status

    assert "(Function URL)" not in function.wait_for_log("REPORT RequestId")


# A prelude without an end

PRELUDE_MEND = (
    "yield a Prelude first, or use HttpResponseStream.from_; in Node.js call write() before end(), "
    "which alone sends no prelude"
)


def test_a_prelude_without_an_end_is_a_502(answering):
    function = answering(INTEGRATION, b"Not ", b"Found")

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == ISE
    assert line_of(function, answer) == (
        "AWS answers 502 to this, because 9 bytes came and no eight NUL bytes among them, which "
        f"end a prelude; {PRELUDE_MEND}"
    )


def test_a_prelude_without_an_end_passes_a_buffered_url_with_a_word(answering):
    function = answering(INTEGRATION, b"Not Found", invoke_mode="BUFFERED")

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == (200, b"Not Found")
    assert answer.headers["content-type"] == BINARY
    assert line_of(function, answer) == (
        "the response passes as it is, and what AWS does with it at a BUFFERED URL is not known "
        "(behind RESPONSE_STREAM it is a 502): 9 bytes came and no eight NUL bytes among them, "
        f"which end a prelude; {PRELUDE_MEND}"
    )


def test_a_prelude_that_does_not_come_is_told_at_a_buffered_url(answering):
    function = answering(INTEGRATION, invoke_mode="BUFFERED")

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == (200, b"")
    assert line_of(function, answer).startswith("the response was to begin with a prelude and has")


@pytest.mark.parametrize("invoke_mode", ["RESPONSE_STREAM", "BUFFERED"])
def test_a_prelude_that_ends_nowhere_is_one_502_whatever_follows(invoke_mode, answering):
    function = answering(INTEGRATION, *[b"x" * 8192] * 4, invoke_mode=invoke_mode)

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == ISE
    assert line_of(function, answer).endswith(f"starts with a prelude; {PRELUDE_MEND}")
    assert "could not be passed on" not in function.log


# A failure in the trailers of a response without a byte, or without a body

HANGS_AT_TIMES = ", and on AWS the end of such an answer does not come at times (empty-body-hang); "


@pytest.mark.parametrize("content_type", [BINARY, INTEGRATION])
def test_what_failed_before_its_first_byte_is_not_said_to_have_had_one(content_type, answering):
    function = answering(content_type, error="TypeError")

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == (200, b"")
    assert line_of(function, answer) == (
        "the response failed before its first byte (TypeError), and AWS answers 200 with an empty "
        f"body{HANGS_AT_TIMES}catch it and send a Prelude with status_code=500"
    )


def test_what_failed_after_its_prelude_is_an_empty_body(answering):
    function = answering(INTEGRATION, b'{"statusCode":202}' + bytes(8), error="TypeError")

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == (202, b"")
    line = line_of(function, answer)
    assert line.startswith(
        "the response failed after its prelude (TypeError), and AWS sends its head with an empty "
        f"body{HANGS_AT_TIMES}only an end mark "
    )


def test_strict_cuts_what_failed_before_its_first_byte(answering):
    function = answering(BINARY, error="TypeError", quirks=STRICT)

    with httpx.stream("GET", function.url) as answer, pytest.raises(httpx.RemoteProtocolError):
        answer.read()

    assert line_of(function, answer) == (
        "the response failed before its first byte (TypeError), and AWS answers 200 with an empty "
        "body; here the connection is cut, for clean-end-after-failure is off; catch it and send a "
        "Prelude with status_code=500"
    )


@pytest.mark.parametrize("content_type", [BINARY, INTEGRATION])
def test_a_buffered_url_is_empty_where_it_failed_before_its_first_byte(content_type, answering):
    function = answering(content_type, error="TypeError", invoke_mode="BUFFERED")

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == (200, b"")
    assert line_of(function, answer).startswith(
        "the response failed before its first byte (TypeError), and AWS answers 200 without a "
        "body, as if it were whole; answer with adapt"
    )


def test_invoke_calls_a_success_what_failed_before_its_first_byte(answering):
    function = answering(BINARY, error="TypeError")

    answer = lambda_client(function.url).invoke(FunctionName="app")

    assert "FunctionError" not in answer
    assert answer["Payload"].read() == b""
    function.wait_for_log(
        "(Lambda API): the response failed before its first byte (TypeError), and AWS's Invoke "
        "calls it a success, without FunctionError"
    )


# What is no stream at all


@pytest.mark.parametrize(
    ("source", "does", "mend"),
    [
        ("import nosuch", "AWS answers 502", "the function's own lines in the log may tell more"),
        (
            "def handler(event, context): os._exit(3)",
            "AWS answers 502",
            "the function's own lines in the log may tell more",
        ),
        (
            "def handler(event, context): time.sleep(30)",
            "AWS is taken to answer 502",
            "give the function a longer timeout, or less to do",
        ),
    ],
)
def test_a_buffered_url_tells_what_to_do_about_what_no_handler_catches(source, does, mend, serve):
    timeout = 0.4 if "sleep" in source else 30
    function = serve(source, invoke_mode="BUFFERED", timeout=timeout)

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == ISE
    line = line_of(function, answer)
    assert line.startswith(f"{does} to this, because the function failed (")
    assert line.endswith(f"); {mend}")


def test_what_is_not_known_of_a_timeout_is_not_said_of_aws(serve):
    early = serve("def handler(event, context): time.sleep(30)", timeout=0.4)
    late = serve(
        """
        @streamify_response
        def handler(event, context):
            yield "partial"
            time.sleep(30)
        """,
        timeout=0.8,  # long enough for a first byte on a busy machine
    )

    answer = httpx.get(early.url)
    with httpx.stream("GET", late.url) as cut, pytest.raises(httpx.RemoteProtocolError):
        cut.read()

    assert "), and AWS is taken to answer 200 with the error as" in line_of(early, answer)
    line = line_of(late, cut)
    assert line.startswith("the connection is cut in the middle of the body: it was out of time (")
    assert "), and what AWS does then is not known; only an end mark" in line


@pytest.mark.parametrize("invoke_mode", ["RESPONSE_STREAM", "BUFFERED"])
def test_a_prelude_that_is_no_json_is_told_what_is_one(invoke_mode, answering):
    function = answering(INTEGRATION, b"<p>" + bytes(8) + b"body", invoke_mode=invoke_mode)

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == ISE
    line = line_of(function, answer)
    assert "because the prelude is no JSON: " in line
    assert line.endswith(f"; {PRELUDE_MEND}")


def test_a_runtime_with_another_mode_is_told_which_there_is(answering):
    function = answering(BINARY, b"body", mode="Streaming")

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == ISE
    assert line_of(function, answer) == (
        "the runtime gave no answer to pass on (Runtime.InvalidResponseModeHeader), and a 502 "
        "stands for what AWS answers, which is not known; the runtime's header "
        "Lambda-Runtime-Function-Response-Mode must be streaming, or not there"
    )


def test_a_buffered_url_tells_of_a_runtime_with_another_mode_too(answering):
    function = answering(BINARY, b"body", mode="Streaming", invoke_mode="BUFFERED")

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == ISE
    assert line_of(function, answer).endswith(
        "(Runtime.InvalidResponseModeHeader); the runtime's header "
        "Lambda-Runtime-Function-Response-Mode must be streaming, or not there"
    )


def test_what_fails_within_its_prelude_is_told_so(answering):
    function = answering(INTEGRATION, b'{"statusCode"', error="TypeError")

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == ISE
    assert line_of(function, answer) == (
        "Penstock answers 502 to this (what AWS does is not known), because the response failed "
        "within its prelude (TypeError); "
        "catch it and send a Prelude with status_code=500"
    )


# The type of a stream without a prelude


@pytest.mark.parametrize("content_type", ["text/html", JSON])
def test_a_buffered_url_drops_the_type_of_a_stream(content_type, answering):
    function = answering(content_type, b"[1]", invoke_mode="BUFFERED")

    answer = httpx.get(function.url)

    assert (answer.content, answer.headers["content-type"]) == (b"[1]", BINARY)
    assert line_of(function, answer) == (
        "the URL is BUFFERED, and the answer is a stream without a Prelude: AWS drops its type "
        f"({content_type}) and calls it application/octet-stream; make the URL RESPONSE_STREAM, "
        "or answer with adapt(app, mode='buffer') or without a stream"
    )


@pytest.mark.parametrize("content_type", ["text/html", JSON])
def test_invoke_drops_the_type_of_a_stream(content_type, answering):
    function = answering(content_type, b"[1]")

    answer = lambda_client(function.url).invoke(FunctionName="app")

    metadata = answer["ResponseMetadata"]
    assert metadata["HTTPHeaders"]["content-type"] == BINARY
    assert (
        f"penstock: {metadata['RequestId']} (Lambda API): the answer is a stream, and AWS's Invoke "
        f"drops its type ({content_type}) and calls it application/octet-stream; "
        "InvokeWithResponseStream passes it on, as x-amzn-Remapped-Content-Type\n"
    ) in function.wait_for_log("(Lambda API)")


def test_without_the_quirk_the_type_of_a_stream_arrives(answering):
    quirks = AWS.switched(off=["stream-type-dropped"])
    function = answering("text/html", b"<p>", invoke_mode="BUFFERED", quirks=quirks)

    answer = httpx.get(function.url)
    invoked = lambda_client(function.url).invoke(FunctionName="app")

    assert (answer.text, answer.headers["content-type"]) == ("<p>", "text/html")
    assert invoked["ResponseMetadata"]["HTTPHeaders"]["content-type"] == "text/html"
    assert "drops its type" not in function.log


def test_bytes_of_which_nothing_is_known_lose_nothing(answering):
    function = answering(BINARY, b"bytes", invoke_mode="BUFFERED")

    assert ask(function) == (200, b"bytes")
    lambda_client(function.url).invoke(FunctionName="app")

    assert "drops its type" not in function.log
