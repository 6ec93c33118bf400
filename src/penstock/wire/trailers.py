"""The two trailers that carry an error behind a streamed body. ::

    0\\r\\n
    Lambda-Runtime-Function-Error-Type: ValueError\\r\\n
    Lambda-Runtime-Function-Error-Body: <base64 of a JSON object>\\r\\n
    \\r\\n

The object has the keys `errorType`, `errorMessage` and `stackTrace`.
Once the head of a response is sent, this is the only way left to say that it failed.
Source: AWS documentation, "Implementing response streaming in a custom runtime".
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
ERROR_BODY = "Lambda-Runtime-Function-Error-Body"

# Go's net/http, which is what Lambda serves the Runtime API with, looks for the end of the
# trailers in its 4096-byte read buffer and calls anything longer "suspiciously long": the
# whole response then counts as truncated. (golang net/http/transfer.go, body.readTrailer)
MAX_BLOCK = 4096

# `Lambda-Runtime-Function-Error-Type: ` and `-Body: `, two line ends, the empty line.
_OVERHEAD = len(ERROR_TYPE) + len(ERROR_BODY) + 4 + 4 + 2
_MAX_TYPE = 128


def error_trailers(error_type: str, message: str, stack_trace: Iterable[str]) -> bytes:
    """The trailer block, with its closing empty line, in at most `MAX_BLOCK` bytes.

    What does not fit is cut: first the outermost frames, then the end of the message.
    """
    from base64 import b64encode
    from json import dumps

    name = _header_safe(error_type)
    # base64 makes 4 bytes of 3.
    room = (MAX_BLOCK - _OVERHEAD - len(name)) // 4 * 3
    frames = list(stack_trace)
    while True:
        body = dumps(
            {"errorType": error_type, "errorMessage": message, "stackTrace": frames},
            separators=(",", ":"),
        ).encode()
        if len(body) <= room:
            break
        if frames:
            frames = frames[len(frames) // 2 + 1 :]
        elif len(error_type) > _MAX_TYPE:
            error_type = error_type[:_MAX_TYPE]
        else:
            message = message[: len(message) // 2] + "..."
    return b"%s: %s\r\n%s: %s\r\n\r\n" % (
        ERROR_TYPE.encode(),
        name.encode(),
        ERROR_BODY.encode(),
        b64encode(body),
    )


def decode_error_body(value: str) -> Mapping[str, Any] | None:
    """The error that a `Lambda-Runtime-Function-Error-Body` trailer carries.

    None if it is no base64 of a JSON object: a trailer that cannot be read still means
    that the response failed.
    """
    from base64 import b64decode
    from json import loads

    try:
        error = loads(b64decode(value, validate=True))
    except (ValueError, RecursionError):
        return None
    return error if isinstance(error, dict) else None


def _header_safe(error_type: str) -> str:
    safe = "".join(c if " " < c < "\x7f" else "_" for c in error_type[:_MAX_TYPE])
    return safe or "Error"
