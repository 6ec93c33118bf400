"""What tools rely on: the variable with the trace, and errors in the log."""

from __future__ import annotations

import re
import sys
from typing import Any

import httpx
import pytest

from tests.conftest import LocalFunction
from tests.system.observability.tools import (
    ANOTHER_TRACE,
    FAILS,
    TRACE,
    json_lines,
    request_ids,
    stream,
)
from tests.tools import each_value_in_one_test

pytestmark = each_value_in_one_test


def test_the_trace_variable_is_that_of_the_invocation(serve_under):
    function = serve_under(
        """
        @streamify_response
        async def handler(event, context):
            yield os.environ["_X_AMZN_TRACE_ID"]
            yield await asyncio.to_thread(os.environ.get, "_X_AMZN_TRACE_ID")
        """
    )
    for trace in (TRACE, ANOTHER_TRACE):
        # Lambda adds how often the chain has come to this function.
        seen = [value.partition(";Lineage=")[0] for value in stream(function, trace=trace)]
        assert seen == [trace] * 2


@pytest.mark.parametrize("log_format", ["Text", "JSON"])
def test_an_error_after_the_first_byte_is_logged_as_by_aws_client(log_format, serve):
    aws, ours = (
        logged_error(
            serve(
                FAILS,
                command=(sys.executable, "-m", client, "app.handler"),
                environment={"AWS_LAMBDA_LOG_FORMAT": log_format},
            )
        )
        for client in ("awslambdaric", "penstock.runtime")
    )
    assert aws.keys() == ours.keys()
    # AWS's client has Penstock's frames as well; the handler's are the last in both.
    assert ours["stackTrace"] == aws["stackTrace"][-2:]
    del aws["stackTrace"], ours["stackTrace"]
    assert aws == ours


def logged_error(function: LocalFunction) -> dict[str, Any]:
    """The error that was logged last, between START and END; its text has the frames apart."""
    assert httpx.get(function.url).text == "one"
    is_json = "JSON" in function.emulator.function.environment.values()
    log = function.wait_for_log('"platform.report"' if is_json else "REPORT RequestId")
    log = log.replace(str(function.emulator.function.folder), "FOLDER")
    if is_json:
        (error,) = (line for line in json_lines(log) if "stackTrace" in line)
        (start,) = (line for line in json_lines(log) if line.get("type") == "platform.start")
        request_id = start["record"]["requestId"]
        assert error.pop("requestId") == request_id
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", error.pop("timestamp"))
        return error
    (request_id,) = request_ids(log)
    log = log.partition(f"END RequestId: {request_id}")[0]
    text = log[log.index("[ERROR]") :]
    head, _, trace = text.partition("Traceback (most recent call last):\n")
    frames = re.findall(r"^.*File .*\n.*\n", trace, re.M)
    return {"text": head, "stackTrace": frames}
