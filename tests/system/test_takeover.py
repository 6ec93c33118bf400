"""Streaming under AWS's own Python client, the real one, unchanged and altered."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.system.test_order import SHAPES
from tests.tools import lambda_client

AWS_CLIENT = (sys.executable, "-m", "awslambdaric", "app.handler")

STREAMS = """
import logging

logging.getLogger().setLevel("INFO")

@streamify_response
def handler(event, context):
    logging.info("at work")
    yield Prelude(201, {"content-type": "text/plain"})
    yield "one"
    if event.get("rawPath") == "/fails":
        raise ValueError("no more")
    yield "two"
"""


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_streams(shape, serve, gate):
    function = serve(SHAPES[shape], command=AWS_CLIENT)
    with httpx.stream("GET", function.url, timeout=15) as response:
        chunks = response.iter_raw()
        assert next(chunks) == b"one"
        gate.open("1")
        assert next(chunks) == b"two"
        gate.open("2")
        assert next(chunks) == b"three"
        assert list(chunks) == []


def test_an_error_after_the_first_byte_is_in_the_trailers_and_in_aws_log(serve):
    function = serve(STREAMS, command=AWS_CLIENT, max_environments=1)
    for _ in range(2):
        response = httpx.get(f"{function.url}/fails")
        assert (response.status_code, response.text) == (201, "one")
    assert httpx.get(function.url).text == "onetwo"
    log = function.wait_for_log("failed after its first byte (ValueError: no more)")
    assert "[ERROR] ValueError: no more" in log
    request_id = log.partition("START RequestId: ")[2][:36]
    assert "[INFO]\t" in log
    assert f"Z\t{request_id}\tat work" in log


def test_an_error_before_the_first_byte_is_posted_by_aws_client(serve):
    function = serve(
        """
        @streamify_response
        async def handler(event, response_stream, context):
            raise ValueError("too early")
        """,
        command=AWS_CLIENT,
        max_environments=1,
    )
    for _ in range(2):
        answer = invoke(function)
        assert answer["FunctionError"] == "Unhandled"
        error = json.load(answer["Payload"])
        assert (error["errorType"], error["errorMessage"]) == ("ValueError", "too early")


def test_plain_handlers_are_served_as_ever(serve):
    function = serve(
        """
        @streamify_response
        def unused(event, context):
            yield ""

        def handler(event, context):
            return {"id": context.aws_request_id}
        """,
        command=AWS_CLIENT,
    )
    assert len(json.load(invoke(function)["Payload"])["id"]) == 36


def test_takeover_can_be_turned_off(serve):
    function = serve(STREAMS, command=AWS_CLIENT, environment={"PENSTOCK_TAKEOVER": "off"})
    assert json.load(invoke(function)["Payload"])["body"] == "onetwo"
    assert "does not stream" in function.wait_for_log("REPORT")


def test_as_aws_starts_it_with_the_handler_only_in_a_variable(serve, tmp_path):
    bootstrap = tmp_path / "bootstrap.py"
    bootstrap.write_text(
        """\
import os
import sys

from awslambdaric import bootstrap
from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

if __name__ == "__main__":
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    client = LambdaRuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"], False)
    bootstrap.run(os.environ["_HANDLER"], client)
"""
    )
    function = serve(STREAMS, command=(sys.executable, str(bootstrap)))
    response = httpx.get(function.url)
    assert (response.status_code, response.text) == (201, "onetwo")


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
    shutil.copytree(Path(spec.origin).parent, folder / "awslambdaric")
    shutil.copy(native.origin, folder)
    changed = 0
    for file in (folder / "awslambdaric").glob("*.py"):
        text = file.read_text()
        file.write_text(alter(text))
        changed += alter(text) != text
    assert changed or alter is as_it_is
    return folder


SENTRY = """
import sentry_sdk
from sentry_sdk.integrations.aws_lambda import AwsLambdaIntegration
from sentry_sdk.transport import Transport


class Printed(Transport):
    def capture_envelope(self, envelope):
        for item in envelope.items:
            event = item.get_event()
            if event is not None:
                print("SENT", event["exception"]["values"][-1]["value"])

    def flush(self, timeout, callback=None):
        print("FLUSHED")


sentry_sdk.init(
    dsn="http://key@127.0.0.1:9/1",
    transport=Printed,
    integrations=[AwsLambdaIntegration()],
)
"""


@pytest.mark.parametrize("order", ["before", "after"])
def test_beside_sentry_whichever_comes_first(order, serve):
    source = SENTRY + STREAMS if order == "before" else STREAMS + SENTRY
    function = serve(source, command=AWS_CLIENT, max_environments=1)
    assert httpx.get(function.url).text == "onetwo"
    assert httpx.get(f"{function.url}/fails").text == "one"
    log = function.wait_for_log("failed after its first byte")
    assert log.count("SENT no more") == 1
    # Before each environment may be frozen, what is queued has left.
    assert log.count("FLUSHED") >= 2
    assert httpx.get(function.url).text == "onetwo"


def invoke(function):
    return lambda_client(function.url).invoke(FunctionName="app")
