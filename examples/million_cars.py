"""One million cars, 🚗, in UTF-8: four million bytes from a generator."""

from penstock import Prelude, streamify_response


@streamify_response
def handler(event, context):
    yield Prelude(200, {"content-type": "text/plain; charset=utf-8"})
    for _ in range(1000):
        yield "🚗" * 1000
