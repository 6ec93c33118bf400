"""What Sentry's SDK looks for in a Lambda runtime, so that its integration finds this one.

`AwsLambdaIntegration` takes `__main__.bootstrap` for AWS's client and wraps, by AWS's names,
the call of the handler, the report of a failed start, and the posts of answers, where it
sends what is queued: the environment may be frozen next. The runtime goes through them.
Source: sentry_sdk/integrations/aws_lambda.py, 2.75.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def handle_event_request(client: Any, request_handler: Any, event: Any, context: Any) -> Any:
    """Call the handler."""
    return request_handler(event, context)


class LambdaRuntimeClient:
    """The posts of AWS's client. They do nothing but be there to be wrapped."""

    def post_init_error(self, error: object) -> None:
        """The start has failed."""

    def post_invocation_result(self) -> None:
        """The handler has returned or raised."""

    post_invocation_error = post_invocation_result


_unwrapped = handle_event_request


def wrapped(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """`handler` inside of what was wrapped around the names above; itself if nothing was."""
    if handle_event_request is _unwrapped:
        return handler

    def call(event: Any, context: Any) -> Any:
        client = LambdaRuntimeClient()
        try:
            return handle_event_request(client, handler, event, context)
        finally:
            client.post_invocation_result()

    return call
