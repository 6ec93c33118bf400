"""What tests of AWS's oddities share: handlers, calls through the Lambda API, silence."""

from __future__ import annotations

from tests.tools import lambda_client

WITH_PRELUDE = """
    @streamify_response
    def handler(event, context):
        yield Prelude(202, {"content-type": "text/plain"})
        yield "whole"
"""

EMPTY = """
    @streamify_response
    def handler(event, context):
        if event.get("rawPath") == "/full":
            yield "full"
"""


def said_nothing(function) -> bool:
    """Whether a call has come to its end, and the log explains nothing of it."""
    function.wait_for_log("REPORT RequestId")
    return "(Function URL)" not in function.log and "(Lambda API)" not in function.log


def invoke(function, **options):
    return lambda_client(function.url).invoke(FunctionName="app", Payload=b"{}", **options)


def stream(function, **options):
    """The body that InvokeWithResponseStream gives, and what its InvokeComplete tells."""
    client = lambda_client(function.url)
    answer = client.invoke_with_response_stream(FunctionName="app", Payload=b"{}", **options)
    *chunks, complete = answer["EventStream"]
    body = b"".join(chunk["PayloadChunk"]["Payload"] for chunk in chunks)
    return body, complete["InvokeComplete"]
