"""`--bandwidth aws`: 6 MiB of a stream at once, then 2 MiB a second. Time is the only witness."""

from __future__ import annotations

import time

import httpx
import pytest

from tests.tools import lambda_client

MIB = 1024 * 1024

SIZED = f"""
    @streamify_response
    def handler(event, context):
        for _ in range(7 * 16):
            yield b"x" * {MIB // 16}
"""


def seconds_to_read(function, way: str) -> float:
    """How long a stream of 7 MiB takes."""
    length, started = 0, time.monotonic()
    if way == "url":
        with httpx.stream("GET", function.url, timeout=30) as response:
            length = sum(map(len, response.iter_raw()))
    else:
        answer = lambda_client(function.url).invoke_with_response_stream(
            FunctionName="app", Payload=b"{}"
        )
        for event in answer["EventStream"]:
            length += len(event.get("PayloadChunk", {}).get("Payload", b""))
    assert length == 7 * MIB
    return time.monotonic() - started


@pytest.mark.parametrize("way", ["url", "api"])
def test_a_stream_over_six_mib_is_held_back(serve, way):
    function = serve(SIZED, bandwidth=True)

    # The seventh MiB takes half a second; that it takes no less is the promise.
    assert seconds_to_read(function, way) >= 0.45
