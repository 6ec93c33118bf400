"""Events from within AWS, delivered to the app as requests.

The whole event is the body of one `POST` to a path of its own. What the app answers decides
whether the invocation has succeeded, which is what AWS looks at before it tries again.

Sources: AWS documentation, the service's page under "Integrating other services", and for
batches "Implementing partial batch responses" (SQS) and "Configuring partial batch response"
(Kinesis, DynamoDB).
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
        ValueError: `path` is no path: text that begins with one slash, without a query.
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
            path=self.path,
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

    def result(self, response: Response, event: Any) -> dict[str, Any]:
        """An empty object, if the status is from 200 to 299.

        A redirect is none: whoever redirects has not handled the event, and nobody follows.

        Raises:
            DeliveryError: it is any other.
        """
        if not 200 <= response.status <= 299:
            raise DeliveryError(f"the app answered POST {self.path} with status {response.status}")
        return {}


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


class Batched(Recorded):
    """A source that takes partial batch responses: which of the records have failed.

    The app may answer `{"batchItemFailures": [{"itemIdentifier": "..."}, ...]}`; AWS looks at
    it if the mapping has `ReportBatchItemFailures`, and then tries these records again.
    """

    def identifier_of(self, record: dict[str, Any]) -> object:
        """What AWS calls the record, or None."""
        raise NotImplementedError

    def result(self, response: Response, event: Any) -> dict[str, Any]:
        """The failures that the response reports, else an empty list of them.

        To AWS an empty list is the same as an empty object, a success of the whole batch. The
        list says what is meant, and that the app's answer was understood.

        Raises:
            DeliveryError: the status is not from 200 to 299, or the report is malformed.
                AWS would take some of these reports for a failure of the whole batch as
                well; others, which might hide a failure, become one here.
        """
        super().result(response, event)
        known = {self.identifier_of(record) for record in event["Records"]}
        failures = [
            {"itemIdentifier": self._checked_identifier(failure, known)}
            for failure in self._reported(response)
        ]
        return {"batchItemFailures": failures}

    def _reported(self, response: Response) -> list[Any]:
        if not response.body.strip():
            return []
        import json

        try:
            answer = json.loads(response.body)
        except (ValueError, RecursionError):
            # "OK" as plain text is an answer, half an object is not.
            content_type = response.headers.get("content-type") or ""
            if "json" in content_type.lower() or response.body.lstrip().startswith(b"{"):
                raise self._malformed("is not valid JSON") from None
            return []
        failures = answer.get("batchItemFailures") if isinstance(answer, dict) else None
        if failures is None:
            # No report; AWS also takes null for an empty list.
            return []
        if not isinstance(failures, list):
            raise self._malformed(
                f"has a {type(failures).__name__} for batchItemFailures; it should be a list "
                'of {"itemIdentifier": "..."}'
            )
        return failures

    def _checked_identifier(self, failure: object, known: set[object]) -> str:
        identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        if not isinstance(identifier, str) or not identifier:
            raise self._malformed(
                "has an item in batchItemFailures without an itemIdentifier; each should be "
                '{"itemIdentifier": "..."}'
            )
        if identifier not in known:
            raise self._malformed(
                "reports an itemIdentifier that no record of the event has; "
                "it should be that of a record"
            )
        return identifier

    def _malformed(self, what: str) -> DeliveryError:
        return DeliveryError(
            f"the app's answer to POST {self.path} {what}. The whole batch is reported as failed"
        )


def text_at(record: dict[str, Any], part: str, key: str) -> str | None:
    """The text under `key` in the object `part` of a record, or None."""
    inside = record.get(part)
    value = inside.get(key) if isinstance(inside, dict) else None
    return value if isinstance(value, str) else None


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
