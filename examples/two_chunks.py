"""Two chunks, a second apart."""

import asyncio

from penstock import streamify_response


@streamify_response
async def handler(event, response_stream, context):
    response_stream.content_type = "text/plain"
    await response_stream.write("The first chunk is here already.\n")
    await asyncio.sleep(1)
    await response_stream.write("The second one came a second later.\n")
