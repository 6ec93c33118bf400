"""Powertools in a handler that streams: its log, its metrics and its tracer."""

from __future__ import annotations

import pytest

from tests.system.observability.tools import PARENT, ROOT, json_lines, request_ids, stream
from tests.tools import each_value_in_one_test

pytestmark = each_value_in_one_test

POWERTOOLS = """
from aws_lambda_powertools import Logger, Metrics, Tracer

logger = Logger(service="shop")
tracer = Tracer(service="shop")
metrics = Metrics(namespace="Shop", service="shop")


@metrics.log_metrics
@tracer.capture_lambda_handler
@logger.inject_lambda_context(log_event=True, clear_state=True)
@streamify_response
async def handler(event, response_stream, context):
    await response_stream.write("one")
    logger.info("at work", chunk=1)
    metrics.add_metric(name="Chunks", unit="Count", value=1)
    await asyncio.to_thread(pass_gate, "middle")
    metrics.add_metric(name="Chunks", unit="Count", value=1)
    with tracer.provider.in_subsegment("## second"):
        await response_stream.write("two")
    if event["fails"]:
        raise ValueError("no more")
"""


@pytest.mark.parametrize("fails", [False, True], ids=["whole", "fails"])
def test_powertools(fails, serve_under, daemon, gate):
    environment = {"AWS_XRAY_DAEMON_ADDRESS": daemon.address}
    function = serve_under(POWERTOOLS, environment=environment)
    chunks = stream(function, {"fails": fails})
    assert next(chunks) == "one"
    log = function.wait_for_log("at work")
    # Metrics leave when the handler returns, so it has not.
    assert "_aws" not in log
    gate.open("middle")
    assert list(chunks) == ["two"]

    log = function.wait_for_log("REPORT RequestId")
    (request_id,) = request_ids(log)
    lines = json_lines(log)
    event_line, work_line = (line for line in lines if "level" in line)
    assert event_line["message"] == {"fails": fails}
    assert (work_line["message"], work_line["chunk"]) == ("at work", 1)
    assert (work_line["function_request_id"], work_line["xray_trace_id"]) == (request_id, ROOT)
    assert work_line["cold_start"] is True
    assert [line["Chunks"] for line in lines if "Chunks" in line] == [[1.0, 1.0]]

    second, whole = daemon.receive(2)
    assert (second["name"], second["trace_id"]) == ("## second", ROOT)
    assert second["parent_id"] == whole["id"]
    assert (whole["name"], whole["trace_id"]) == ("## handler", ROOT)
    assert whole["parent_id"] == PARENT
    assert whole.get("fault", False) is fails
    if fails:
        (exception,) = whole["cause"]["exceptions"]
        assert (exception["type"], exception["message"]) == ("ValueError", "no more")
