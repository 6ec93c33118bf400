"""The official MCP client, which does what test_mcp.py tells it and prints what comes back.

python mcp_client.py URL MODE TOOL [TIMES]
"""

import asyncio
import sys

from mcp import Client


async def main(url: str, mode: str, tool: str, times: str = "1") -> None:
    async def progress(done: float, total: float | None, message: str | None) -> None:
        print(f"progress {done:.0f}", flush=True)

    for _ in range(int(times)):
        async with Client(f"{url}/mcp", mode=mode) as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            assert tool in names, names
            result = await client.call_tool(tool, progress_callback=progress)
            print("error" if result.is_error else "result", result.content[0].text, flush=True)


asyncio.run(main(*sys.argv[1:]))
