"""A `context` argument for handlers under test."""

from __future__ import annotations

import time
from collections.abc import Callable


class Context:
    """What Lambda's context object has, filled with plausible values.

    Every attribute can be given: `Context(function_name="orders", tenant_id="blue")`.
    `remaining_seconds` is what is left at construction; `now` is the clock it runs by.
    """

    def __init__(
        self,
        *,
        function_name: str = "function",
        function_version: str = "$LATEST",
        memory_limit_in_mb: str = "128",
        aws_request_id: str = "8476a536-e9f4-11e8-9739-2dfe5987fcd0",
        tenant_id: str | None = None,
        identity: object = None,
        client_context: object = None,
        remaining_seconds: float = 3,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.function_name = function_name
        self.function_version = function_version
        self.memory_limit_in_mb = memory_limit_in_mb
        self.aws_request_id = aws_request_id
        self.tenant_id = tenant_id
        self.identity = identity
        self.client_context = client_context
        self.invoked_function_arn = (
            f"arn:aws:lambda:us-east-1:123456789012:function:{function_name}"
        )
        self.log_group_name = f"/aws/lambda/{function_name}"
        self.log_stream_name = "2026/01/01/[$LATEST]00000000000000000000000000000000"
        self._now = now
        self._deadline = now() + remaining_seconds

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the deadline, never less than 0."""
        return max(0, int((self._deadline - self._now()) * 1000))

    def log(self, message: object) -> None:
        """Print `message` as it is."""
        print(message, end="")
