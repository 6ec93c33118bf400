"""What tests of event streams read with: a client's half, from the HTML standard, 9.2.6."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from penstock.buffered import BufferedResponder
from penstock.event_streams import HEARTBEAT
from penstock.stream import current_responder
from penstock.testing import Context


class Event(NamedTuple):
    """What a client's code hears of."""

    type: str
    data: str
    last_event_id: str


def read_events(body: bytes) -> list[Event]:
    """The events of a stream that has ended; what is not whole is dropped."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    *lines, _ = re.split("\r\n|\n|\r", text)
    heard = []
    kind, data, last_id = "", "", ""
    for line in lines:
        field, colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                heard.append(Event(kind or "message", data.removesuffix("\n"), last_id))
            kind, data = "", ""
        elif colon and not field:
            pass
        elif field == "event":
            kind = value
        elif field == "data":
            data += value + "\n"
        elif field == "id" and "\0" not in value:
            last_id = value
    return heard


def is_silent() -> bool:
    """Whether no thread of heartbeats is left."""
    return not any(thread.name == "penstock-heartbeats" for thread in threading.enumerate())


def read_to_a_heartbeat_after(event: bytes, steps: Iterator[bytes]) -> None:
    """Read on: on a busy machine a heartbeat may come before the event as well."""
    while next(steps) != event:
        pass
    assert next(steps) == HEARTBEAT


def failed(handler: Callable[[Any, Any], Any], context: Any = None) -> tuple[BaseException, bytes]:
    """What a handler raised, and the body it had sent by then."""
    responder = BufferedResponder()
    token = current_responder.set(responder)
    try:
        handler({}, context or Context())
    except BaseException as exc:
        return exc, b"".join(responder.chunks)
    finally:
        current_responder.reset(token)
    pytest.fail("it has not failed")
