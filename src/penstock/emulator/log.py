"""The log: what functions print, and the platform's START, END and REPORT lines."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable


class LogTail:
    """The last bytes of one invocation's log."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._parts: deque[bytes] = deque()
        self._length = 0

    def add(self, data: bytes) -> None:
        """Append to it."""
        with self._lock:
            self._parts.append(data)
            self._length += len(data)
            while self._parts and self._length - len(self._parts[0]) >= self._size:
                self._length -= len(self._parts.popleft())

    def last(self) -> bytes:
        """The last `size` bytes."""
        with self._lock:
            return b"".join(self._parts)[-self._size :]


class Lines:
    """Puts output that comes in pieces together again, so that only whole lines go on."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._rest = b""

    def add(self, data: bytes) -> None:
        """Take `data` in and write the lines that it completes."""
        with self._lock:
            lines, newline, self._rest = (self._rest + data).rpartition(b"\n")
            if newline:
                self._write((lines + newline).decode("utf-8", "replace"))

    def flush(self) -> None:
        """Write what has no line end yet, with one."""
        with self._lock:
            if self._rest:
                self._write(self._rest.decode("utf-8", "replace") + "\n")
                self._rest = b""


class Log:
    """Where everything is written, from many threads, a line or more at a time."""

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write
        self._lock = threading.Lock()

    def write(self, text: str) -> None:
        """Write `text`, which ends with a line end.

        The carriage returns that hold a message together for CloudWatch become line ends.
        """
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        with self._lock:
            if self._write is not None:
                self._write(text)
                return
            try:
                sys.stdout.write(text)
                sys.stdout.flush()
            except (OSError, ValueError):
                pass  # nobody reads it any more

    def line(self, text: str) -> None:
        """Write one line of the emulator's own."""
        self.write(f"penstock: {text}\n")


def report_line(
    request_id: str,
    *,
    duration: float,
    memory_size: int,
    memory_used: int | None,
    init: float | None,
    first_byte: float | None,
    status: str | None,
) -> str:
    """The REPORT line of an invocation; times are in seconds.

    The fields are AWS's (captured 2026-09-15); `First Byte` is ours.
    """
    milliseconds = duration * 1000
    fields = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {milliseconds:.2f} ms",
        f"Billed Duration: {-int(-milliseconds // 1)} ms",
        f"Memory Size: {memory_size} MB",
    ]
    if memory_used is not None:
        fields.append(f"Max Memory Used: {memory_used} MB")
    if init is not None:
        fields.append(f"Init Duration: {init * 1000:.2f} ms")
    if first_byte is not None:
        fields.append(f"First Byte: {first_byte * 1000:.2f} ms")
    if status is not None:
        fields.append(f"Status: {status}")
    return "\t".join(fields) + "\t\n"
