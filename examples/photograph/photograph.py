"""A photograph of 7 MB: more than a buffered response may have, no trouble for a stream."""

from pathlib import Path

from penstock import pipeline, streamify_response

PHOTOGRAPH = Path(__file__).with_name("mountains.jpg")


@streamify_response
def handler(event, response_stream, context):
    response_stream.content_type = "image/jpeg"
    pipeline(PHOTOGRAPH.open("rb"), response_stream)
