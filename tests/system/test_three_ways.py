"""What people use in handlers, in all three ways in which Penstock gets into Lambda."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.lambda_files import PACKAGE
from tests.tools import each_value_in_one_test

pytestmark = each_value_in_one_test

WAYS = {
    "takeover": (sys.executable, "-m", "awslambdaric", "app.handler"),
    "exec wrapper": (
        str(PACKAGE / "runtime/exec-wrapper"),
        sys.executable,
        "/var/runtime/bootstrap.py",
    ),
    "own entry point": (sys.executable, "-m", "penstock.runtime", "app.handler"),
}

# A function that others get their chunks from.
SOURCE = """
@streamify_response
def handler(event, context):
    yield "one"
    pass_gate("1")
    yield "two"
    pass_gate("2")
    yield "three"
"""


@pytest.fixture(params=WAYS)
def command(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return WAYS[request.param]


def assert_it_streams(function, gate) -> None:
    """Each chunk is here while what makes the next one is still held."""
    with httpx.stream("GET", function.url, timeout=15) as response:
        chunks = response.iter_raw()
        assert next(chunks) == b"one", function.log
        gate.open("1")
        assert next(chunks) == b"two"
        gate.open("2")
        assert next(chunks) == b"three"
        assert list(chunks) == []


def test_each_way_is_another_client(serve, command):
    function = serve(
        """
        @streamify_response
        def handler(event, context):
            yield f"{'awslambdaric' in sys.modules} {sys.argv[0]}"
        """,
        command=command,
    )
    under_aws_client, program = httpx.get(function.url).text.split()
    assert (under_aws_client == "True") is ("awslambdaric" in command)
    ends = {"awslambdaric": "__main__.py", "penstock.runtime": "__main__.py"}
    assert program.endswith(ends.get(command[2], "runtime/exec_wrapper.py"))


def test_requests(serve, command, gate):
    source = serve(SOURCE)
    function = serve(
        """
        import requests

        @streamify_response
        def handler(event, context):
            with requests.get(os.environ["SOURCE"], stream=True) as response:
                yield Prelude(response.status_code)
                yield from response.iter_content(chunk_size=None)
        """,
        command=command,
        environment={"SOURCE": source.url},
    )
    assert_it_streams(function, gate)


def test_boto3(serve, command, gate):
    source = serve(SOURCE)
    function = serve(
        """
        import boto3

        client = boto3.client("lambda", endpoint_url=os.environ["SOURCE"])

        @streamify_response
        def handler(event, context):
            answer = client.invoke_with_response_stream(FunctionName="app")
            for part in answer["EventStream"]:
                if "PayloadChunk" in part:
                    yield part["PayloadChunk"]["Payload"]
        """,
        command=command,
        environment={
            "SOURCE": source.url,
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
        },
    )
    assert_it_streams(function, gate)


@pytest.fixture
def xray() -> Iterator[Xray]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(15)
        yield Xray(daemon)


class Xray:
    """What X-Ray's daemon would receive."""

    def __init__(self, daemon: socket.socket) -> None:
        self._daemon = daemon
        self.address = f"127.0.0.1:{daemon.getsockname()[1]}"

    def segment(self) -> dict[str, object]:
        """The next segment that arrives."""
        _, _, segment = self._daemon.recv(65536).partition(b"\n")
        return json.loads(segment)


TRACE_ID = "1-5759e988-bd862e3fe1be46a994272793"

POWERTOOLS = """
    from aws_lambda_powertools import Logger, Tracer

    logger, tracer = Logger(service="shop"), Tracer(service="shop")

    @tracer.capture_lambda_handler
    @logger.inject_lambda_context
    @streamify_response
    def handler(event, context):
        for number, chunk in enumerate(["one", "two", "three"], start=1):
            with tracer.provider.in_subsegment(f"makes {chunk}"):
                logger.info(f"at work on {chunk}")
            yield chunk
            if number < 3:
                pass_gate(str(number))
"""


def test_powertools_logger_and_tracer(serve, command, gate, xray):
    function = serve(
        POWERTOOLS, command=command, environment={"AWS_XRAY_DAEMON_ADDRESS": xray.address}
    )
    with httpx.stream(
        "POST",
        f"{function.url}/2021-11-15/functions/app/response-streaming-invocations",
        headers={
            "Authorization": "any",
            "X-Amzn-Trace-Id": f"Root={TRACE_ID};Parent=53995c3f42cd8ad8;Sampled=1",
        },
        json={},
        timeout=15,
    ) as response:
        frames = response.iter_raw()
        assert b"one" in next(frames), function.log
        segments = [xray.segment()]
        gate.open("1")
        assert b"two" in next(frames)
        segments.append(xray.segment())
        gate.open("2")
        assert b"three" in b"".join(frames)
    segments += [xray.segment(), xray.segment()]
    assert [segment["name"] for segment in segments] == [
        "makes one",
        "makes two",
        "makes three",
        "## handler",
    ]
    *inner, outer = segments
    assert {segment["parent_id"] for segment in inner} == {outer["id"]}
    assert outer["parent_id"] == "53995c3f42cd8ad8"
    assert {segment["trace_id"] for segment in segments} == {TRACE_ID}

    log = function.wait_for_log("REPORT")
    request_id = log.partition("START RequestId: ")[2][:36]
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert [
        (line["message"], line["function_request_id"], line["xray_trace_id"]) for line in lines
    ] == [(f"at work on {chunk}", request_id, TRACE_ID) for chunk in ("one", "two", "three")]
