"""The frames of `InvokeWithResponseStream`: AWS's binary event stream. ::

    u32 total length | u32 headers length | u32 crc32 of these 8 bytes
    headers ...        each: u8 length, name, u8 type, value (type 7: u16 length, UTF-8)
    payload ...
    u32 crc32 of everything before it

All numbers are big-endian. Source: the Smithy specification
`application/vnd.amazon.eventstream` and botocore's `eventstream.py`.
"""

from __future__ import annotations

import struct
from zlib import crc32

from ..errors import RemoteProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

CONTENT_TYPE = "application/vnd.amazon.eventstream"

# botocore refuses larger ones: 128 KiB of headers, 24 MiB of payload.
MAX_HEADERS = 128 * 1024
MAX_PAYLOAD = 24 * 1024 * 1024

_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
_OVERHEAD = _PRELUDE.size + _CRC.size
_BYTES, _STRING = 6, 7

# Sizes of the fixed-width header values: true, false, i8, i16, i32, i64, timestamp, uuid.
_FIXED_WIDTH = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}


class Message:
    """One frame: string headers by name (others are skipped), and the payload."""

    __slots__ = ("headers", "payload")

    def __init__(self, headers: dict[str, str], payload: bytes) -> None:
        self.headers = headers
        self.payload = payload

    @property
    def event_type(self) -> str:
        """`PayloadChunk`, `InvokeComplete`, or "" for an exception."""
        return self.headers.get(":event-type", "")

    def __repr__(self) -> str:
        return f"<Message {self.headers} {len(self.payload)} bytes>"


def payload_chunk(data: bytes) -> tuple[bytes, bytes, bytes]:
    """A `PayloadChunk` event around `data`, as buffers, so that `data` is not copied."""
    return _frame("PayloadChunk", "application/octet-stream", data)


def invoke_complete(detail: bytes = b"{}") -> tuple[bytes, bytes, bytes]:
    """The `InvokeComplete` event that ends a stream; `detail` is its JSON."""
    return _frame("InvokeComplete", "application/json", detail)


def _frame(event_type: str, content_type: str, payload: bytes) -> tuple[bytes, bytes, bytes]:
    # The order of the headers is the one captured on AWS.
    headers = _encode_headers(
        (
            (":event-type", event_type),
            (":content-type", content_type),
            (":message-type", "event"),
        )
    )
    total = _OVERHEAD + len(headers) + len(payload)
    lengths = struct.pack(">II", total, len(headers))
    head = lengths + _CRC.pack(crc32(lengths)) + headers
    return head, payload, _CRC.pack(crc32(payload, crc32(head)))


def _encode_headers(headers: Iterable[tuple[str, str]]) -> bytes:
    encoded = bytearray()
    for name, value in headers:
        name_bytes, value_bytes = name.encode(), value.encode()
        encoded += struct.pack(">B", len(name_bytes)) + name_bytes
        encoded += struct.pack(">BH", _STRING, len(value_bytes)) + value_bytes
    return bytes(encoded)


class EventStreamDecoder:
    """Reads frames, whatever the pieces they arrive in.

    `receive` returns the messages that a piece completes; `receive_eof` says that no more
    will come.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, data: bytes) -> list[Message]:
        """Take `data` in.

        Raises:
            RemoteProtocolError: a wrong checksum or length, or a malformed header.
        """
        self._buffer += data
        messages: list[Message] = []
        position = 0
        while len(self._buffer) - position >= _PRELUDE.size:
            total, headers_length = self._lengths(position)
            if len(self._buffer) - position < total:
                break
            frame = bytes(self._buffer[position : position + total])
            position += total
            (checksum,) = _CRC.unpack_from(frame, total - _CRC.size)
            if crc32(memoryview(frame)[: -_CRC.size]) != checksum:
                raise RemoteProtocolError("an event stream message has a wrong checksum")
            headers_end = _PRELUDE.size + headers_length
            messages.append(
                Message(
                    _decode_headers(frame[_PRELUDE.size : headers_end]),
                    frame[headers_end : -_CRC.size],
                )
            )
        del self._buffer[:position]
        return messages

    def receive_eof(self) -> None:
        """The connection was closed.

        Raises:
            RemoteProtocolError: in the middle of a frame.
        """
        if self._buffer:
            raise RemoteProtocolError(
                f"the event stream was cut {len(self._buffer)} bytes into a message"
            )

    def _lengths(self, position: int) -> tuple[int, int]:
        total, headers_length, checksum = _PRELUDE.unpack_from(self._buffer, position)
        if crc32(bytes(self._buffer[position : position + 8])) != checksum:
            raise RemoteProtocolError("the lengths of an event stream message are damaged")
        payload_length = total - headers_length - _OVERHEAD
        if payload_length < 0 or headers_length > MAX_HEADERS or payload_length > MAX_PAYLOAD:
            raise RemoteProtocolError(
                f"an event stream message claims {headers_length} bytes of headers "
                f"and {payload_length} of payload"
            )
        return total, headers_length


def _decode_headers(data: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    position = 0
    try:
        while position < len(data):
            name_end = position + 1 + data[position]
            name = data[position + 1 : name_end].decode()
            kind = data[name_end]
            position = name_end + 1
            if kind in _FIXED_WIDTH:
                position += _FIXED_WIDTH[kind]
            elif kind in (_BYTES, _STRING):
                (length,) = struct.unpack_from(">H", data, position)
                value = data[position + 2 : position + 2 + length]
                position += 2 + length
                if kind == _STRING:
                    headers[name] = value.decode()
            else:
                raise RemoteProtocolError(f"unknown type {kind} of an event stream header")
        if position > len(data):
            raise RemoteProtocolError("the headers of an event stream message are cut")
    except (IndexError, struct.error, UnicodeDecodeError) as exc:
        raise RemoteProtocolError("malformed headers in an event stream message") from exc
    return headers
