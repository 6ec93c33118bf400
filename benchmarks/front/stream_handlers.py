"""Streams that tell when each of their chunks was written."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from penstock import Prelude, streamify_response


@streamify_response
async def handler(event: Any, context: Any) -> AsyncIterator[Prelude | str]:
    """As many lines as the body says, as many seconds apart: `index moment`, and a newline.

    Moments are those of the machine's one monotonic clock, in nanoseconds.
    """
    wanted = json.loads(event["body"])
    yield Prelude(200, {"content-type": "text/plain"})
    for index in range(wanted["chunks"]):
        if index:
            await asyncio.sleep(wanted["pause"])
        yield f"{index} {time.monotonic_ns()}\n"
