"""Events and buffered responses as JSON, by the rules of AWS's own client."""

from __future__ import annotations

import json
import os
import re

from ..errors import MarshalError
from ..wire.runtime_api import JSON

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# AWS's client writes non-ASCII text as it is from Python 3.12 on, and escapes it before.
_RAW_UNICODE = frozenset(f"AWS_Lambda_python3.{minor}" for minor in range(12, 30))


def event_from_bytes(body: bytes, content_type: str) -> Any:
    """The event that the handler gets: parsed JSON, or bytes for any other content type.

    Raises:
        MarshalError: `Runtime.UnmarshalError`, it is no JSON.
    """
    if content_type != JSON:
        return body
    try:
        return json.loads(body)
    except ValueError as exc:
        raise MarshalError("Runtime.UnmarshalError", f"Unable to unmarshal input: {exc}") from exc


def response_to_bytes(response: object) -> tuple[bytes, str]:
    """A buffered response and its content type.

    `bytes` go as they are, with AWS's `application/unknown`; everything else is JSON.

    Raises:
        MarshalError: `Runtime.MarshalError`, it cannot be JSON.
    """
    if isinstance(response, bytes):
        return response, "application/unknown"
    try:
        return to_json(response).encode("utf-8", "surrogatepass"), JSON
    except (TypeError, ValueError, RecursionError) as exc:
        raise MarshalError("Runtime.MarshalError", f"Unable to marshal response: {exc}") from exc


def to_json(value: object) -> str:
    """JSON as AWS's client writes it: NaN bare, `Decimal` as a number."""
    decimals: list[str] = []
    text = json.dumps(
        value,
        ensure_ascii=os.environ.get("AWS_EXECUTION_ENV") not in _RAW_UNICODE,
        default=lambda item: _default(item, decimals),
    )
    if decimals:
        text = re.sub(_PLACEHOLDER, lambda found: decimals[int(found[1])], text)
    return text


# The standard library cannot write a number it did not make, so a Decimal is written as a
# string that no text contains by accident and put in afterwards.
_MARK = f"penstock Decimal {os.urandom(8).hex()} "
_PLACEHOLDER = f'"{_MARK}([0-9]+)"'


def _default(item: object, decimals: list[str]) -> object:
    if type(item).__name__ == "Decimal" and type(item).__module__ == "decimal":
        if item.is_nan():  # type: ignore[attr-defined]
            return float("nan")
        decimals.append(str(item))
        return f"{_MARK}{len(decimals) - 1}"
    if isinstance(item, bytes):
        return item.decode()
    raise TypeError(f"Object of type {type(item).__name__} is not JSON serializable")
