"""Hello 0 to Hello 100, 20 milliseconds apart, with a status, a header and a cookie."""

import asyncio

from penstock import HttpResponseStream, streamify_response


@streamify_response
async def handler(event, response_stream, context):
    response_stream = HttpResponseStream.from_(
        response_stream,
        {
            "statusCode": 200,
            "headers": {"Content-Type": "text/plain; charset=utf-8", "X-Greetings": "101"},
            "cookies": ["greeted=yes; Path=/"],
        },
    )
    for i in range(101):
        await response_stream.write(f"Hello {i}\n")
        await asyncio.sleep(0.02)
