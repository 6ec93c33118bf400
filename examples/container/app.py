"""Two lines, a second apart."""

import time

from penstock import Prelude, streamify_response


@streamify_response
def handler(event, context):
    yield Prelude(200, {"content-type": "text/plain; charset=utf-8"})
    yield "The first line is here already.\n"
    time.sleep(1)
    yield "The second one came a second later.\n"
