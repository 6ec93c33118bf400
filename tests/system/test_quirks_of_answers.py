"""What AWS makes of an answer that has not failed, on and off, and the line in the log."""

from __future__ import annotations

import os
import re
import socket
import sys
from pathlib import Path

import httpx
import pytest

from penstock.emulator.quirks import Quirks
from tests.system.oddities import EMPTY, WITH_PRELUDE, said_nothing, stream
from tests.tools import RawClient, lambda_client, line_of, wait_for

AWS = Quirks()

PROXY = """
    def handler(event, context):
        return {"statusCode": 202, "headers": {"content-type": "text/plain"}, "body": "whole"}
"""


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
