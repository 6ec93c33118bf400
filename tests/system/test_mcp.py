"""An MCP server behind `adapt`, and the official client at its Function URL."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.emulator.emulator import Emulator
from penstock.emulator.functions import function_from_target
from tests.event_sources.http_events import FUNCTION_URL
from tests.system.frameworks.table import ROUTES, installed
from tests.tools import PATIENCE, each_value_in_one_test, lambda_client

pytestmark = each_value_in_one_test

EXAMPLE = Path(__file__).parents[2] / "examples/mcp-server"

#: Of the protocol's versions since 2026-07-28, and before, with a handshake.
MODES = ("auto", "legacy")


@pytest.fixture
def serve_mcp(serve):
    def serve_mcp(made: str = "adapt(app(stateless_http=True))", **options: object):
        environment = {"PYTHONPATH": os.pathsep.join((str(ROUTES), installed()))}
        return serve(
            f"""
            from on_mcp import app, server
            from penstock import adapt
            handler = {made}
            """,
            environment=environment,
            **options,
        )

    return serve_mcp


@pytest.fixture
def client() -> Iterator[object]:
    """Start a program of the official client's; its lines are to be read."""
    processes = []

    def client(program: Path, *arguments: object) -> subprocess.Popen[str]:
        processes.append(
            subprocess.Popen(
                [sys.executable, str(program), *map(str, arguments)],
                env={**os.environ, "PYTHONPATH": installed()},
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return processes[-1]

    yield client
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("mode", MODES)
def test_progress_arrives_while_the_tool_works(mode, serve_mcp, client, gate):
    function = serve_mcp()
    process = client(ROUTES / "mcp_client.py", function.url, mode, "work")
    for number in (1, 2):
        assert process.stdout.readline() == f"progress {number}\n"
        gate.open(f"after {number}")
    assert process.stdout.read() == "result done\n"
    assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("mode", MODES)
def test_an_environment_serves_client_after_client(mode, serve_mcp, client):
    # The older client sends a notification and goes on without waiting for the answer, so
    # it may need several.
    function = serve_mcp(max_environments=1 if mode == "auto" else 10)
    process = client(ROUTES / "mcp_client.py", function.url, mode, "starts", 8)
    # The server's session manager can be started once only.
    assert process.stdout.read() == "result 1\n" * 8
    assert process.wait(PATIENCE) == 0
    starts, invocations = map(function.log.count, ("Init Duration", "START RequestId"))
    assert invocations > 20
    assert invocations / starts > (20 if mode == "auto" else 2)


@pytest.mark.parametrize("mode", MODES)
def test_a_tool_that_fails_is_an_answer(mode, serve_mcp, client):
    function = serve_mcp()
    process = client(ROUTES / "mcp_client.py", function.url, mode, "fails")
    assert process.stdout.read().startswith("error ")
    assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("mode", MODES)
def test_json_responses_work_at_a_url_that_does_not_stream(mode, serve_mcp, client):
    made = "adapt(app(stateless_http=True, json_response=True), mode='buffer')"
    function = serve_mcp(made, invoke_mode="BUFFERED")
    process = client(ROUTES / "mcp_client.py", function.url, mode, "starts")
    assert process.stdout.read() == "result 1\n"
    assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(("options", "status"), [("", 421), ('host="0.0.0.0"', 200)])
def test_a_host_of_lambda_has_to_be_allowed(options, status, serve_mcp):
    function = serve_mcp(f"adapt(server.streamable_http_app(stateless_http=True, {options}))")
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    event = {
        **copy.deepcopy(FUNCTION_URL),
        "rawPath": "/mcp",
        "body": json.dumps(request),
        "headers": {
            "host": FUNCTION_URL["headers"]["host"],
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
        },
    }
    event["requestContext"]["http"]["method"] = "POST"
    answer = lambda_client(function.url).invoke(
        FunctionName=function.name, Payload=json.dumps(event).encode()
    )
    prelude = answer["Payload"].read().partition(bytes(8))[0]
    assert json.loads(prelude)["statusCode"] == status


def test_the_example(client):
    function = function_from_target(
        f"{EXAMPLE / 'app.py'}:handler", environment={"PYTHONPATH": installed()}
    )
    emulator = Emulator(function, host="127.0.0.1", write_log=lambda text: None)
    try:
        process = client(EXAMPLE / "client.py", f"http://127.0.0.1:{emulator.port}")
        assert process.stdout.read().splitlines() == [
            "1 of 3: loaf 1 is done",
            "2 of 3: loaf 2 is done",
            "3 of 3: loaf 3 is done",
            "3 loaves of bread",
        ]
    finally:
        emulator.stop()
