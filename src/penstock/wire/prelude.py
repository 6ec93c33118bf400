"""The HTTP head of a streamed Lambda response.

A streamed response to a Function URL or a REST API is one body that carries an HTTP head
in front: a JSON object, eight NUL bytes, then the real body. ::

    {"statusCode":200,"headers":{...}} 00 00 00 00 00 00 00 00  body body body ...

This module writes that head and reads it back. The runtime is the writer; the emulator's
HTTP fronts are the readers, which is why both live here.
Source: AWS documentation, "Lambda proxy integration for response streaming".
"""

from __future__ import annotations

from ..errors import PreludeError, RemoteProtocolError
from ..messages import Prelude

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CONTENT_TYPE = "application/vnd.awslambda.http-integration-response"
DELIMITER = bytes(8)

# API Gateway wants the metadata and the delimiter within the first 16 KB; whether the
# delimiter counts is not documented, so here it does.
MAX_SIZE = 16384

# Made once: that takes longer than to encode a head.
_encoder: Any = None


def encode_prelude(prelude: Prelude) -> bytes:
    """The head as bytes: compact JSON and the delimiter.

    Raises:
        PreludeError: it would be over 16 KiB.
    """
    global _encoder
    if _encoder is None:
        from json import JSONEncoder

        _encoder = JSONEncoder(separators=(",", ":"), ensure_ascii=False)
    # It writes NUL as \u0000, so the delimiter cannot occur inside.
    head: bytes = _encoder.encode(prelude.to_metadata()).encode()
    size = len(head) + len(DELIMITER)
    if size > MAX_SIZE:
        raise PreludeError(
            f"the status, headers and cookies make a prelude of {size} bytes; "
            f"Lambda's front doors read at most {MAX_SIZE}"
        )
    return head + DELIMITER


class PreludeDecoder:
    """Finds the head in front of a body, whatever the pieces it arrives in.

    `receive` returns body bytes; `metadata` is None until the whole head was seen.
    """

    def __init__(self) -> None:
        self.metadata: dict[str, Any] | None = None
        self._buffer = bytearray()

    def receive(self, data: bytes) -> bytes:
        """Take `data` in and return what belongs to the body.

        Raises:
            RemoteProtocolError: no delimiter within 16 KiB, or what stands before it is no
                JSON object.
        """
        if self.metadata is not None:
            return data
        # The delimiter may straddle two pieces.
        start = max(0, len(self._buffer) - len(DELIMITER) + 1)
        self._buffer += data
        end = self._buffer.find(DELIMITER, start)
        if end < 0 or end + len(DELIMITER) > MAX_SIZE:
            if len(self._buffer) >= MAX_SIZE:
                raise RemoteProtocolError(
                    f"no eight NUL bytes within the first {MAX_SIZE} bytes of a response "
                    "that says it starts with a prelude"
                )
            return b""
        self.metadata = _parsed(bytes(self._buffer[:end]))
        body = bytes(self._buffer[end + len(DELIMITER) :])
        self._buffer.clear()
        return body

    @property
    def pending(self) -> bytes:
        """What was received so far while the head is still incomplete."""
        return bytes(self._buffer)


def _parsed(head: bytes) -> dict[str, Any]:
    from json import loads

    try:
        metadata = loads(head)
    except (ValueError, RecursionError) as exc:
        raise RemoteProtocolError(f"the prelude is no JSON: {exc}") from exc
    if not isinstance(metadata, dict):
        raise RemoteProtocolError(
            f"the prelude must be a JSON object, not {type(metadata).__name__}"
        )
    return metadata
