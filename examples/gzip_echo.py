"""The event, echoed through gzip."""

import json
import zlib

from penstock import HttpResponseStream, pipeline, streamify_response


@streamify_response
async def handler(event, response_stream, context):
    response_stream = HttpResponseStream.from_(
        response_stream,
        {
            "statusCode": 200,
            "headers": {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        },
    )
    gzip = zlib.compressobj(wbits=31)  # 31: the gzip format
    await pipeline(json.dumps(event, indent=2), gzip, response_stream)
