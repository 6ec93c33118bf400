"""What the events of several HTTP sources have in common."""

from __future__ import annotations

from ..errors import EventError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..messages import Response


def text_of(values: dict[str, Any], key: str, default: str) -> str:
    """The text under `key`, or `default` if there is nothing."""
    value = values.get(key, default)
    if not isinstance(value, str):
        raise EventError(f"{key} should be text, found {type(value).__name__} ({value!r:.80})")
    return value


def body_of(event: dict[str, Any]) -> bytes:
    """The body of an event, which says whether it is in base64."""
    body = event.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise EventError(f"body should be text, found {type(body).__name__}")
    if not event.get("isBase64Encoded"):
        return body.encode("utf-8", "replace")
    from base64 import b64decode

    try:
        return b64decode(body, validate=True)
    except ValueError as exc:
        raise EventError(f"isBase64Encoded is true, but the body is no base64: {exc}") from exc


def body_as_text(response: Response) -> tuple[str, bool]:
    """The body as text by evidence: not encoded, no NUL, valid UTF-8; else in base64."""
    if "content-encoding" not in response.headers and b"\0" not in response.body:
        try:
            return response.body.decode(), False
        except UnicodeDecodeError:
            pass
    from base64 import b64encode

    return b64encode(response.body).decode(), True
