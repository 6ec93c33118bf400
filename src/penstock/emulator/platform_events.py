"""Everything that happens in environments, as events with the schema of AWS's Telemetry API.

Source: AWS documentation, "Lambda Telemetry API Event schema reference". Types that begin
with `penstock.` are our own.
"""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

Record: TypeAlias = "dict[str, Any] | str"


class PlatformEvent(NamedTuple):
    """One thing that happened, at `time` (seconds since the epoch).

    `record` is an object, or for the types "function", "extension" and "penstock.log" a line
    of the log (an object, too, if the line is JSON and the log format is). `function` is the
    name, `environment` the id that is in the name of the log stream, too; of "penstock.log",
    the emulator's own lines, they are empty where nobody knows them.
    """

    type: str
    record: Record
    function: str
    environment: str
    time: float

    def telemetry(self) -> dict[str, Any]:
        """As the Telemetry API delivers it."""
        return {"time": timestamp(self.time), "type": self.type, "record": self.record}

    def fields(self) -> dict[str, Any]:
        """The same with our own fields."""
        return {
            **self.telemetry(),
            "function": self.function,
            "environment": self.environment,
        }

    def line(self) -> str:
        """`fields` as one line of JSON."""
        return json.dumps(self.fields(), separators=(",", ":")) + "\n"


Listener: TypeAlias = Callable[[PlatformEvent], object]


class PlatformEvents:
    """Tells listeners of events, in the thread in which they happen and in their order there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: tuple[Listener, ...] = ()

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens: else no event need be made."""
        return bool(self._listeners)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every event from now on, from any thread, perhaps several.

        It should be quick. What is returned ends it.
        """
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = tuple(each for each in self._listeners if each is not listener)

        return unsubscribe

    def send(self, event: PlatformEvent) -> None:
        """Tell all listeners. What one of them raises is logged."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                logging.getLogger("penstock.emulator").exception("a listener failed")


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 with milliseconds."""
    whole = int(seconds)
    milliseconds = int((seconds - whole) * 1000)
    return f"{_second(whole)}.{milliseconds:03}Z"


@lru_cache(maxsize=16)
def _second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))


def span(name: str, start: float, end: float) -> dict[str, Any]:
    """A part of an invocation; the times are of `time.monotonic`."""
    epoch = time.time() - time.monotonic()
    return {
        "name": name,
        "start": timestamp(start + epoch),
        "durationMs": milliseconds(end - start),
    }


def milliseconds(seconds: float) -> float:
    """Milliseconds with microsecond precision, as AWS has them."""
    return int(seconds * 1_000_000) / 1000


def whole_milliseconds(duration: float) -> int:
    """Milliseconds as they are billed: each that has begun."""
    return math.ceil(round(duration, 3))


def start_text(request_id: str, version: str) -> str:
    """START of an invocation, as it stands in the log of a function."""
    return f"START RequestId: {request_id} Version: {version}\n"


def report_text(record: dict[str, Any], *, is_of_handler: bool = False) -> str:
    """END and REPORT of an invocation, as they stand in the log of a function.

    The fields are AWS's (captured 2026-09-15); `First Byte` is ours. `is_of_handler`: if there
    is an error, the handler has raised it, of which AWS's line says nothing. What it says of
    other failures is as in logs that people have published since the end of 2024.
    """
    request_id, metrics = record["requestId"], record["metrics"]
    fields = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {metrics['durationMs']:.2f} ms",
        f"Billed Duration: {metrics['billedDurationMs']} ms",
        f"Memory Size: {metrics['memorySizeMB']} MB",
    ]
    if "maxMemoryUsedMB" in metrics:
        fields.append(f"Max Memory Used: {metrics['maxMemoryUsedMB']} MB")
    if "initDurationMs" in metrics:
        fields.append(f"Init Duration: {metrics['initDurationMs']:.2f} ms")
    if "restoreDurationMs" in metrics:
        fields.append(f"Restore Duration: {metrics['restoreDurationMs']:.2f} ms")
        fields.append(f"Billed Restore Duration: {metrics['billedRestoreDurationMs']} ms")
    for each in record["spans"]:
        if each["name"] == "responseLatency":
            fields.append(f"First Byte: {each['durationMs']:.2f} ms")
    if record["status"] == "success" or is_of_handler:
        fields.append("")
    elif record["status"] == "timeout":
        fields.append("Status: timeout")
    else:
        fields.append("Status: error")
        if "errorType" in record:
            fields.append(f"Error Type: {record['errorType']}")
    return f"END RequestId: {request_id}\n" + "\t".join(fields) + "\n"


def subscription_text(record: dict[str, Any], *, is_logs_api: bool = False) -> str:
    """A subscription to the Telemetry API, or to the Logs API, as it stands in the log."""
    types = ", ".join(each.capitalize() for each in record["types"])
    api = "LOGS" if is_logs_api else "TELEMETRY"
    return f"{api}\tName: {record['name']}\tState: {record['state']}\tTypes: [{types}]\n"


def text_of(event: PlatformEvent) -> str | None:
    """How the log of a function with the log format Text tells of an event, if it does.

    `report_text` and `subscription_text` make lines for which an event alone does not do.
    """
    record = event.record
    if isinstance(record, str):
        return None
    if event.type == "platform.start":
        return start_text(record["requestId"], record["version"])
    if event.type == "platform.initReport" and record["status"] != "success":
        # A start that went well is in the REPORT of the first invocation.
        error = f"\tError Type: {record['errorType']}" if "errorType" in record else ""
        duration = record["metrics"]["durationMs"]
        return (
            f"INIT_REPORT Init Duration: {duration:.2f} ms\tPhase: {record['phase']}\t"
            f"Status: {record['status']}{error}\n"
        )
    if event.type == "platform.restoreReport":
        duration = record["metrics"]["durationMs"]
        failed = "" if record["status"] == "success" else f"\tStatus: {record['status']}"
        if "errorType" in record:
            failed += f"\tError Type: {record['errorType']}"
        return f"RESTORE_REPORT Restore Duration: {duration:.2f} ms{failed}\n"
    if event.type == "platform.extension":
        events = ", ".join(record["events"])
        return f"EXTENSION\tName: {record['name']}\tState: {record['state']}\tEvents: [{events}]\n"
    return None


# Which events a log with the log format JSON has at the system log level INFO.
# Source: AWS documentation, "System log level event mapping".
_IN_JSON_LOG = frozenset(
    {
        "platform.initStart",
        "platform.start",
        "platform.report",
        "platform.restoreStart",
        "platform.restoreReport",
        "platform.extension",
        "platform.telemetrySubscription",
        "platform.logsDropped",
    }
)


def json_of(event: PlatformEvent) -> str | None:
    """How the log of a function with the log format JSON tells of an event, if it does."""
    failed = isinstance(event.record, dict) and event.record.get("status", "success") != "success"
    if event.type not in _IN_JSON_LOG and not (failed and event.type.startswith("platform.")):
        return None
    return json.dumps(event.telemetry(), separators=(",", ":")) + "\n"
