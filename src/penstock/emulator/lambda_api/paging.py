"""Lists that come in pages."""

from __future__ import annotations

from base64 import b64decode, b64encode

from .errors import invalid
from .records import Json


def page(name: str, items: list[Json], request: Json, *, default: int) -> Json:
    """The part of `items` that the request asks for, under `name`, and where the next begins.

    Raises:
        ApiError: its `Marker` is none of ours.
    """
    start = 0
    if request.get("Marker"):
        try:
            start = int(b64decode(request["Marker"], validate=True))
            if start < 0:
                raise ValueError(start)
        except ValueError as exc:
            raise invalid("Invalid pagination token") from exc
    end = start + min(request.get("MaxItems") or default, default)
    answer: Json = {name: items[start:end]}
    if end < len(items):
        answer["NextMarker"] = b64encode(str(end).encode()).decode()
    return answer
