"""The deadline guard on the clock of the platform: a response that would be cut ends properly."""

from __future__ import annotations

import sys
import textwrap

import httpx
import pytest

from tests.tools import each_value_once

pytestmark = each_value_once

RUNTIMES = {
    "own": (sys.executable, "-m", "penstock.runtime", "app.handler"),
    "takeover": (sys.executable, "-m", "awslambdaric", "app.handler"),
}

HANDLERS = {
    "function": """
        @streamify_response(deadline_margin_ms=600)
        def handler(event, response_stream, context):
            response_stream.write("one")
            try:
                time.sleep(3600)
            except DeadlineApproaching:
                response_stream.write(", out of time")
        """,
    "generator": """
        @streamify_response(deadline_margin_ms=600)
        def handler(event, context):
            yield "one"
            try:
                time.sleep(3600)
            except DeadlineApproaching:
                yield ", out of time"
        """,
    "coroutine": """
        @streamify_response(deadline_margin_ms=600)
        async def handler(event, response_stream, context):
            await response_stream.write("one")
            try:
                async with asyncio.TaskGroup() as group:
                    await group.create_task(asyncio.sleep(3600))
            except* DeadlineApproaching:
                await response_stream.write(", out of time")
        """,
    "async generator": """
        @streamify_response(deadline_margin_ms=600, join_ready=True)
        async def handler(event, context):
            yield "one"
            try:
                await asyncio.sleep(3600)
            except DeadlineApproaching:
                yield ", out of time"
        """,
}

IMPORT = "from penstock.errors import DeadlineApproaching\n"


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("shape", HANDLERS)
def test_the_handler_ends_its_response_before_the_platform_does(shape, runtime, serve):
    source = IMPORT + textwrap.dedent(HANDLERS[shape])
    function = serve(source, command=RUNTIMES[runtime], timeout=1, max_environments=1)
    for _ in range(2):
        assert httpx.get(function.url, timeout=20).text == "one, out of time"
    assert "timed out" not in function.wait_for_log("REPORT")


def test_unheard_it_fails_the_stream_and_not_the_environment(serve):
    source = IMPORT + (
        "@streamify_response(deadline_margin_ms=600)\n"
        "def handler(event, context):\n"
        "    yield str(os.getpid())\n"
        "    if event['rawPath'] == '/sleeps':\n"
        "        time.sleep(3600)\n"
    )
    function = serve(source, timeout=1, max_environments=1)
    first = httpx.get(f"{function.url}/sleeps", timeout=20).text
    assert httpx.get(function.url, timeout=20).text == first
    assert "DeadlineApproaching" in function.wait_for_log("failed after its first byte")
