"""The log: what functions print, and what the platform says of them."""

from __future__ import annotations

import codecs
import sys
import threading
import time
from collections import deque
from collections.abc import Callable

from .platform_events import PlatformEvent, PlatformEvents

# How much of a line is kept until its end comes: what CloudWatch takes as one event. (API
# reference, PutLogEvents.) Where Lambda breaks longer lines is not documented.
_LONGEST_LINE = 1024 * 1024


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
    """Puts output that comes in pieces together again, so that only whole lines go on.

    A line of over a megabyte goes on in several.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._rest: list[bytes] = []
        self._size = 0

    def add(self, data: bytes) -> None:
        """Take `data` in and write the lines that it completes."""
        with self._lock:
            lines, newline, rest = data.rpartition(b"\n")
            if newline:
                lines += newline
                if self._rest:
                    lines = self._take_rest() + lines
                self._write(lines.decode("utf-8", "replace"))
            if rest:
                self._rest.append(rest)
                self._size += len(rest)
                if self._size >= _LONGEST_LINE:
                    self._write_part()

    def flush(self) -> None:
        """Write what has no line end yet, with one."""
        if not self._rest:
            return
        with self._lock:
            if self._rest:
                self._write(self._take_rest().decode("utf-8", "replace") + "\n")

    def _write_part(self) -> None:
        data = self._take_rest()
        # But for a last character that has only begun.
        text, length = codecs.utf_8_decode(data, "replace", False)
        if begun := data[length:]:
            self._rest, self._size = [begun], len(begun)
        self._write(text + "\n")

    def _take_rest(self) -> bytes:
        data = b"".join(self._rest)
        self._rest, self._size = [], 0
        return data


class Log:
    """Where everything is written, from many threads, a line or more at a time."""

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._functions: frozenset[str] = frozenset()
        #: Whether all is about to end, and what fails now fails because of that.
        self.is_stopping = False
        #: What happens, for programs; most of the log tells of it for people.
        self.events = PlatformEvents()

    def write(self, text: str) -> None:
        """Write `text`, which ends with a line end.

        The carriage returns that hold a message together for CloudWatch become line ends.
        """
        if "\r" in text:
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

    def add_function(self, name: str) -> None:
        """There is this function, too: from the second on lines say whose they are."""
        if name not in self._functions:
            with self._lock:
                self._functions |= {name}

    def write_of(self, function: str, text: str) -> None:
        """`write` what is of one function: with its name, if there are others."""
        if len(self._functions) > 1:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
            mark = f"[{function}] "
            text = mark + text.removesuffix("\n").replace("\n", f"\n{mark}") + "\n"
        self.write(text)

    def stopping(self, text: str) -> None:
        """Write the line that explains why all that runs fails now."""
        self.line(text)
        self.is_stopping = True

    def line(self, text: str, function: str = "", environment: str = "") -> None:
        """Write one line of the emulator's own, which is an event, too.

        `function` and `environment` are what it is about, where that is known.
        """
        line = f"penstock: {text}\n"
        if function:
            self.write_of(function, line)
        else:
            self.write(line)
        if self.events.is_heard:
            self.events.send(
                PlatformEvent("penstock.log", text, function, environment, time.time())
            )
