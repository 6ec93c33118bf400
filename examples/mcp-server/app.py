"""A server of the Model Context Protocol: its tool tells how far it is while it works."""

import asyncio

from mcp.server import MCPServer
from mcp.server.mcpserver import Context

from penstock import adapt

server = MCPServer("bakery")


@server.tool()
async def bake(loaves: int, context: Context) -> str:
    """Bake so many loaves of bread."""
    for number in range(1, loaves + 1):
        await asyncio.sleep(0.2)
        await context.report_progress(number, loaves, f"loaf {number} is done")
    return f"{loaves} loaves of bread"


# stateless_http: the next request may come to another environment, which knows no sessions.
# host: by default the server answers to this machine's names only.
handler = adapt(server.streamable_http_app(stateless_http=True, host="0.0.0.0"))
