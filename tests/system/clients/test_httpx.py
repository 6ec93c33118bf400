"""httpx against the emulator: chunks as they come, one stream and many at once."""

from __future__ import annotations

import asyncio

import httpx

from tests.system.clients.tools import THREE_CHUNKS
from tests.tools import PATIENCE


def test_httpx_gets_each_chunk_before_the_next_is_written(serve, gate):
    function = serve(THREE_CHUNKS)

    async def read() -> None:
        async with (
            httpx.AsyncClient(timeout=PATIENCE) as client,
            client.stream("GET", function.url) as response,
        ):
            assert response.status_code == 200
            assert response.headers["x-from"] == "the handler"
            chunks = response.aiter_text()
            assert await anext(chunks) == "one"
            await asyncio.to_thread(gate.open, "1")
            assert await anext(chunks) == "two"
            await asyncio.to_thread(gate.open, "2")
            assert await anext(chunks) == "three"
            assert [chunk async for chunk in chunks] == []

    asyncio.run(read())


def test_httpx_reads_ten_streams_at_once(serve, gate):
    function = serve(
        """
        @streamify_response
        async def handler(event, context):
            number = event["rawPath"].strip("/")
            yield f"first of {number};"
            await asyncio.to_thread(pass_gate, number)
            yield f"second of {number}"
        """
    )

    async def read() -> None:
        all_have_the_first = asyncio.Barrier(10)

        async def read_one(client: httpx.AsyncClient, number: int) -> None:
            async with client.stream("GET", f"{function.url}/{number}") as response:
                chunks = response.aiter_text()
                assert await anext(chunks) == f"first of {number};"
                await all_have_the_first.wait()
                await asyncio.to_thread(gate.open, str(number))
                assert await anext(chunks) == f"second of {number}"

        async with (
            httpx.AsyncClient(timeout=PATIENCE) as client,
            asyncio.TaskGroup() as group,
        ):
            for number in range(10):
                group.create_task(read_one(client, number))

    asyncio.run(read())
