"""What events of several services have: places, ids, times, and bytes as text."""

from __future__ import annotations

import secrets
import time
from base64 import b64encode
from datetime import UTC, datetime

REGION = "us-east-1"
ACCOUNT = "123456789012"


def arn(service: str, region: str, resource: str) -> str:
    """The ARN of a resource of the account that all events are of."""
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{resource}"


def milliseconds() -> int:
    """The time now, in milliseconds."""
    return time.time_ns() // 1_000_000


def iso(*, with_milliseconds: bool = True) -> str:
    """The time now, as `2026-09-15T11:15:42.381Z`."""
    timespec = "milliseconds" if with_milliseconds else "seconds"
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec=timespec) + "Z"


def digits(count: int, first: str = "") -> str:
    """`count` decimal digits, as sequence numbers have, that begin with `first`."""
    rest = secrets.randbelow(10 ** (count - len(first)))
    return f"{first}{rest:0{count - len(first)}}"


def as_bytes(data: str | bytes) -> bytes:
    """Text as UTF-8, bytes as they are.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(data, str | bytes):
        raise TypeError(f"data is text or bytes, not {data!r:.80}; make JSON text with json.dumps")
    return data.encode() if isinstance(data, str) else data


def base64_of(data: str | bytes) -> str:
    """Text or bytes, in base64."""
    return b64encode(as_bytes(data)).decode()
