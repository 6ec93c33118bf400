"""`PENSTOCK_LOG_STREAMS=1`: a line for each streamed response."""

from __future__ import annotations

import json
import re
import sys

import httpx
import pytest

from tests.tools import each_value_once

pytestmark = each_value_once

STREAMS = """
@streamify_response
{kind} handler(event, response_stream, context):
    {write}("one")
    {write}("three")
    if event["rawPath"] == "/fails":
        raise ValueError("no more")
"""

WAYS = {
    "async def": STREAMS.format(kind="async def", write="await response_stream.write"),
    "def": STREAMS.format(kind="def", write="response_stream.write"),
}
RUNTIMES = {
    "own": (sys.executable, "-m", "penstock.runtime", "app.handler"),
    "takeover": (sys.executable, "-m", "awslambdaric", "app.handler"),
}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("way", WAYS)
def test_bytes_chunks_and_times_are_logged(way, runtime, serve):
    function = serve(
        WAYS[way],
        command=RUNTIMES[runtime],
        environment={"PENSTOCK_LOG_STREAMS": "1"},
        max_environments=1,
    )
    httpx.get(function.url)
    httpx.get(f"{function.url}/fails")
    log = function.wait_for_log("outcome=failed")
    started = re.findall(r"START RequestId: (\S+)", log)
    lines = re.findall(
        r"\[STREAM\] RequestId: (\S+) outcome=(\w+) bytes=(\d+) chunks=(\d+) "
        r"firstByteMs=[\d.]+ durationMs=[\d.]+\n",
        log,
    )
    assert lines == [(started[0], "ended", "8", "2"), (started[1], "failed", "8", "2")]


def test_a_cut_response_is_logged_as_cut(serve):
    function = serve(
        """
        @streamify_response
        def handler(event, context):
            yield "one"
            while True:
                yield "x" * 100_000
        """,
        environment={"PENSTOCK_LOG_STREAMS": "1"},
    )
    with httpx.stream("GET", function.url) as response:
        assert next(response.iter_raw()) == b"one"
    assert "outcome=cut" in function.wait_for_log("[STREAM]")


def test_where_the_function_logs_json_the_line_is_json(serve):
    function = serve(
        WAYS["def"],
        environment={"PENSTOCK_LOG_STREAMS": "1", "AWS_LAMBDA_LOG_FORMAT": "JSON"},
    )
    httpx.get(function.url)
    log = function.wait_for_log('"response stream"')
    line = json.loads(next(line for line in log.splitlines() if "response stream" in line))
    assert (line["outcome"], line["bytes"], line["chunks"]) == ("ended", 8, 2)
    start = next(line for line in log.splitlines() if "platform.start" in line)
    assert line["requestId"] == json.loads(start)["record"]["requestId"]


def test_without_it_nothing_is_logged(serve):
    function = serve(WAYS["def"])
    httpx.get(function.url)
    assert "STREAM" not in function.wait_for_log("REPORT")
