"""Three lines, a second apart."""

import time

from penstock import Prelude, streamify_response


@streamify_response
def handler(event, context):
    # A Function URL does without a prelude; a REST API does not.
    yield Prelude(200, {"content-type": "text/plain; charset=utf-8"})
    for number in ("first", "second", "third"):
        yield f"The {number} line.\n"
        time.sleep(1)
