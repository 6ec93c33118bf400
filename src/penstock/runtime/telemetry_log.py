"""The log as frames on a descriptor that Lambda gives, so that a message may have many lines.

A frame is, in big-endian order: type (4 bytes), length (4), microseconds since 1970 (8),
message. Source: `awslambdaric` 4.2.2, `FramedTelemetryLogSink`.
"""

from __future__ import annotations

import os
import time
from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

JSON_FRAME = 0xA55A0002
TEXT_FRAME = 0xA55A0003

ERROR = 40


def frame_type(base: int, level: int = 0) -> bytes:
    """The type of a frame: text or JSON, and the level of `logging` in the bits above."""
    tens = min(max(level, 0), 50) // 10
    return (base | (tens + 1 if tens else 0) << 2).to_bytes(4, "big")


class FramedTelemetryLog:
    """Writes frames to `descriptor`; raises OSError if nobody reads them any more."""

    def __init__(self, descriptor: int, error_base: int) -> None:
        os.fstat(descriptor)  # fails now rather than at the first message
        self._descriptor = descriptor
        self._error_type = frame_type(error_base, ERROR)
        self._take_lock()
        # Another thread may be writing while the handler forks.
        os.register_at_fork(after_in_child=self._take_lock)

    def _take_lock(self) -> None:
        self._writing = allocate_lock()

    def log(self, text: str, kind: bytes | None = None) -> None:
        """Write one message, as it is, in one frame."""
        message = text.encode("utf-8", "backslashreplace")
        frame = (
            (kind or frame_type(TEXT_FRAME))
            + len(message).to_bytes(4, "big")
            + (time.time_ns() // 1000).to_bytes(8, "big")
            + message
        )
        with self._writing:
            while frame:
                frame = frame[os.write(self._descriptor, frame) :]

    def log_error(self, lines: Sequence[str]) -> None:
        """Write the lines of a failure."""
        self.log("\n".join(lines), self._error_type)
