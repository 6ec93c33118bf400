"""HTTP/1.1 chunked transfer coding (RFC 9112 section 7.1). ::

    5\\r\\n hello \\r\\n   6\\r\\n world! \\r\\n   0\\r\\n [Name: value\\r\\n ...] \\r\\n

The encoder is used by the runtime for its streamed responses, the decoder for what the
Runtime API answers. (The emulator reads with another parser on purpose: the two check
each other.)
"""

from __future__ import annotations

from ..errors import RemoteProtocolError

CRLF = b"\r\n"
LAST_CHUNK = b"0\r\n"

# Up to here a copy costs less than sending three buffers instead of one.
SMALL = 2048

# A size line is a handful of hex digits; extensions are legal but nobody sends them.
MAX_SIZE_LINE = 256
MAX_TRAILERS = 65536

_HEX = frozenset(b"0123456789abcdefABCDEF")


def chunk(data: bytes) -> tuple[bytes, ...]:
    """One chunk as buffers to send one behind the other.

    Data that is not small is never copied. An empty chunk would end the body, so it is an
    error to ask for one.
    """
    size = len(data)
    if size > SMALL:
        return b"%x\r\n" % size, data, CRLF
    if not size:
        raise ValueError("an empty chunk would end the body")
    return (b"%x\r\n%b\r\n" % (size, data),)


class ChunkedDecoder:
    """Decodes a chunked body, whatever the pieces it arrives in.

    `receive` returns the body bytes that a piece completes; `complete` tells whether the
    body has ended, and `rest` then holds what came behind it.
    """

    def __init__(self) -> None:
        self.complete = False
        self.rest = b""
        self._buffer = b""
        self._left = 0
        self._trailers = 0
        self._reading = "size"

    def receive(self, data: bytes) -> bytes:
        """Take `data` in and return what it adds to the body.

        Raises:
            RemoteProtocolError: a malformed or overlong size line, or trailers over 64 KiB.
        """
        if self.complete:
            self.rest += data
            return b""
        buffer = self._buffer + data if self._buffer else data
        body: list[bytes] = []
        position = 0
        while not self.complete:
            if self._reading == "data":
                piece = buffer[position : position + self._left]
                if not piece:
                    break
                body.append(piece)
                position += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._reading = "data end"
            elif self._reading == "data end":
                found = buffer[position : position + 2]
                if not CRLF.startswith(found):
                    raise RemoteProtocolError(f"expected the end of a chunk, found {found!r}")
                if len(found) < 2:
                    break
                position += 2
                self._reading = "size"
            else:
                end = buffer.find(CRLF, position)
                if end < 0:
                    self._check_length(len(buffer.removesuffix(b"\r")) - position)
                    break
                self._check_length(end - position)
                line, position = buffer[position:end], end + 2
                self._take_line(line)
        self._buffer = buffer[position:]
        if self.complete:
            self.rest, self._buffer = self._buffer, b""
        return b"".join(body)

    def _take_line(self, line: bytes) -> None:
        if self._reading == "trailers":
            self._trailers += len(line) + len(CRLF)
            self.complete = not line
            return
        digits = line.split(b";", 1)[0].strip()
        # int() would take signs, underscores and blanks, and any number of digits.
        if not 0 < len(digits) <= 16 or not _HEX.issuperset(digits):
            raise RemoteProtocolError(f"expected a chunk size in hex, found {line[:40]!r}")
        self._left = int(digits, 16)
        self._reading = "data" if self._left else "trailers"

    def _check_length(self, length: int) -> None:
        if self._reading == "trailers":
            if self._trailers + length > MAX_TRAILERS:
                raise RemoteProtocolError(f"the trailers are over {MAX_TRAILERS} bytes long")
        elif length > MAX_SIZE_LINE:
            raise RemoteProtocolError(
                f"the size line of a chunk is over {MAX_SIZE_LINE} bytes long"
            )
