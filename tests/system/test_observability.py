"""Powertools, X-Ray, OpenTelemetry and Sentry in handlers that stream.

Each under AWS's client and under the runtime: it sees the whole stream, knows which
invocation it belongs to, and hears of an error in its middle.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import LocalFunction
from tests.tools import PATIENCE, each_value_in_one_test, lambda_client, wait_for

pytestmark = each_value_in_one_test

CLIENTS = {"AWS's client": "awslambdaric", "the runtime": "penstock.runtime"}

ROOT, PARENT = "1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
TRACE = f"Root={ROOT};Parent={PARENT};Sampled=1"
ANOTHER_TRACE = "Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1"


@pytest.fixture(params=CLIENTS)
def serve_under(request, serve) -> Callable[..., LocalFunction]:
    """Serve a handler under AWS's client, or under the runtime."""

    def serve_under(source: str, handler: str = "app.handler", **options: Any) -> LocalFunction:
        command = (sys.executable, "-m", CLIENTS[request.param], handler)
        return serve(source, command=command, max_environments=1, **options)

    return serve_under


def stream(
    function: LocalFunction, event: dict[str, Any] | None = None, trace: str = TRACE
) -> Iterator[str]:
    """Invoke with a trace header; the chunks of the response as they come."""
    client = lambda_client(function.url)

    def add_trace(request: Any, **_: object) -> None:
        request.headers["X-Amzn-Trace-Id"] = trace

    client.meta.events.register("before-sign.lambda", add_trace)
    answer = client.invoke_with_response_stream(
        FunctionName=function.name, Payload=json.dumps(event or {})
    )
    for part in answer["EventStream"]:
        if "PayloadChunk" in part:
            yield part["PayloadChunk"]["Payload"].decode()


def request_ids(log: str) -> list[str]:
    return re.findall(r"^START RequestId: (\S+)", log, re.M)


def json_lines(log: str, mark: str = "") -> list[dict[str, Any]]:
    lines = [line.removeprefix(mark) for line in log.splitlines() if line.startswith(f"{mark}{{")]
    return [json.loads(line) for line in lines]


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


FAILS = """
@streamify_response
def handler(event, context):
    yield "one"
    fail("no\\n  more")

def fail(message):
    raise ValueError(message)
"""


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


class Daemon:
    """What the X-Ray daemon is to the SDK: it takes segments by UDP."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(PATIENCE)
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def receive(self, count: int) -> list[dict[str, Any]]:
        """The next segments, in the order in which they ended."""
        segments = []
        for _ in range(count):
            head, _, segment = self._socket.recv(65536).partition(b"\n")
            assert json.loads(head) == {"format": "json", "version": 1}
            segments.append(json.loads(segment))
        return segments

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    daemon = Daemon()
    yield daemon
    daemon.close()


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


class Site:
    """A web server that remembers what it was asked; `hold` keeps the answers back."""

    def __init__(self) -> None:
        self.requests: list[tuple[str | None, bytes]] = []
        self.answers = threading.Event()
        self.answers.set()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                site.requests.append((self.headers.get("X-Amzn-Trace-Id"), body))
                site.answers.wait(PATIENCE)
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_POST = answer

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,)).start()

    def close(self) -> None:
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


XRAY = """
import requests
from aws_xray_sdk.core import patch, xray_recorder

patch(["requests"])


def read():
    return requests.get(os.environ["SITE"]).text


@streamify_response
async def handler(event, response_stream, context):
    await response_stream.write("one")
    with xray_recorder.in_subsegment("work"):
        await response_stream.write(read())
    await response_stream.write(await asyncio.to_thread(read))
"""


def test_xray(serve_under, daemon, site):
    function = serve_under(
        XRAY,
        environment={
            "AWS_XRAY_DAEMON_ADDRESS": daemon.address,
            "SITE": f"http://127.0.0.1:{site.port}/",
        },
    )
    for trace in (TRACE, ANOTHER_TRACE):
        root, parent = re.match("Root=(.+);Parent=(.+);", trace).groups()
        site.requests.clear()
        assert list(stream(function, trace=trace)) == ["one", "{}", "{}"]
        read, work, in_a_thread = daemon.receive(3)
        assert [each["name"] for each in (read, work, in_a_thread)] == [
            "127.0.0.1",
            "work",
            "127.0.0.1",
        ]
        assert {each["trace_id"] for each in (read, work, in_a_thread)} == {root}
        assert read["parent_id"] == work["id"]
        assert work["parent_id"] == in_a_thread["parent_id"] == parent
        assert read["http"]["response"]["status"] == 200
        # The traces go on in what was called.
        assert [header.partition(";Lineage=")[0] for header, _ in site.requests] == [
            f"Root={root};Parent={each['id']};Sampled=1" for each in (read, in_a_thread)
        ]


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


SENTRY = """
import os

