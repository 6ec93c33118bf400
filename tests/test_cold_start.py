"""What a cold start pays for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cold_start import EXPENSIVE, modules_after_one_invocation

BLOCKING_HANDLER = """
from penstock import streamify_response

@streamify_response
def handler(event, response_stream, context):
    response_stream.content_type = "text/plain"
    response_stream.write("one")
"""

GENERATOR = """
from penstock import Prelude, streamify_response

@streamify_response
def handler(event, context):
    yield Prelude(404)
    yield "not here"
"""

PIPELINE = """
from penstock import HttpResponseStream, pipeline, streamify_response

@streamify_response
def handler(event, response_stream, context):
    HttpResponseStream.from_(response_stream, {"statusCode": 200})
    pipeline(["one", "two"], response_stream)
"""

ASYNC_HANDLER = """
from penstock import streamify_response

@streamify_response
async def handler(event, response_stream, context):
    await response_stream.write("one")
"""

NOT_STREAMING = """
def handler(event, context):
    return {"statusCode": 200}
"""


@pytest.mark.parametrize(
    "handler",
    [BLOCKING_HANDLER, GENERATOR, PIPELINE, NOT_STREAMING],
    ids=["blocking", "generator", "pipeline", "not streaming"],
)
def test_a_plain_handler_pays_for_nothing_that_is_expensive(handler, tmp_path):
    modules = modules_after_one_invocation(handler, tmp_path)

    assert "penstock.runtime.loop" in modules
    assert modules & EXPENSIVE == set()


def test_a_plain_handler_loads_nothing_that_is_for_others(tmp_path):
    modules = modules_after_one_invocation(BLOCKING_HANDLER, tmp_path)

    assert (
        modules
        & {
            "penstock.buffered",
            "penstock.deadline",
            "penstock.event_loop",
            "penstock.event_sources",
            "penstock.joining",
            "penstock.pipelines",
            "penstock.testing",
            "penstock.emulator",
            "penstock.transports.asyncio_streams",
            "penstock.wire.eventstream",
        }
        == set()
    )


ASYNCIO_ALONE = """
import sys
before = set(sys.modules)
import asyncio
print(*sorted(set(sys.modules) - before))
"""


def test_an_async_handler_pays_for_asyncio_and_what_asyncio_needs(tmp_path):
    modules = modules_after_one_invocation(ASYNC_HANDLER, tmp_path)
    asyncio_alone = subprocess.run(
        [sys.executable, "-S", "-c", ASYNCIO_ALONE], capture_output=True, text=True, check=True
    ).stdout.split()

    assert "asyncio" in modules
    assert (modules & EXPENSIVE) - set(asyncio_alone) == set()
