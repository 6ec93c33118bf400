"""The plainest forms of HTTP/1.1, read and written without h11's care.

What is not exactly of such a form is None here, and h11 decides what it is. So nothing is
refused here that h11 takes, nothing taken that h11 refuses, and where both read it, they read
the same; the tests compare them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple, TypeAlias

from ...errors import RemoteProtocolError
from ...messages import Headers

HeaderList: TypeAlias = list[tuple[str, str]]

REASONS = {status.value: status.phrase for status in HTTPStatus}

# A value is printable ASCII here, neither empty nor with blanks around it.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD = rf"{_NAME.pattern}: [!-~](?:[ -~]*[!-~])?\r\n"
_FIELDS = re.compile(f"(?:{_FIELD})+")
_REQUEST_LINE = re.compile(rb"(GET|POST|PUT|PATCH|DELETE) (/[!-~]*) HTTP/1\.1\r\n")
_LENGTH = re.compile(r"[0-9]{1,18}")
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}\r\n")
_SIZE_LINE = 17  # the longest of those
_NEXT_CHUNK = re.compile(rb"\r\n([0-9A-Fa-f]{1,15})\r\n")

#: Chunks of this size and more go on together where they came together. Smaller ones stay apart:
#: to InvokeWithResponseStream each small write is a `PayloadChunk` of its own (captured).
JOINED = 16384

# What changes how a message is framed, or what becomes of the connection.
_SPECIAL_IN_REQUEST = frozenset(
    {"connection", "content-length", "expect", "transfer-encoding", "upgrade"}
)
_SPECIAL_IN_ANSWER = frozenset({"connection", "content-length", "transfer-encoding", "upgrade"})

# Heads are mostly like those before them. Longer ones are not kept.
_KEPT_FIELDS = 2048
_KEPT_NAMES = 32


class RequestHead(NamedTuple):
    """A request's head. `length` is that of its body, None for a chunked one."""

    method: str
    target: str
    headers: Headers
    length: int | None = 0
    version: str = "1.1"


def plain_request(head: bytes) -> RequestHead | None:
    """What stands in a whole head, with the empty line at its end, if it is a plain one."""
    line = _REQUEST_LINE.match(head)
    if line is None:
        return None
    block = head[line.end() : -2]
    read = _plain_fields if len(block) <= _KEPT_FIELDS else _plain_fields.__wrapped__
    found = read(block)
    return RequestHead(line[1].decode(), line[2].decode(), *found) if found else None


@lru_cache(maxsize=256)
def _plain_fields(block: bytes) -> tuple[Headers, int | None] | None:
    text = block.decode("latin-1")
    if _FIELDS.fullmatch(text) is None:
        return None
    fields = []
    hosts = 0
    length: int | None = 0
    has_framing = False
    for line in text[:-2].split("\r\n"):
        name, _, value = line.partition(": ")
        fields.append((name, value))
        key = name.lower()
        if key == "host":
            hosts += 1
        elif key == "content-length" and not has_framing and _LENGTH.fullmatch(value):
            length, has_framing = int(value), True
        elif key == "transfer-encoding" and not has_framing and value == "chunked":
            length, has_framing = None, True
        elif key in _SPECIAL_IN_REQUEST and (key != "connection" or value != "keep-alive"):
            return None
    return (Headers.of_texts(fields), length) if hosts == 1 else None


def plain_answer(status: int, headers: HeaderList) -> tuple[bytes, int | None] | None:
    """The head of an answer to a plain request, and the length of the body that must follow.

    That is None for a chunked one, which the head then says it is.
    """
    names: tuple[str, ...]
    values: tuple[str, ...]
    names, values = zip(*headers, strict=True) if headers else ((), ())
    find = _answer_form if len(names) <= _KEPT_NAMES else _answer_form.__wrapped__
    form = find(status, names)
    if form is None:
        return None
    head, length_at = form
    text = "".join(values)
    is_plain = text.isascii() and text.isprintable() and all(values)
    if not is_plain or values != tuple(map(str.strip, values)):
        return None
    if length_at is None:
        return (head % values).encode("ascii"), None
    if not _LENGTH.fullmatch(values[length_at]):
        return None
    return (head % values).encode("ascii"), int(values[length_at])


