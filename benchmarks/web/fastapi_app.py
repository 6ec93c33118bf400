"""The work in FastAPI: a small JSON answer, and chunks that come one after the other."""

import asyncio
import os
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

COUNT = int(os.environ["BENCHMARK_CHUNKS"])
PAUSE = float(os.environ["BENCHMARK_PAUSE"])

app = FastAPI()


@app.get("/")
async def root() -> None:
    """What the local proxy asks until the server answers."""


@app.get("/json")
async def small() -> dict[str, str]:
    """A small JSON object."""
    return {"message": "x" * 16}


@app.get("/stream")
async def stream() -> StreamingResponse:
    """Chunks of 16 bytes with a pause behind each."""

    async def chunks() -> AsyncIterator[str]:
        for _ in range(COUNT):
            yield "x" * 16
            await asyncio.sleep(PAUSE)

    return StreamingResponse(chunks(), media_type="text/plain")
