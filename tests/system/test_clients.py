"""Clients that people use, against the emulator: what each sends, gets, and when it gets it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import random
import re
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.tools import PATIENCE, missing, needs

NODE = Path(__file__).parent / "node"

THREE_CHUNKS = """
    @streamify_response
    def handler(event, context):
        yield Prelude(200, {"content-type": "text/plain", "x-from": "the handler"})
        yield "one"
        pass_gate("1")
        yield "two"
        pass_gate("2")
        yield "three"
"""

# Without a prelude, which InvokeWithResponseStream would show as a chunk.
BARE_CHUNKS = """
    @streamify_response
    def handler(event, response_stream, context):
        print("the handler prints")
        response_stream.content_type = "text/x-three"
        response_stream.write("one")
        pass_gate("1")
        response_stream.write("two")
        pass_gate("2")
        response_stream.write("three")
"""

# What a Function URL makes of a request; and, to invokers, what they have sent.
ECHO = """
    def handler(event, context):
        return event
"""

HELLO = """
    def handler(event, context):
        print("the handler prints")
        return {"hello": event["name"]}
"""

FAILING = """
    def handler(event, context):
        print("the handler prints")
        raise ValueError("out of cheese")
"""


class Program:
    """A client in a process of its own, whose output is read as it comes."""

    def __init__(self, *command: str | Path, cwd: Path) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            bufsize=0,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._output = b""

    def read_until(self, mark: str) -> str:
        """The output up to and with `mark`."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + PATIENCE
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while mark.encode() not in self._output:
                if not selector.select(deadline - time.monotonic()):
                    pytest.fail(f"no {mark!r} within {PATIENCE} seconds; read {self._output!r}")
                data = os.read(self.process.stdout.fileno(), 65536)
                if not data:
                    pytest.fail(f"ended before {mark!r}; read {self._output!r}{self._errors()}")
                self._output += data
        end = self._output.index(mark.encode()) + len(mark.encode())
        taken, self._output = self._output[:end], self._output[end:]
        return taken.decode()

    def read_all(self, status: int = 0) -> str:
        """The rest of the output, when the program has ended with this exit status."""
        rest, errors = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == status, errors.decode()
        return (self._output + rest).decode()

    def kill(self) -> None:
        """End it at once, if it has not ended; may be repeated."""
        self.process.kill()
        with self.process:
            pass

    def _errors(self) -> str:
        _, errors = self.process.communicate(timeout=PATIENCE)
        return f"; it said {errors.decode()!r}"


Start = Callable[..., Program]


@pytest.fixture(autouse=True)
def environment(monkeypatch) -> None:
    """Nobody's own AWS configuration and proxies; the tools beside this Python."""
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)


@pytest.fixture
def start(tmp_path) -> Iterator[Start]:
    """Start a program; what still runs at the end of the test is killed."""
    programs: list[Program] = []

    def start(*command: str | Path) -> Program:
        programs.append(Program(*command, cwd=tmp_path))
        return programs[-1]

    yield start
    for program in programs:
        program.kill()


@pytest.fixture
def curl(start) -> Start:
    """Start curl, without anybody's own settings."""
    path = needs("curl")
    return lambda *arguments: start(
        path, "-q", "--silent", "--show-error", "--max-time", "20", *arguments
    )


@pytest.fixture
def aws(start) -> Start:
    """Start the AWS CLI that is installed beside this Python."""
    path = Path(sys.executable).with_name("aws")
    if not path.exists():
        missing(f"there is no {path}")
    return lambda function, *arguments: start(
        path, "--region", "us-east-1", "--endpoint-url", function.url, *arguments
    )


@pytest.fixture
def node(start) -> Start:
    """Start one of the scripts in `node/`."""
    path = needs("node")
    if not (NODE / "node_modules" / "@aws-sdk" / "client-lambda").is_dir():
        missing("the AWS SDK for JavaScript is not installed")
    return lambda script, function, *arguments: start(
        path, NODE / script, function.url, *(arguments or ("app",))
    )


