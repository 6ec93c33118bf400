"""OpenTelemetry around a handler that streams, in its code and by a wrapper."""

from __future__ import annotations

import sys

import httpx
import pytest

from tests.system.observability.tools import FAILS, PARENT, ROOT, json_lines, request_ids, stream
from tests.tools import each_value_in_one_test

pytestmark = each_value_in_one_test

PROVIDER = """
import os

from opentelemetry import trace
from opentelemetry.instrumentation.aws_lambda import AwsLambdaInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace import export

exporter = export.ConsoleSpanExporter(formatter=lambda span: f"SPAN {span.to_json(indent=None)}\\n")
provider = TracerProvider()
provider.add_span_processor(export.SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
"""

TRACED = """
from opentelemetry import trace

tracer = trace.get_tracer("app")


@streamify_response
async def handler(event, context):
    with tracer.start_as_current_span("first"):
        yield "one"
    await asyncio.to_thread(pass_gate, "middle")
    with tracer.start_as_current_span("second"):
        yield "two"
        if event["fails"]:
            raise ValueError("no more")
"""

# As the wrapper in OpenTelemetry's layers for Lambda: it is the handler, and loads another.
OTEL_WRAPPER = """
from importlib import import_module

AwsLambdaInstrumentor().instrument()
module, _, name = os.environ["ORIG_HANDLER"].rpartition(".")
handler = getattr(import_module(module), name)
"""


@pytest.mark.parametrize("way", ["in the code", "by a wrapper"])
@pytest.mark.parametrize("fails", [False, True], ids=["whole", "fails"])
def test_opentelemetry(fails, way, serve_under, gate, tmp_path):
    environment = {"OTEL_PROPAGATORS": "tracecontext,baggage,xray-lambda"}
    if way == "in the code":
        source = PROVIDER + TRACED + "\n\nAwsLambdaInstrumentor().instrument()\n"
        function = serve_under(source, environment=environment)
    else:
        # It exports all at once, when it is told to or after five seconds.
        provider = PROVIDER.replace("SimpleSpanProcessor", "BatchSpanProcessor")
        (tmp_path / "otel_wrapper.py").write_text(provider + OTEL_WRAPPER)
        environment |= {
            "PYTHONPATH": str(tmp_path),
            "_HANDLER": "otel_wrapper.handler",
            "ORIG_HANDLER": "app.handler",
        }
        function = serve_under(TRACED, "otel_wrapper.handler", environment=environment)
    chunks = stream(function, {"fails": fails})
    assert next(chunks) == "one"
    if way == "in the code":
        # A span is printed at its end.
        log = function.wait_for_log("SPAN")
        assert [span["name"] for span in json_lines(log, "SPAN ")] == ["first"]
    gate.open("middle")
    assert list(chunks) == ["two"]

    log = function.wait_for_log("REPORT RequestId").partition("END RequestId")[0]
    first, second, whole = json_lines(log, "SPAN ")
    assert whole["name"] == function.name
    trace_id = "0x" + ROOT.removeprefix("1-").replace("-", "")
    assert {span["context"]["trace_id"] for span in (first, second, whole)} == {trace_id}
    assert whole["parent_id"] == f"0x{PARENT}"
    assert first["parent_id"] == second["parent_id"] == whole["context"]["span_id"]
    assert [whole["attributes"]["faas.invocation_id"]] == request_ids(log)
    errors = [event["attributes"] for event in whole["events"]]
    if fails:
        assert whole["status"]["status_code"] == "ERROR"
        assert errors[0]["exception.type"] == "ValueError"
        assert errors[0]["exception.message"] == "no more"
    else:
        assert whole["status"]["status_code"] == "UNSET"
        assert errors == []


def test_opentelemetry_finds_the_handler_of_the_command_line(serve):
    source = PROVIDER + FAILS + "\n\nAwsLambdaInstrumentor().instrument()\n"
    # No variable says it, as in an image of one's own.
    function = serve(
        source,
        command=("env", "-u", "_HANDLER", sys.executable, "-m", "penstock.runtime", "app.handler"),
    )
    assert httpx.get(function.url).text == "one"
    log = function.wait_for_log("REPORT RequestId")
    assert [span["name"] for span in json_lines(log, "SPAN ")] == [function.name]