import sentry_sdk
from sentry_sdk.integrations.aws_lambda import AwsLambdaIntegration
from sentry_sdk.integrations.serverless import serverless_function

# It waits for as long as the test wants; two seconds is the default.
sentry_sdk.init(os.environ["DSN"], integrations=[AwsLambdaIntegration()], shutdown_timeout=60)
"""

BREAKS = """
@streamify_response
async def handler(event, context):
    yield "one"
    if event.get("rawPath") == "/fails":
        raise ValueError("no more")
    yield "two"
"""

LOAD = "from app import handler\n"


@pytest.mark.parametrize("order", ["before Penstock", "after the handler"])
def test_sentry_by_its_integration(order, serve_under, site, tmp_path):
    module = SENTRY + LOAD if order == "before Penstock" else LOAD + SENTRY
    (tmp_path / "first.py").write_text(module)
    function = serve_under(
        BREAKS,
        "first.handler",
        environment={"DSN": f"http://key@127.0.0.1:{site.port}/1", "PYTHONPATH": str(tmp_path)},
    )
    event = event_of_failure(function, site)
    assert event["exception"]["values"][-1]["mechanism"]["type"] == "aws_lambda"
    request_id = request_ids(function.log)[1]  # the START of the third may be on its way
    assert event["extra"]["lambda"]["aws_request_id"] == request_id


def test_sentry_hears_of_a_failed_start(serve_under, site):
    function = serve_under(
        SENTRY + "raise ValueError('no more')",
        environment={"DSN": f"http://key@127.0.0.1:{site.port}/1"},
    )
    assert "no more" in httpx.get(function.url).text
    wait_for(lambda: site.requests, "what Sentry is sent")
    (event,) = errors_in(site.requests[0][1])
    assert event["exception"]["values"][-1]["value"] == "no more"


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


def test_sentry_by_its_decorator(serve_under, site):
    function = serve_under(
        SENTRY + BREAKS.replace("@streamify", "@serverless_function\n@streamify"),
        environment={"DSN": f"http://key@127.0.0.1:{site.port}/1"},
    )
    event_of_failure(function, site)


def event_of_failure(function: LocalFunction, site: Site) -> dict[str, Any]:
    """Make calls of which one breaks; what Sentry was sent, which is one event.

    It is sent before the environment could be frozen: until then it takes no other call.
    """
    assert httpx.get(function.url).text == "onetwo"
    site.answers.clear()
    assert httpx.get(f"{function.url}/fails").text == "one"
    wait_for(lambda: site.requests, "what Sentry is sent")
    assert httpx.get(function.url).status_code == 429
    site.answers.set()
    wait_for(lambda: httpx.get(function.url).text == "onetwo", "the next call to go through")
    events = [event for _, body in site.requests for event in errors_in(body)]
    (event,) = events
    exception = event["exception"]["values"][-1]
    assert (exception["type"], exception["value"]) == ("ValueError", "no more")
    return event


def errors_in(envelope: bytes) -> list[dict[str, Any]]:
    """The events of one envelope: a head, then a head and a line for each item."""
    lines = [json.loads(line) for line in envelope.splitlines() if line]
    return [
        item for head, item in zip(lines[1::2], lines[2::2], strict=True) if head["type"] == "event"
    ]


def shown() -> dict[str, str]:
    """The examples of the page about all this, by the names of their files."""
    page = Path(__file__).parents[2] / "docs/how-to/observe.md"
    blocks = re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```", page.read_text(), re.M | re.S)
    return dict(blocks)


@pytest.mark.parametrize("example", shown())
def test_what_the_docs_show_works(example, serve_under, daemon):
    function = serve_under(
        shown()[example], environment={"AWS_XRAY_DAEMON_ADDRESS": daemon.address}
    )
    assert list(stream(function)) == ["Hello ", "Ann"]
    log = function.wait_for_log("REPORT RequestId")
    assert "[ERROR]" not in log
    assert "does not stream" not in log
    if example in ("with_powertools", "with_xray"):
        assert daemon.receive(1)[0]["trace_id"] == ROOT
    if example == "with_powertools":
        assert [line["Words"] for line in json_lines(log) if "Words" in line] == [[1.0, 1.0]]
