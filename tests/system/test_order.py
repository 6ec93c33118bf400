"""Chunk n is in the client's hands before the handler may produce chunk n + 1."""

from __future__ import annotations

import httpx
import pytest

from tests.tools import lambda_client

SHAPES = {
    "async def": """
        @streamify_response
        async def handler(event, response_stream, context):
            await response_stream.write("one")
            await asyncio.to_thread(pass_gate, "1")
            await response_stream.write("two")
            await asyncio.to_thread(pass_gate, "2")
            await response_stream.write("three")
    """,
    "async def that blocks": """
        @streamify_response
        async def handler(event, response_stream, context):
            await response_stream.write("one")
            pass_gate("1")
            await response_stream.write("two")
            pass_gate("2")
            await response_stream.write("three")
    """,
    "def": """
        @streamify_response
        def handler(event, response_stream, context):
            response_stream.write("one")
            pass_gate("1")
            response_stream.write("two")
            pass_gate("2")
            response_stream.write("three")
    """,
    "generator": """
        @streamify_response
        def handler(event, context):
            yield "one"
            pass_gate("1")
            yield "two"
            pass_gate("2")
            yield "three"
    """,
    "async generator": """
        @streamify_response
        async def handler(event, context):
            yield "one"
            await asyncio.to_thread(pass_gate, "1")
            yield "two"
            await asyncio.to_thread(pass_gate, "2")
            yield "three"
    """,
    "async generator that blocks": """
        @streamify_response
        async def handler(event, context):
            yield "one"
            pass_gate("1")
            yield "two"
            pass_gate("2")
            yield "three"
    """,
    "with a prelude": """
        @streamify_response
        async def handler(event, context):
            yield Prelude(200, {"content-type": "text/plain"})
            yield "one"
            pass_gate("1")
            yield "two"
            pass_gate("2")
            yield "three"
    """,
    "a pipeline of a generator": """
        def chunks():
            yield "one"
            pass_gate("1")
            yield "two"
            pass_gate("2")
            yield "three"

        @streamify_response
        def handler(event, response_stream, context):
            pipeline(chunks(), response_stream)
    """,
    "under Powertools": """
        from aws_lambda_powertools import Logger, Metrics, Tracer

        os.environ["POWERTOOLS_TRACE_DISABLED"] = "true"
        logger, tracer = Logger(service="s"), Tracer(service="s")
        metrics = Metrics(namespace="n", service="s")

        @metrics.log_metrics(raise_on_empty_metrics=False, capture_cold_start_metric=True)
        @tracer.capture_lambda_handler
        @logger.inject_lambda_context(log_event=True)
        @streamify_response
        async def handler(event, response_stream, context):
            logger.info("in the handler")
            await response_stream.write("one")
            pass_gate("1")
            await response_stream.write("two")
            await asyncio.to_thread(pass_gate, "2")
            await response_stream.write("three")
    """,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_function_url_streams_every_shape(shape, serve, gate):
    function = serve(SHAPES[shape])
    with httpx.stream("GET", function.url, timeout=15) as response:
        chunks = response.iter_raw()
        assert response.status_code == 200
        assert next(chunks) == b"one"
        gate.open("1")
        assert next(chunks) == b"two"
        gate.open("2")
        assert next(chunks) == b"three"
        assert list(chunks) == []


@pytest.mark.parametrize("shape", SHAPES)
def test_invoke_with_response_stream_streams_every_shape(shape, serve, gate):
    function = serve(SHAPES[shape])
    client = lambda_client(function.url)
    answer = client.invoke_with_response_stream(FunctionName="app", Payload=b"{}")
    events = iter(answer["EventStream"])

    def next_chunk() -> bytes:
        return next(events)["PayloadChunk"]["Payload"]

    if shape == "with a prelude":
        assert next_chunk().endswith(bytes(8))
    assert next_chunk() == b"one"
    gate.open("1")
    assert next_chunk() == b"two"
    gate.open("2")
    assert next_chunk() == b"three"
    assert [list(event) for event in events] == [["InvokeComplete"]]
