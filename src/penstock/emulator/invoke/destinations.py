"""What becomes of asynchronous invocations in the end: records, and where they go.

Source: AWS documentation, "Capturing records of Lambda asynchronous invocations"; records
as captured on AWS.
"""

from __future__ import annotations

import errno
import json
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ...errors import PenstockError
from ..limits import EVENT_PAYLOAD

_FUNCTION = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:[a-z0-9-]+:\d{12}:function:(?P<name>[a-zA-Z0-9_-]+)"
    r"(:(?P<qualifier>\$LATEST|[a-zA-Z0-9_-]+))?"
)
_ARN = re.compile(r"arn:aws[a-zA-Z-]*:(?P<service>[a-z0-9-]+):.*")

_files = threading.Lock()


class DeliveryError(PenstockError):
    """A record does not arrive; the text says why."""


@dataclass(frozen=True)
class FunctionDestination:
    """A function that is invoked with the record."""

    name: str
    qualifier: str | None


def read_destination(destination: str) -> FunctionDestination | Path | str:
    """What the `Destination` of a configuration leads to.

    A function by its ARN; a file, which gets a line for each record, by an absolute
    `file:///path`, which is ours. For all else: why nothing will arrive there, in words.
    """
    if match := _FUNCTION.fullmatch(destination):
        return FunctionDestination(match["name"], match["qualifier"])
    if destination.startswith("file:"):
        parts = urlsplit(destination)
        if parts.netloc in ("", "localhost") and parts.path.startswith("/"):
            return Path(unquote(parts.path))
        return f"{destination} names no file; an absolute path is needed, as in file:///tmp/out"
    match = _ARN.fullmatch(destination)
    what = f"{match['service']} is not emulated" if match else "it is no ARN"
    return (
        f"{destination} gets no records: {what}; a function's ARN does, "
        "and a file as in file:///tmp/records.jsonl"
    )


@dataclass(frozen=True)
class Result:
    """How an asynchronous invocation ended.

    `condition` is Success, RetriesExhausted, EventAgeExceeded or ZeroReservedConcurrency.
    `status` is 200 for whatever the function has answered; None: it was never called.
    """

    condition: str
    tries: int
    status: int | None = None
    version: str | None = None
    function_error: str | None = None
    response: bytes = b""

    @property
    def is_success(self) -> bool:
        """Whether the record is for `OnSuccess`."""
        return self.condition == "Success"


def record(*, request_id: str, function_arn: str, event: bytes, result: Result) -> bytes:
    """The invocation record, as a destination gets it: JSON on one line.

    `function_arn` is qualified, with `$LATEST` if with nothing else. The event and the
    response stand in it as they are.

    Raises:
        ValueError: the response is no JSON, as of a function that streams something else.
    """
    request_context = {
        "requestId": request_id,
        "functionArn": function_arn,
        "condition": result.condition,
        "approximateInvokeCount": result.tries,
    }
    parts = [
        '"version":"1.0"',
        f'"timestamp":"{_timestamp()}"',
        f'"requestContext":{_compact(request_context)}',
        f'"requestPayload":{_one_line(event)}',
    ]
    if result.status is not None:
        response_context = {
            "statusCode": result.status,
            "executedVersion": result.version,
            "functionError": result.function_error,
        }
        known = {key: value for key, value in response_context.items() if value is not None}
        parts.append(f'"responseContext":{_compact(known)}')
    if result.response:
        parts.append(f'"responsePayload":{_one_line(result.response)}')
    return f"{{{','.join(parts)}}}".encode()


def dead_letter(*, request_id: str, event: bytes, result: Result) -> bytes:
    """What a dead-letter queue gets, with its attributes, as JSON on one line for a file."""
    try:
        message = json.loads(result.response).get("errorMessage", "")
    except (ValueError, AttributeError, RecursionError):
        message = ""
    attributes = {
        "RequestID": request_id,
        "ErrorCode": str(result.status or 200),
        "ErrorMessage": message,
    }
    return f'{{"MessageAttributes":{_compact(attributes)},"Body":{_one_line(event)}}}'.encode()


@dataclass(frozen=True)
class EndedEvent:
    """An asynchronous invocation that is over. `function_arn` is qualified."""

    request_id: str
    function_arn: str
    payload: bytes
    trace_id: str
    result: Result


class Deliveries:
    """Takes records where they are to go, and says so in the log if one does not arrive.

    `invoke` gets a function, a record and a trace id; it raises `DeliveryError`.
    """

    def __init__(
        self,
        invoke: Callable[[FunctionDestination, bytes, str], None],
        write_line: Callable[[str], object],
    ) -> None:
        self._invoke = invoke
        self._write_line = write_line

    def send_record(self, event: EndedEvent, destination: str) -> None:
        """Make the record of `event` and deliver it."""
        try:
            try:
                made = record(
                    request_id=event.request_id,
                    function_arn=event.function_arn,
                    event=event.payload,
                    result=event.result,
                )
            except ValueError as exc:
                raise DeliveryError(
                    f"{destination} gets no record, for the response of "
                    f"{event.function_arn.rpartition(':function:')[2]} is no JSON: {exc}"
                ) from exc
            where = read_destination(destination)
            if not isinstance(where, FunctionDestination):
                _write(where, made)
            elif len(made) > EVENT_PAYLOAD:
                raise DeliveryError(
                    f"the record is too large for {where.name}: {len(made)} bytes, "
                    f"over {EVENT_PAYLOAD}"
                )
            else:
                self._invoke(where, made, event.trace_id)
        except DeliveryError as exc:
            self._write_line(f"{event.request_id}: {exc}")

    def send_dead_letter(self, event: EndedEvent, target: str) -> None:
        """Deliver the event itself, which has come to nothing."""
        where = read_destination(target)
        try:
            if isinstance(where, FunctionDestination):
                raise DeliveryError(
                    f"{target} is a function, and dead letters go to queues and topics"
                )
            letter = dead_letter(
                request_id=event.request_id, event=event.payload, result=event.result
            )
            _write(where, letter)
        except DeliveryError as exc:
            self._write_line(f"{event.request_id}: {exc}")


def _write(where: Path | str, made: bytes) -> None:
    if isinstance(where, str):
        raise DeliveryError(where)
    try:
        append_line(where, made)
    except OSError as exc:
        raise DeliveryError(f"cannot write {where}: {exc.strerror or exc}") from exc


def append_line(path: Path, line: bytes) -> None:
    """Add a line to a file, whole, whoever else does so at the moment.

    Raises:
        OSError: it cannot be written, or not all of it; so it is with a pipe that nobody
            reads, or not fast enough.
    """
    with _files, open(path, "ab", buffering=0, opener=_without_waiting) as file:
        data = line + b"\n"
        written = file.write(data) or 0
        if written != len(data):
            raise OSError(errno.EAGAIN, f"it took {written} of {len(data)} bytes")


def _without_waiting(path: str, flags: int) -> int:
    # Else a pipe without a reader holds up every other file.
    return os.open(path, flags | os.O_NONBLOCK, 0o666)


def _one_line(payload: bytes) -> str:
    """JSON without line ends, otherwise as it is: within strings JSON has none."""
    text = payload.decode()
    try:
        json.loads(text)
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    return text.replace("\r", " ").replace("\n", " ")


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _timestamp() -> str:
    now = datetime.now(UTC)
    return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"
