"""Server-sent events as values: one event, and the head of a stream of them.

The format is that of the HTML standard, section 9.2 "Server-sent events": lines end with LF,
CRLF or CR and nothing else, an event ends with a blank line.
"""

from __future__ import annotations

from .errors import PreludeError
from .messages import Prelude

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

CONTENT_TYPE = "text/event-stream"


class ServerSentEvent:
    """One event of a stream: its data, and what else an event may have.

    `data` is a `str`, or UTF-8 as bytes; a dict, list, number or bool is sent as JSON. Line
    breaks in it arrive as LF. None is for an event that only sets `id` or `retry`, of which
    the client's code hears nothing.
    `event` is the name under which it is heard of ("message" without one); `id` comes back
    as `Last-Event-ID` when the client connects again; `retry` is how many milliseconds it
    waits before it does.

    Raises:
        TypeError: one of them is of another type.
        ValueError: a line break in `event` or `id`, NUL in `id`, a negative `retry`, an
            `event` without data, or nothing at all.
    """

    __slots__ = ("_encoded",)

    def __init__(
        self,
        data: Any = None,
        *,
        event: str | None = None,
        id: str | None = None,  # noqa: A002 - the field's name
        retry: int | None = None,
    ) -> None:
        lines = []
        if event is not None:
            if data is None:
                raise ValueError(
                    f"the event {event!r:.80} has no data, so no client would hear of it; "
                    'give it data="" at least'
                )
            lines.append(f"event: {one_line('event', event)}")
        if id is not None:
            if "\0" in one_line("id", id):
                raise ValueError(f"the id {id!r:.80} has NUL in it, so clients would ignore it")
            lines.append(f"id: {id}")
        if retry is not None:
            if isinstance(retry, bool) or not isinstance(retry, int):
                raise TypeError(f"retry is a whole number of milliseconds, not {retry!r:.80}")
            if retry < 0:
                raise ValueError(f"retry is 0 milliseconds or more, not {retry}")
            lines.append(f"retry: {int(retry)}")
        if data is not None:
            text = _text(data).replace("\r\n", "\n").replace("\r", "\n")
            lines += [f"data: {line}" for line in text.split("\n")]
        if not lines:
            raise ValueError("an event has data, or at least an id or retry")
        self._encoded = ("\n".join(lines) + "\n\n").encode()

    def encode(self) -> bytes:
        """The bytes of the event, up to and with its blank line."""
        return self._encoded

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ServerSentEvent) and self._encoded == other._encoded

    def __hash__(self) -> int:
        return hash(self._encoded)

    def __repr__(self) -> str:
        return f"<ServerSentEvent {self._encoded!r:.80}>"


def last_event_id(event: Any) -> str | None:
    """The id of the last event that a client has seen, when it connects again.

    `event` is that of a Function URL, an API or a load balancer. None for a first time.
    """
    for field in ("headers", "multiValueHeaders"):
        for name, value in (event.get(field) or {}).items():
            if name.lower() == "last-event-id":
                found: str = value[-1] if isinstance(value, list) else value
                return found
    return None


def event_stream_prelude(prelude: Prelude) -> Prelude:
    """`prelude` as the head of an event stream.

    Raises:
        PreludeError: its content type is another one.
    """
    fields = dict(event_stream_fields(prelude.headers.items()))
    given = [value for name, value in fields.items() if name.lower() == "content-type"]
    if given and not is_event_stream(given[0]):
        raise PreludeError(
            f"the content type of server-sent events is {CONTENT_TYPE}, not {given[0]!r:.80}; "
            "leave it out"
        )
    if not given:
        fields["content-type"] = f"{CONTENT_TYPE}; charset=utf-8"
    return Prelude(prelude.status_code, fields, prelude.cookies, prelude.multi_value_headers)


def event_stream_fields(fields: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Header fields with those that keep proxies from holding a stream back.

    `no-transform` is for whoever would compress it (RFC 9111 section 5.2.2.6), and
    `x-accel-buffering` for nginx; a `cache-control` that is there is added to.
    """
    found = list(fields)
    names = {name.lower() for name, _ in found}
    if "cache-control" not in names:
        found.append(("cache-control", "no-cache, no-transform"))
    elif not any(
        name.lower() == "cache-control" and "no-transform" in value.lower() for name, value in found
    ):
        at = [name.lower() for name, _ in found].index("cache-control")
        name, value = found[at]
        found[at] = name, f"{value}, no-transform"
    if "x-accel-buffering" not in names:
        found.append(("x-accel-buffering", "no"))
    return found


def is_event_stream(content_type: str) -> bool:
    """Whether that is the content type of an event stream."""
    return content_type.partition(";")[0].strip().lower() == CONTENT_TYPE


def _text(data: Any) -> str:
    """The data of an event as text."""
    if isinstance(data, str):
        return data
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data).decode()
    if isinstance(data, (dict, list, tuple, int, float)):
        import json

        return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    raise TypeError(
        "the data of an event is str, bytes, or a dict, list, number or bool for JSON, "
        f"not {type(data).__name__}"
    )


def one_line(what: str, value: object) -> str:
    """`value`, if it is text without line breaks.

    Raises:
        TypeError, ValueError: it is not.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} is a str, not {type(value).__name__}")
    if "\n" in value or "\r" in value:
        raise ValueError(f"{what} is one line: {value!r:.80} would begin another field")
    return value
