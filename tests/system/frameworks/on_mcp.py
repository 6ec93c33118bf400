"""An MCP server for test_mcp.py, whose tools wait for the test."""

import asyncio
from contextlib import asynccontextmanager

from app import pass_gate
from mcp.server import MCPServer
from mcp.server.mcpserver import Context

started = []


@asynccontextmanager
async def lifespan(server):
    started.append(1)
    yield


server = MCPServer("test", lifespan=lifespan)


@server.tool()
async def work(context: Context) -> str:
    """Tell of progress, twice."""
    for number in (1, 2):
        await context.report_progress(number, 2)
        await asyncio.to_thread(pass_gate, f"after {number}")
    return "done"


@server.tool()
async def starts() -> int:
    """How often the server was started."""
    return len(started)


@server.tool()
async def fails() -> str:
    """Raise an exception."""
    raise ValueError("of the tool")


def app(**options):
    return server.streamable_http_app(host="0.0.0.0", **options)
