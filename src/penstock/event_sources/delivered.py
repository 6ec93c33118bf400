"""Events from within AWS, delivered to the app as requests.

The whole event is the body of one `POST` to a path of its own. What the app answers decides
whether the invocation has succeeded, which is what AWS looks at before it tries again.

Sources: AWS documentation, the service's page under "Integrating other services".
"""

from __future__ import annotations

from ..errors import DeliveryError, EventError
from ..messages import Headers, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..messages import Response


class Delivered:
    """A source whose events are posted to `path`; what every internal source shares.

    `host` is the request's `host`: the name under which the service acts within AWS.

    Raises:
        ValueError: `path` is no path: text that begins with one slash, without a query. Nor
            is it "/" where the requests are to paths below it, as those would be all.
    """

    name: str
    looks_for: str
    host: str
    path: str
    can_stream = False
    is_internal = True

    def __init__(self, path: str | None = None) -> None:
        if path is not None:
            self.path = _checked_path(path)
            if path == "/" and getattr(self, "has_paths_below", False):
                raise ValueError(
                    f"the path of {type(self).__name__} is like '/websocket', not '/': those "
                    "below it are closed to outside callers, and below '/' are all"
                )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.path}>"

    def matches(self, event: Any) -> bool:
        """Whether this source has made `event`; never raises."""
        raise NotImplementedError

    def request(self, event: Any) -> Request:
        """The event as a request that has it for a body.

        Raises:
            EventError: it cannot be written as JSON.
        """
        body = _as_json(event)
        return Request(
            method="POST",
            path=self.path_of(event),
            headers=Headers(
                [
                    ("host", self.host),
                    ("content-type", "application/json"),
                    ("content-length", str(len(body))),
                ]
            ),
            body=body,
            # Nobody at an address has sent it.
            source_ip="",
        )

    def path_of(self, event: Any) -> str:
        """Where a matching event is posted to: `path`, or something below it."""
        return self.path

    def result(self, response: Response, event: Any) -> Any:
        """An empty object, if the status is from 200 to 299.

        A redirect is none: whoever redirects has not handled the event, and nobody follows.

        Raises:
            DeliveryError: it is any other.
        """
        self.check_status(response)
        return {}

    def check_status(self, response: Response) -> None:
        """Whether the app has handled the event, by the status it answered.

        Raises:
            DeliveryError: the status is not from 200 to 299.
        """
        if not 200 <= response.status <= 299:
            raise DeliveryError(f"the app answered POST {self.path} with status {response.status}")


class Recorded(Delivered):
    """A source whose events are a list of `Records`, of which each names the service."""

    event_source: str

    def matches(self, event: Any) -> bool:
        """Whether there are records, all of this service."""
        if not isinstance(event, dict):
            return False
        records = event.get("Records")
        return (
            isinstance(records, list)
            and bool(records)
            and all(
                isinstance(record, dict) and _service_of(record) == self.event_source
                for record in records
            )
        )


def json_of(response: Response) -> Any:
    """What the app answered as JSON; None for an empty body, as for null.

    Raises:
        ValueError: it is no JSON. NaN is none: no service of AWS would take it.
    """
    if not response.body.strip():
        return None
    import json

    try:
        return json.loads(response.body, parse_constant=_refuse)
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc


def text_at(record: dict[str, Any], part: str, key: str) -> str | None:
    """The text under `key` in the object `part` of a record, or None."""
    inside = record.get(part)
    value = inside.get(key) if isinstance(inside, dict) else None
    return value if isinstance(value, str) else None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _service_of(record: dict[str, Any]) -> Any:
    # SNS spells all its keys with capitals.
    return record["eventSource"] if "eventSource" in record else record.get("EventSource")


def _as_json(event: Any) -> bytes:
    import json

    try:
        try:
            return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
        except UnicodeEncodeError:
            # Half of a surrogate pair, which JSON may hold but UTF-8 may not.
            return json.dumps(event, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as exc:
        raise EventError(f"the event cannot be written as JSON: {exc}") from exc


def _checked_path(path: object) -> str:
    if (
        not isinstance(path, str)
        or not path.startswith("/")
        or path.startswith("//")
        or not path.isascii()
        or not path.isprintable()
        or any(character in " ?#" for character in path)
    ):
        raise ValueError(
            f"the path of an event source is like '/queue', with one slash first and no query, "
            f"not {path!r:.80}"
        )
    return path