def boto3_client(function, **settings: Any):
    settings.setdefault("retries", {"max_attempts": 0})
    return boto3.client(
        "lambda",
        endpoint_url=function.url,
        region_name="us-east-1",
        config=Config(read_timeout=PATIENCE, **settings),
    )


def headers_in(head: str) -> dict[str, str]:
    """The header fields of what `curl -i` prints before the body."""
    _, *lines = head.strip().split("\r\n")
    fields = (line.partition(": ") for line in lines)
    return {name.lower(): value for name, _, value in fields}


def assert_platform_lines(log: str, request_id: str) -> None:
    """START, what the handler prints, END, REPORT: each of this request, in this order."""
    start, printed, end, report = log.splitlines()
    assert start == f"START RequestId: {request_id} Version: $LATEST"
    assert printed == "the handler prints"
    assert end == f"END RequestId: {request_id}"
    assert report.startswith(f"REPORT RequestId: {request_id}\tDuration: ")


# curl


def test_curl_shows_each_chunk_before_the_next_is_written(serve, gate, curl):
    function = serve(THREE_CHUNKS)
    client = curl("-N", "-i", function.url)

    head = client.read_until("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    headers = headers_in(head)
    assert headers["content-type"] == "text/plain"
    assert headers["x-from"] == "the handler"
    assert headers["transfer-encoding"] == "chunked"
    assert re.fullmatch(r"[0-9a-f-]{36}", headers["x-amzn-requestid"])
    assert headers["x-amzn-trace-id"].startswith("Root=1-")
    assert "content-length" not in headers

    assert client.read_until("one") == "one"
    gate.open("1")
    assert client.read_until("two") == "two"
    gate.open("2")
    assert client.read_all() == "three"


def test_curl_with_http_1_0_streams_until_the_connection_closes(serve, gate, curl):
    function = serve(THREE_CHUNKS)
    client = curl("-N", "-i", "--http1.0", function.url)

    headers = headers_in(client.read_until("\r\n\r\n"))
    assert headers["connection"] == "close"
    assert "transfer-encoding" not in headers

    assert client.read_until("one") == "one"
    gate.open("1")
    assert client.read_until("two") == "two"
    gate.open("2")
    assert client.read_all() == "three"


def test_curl_that_asks_for_http_2_is_answered_with_1_1(serve, gate, curl):
    function = serve(THREE_CHUNKS)
    client = curl("-N", "-i", "--http2", function.url)
    assert client.read_until("one").startswith("HTTP/1.1 200 OK\r\n")
    gate.open("1")
    gate.open("2")
    assert client.read_all() == "twothree"


def test_curl_keeps_its_connection_for_the_next_url(serve, curl):
    function = serve("""
        @streamify_response
        def handler(event, response_stream, context):
            response_stream.write(event["rawPath"])
            response_stream.write(";")
    """)
    client = curl(
        *("--http1.1", "-N", "-w", "%{num_connects} connections\n"),
        *(f"{function.url}/first", f"{function.url}/second"),
    )
    assert client.read_all() == "/first;1 connections\n/second;0 connections\n"


@pytest.mark.parametrize("path", ["/", "/2015-03-31"])
def test_curl_finds_the_function_by_a_name_under_localhost(path, serve, curl):
    function = serve("""
        @streamify_response
        def handler(event, response_stream, context):
            response_stream.write(event["requestContext"]["domainName"] + event["rawPath"])
    """)
    client = curl("-N", f"http://app.lambda-url.localhost:{function.port}{path}")
    assert client.read_all() == f"app.lambda-url.localhost{path}"


def test_curl_gets_403_for_a_function_that_does_not_exist(serve, curl):
    function = serve(ECHO)
    client = curl("-i", f"http://other.lambda-url.localhost:{function.port}/")
    assert client.read_until("\r\n").startswith("HTTP/1.1 403 ")
    assert client.read_all().endswith('{"Message":null}')
    assert "START" not in function.log


@pytest.mark.parametrize(
    ("content_type", "text"),
    [("application/json", '{"to": "all"}'), ("text/plain", "é"), ("application/xml", "<a/>")],
)
def test_curl_posts_text_that_the_handler_gets_as_text(content_type, text, serve, curl):
    function = serve(ECHO)
    answer = curl("-H", f"Content-Type: {content_type}", "--data", text, function.url).read_all()
    event = json.loads(answer)
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["headers"]["content-type"] == content_type
    assert event["body"] == text
    assert event["isBase64Encoded"] is False


def test_curl_posts_a_form_that_the_handler_gets_in_base64(serve, curl):
    function = serve(ECHO)
    event = json.loads(curl("--data", "a=1&b=2", function.url).read_all())
    assert event["headers"]["content-type"] == "application/x-www-form-urlencoded"
    assert base64.b64decode(event["body"]) == b"a=1&b=2"
    assert event["isBase64Encoded"] is True


DIGEST = """
    import base64, hashlib

    @streamify_response
    def handler(event, response_stream, context):
        body = base64.b64decode(event["body"])
        digest = hashlib.sha256(body).hexdigest()
        response_stream.write(f"{len(body)} {digest} {event['headers']['content-length']}")
"""


@pytest.mark.parametrize(
    "upload",
    [
        ["--data-binary", "@body", "-H", "Content-Type: image/png"],
        ["--data-binary", "@body", "-H", "Content-Type: image/png", "-H", "Expect: 100-continue"],
        ["--upload-file", "body"],
        ["--upload-file", "body", "-H", "Transfer-Encoding: chunked"],
    ],
    ids=["post", "after 100 Continue", "put", "put in chunks"],
)
def test_curl_uploads_two_megabytes(upload, serve, curl, tmp_path):
    function = serve(DIGEST)
    body = os.urandom(2_000_000)
    (tmp_path / "body").write_bytes(body)
    digest = hashlib.sha256(body).hexdigest()
    assert curl(*upload, function.url).read_all() == f"2000000 {digest} 2000000"


@pytest.mark.parametrize("framing", ["with its length", "in chunks"])
def test_curl_that_uploads_more_than_six_megabytes_gets_413(framing, serve, curl, tmp_path):
    function = serve(DIGEST)
    (tmp_path / "body").write_bytes(bytes(8_000_000))
    chunked = ["-H", "Transfer-Encoding: chunked"] if framing == "in chunks" else []
    client = curl(
        *("--upload-file", "body", *chunked, "--output", "answer"),
        *("-w", "%{http_code}\n", function.url),
    )
    assert client.read_all() == "413\n"
    assert json.loads((tmp_path / "answer").read_text())["Message"]
    assert "START" not in function.log


def test_curl_that_asks_for_the_head_only_does_not_wait_for_the_body(serve, gate, curl):
    function = serve(THREE_CHUNKS)
    answer = curl("-I", function.url).read_all()
    assert answer.startswith("HTTP/1.1 200 OK\r\n")
    assert answer.endswith("\r\n\r\n")
    assert headers_in(answer)["x-from"] == "the handler"
    assert "END RequestId" not in function.log
    gate.open("1")
    gate.open("2")
    function.wait_for_log("REPORT RequestId")


def test_a_function_goes_on_when_curl_leaves_in_the_middle(serve, gate, curl):
    function = serve(THREE_CHUNKS, max_environments=1)
    client = curl("-N", function.url)
    client.read_until("one")
    client.kill()
    gate.open("1")
    gate.open("2")
    function.wait_for_log("REPORT RequestId")

    again = curl("-N", function.url)
    again.read_until("one")
    gate.open("1")
    gate.open("2")
    assert again.read_all() == "twothree"
    assert function.log.count("Init Duration") == 1


def test_a_function_that_fills_every_buffer_goes_on_when_curl_leaves(serve, curl):
    function = serve(
        """
        @streamify_response
        def handler(event, response_stream, context):
            for _ in range(50):
                response_stream.write(bytes(1_000_000))
        """,
        max_environments=1,
    )
    # At 1000 bytes a second curl is still reading when the handler can write no more.
    client = curl("-N", "--limit-rate", "1000", function.url)
    client.read_until("\0")
    client.kill()
    function.wait_for_log("REPORT RequestId")
    assert len(curl("-N", function.url).read_all()) == 50_000_000


CUT = """
    @streamify_response
    def handler(event, response_stream, context):
        response_stream.write("half")
        if event["rawPath"] == "/cut":
            os._exit(3)
"""


def test_curl_notices_that_a_stream_was_cut(serve, curl):
    function = serve(CUT)
    assert curl("-N", f"{function.url}/cut").read_all(status=18) == "half"


def test_curl_with_http_1_0_notices_that_a_stream_was_cut(serve, curl):
    """Such an answer ends with its connection: only a reset can tell that it is not whole."""
    function = serve(CUT)
    assert curl("-N", "--http1.0", f"{function.url}/cut").read_all(status=56) == "half"


def test_curl_that_asks_for_a_tunnel_is_refused(serve, curl):
    function = serve(CUT, max_environments=1)
    client = curl("--max-time", "2", "-X", "CONNECT", "-w", "%{http_code}", function.url)
    assert client.read_all()[-3:] in ("400", "405", "501")
    assert curl(function.url).read_all() == "half"


# httpx


def test_httpx_gets_each_chunk_before_the_next_is_written(serve, gate):
    function = serve(THREE_CHUNKS)

    async def read() -> None:
        async with (
            httpx.AsyncClient(timeout=PATIENCE) as client,
            client.stream("GET", function.url) as response,
        ):
            assert response.status_code == 200
            assert response.headers["x-from"] == "the handler"
            chunks = response.aiter_text()
            assert await anext(chunks) == "one"
            await asyncio.to_thread(gate.open, "1")
            assert await anext(chunks) == "two"
            await asyncio.to_thread(gate.open, "2")
            assert await anext(chunks) == "three"
            assert [chunk async for chunk in chunks] == []

    asyncio.run(read())


def test_httpx_reads_ten_streams_at_once(serve, gate):
    function = serve(
        """
        @streamify_response
        async def handler(event, context):
            number = event["rawPath"].strip("/")
            yield f"first of {number};"
            await asyncio.to_thread(pass_gate, number)
            yield f"second of {number}"
        """
    )

    async def read() -> None:
        all_have_the_first = asyncio.Barrier(10)

        async def read_one(client: httpx.AsyncClient, number: int) -> None:
            async with client.stream("GET", f"{function.url}/{number}") as response:
                chunks = response.aiter_text()
                assert await anext(chunks) == f"first of {number};"
                await all_have_the_first.wait()
                await asyncio.to_thread(gate.open, str(number))
                assert await anext(chunks) == f"second of {number}"

        async with (
            httpx.AsyncClient(timeout=PATIENCE) as client,
            asyncio.TaskGroup() as group,
        ):
            for number in range(10):
                group.create_task(read_one(client, number))

    asyncio.run(read())


# boto3: Invoke


def test_boto3_invokes_with_the_log(serve):
    function = serve(HELLO)
    answer = boto3_client(function).invoke(
        FunctionName="app", Payload=b'{"name": "world"}', LogType="Tail"
    )
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in answer
    assert json.load(answer["Payload"]) == {"hello": "world"}
    log = base64.b64decode(answer["LogResult"]).decode()
    assert_platform_lines(log, answer["ResponseMetadata"]["RequestId"])


def test_boto3_gets_no_log_unless_it_asks(serve):
    function = serve(HELLO)
    answer = boto3_client(function).invoke(FunctionName="app", Payload=b'{"name": "world"}')
    assert "LogResult" not in answer


def test_boto3_gets_the_last_four_kilobytes_of_a_long_log(serve):
    function = serve("""
        def handler(event, context):
            print("the first line")
            for number in range(1000):
                print("line", number)
    """)
    answer = boto3_client(function).invoke(FunctionName="app", LogType="Tail")
    log = base64.b64decode(answer["LogResult"])
    assert len(log) == 4096
    assert b"the first line" not in log
    assert b"line 999\nEND RequestId: " in log
    assert log.endswith(b"\t\n")


def test_boto3_without_a_payload_sends_an_empty_event(serve):
    function = serve(ECHO)
    answer = boto3_client(function).invoke(FunctionName="app")
    assert json.load(answer["Payload"]) == {}


def test_boto3_passes_a_client_context(serve):
    function = serve("""
        def handler(event, context):
            received = context.client_context
            return {
                "custom": received.custom,
                "env": received.env,
                "title": received.client.app_title,
            }
    """)
    sent = {"custom": {"basket": "é"}, "env": {"locale": "de"}, "client": {"app_title": "Shop"}}
    answer = boto3_client(function).invoke(
        FunctionName="app", ClientContext=base64.b64encode(json.dumps(sent).encode()).decode()
    )
    assert json.load(answer["Payload"]) == {
        "custom": {"basket": "é"},
        "env": {"locale": "de"},
        "title": "Shop",
    }


def test_boto3_learns_of_a_function_that_failed(serve):
    function = serve(FAILING)
    answer = boto3_client(function).invoke(FunctionName="app", LogType="Tail")
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    assert answer["ExecutedVersion"] == "$LATEST"
    error = json.load(answer["Payload"])
    assert error["errorType"] == "ValueError"
    assert error["errorMessage"] == "out of cheese"
    assert "raise ValueError" in "".join(error["stackTrace"])
    log = base64.b64decode(answer["LogResult"]).decode()
    assert "the handler prints\n" in log
    assert "[ERROR] ValueError: out of cheese" in log


def test_boto3_sends_an_event_without_waiting_for_the_answer(serve, gate):
    function = serve("""
        def handler(event, context):
            pass_gate("1")
            print("handled", event["order"])
    """)
    answer = boto3_client(function).invoke(
        FunctionName="app", InvocationType="Event", Payload=b'{"order": 7}'
    )
    assert answer["StatusCode"] == 202
    assert answer["Payload"].read() == b""
    assert "FunctionError" not in answer
    gate.open("1")
    log = function.wait_for_log("REPORT RequestId")
    assert "handled 7\n" in log
    assert answer["ResponseMetadata"]["RequestId"] in log


def test_boto3_makes_a_dry_run(serve):
    function = serve(HELLO)
    answer = boto3_client(function).invoke(FunctionName="app", InvocationType="DryRun")
    assert answer["StatusCode"] == 204
    assert answer["Payload"].read() == b""
    assert "START" not in function.log


@pytest.mark.parametrize(
    "name",
    [
        "app",
        "app:$LATEST",
        "123456789012:function:app",
        "arn:aws:lambda:us-east-1:123456789012:function:app",
        "arn:aws:lambda:us-east-1:123456789012:function:app:$LATEST",
    ],
)
def test_boto3_finds_the_function_by_name_and_arn(name, serve):
    function = serve(ECHO)
    answer = boto3_client(function).invoke(FunctionName=name, Payload=b"7")
    assert json.load(answer["Payload"]) == 7


def test_boto3_finds_the_function_by_its_qualifier(serve):
    function = serve(ECHO)
    client = boto3_client(function)
    answer = client.invoke(FunctionName="app", Qualifier="$LATEST", Payload=b"7")
    assert json.load(answer["Payload"]) == 7
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="function:app:live"):
        client.invoke(FunctionName="app", Qualifier="live")


