"""AWS's own Python client, altered: whatever is not as expected is left alone.

The client as it is: test_aws_clients.py.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.tools import lambda_client

AWS_CLIENT = (sys.executable, "-m", "awslambdaric", "app.handler")

STREAMS = """
@streamify_response
def handler(event, context):
    yield Prelude(201, {"content-type": "text/plain"})
    yield "one"
    yield "two"
"""


def as_it_is(text: str) -> str:
    return text


ALTERED = {
    "without wait_next_invocation": lambda text: text.replace(
        "wait_next_invocation", "wait_for_the_next_invocation"
    ),
    "with another wait_next_invocation": lambda text: text.replace(
        "def wait_next_invocation(self)", "def wait_next_invocation(self, seconds=1)"
    ),
    "with other posts": lambda text: text.replace(
        " runtime_client.post_invocation_result(", " runtime_client.post_result("
    ).replace(
        "    runtime_client.initialize_client(_user_agent())",
        "    runtime_client.initialize_client(_user_agent())\n"
        "    class Renamed:\n"
        "        post_result = runtime_client.post_invocation_result\n"
        "        post_error = runtime_client.post_error\n"
        "        next = runtime_client.next\n"
        "    runtime_client = Renamed",
    ),
    "without a LambdaRuntimeClient of that name": lambda text: text.replace(
        "LambdaRuntimeClient", "RuntimeApiClient"
    ),
    "with invocations of another shape": lambda text: text.replace(
        "invoke_id=headers", "id=headers"
    ).replace("event_request.invoke_id", "event_request.id"),
    "that can stream": lambda text: text.replace(
        "def _user_agent", "STREAMING_SUPPORTED = True\n\n\ndef _user_agent"
    ),
}


@pytest.mark.parametrize("alteration", ALTERED)
def test_a_client_that_is_made_otherwise_is_left_alone(alteration, serve, tmp_path):
    folder = altered_client(tmp_path, ALTERED[alteration])
    function = serve(STREAMS, command=AWS_CLIENT, environment={"PYTHONPATH": str(folder)})
    assert json.load(invoke(function)["Payload"])["body"] == "onetwo"
    log = function.wait_for_log("REPORT")
    assert log.count("it was left alone and responses are sent buffered") == 1


def test_a_copy_that_is_not_altered_is_taken_over(serve, tmp_path):
    folder = altered_client(tmp_path, as_it_is)
    function = serve(STREAMS, command=AWS_CLIENT, environment={"PYTHONPATH": str(folder)})
    assert httpx.get(function.url).text == "onetwo"


def altered_client(tmp_path: Path, alter: Callable[[str], str]) -> Path:
    """A copy of AWS's client, altered, for PYTHONPATH."""
    spec = importlib.util.find_spec("awslambdaric")
    native = importlib.util.find_spec("runtime_client")
    folder = tmp_path / "altered"
    shutil.copytree(
        Path(spec.origin).parent,
        folder / "awslambdaric",
        ignore=shutil.ignore_patterns("__pycache__"),  # others may be writing there
    )
    shutil.copy(native.origin, folder)
    changed = 0
    for file in (folder / "awslambdaric").glob("*.py"):
        text = file.read_text()
        file.write_text(alter(text))
        changed += alter(text) != text
    assert changed or alter is as_it_is
    return folder


def invoke(function):
    return lambda_client(function.url).invoke(FunctionName="app")