# Answers mostly have the fields of those before them.
@lru_cache(maxsize=256)
def _answer_form(status: int, names: tuple[str, ...]) -> tuple[str, int | None] | None:
    """A head with `%s` for each value, and which of these is the body's length, if one is."""
    if not 200 <= status <= 599 or status in (204, 304):
        return None
    length_at = None
    for at, name in enumerate(names):
        if _NAME.fullmatch(name) is None:
            return None
        if name.lower() == "content-length" and length_at is None:
            length_at = at
        elif name.lower() in _SPECIAL_IN_ANSWER:
            return None
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, '')}"]
    lines += [f"{name.replace('%', '%%')}: %s" for name in names]
    lines += ["Transfer-Encoding: chunked"] if length_at is None else []
    return "\r\n".join([*lines, "", ""]), length_at


class Received:
    """What was received and not yet used: `data` from `at` on. `receive` gets more."""

    def __init__(self, receive: Callable[[], bytes]) -> None:
        self._receive = receive
        self.data = b""
        self.at = 0

    def __len__(self) -> int:
        return len(self.data) - self.at

    def more(self) -> bool:
        """Wait for more. False if there will be none."""
        data = self._receive()
        self.data = self.data[self.at :] + data if self.at < len(self.data) else data
        self.at = 0
        return bool(data)

    def take(self, size: int) -> bytes:
        """The next bytes, at most so many."""
        start, self.at = self.at, min(self.at + size, len(self.data))
        return self.data if self.at - start == len(self.data) else self.data[start : self.at]

    def take_all(self) -> bytes:
        """All that there is."""
        return self.take(len(self))


class PlainBody:
    """The body of a request with such a head, in parts as they come out of `received`."""

    def __init__(self, length: int | None, received: Received) -> None:
        self._length = length
        self._received = received
        self._left = length or 0  # of the body, or of the chunk
        self._is_in_chunk = False  # the CRLF behind its last byte included
        self._is_large = False  # the chunk
        self.has_ended = length == 0

    @property
    def is_here(self) -> bool:
        """Whether all of it was received already, as far as is known."""
        return self._length is not None and len(self._received) >= self._left

    def read(self) -> bytes | None:
        """The next part, b"" at the end. None: from here on it is not plain.

        Raises:
            RemoteProtocolError: malformed, or closed before its end.
        """
        if self._length is None and not self._left and not self.has_ended:
            if self._is_in_chunk:
                self._end_chunk()
            size = self._chunk_size()
            if size is None:
                return None
            self._left, self._is_in_chunk, self._is_large = size, size > 0, size >= JOINED
            self.has_ended = size == 0
        if self.has_ended:
            return b""
        if not len(self._received):
            self._need_more()
        data = self._received.take(self._left)
        self._left -= len(data)
        self.has_ended = self._length is not None and not self._left
        return self._joined(data) if self._is_large and not self._left else data

    def _joined(self, first: bytes) -> bytes:
        """The end of a large chunk, with what is here of large ones behind it."""
        received = self._received
        parts: list[bytes | memoryview] = [first]
        while not self._left and (line := _NEXT_CHUNK.match(received.data, received.at)):
            size, start = int(line[1], 16), line.end()
            taken = min(size, len(received.data) - start)
            if size < JOINED or not taken:
                break
            parts.append(memoryview(received.data)[start : start + taken])
            received.at = start + taken
            self._left = size - taken
        return b"".join(parts) if len(parts) > 1 else first

    def _end_chunk(self) -> None:
        received = self._received
        while not received.data.startswith(b"\r\n", received.at):
            if not b"\r\n".startswith(received.data[received.at : received.at + 2]):
                raise RemoteProtocolError("malformed chunk footer: a chunk is longer than it says")
            self._need_more()
        received.at += 2
        self._is_in_chunk = False

    def _chunk_size(self) -> int | None:
        """The next chunk's size, whose line is taken; 0 with the line behind it."""
        received = self._received
        while (end := received.data.find(b"\r\n", received.at, received.at + _SIZE_LINE)) < 0:
            if len(received) >= _SIZE_LINE or not received.more():
                return None
        line = received.data[received.at : end + 2]
        if _SIZE.fullmatch(line) is None:
            return None
        size = int(line, 16)
        if size:
            received.at = end + 2
            return size
        while len(received) < len(line) + 2:
            if not received.more():
                return None
        if received.data[received.at + len(line) :][:2] != b"\r\n":
            return None  # trailers
        received.at += len(line) + 2
        return 0

    def _need_more(self) -> None:
        if self._received.more():
            return
        reason = "incomplete chunked read"
        if self._length is not None:
            reason = f"received {self._length - self._left} bytes, expected {self._length}"
        raise RemoteProtocolError(
            f"peer closed connection without sending complete message body ({reason})"
        )
