"""What is odd about AWS's `Invoke` and `InvokeWithResponseStream`, and the log's word on it."""

from __future__ import annotations

from collections.abc import Callable

from .. import limits
from ..bandwidth import Bandwidth
from ..invocations import Invocation
from ..quirks import Quirks
from ..relay import OCTETS, Ending, Outcome, ResponseHead

_END_MARK = "only an end mark in the payload tells a caller for certain that it is whole"


class Oddities:
    """Which of AWS's oddities calls through the API show; `write_line` takes lines for the log.

    With `is_slow` streams are held back as on AWS.
    """

    def __init__(
        self, quirks: Quirks, write_line: Callable[[str], object], *, is_slow: bool = False
    ) -> None:
        self.quirks = quirks
        self._write_line = write_line
        self._is_slow = is_slow

    def bandwidth(self) -> Bandwidth | None:
        """What holds one stream back, if it is to be."""
        return Bandwidth(limits.STREAM_BURST, limits.STREAM_RATE) if self._is_slow else None

    def say_event_too_large(self, request_id: str, limit: int) -> None:
        """An event was refused that has more than `limit` bytes."""
        of_what = "an asynchronous event" if limit == limits.EVENT_PAYLOAD else "an event"
        self._write_line(
            f"{request_id} (Lambda API): {of_what} may have {limit} bytes, this one has more, and "
            "AWS answers 413; put it into S3, and send its key"
        )

    def say_throttled(self, request_id: str, why: str) -> None:
        """A call was refused that is one too many."""
        self._write_line(f"{request_id} (Lambda API): {why}")

    def say_dry_run_runs(self, invocation: Invocation) -> None:
        """A `DryRun` is about to run the function."""
        self._say(
            invocation,
            "the type is DryRun, and the function runs all the same, as AWS's "
            "InvokeWithResponseStream does; Invoke heeds the type",
        )

    def succeeds(self, invocation: Invocation, outcome: Outcome) -> bool:
        """Whether `Invoke` calls a response that did not end well a success."""
        if outcome.ending is not Ending.FAILED or not self.quirks.failed_stream_succeeds:
            return False
        when = "after" if invocation.produced_bytes else "before"
        self._say(
            invocation,
            f"the response failed {when} its first byte ({outcome.detail}), and AWS's Invoke calls "
            f"it a success, without FunctionError; {_END_MARK}",
        )
        return True

    def content_type(self, invocation: Invocation, head: ResponseHead | None) -> str:
        """What `Invoke` calls a payload; `head` is that of the response, None if it is empty."""
        if head is None:
            return "application/json"
        if not head.is_typed_stream:
            return "application/json" if head.is_json else OCTETS
        if not self.quirks.stream_type_dropped:
            return head.content_type
        self._say(
            invocation,
            f"the answer is a stream, and AWS's Invoke drops its type ({head.content_type}) and "
            f"calls it {OCTETS}; InvokeWithResponseStream passes it on, as "
            "x-amzn-Remapped-Content-Type",
        )
        return OCTETS

    def error(self, invocation: Invocation, outcome: Outcome) -> dict[str, str]:
        """What `InvokeComplete` tells of a failure: on AWS nothing.

        `ErrorCode` and `ErrorDetails` are documented, and were seen by a test of AWS's client
        for .NET; captures of the live service (2026-09-15) have none of them.
        """
        if outcome.ending is Ending.WHOLE:
            return {}
        if self.quirks.no_error_code:
            self._say(
                invocation,
                f"the function failed ({outcome.detail}), and AWS's InvokeComplete tells nothing "
                f"of it, no ErrorCode; {_END_MARK}",
            )
            return {}
        details = outcome.payload.decode("utf-8", "replace")
        return {"ErrorCode": outcome.error_type, "ErrorDetails": details}

    def _say(self, invocation: Invocation, line: str) -> None:
        self._write_line(f"{invocation.request_id} (Lambda API): {line}")
