"""Calls the server's tool: python client.py URL, http://localhost:9000 if there is none."""

import asyncio
import sys

from mcp import Client


async def main(url: str) -> None:
    async def show(progress: float, total: float | None, message: str | None) -> None:
        print(f"{progress:.0f} of {total:.0f}: {message}", flush=True)

    async with Client(f"{url}/mcp") as client:
        result = await client.call_tool("bake", {"loaves": 3}, progress_callback=show)
        print(result.content[0].text)


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:9000"))