@pytest.mark.parametrize("call", ["invoke", "invoke_with_response_stream"])
def test_boto3_does_not_find_a_function_that_does_not_exist(call, serve):
    function = serve(ECHO)
    client = boto3_client(function)
    with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
        getattr(client, call)(FunctionName="nobody")
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert answer["Error"]["Message"] == (
        "Function not found: arn:aws:lambda:us-east-1:123456789012:function:nobody:$LATEST"
    )
    assert answer["Type"] == "User"
    assert "START" not in function.log


def test_boto3_is_told_that_its_payload_is_no_json(serve):
    function = serve(ECHO)
    client = boto3_client(function)
    with pytest.raises(client.exceptions.InvalidRequestContentException, match="into json"):
        client.invoke(FunctionName="app", Payload=b"{")
    assert "START" not in function.log


def test_boto3_is_told_that_its_payload_is_too_large(serve):
    function = serve(ECHO)
    client = boto3_client(function)
    with pytest.raises(client.exceptions.RequestTooLargeException, match="6291556 bytes"):
        client.invoke(FunctionName="app", Payload=json.dumps("x" * 7_000_000).encode())
    assert "START" not in function.log


def test_boto3_sends_and_gets_five_megabytes(serve):
    function = serve(ECHO)
    payload = json.dumps("é" * 500_000 + "x" * 2_000_000).encode()
    assert len(payload) > 5_000_000
    answer = boto3_client(function).invoke(FunctionName="app", Payload=payload)
    assert json.load(answer["Payload"]) == json.loads(payload)


