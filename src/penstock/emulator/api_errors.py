"""The errors of AWS's APIs, as the front doors answer them."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from functools import lru_cache

from .http.http_server import Exchange, HeaderList
from .invocations import new_request_id


def too_many_requests(reason: str) -> dict[str, str]:
    """The JSON of AWS's 429 for a call for which there is no room."""
    return {"Reason": reason, "Type": "User", "message": "Rate Exceeded."}


def refuse(
    exchange: Exchange,
    status: int,
    error_type: str,
    body: dict[str, str],
    headers: HeaderList | None = None,
    *,
    request_id: str | None = None,
) -> None:
    """Answer with one of the API's exceptions."""
    fields = [
        *platform_headers(request_id or new_request_id()),
        ("Content-Type", "application/json"),
        ("x-amzn-ErrorType", error_type),
        *(headers or ()),
    ]
    exchange.respond(status, fields, json.dumps(body, separators=(",", ":")).encode())


def platform_headers(request_id: str) -> HeaderList:
    """What AWS says with every answer."""
    return [("Date", _date(int(time.time()))), ("x-amzn-RequestId", request_id)]


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
