"""One log line for each streamed response: `PENSTOCK_LOG_STREAMS=1`."""

from __future__ import annotations

import os
from time import monotonic

from . import logs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .response import AsyncSink, BlockingSink


class StreamLog:
    """Counts one response, and logs it when it is over.

    Times are in milliseconds from when the invocation was received. `outcome` is `ended`,
    `failed` (the handler's error was sent behind the body) or `cut` (it did not arrive).
    """

    def __init__(self, request_id: str, now: Callable[[], float] = monotonic) -> None:
        self._request_id = request_id
        self._now = now
        self._received = now()
        self._first_byte: float | None = None
        self._bytes = 0
        self._chunks = 0
        self._is_written = False

    def blocking_sink(self, sink: BlockingSink) -> LoggedBlockingSink:
        """`sink`, counted."""
        return LoggedBlockingSink(sink, self)

    def async_sink(self, sink: AsyncSink) -> LoggedAsyncSink:
        """`sink`, counted."""
        return LoggedAsyncSink(sink, self)

    def count(self, chunks: list[bytes]) -> None:
        """`chunks` have left."""
        if self._first_byte is None:
            self._first_byte = self._now()
        self._chunks += len(chunks)
        self._bytes += sum(map(len, chunks))

    def write(self, outcome: str) -> None:
        """Write the line, once, as text or, where the function logs JSON, as JSON."""
        if self._first_byte is None or self._is_written:
            return
        self._is_written = True
        figures: dict[str, str | int | float] = {
            "outcome": outcome,
            "bytes": self._bytes,
            "chunks": self._chunks,
            "firstByteMs": round((self._first_byte - self._received) * 1000, 2),
            "durationMs": round((self._now() - self._received) * 1000, 2),
        }
        if os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON":
            import json
            import time

            line = json.dumps(
                {
                    "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                    "level": "INFO",
                    "message": "response stream",
                    "requestId": self._request_id,
                    **figures,
                }
            )
        else:
            words = " ".join(f"{name}={value}" for name, value in figures.items())
            line = f"[STREAM] RequestId: {self._request_id} {words}"
        logs.current_sink.log(line + "\n")


class LoggedBlockingSink:
    """`BlockingSink`, counted."""

    def __init__(self, sink: BlockingSink, log: StreamLog) -> None:
        self._sink = sink
        self._log = log

    def begin(self, content_type: str, chunks: list[bytes]) -> None:
        """As the sink's."""
        self._sink.begin(content_type, chunks)
        self._log.count(chunks)

    def send(self, data: bytes) -> None:
        """As the sink's."""
        self._sink.send(data)
        self._log.count([data])

    def end(self) -> None:
        """As the sink's."""
        self._sink.end()
        self._log.write("ended")

    def fail(self, error: BaseException) -> None:
        """As the sink's."""
        self._sink.fail(error)
        self._log.write("failed")


class LoggedAsyncSink:
    """`AsyncSink`, counted."""

    def __init__(self, sink: AsyncSink, log: StreamLog) -> None:
        self._sink = sink
        self._log = log

    async def begin(self, content_type: str, chunks: list[bytes]) -> None:
        """As the sink's."""
        await self._sink.begin(content_type, chunks)
        self._log.count(chunks)

    async def send(self, data: bytes) -> None:
        """As the sink's."""
        await self._sink.send(data)
        self._log.count([data])

    async def end(self) -> None:
        """As the sink's."""
        await self._sink.end()
        self._log.write("ended")

    async def fail(self, error: BaseException) -> None:
        """As the sink's."""
        await self._sink.fail(error)
        self._log.write("failed")