@pytest.mark.parametrize("call", ["invoke", "invoke_with_response_stream"])
def test_boto3_is_told_to_wait_when_every_environment_is_busy(call, serve, gate):
    function = serve(THREE_CHUNKS, max_environments=1)
    client = boto3_client(function)
    with httpx.stream("GET", function.url, timeout=PATIENCE) as response:
        chunks = response.iter_text()
        assert next(chunks) == "one"
        with pytest.raises(client.exceptions.TooManyRequestsException) as caught:
            getattr(client, call)(FunctionName="app")
        gate.open("1")
        gate.open("2")
        assert "".join(chunks) == "twothree"
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert answer["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert answer["Error"]["Message"] == "Rate Exceeded."
    assert answer["retryAfterSeconds"].isdecimal()


def test_boto3_tries_again_by_itself_until_an_environment_is_free(serve, gate):
    function = serve(
        """
        def handler(event, context):
            if event == "hold":
                pass_gate("1")
            return event
        """,
        max_environments=1,
    )
    boto3_client(function).invoke(FunctionName="app", InvocationType="Event", Payload=b'"hold"')
    # It begins after the answer.
    function.wait_for_log("START RequestId")
    client = boto3_client(function, retries={"total_max_attempts": 10, "mode": "standard"})
    refused: list[int] = []

    def open_the_gate_after_the_first_refusal(response, **_):
        if response[0].status_code == 429:
            if not refused:
                gate.open("1")
            refused.append(429)

    client.meta.events.register("needs-retry.lambda.Invoke", open_the_gate_after_the_first_refusal)
    answer = client.invoke(FunctionName="app", Payload=b'"again"')
    assert json.load(answer["Payload"]) == "again"
    assert answer["ResponseMetadata"]["RetryAttempts"] == len(refused) > 0


# boto3: InvokeWithResponseStream


def test_boto3_gets_each_event_of_a_stream_before_the_next_is_written(serve, gate):
    function = serve(BARE_CHUNKS)
    answer = boto3_client(function).invoke_with_response_stream(FunctionName="app", LogType="Tail")
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    # Where the model has the field, there is the type of the frames, as on AWS.
    assert answer["ResponseStreamContentType"] == "application/vnd.amazon.eventstream"
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amzn-remapped-content-type"] == "text/x-three"
    events = iter(answer["EventStream"])
    assert next(events) == {"PayloadChunk": {"Payload": b"one"}}
    gate.open("1")
    assert next(events) == {"PayloadChunk": {"Payload": b"two"}}
    gate.open("2")
    assert next(events) == {"PayloadChunk": {"Payload": b"three"}}
    complete = next(events)["InvokeComplete"]
    assert list(complete) == ["LogResult"]
    log = base64.b64decode(complete["LogResult"]).decode()
    assert_platform_lines(log, answer["ResponseMetadata"]["RequestId"])
    assert list(events) == []


def test_boto3_gets_a_streamed_body_of_five_megabytes_whole(serve):
    function = serve("""
        import random

        @streamify_response
        def handler(event, context):
            body = random.Random(7).randbytes(5_000_000)
            start = 0
            for size in (1, 65_535, 65_536, 65_537, 1_000_000, 5_000_000):
                yield body[start : start + size]
                start += size
    """)
    answer = boto3_client(function).invoke_with_response_stream(FunctionName="app")
    *chunks, complete = answer["EventStream"]
    body = b"".join(event["PayloadChunk"]["Payload"] for event in chunks)
    assert complete == {"InvokeComplete": {}}
    assert body == random.Random(7).randbytes(5_000_000)


def test_boto3_that_leaves_in_the_middle_of_a_stream_harms_nobody(serve, gate):
    function = serve(BARE_CHUNKS, max_environments=1)
    client = boto3_client(function)
    answer = client.invoke_with_response_stream(FunctionName="app")
    next(iter(answer["EventStream"]))
    answer["EventStream"].close()
    gate.open("1")
    gate.open("2")
    function.wait_for_log("REPORT RequestId")
    again = client.invoke_with_response_stream(FunctionName="app")
    gate.open("1")
    gate.open("2")
    *chunks, _ = again["EventStream"]
    assert b"".join(event["PayloadChunk"]["Payload"] for event in chunks) == b"onetwothree"


def test_boto3_without_credentials_is_refused(serve):
    from botocore import UNSIGNED

    function = serve(ECHO)
    client = boto3_client(function, signature_version=UNSIGNED)
    with pytest.raises(ClientError, match="MissingAuthenticationToken"):
        client.invoke(FunctionName="app")
    assert "START" not in function.log


# AWS CLI


def test_aws_cli_invokes_with_the_log(serve, aws, tmp_path):
    function = serve(HELLO)
    (tmp_path / "event.json").write_text('{"name": "world"}')
    answer = json.loads(
        aws(
            function,
            *("lambda", "invoke", "--function-name", "app", "--log-type", "Tail"),
            *("--payload", "file://event.json", "out.json"),
        ).read_all()
    )
    log = base64.b64decode(answer.pop("LogResult")).decode()
    assert answer == {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
    request_id = log.partition("START RequestId: ")[2].partition(" ")[0]
    assert_platform_lines(log, request_id)
    assert json.loads((tmp_path / "out.json").read_text()) == {"hello": "world"}


def test_aws_cli_learns_of_a_function_that_failed(serve, aws, tmp_path):
    function = serve(FAILING)
    answer = aws(function, "lambda", "invoke", "--function-name", "app", "out.json").read_all()
    assert json.loads(answer) == {
        "StatusCode": 200,
        "FunctionError": "Unhandled",
        "ExecutedVersion": "$LATEST",
    }
    error = json.loads((tmp_path / "out.json").read_text())
    assert error["errorType"] == "ValueError"
    assert error["errorMessage"] == "out of cheese"


def test_aws_cli_does_not_find_a_function_that_does_not_exist(serve, aws):
    function = serve(HELLO)
    client = aws(function, "lambda", "invoke", "--function-name", "nobody", "out.json")
    _, errors = client.process.communicate(timeout=PATIENCE)
    assert client.process.returncode == 255
    assert b"(ResourceNotFoundException)" in errors
    assert b"Function not found: arn:aws:lambda:us-east-1:" in errors


# AWS SDK for JavaScript


@pytest.mark.node
def test_the_javascript_sdk_invokes(serve, node):
    function = serve(HELLO)
    line = node("invoke.mjs", function, "app", '{"name": "world"}').read_all()
    answer = json.loads(line.removeprefix("answer "))
    assert answer["status"] == 200
    assert answer["version"] == "$LATEST"
    assert "functionError" not in answer
    assert json.loads(answer["payload"]) == {"hello": "world"}
    assert_platform_lines(answer["log"], answer["requestId"])


@pytest.mark.node
def test_the_javascript_sdk_learns_of_a_function_that_failed(serve, node):
    function = serve(FAILING)
    answer = json.loads(node("invoke.mjs", function).read_all().removeprefix("answer "))
    assert answer["functionError"] == "Unhandled"
    assert json.loads(answer["payload"])["errorMessage"] == "out of cheese"


@pytest.mark.node
def test_the_javascript_sdk_gets_each_event_before_the_next_is_written(serve, gate, node):
    function = serve(BARE_CHUNKS)
    client = node("stream.mjs", function)
    head = json.loads(client.read_until("\n").removeprefix("head "))
    assert head == {
        "status": 200,
        "version": "$LATEST",
        "contentType": "application/vnd.amazon.eventstream",
    }
    assert client.read_until("\n") == 'chunk "one"\n'
    gate.open("1")
    assert client.read_until("\n") == 'chunk "two"\n'
    gate.open("2")
    assert client.read_until("\n") == 'chunk "three"\n'
    complete = json.loads(client.read_until("\n").removeprefix("complete "))
    assert list(complete) == ["log"]
    request_id = complete["log"].partition("START RequestId: ")[2].partition(" ")[0]
    assert_platform_lines(complete["log"], request_id)
    assert client.read_all() == "end null\n"


@pytest.mark.node
@pytest.mark.parametrize("script", ["invoke.mjs", "stream.mjs"])
def test_the_javascript_sdk_does_not_find_a_function_that_does_not_exist(script, serve, node):
    function = serve(HELLO)
    line = node(script, function, "nobody").read_all()
    assert json.loads(line.removeprefix("error ")) == {
        "name": "ResourceNotFoundException",
        "message": "Function not found: "
        "arn:aws:lambda:us-east-1:123456789012:function:nobody:$LATEST",
        "fault": "client",
        "status": 404,
    }


@pytest.mark.node
def test_the_javascript_sdk_is_told_to_wait_when_every_environment_is_busy(serve, gate, node):
    function = serve(BARE_CHUNKS, max_environments=1)
    busy = node("stream.mjs", function)
    busy.read_until('chunk "one"\n')
    refused = json.loads(node("stream.mjs", function).read_all().removeprefix("error "))
    assert refused["name"] == "TooManyRequestsException"
    assert refused["reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert refused["status"] == 429
    gate.open("1")
    gate.open("2")
    assert busy.read_all().endswith("end null\n")


# penstock dev


def test_the_commands_that_penstock_dev_shows_work(start, tmp_path):
    needs("curl")
    (tmp_path / "app.py").write_text(
        "from penstock import streamify_response\n\n\n"
        "@streamify_response\n"
        "def handler(event, response_stream, context):\n"
        '    response_stream.write("one")\n'
        '    response_stream.write("two")\n'
    )
    server = start(sys.executable, "-m", "penstock.cli", "dev", "app.py:handler", "--port", "0")
    welcome = server.read_until("Ctrl-C stops it.\n").replace("\\\n", "")
    commands = re.findall(r"^  or +(.*?)(?: {3,}\(.*)?$", welcome, re.MULTILINE)
    assert [re.findall(r"curl|aws", command)[0] for command in commands] == ["curl", "curl", "aws"]

    outputs = [start("sh", "-c", command).read_all() for command in commands]

    assert outputs[:2] == ["onetwo"] * 2
    assert json.loads(outputs[2]) == {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
    assert (tmp_path / "out.json").read_text() == "onetwo"
