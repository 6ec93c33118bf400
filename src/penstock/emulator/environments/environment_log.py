"""What one environment has to say: events, the log lines that tell of them, and output."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from ..functions import Function
from ..hints import hint_for
from ..invocations import Invocation
from ..log import Lines, Log
from ..platform_events import (
    Listener,
    PlatformEvent,
    Record,
    json_of,
    milliseconds,
    report_text,
    span,
    start_text,
    subscription_text,
    text_of,
    timestamp,
    whole_milliseconds,
)
from ..relay import Ending, Outcome

# How a JSON log record names the invocation that it is of. (AWS documentation, "Log and
# monitor Python Lambda functions": `requestId`)
_REQUEST_ID = re.compile(rb'"requestId": ?"([^"]+)"')

# How many events are kept for those who subscribe while the environment starts.
_EARLY_EVENTS = 1000

# A failure after the first byte is told by the front, which knows what its caller saw of it.
# Why a process ended stands in no log of AWS's whose REPORT has an `Error Type`, as far as
# known: the line that tells it, above END, is of those from before the end of 2024.
_FAILED_ON_THE_WAY = {
    Ending.CUT: "was cut off in its middle",
    Ending.EXITED: "never came",
    Ending.TOO_LARGE: "is larger than Lambda allows",
    Ending.TIMEOUT: "did not end in time",
}


class EnvironmentLog:
    """Writes to `log`, tells its events, and keeps the logs of invocations.

    `environment` is the environment's id. Output belongs to the invocation that `current`
    gives; where there may be several at once, `find` gets the request id that a line names
    in its JSON.
    """

    def __init__(
        self,
        log: Log,
        function: Function,
        environment: str,
        *,
        current: Callable[[], Invocation | None],
        find: Callable[[str], Invocation | None] | None = None,
    ) -> None:
        self._log = log
        self._function = function
        self._environment = environment
        self._current = current
        self._find = find
        # What an invocation may take that has timed out, in seconds.
        self._limit = float(function.timeout)
        # Of which type the failure of the start was.
        self._start_error: str | None = None
        variables = function.variables("", "")
        self.is_json = variables.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
        self._rendered = json_of if self.is_json else text_of
        self._init = {
            "initializationType": variables["AWS_LAMBDA_INITIALIZATION_TYPE"],
            "phase": "init",
        }
        self._output = Lines(lambda text: self._pass_on(text, "function"))
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._early: list[PlatformEvent] | None = []
        self._subscribers: tuple[Listener, ...] = ()

    def stream(self) -> str:
        """The name of the environment's log stream, if it begins now."""
        date = time.strftime("%Y/%m/%d", time.gmtime())
        return f"{date}/[{self._function.version}]{self._environment}"

    # -- who listens

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with every event of this environment, those so far included."""
        with self._lock:
            early = list(self._early or ())
            self._subscribers = (*self._subscribers, listener)
        for event in early:
            listener(event)

    def close_subscriptions(self) -> None:
        """The start is over: nobody will want to know of it any more."""
        self._early = None

    # -- what processes print

    def take_output(self, data: bytes) -> None:
        """Take what the runtime's process has printed."""
        with self._turn:
            self._take_output(data)

    def hold_output(self) -> bool:
        """Let what is printed from now on wait for `release_output`; False if it cannot.

        So it is of the invocation that the runtime has got, and below its START.
        """
        return self._turn.acquire(blocking=False)

    def release_output(self) -> None:
        """Go on with what is printed."""
        self._turn.release()

    def _take_output(self, data: bytes) -> None:
        if self._find is None:
            invocation = self._current()
            if invocation is not None:
                invocation.log.add(data)
        else:
            for line in data.splitlines(keepends=True):
                named = _REQUEST_ID.search(line)
                invocation = self._find(named[1].decode("latin-1")) if named else None
                if invocation is not None:
                    invocation.log.add(line)
        self._output.add(data)

    def extension_output(self) -> Callable[[bytes], None]:
        """What takes the output of one extension."""
        return Lines(lambda text: self._pass_on(text, "extension")).add

    def flush(self) -> None:
        """Write a line that has begun, with an end."""
        self._output.flush()

    # -- what the platform says

    def line(self, text: str) -> None:
        """Write one line of the emulator's own."""
        self._log.line(text, self._function.name, self._environment)

    def init_started(self) -> None:
        """The processes are being started."""
        self.tell(
            "platform.initStart",
            {
                **self._init,
                "functionName": self._function.name,
                "functionVersion": self._function.version,
                "instanceId": self._environment,
                "instanceMaxMemory": self._function.memory * 1024 * 1024,
            },
        )

    def runtime_ready(self, status: str = "success", error_type: str | None = None) -> None:
        """The runtime has asked for work, or will not."""
        error = {"errorType": error_type} if error_type else {}
        self.tell("platform.initRuntimeDone", {**self._init, "status": status, **error})

    def init_done(self, seconds: float, status: str, error_type: str | None = None) -> None:
        """The start of runtime and extensions is over."""
        self._start_error = error_type
        error = {"errorType": error_type} if error_type else {}
        metrics = {"durationMs": milliseconds(seconds)}
        self.tell(
            "platform.initReport", {**self._init, "status": status, "metrics": metrics, **error}
        )

    def restore_started(self) -> None:
        """A call has come for a snapshot."""
        self.tell(
            "platform.restoreStart",
            {
                "functionName": self._function.name,
                "functionVersion": self._function.version,
                "instanceId": self._environment,
                "instanceMaxMemory": self._function.memory * 1024 * 1024,
            },
        )

    def restored(self, seconds: float, status: str, error_type: str | None = None) -> None:
        """The restore of a snapshot is over, with all that runs after it."""
        self._start_error = error_type
        error = {"errorType": error_type} if error_type else {}
        self.tell("platform.restoreRuntimeDone", {"status": status, **error})
        metrics = {"durationMs": milliseconds(seconds)}
        self.tell("platform.restoreReport", {"status": status, "metrics": metrics, **error})

    def subscribed(self, name: str, types: tuple[str, ...], *, is_logs_api: bool) -> None:
        """An extension wants to hear of events."""
        record = {"name": name, "state": "Subscribed", "types": list(types)}
        text = None if self.is_json else subscription_text(record, is_logs_api=is_logs_api)
        self.tell("platform.telemetrySubscription", record, text=text)

    def init_repeats(self) -> None:
        """What comes now is a second start, within an invocation."""
        self._init["phase"] = "invoke"

    def started(self, invocation: Invocation) -> None:
        """The runtime has got it."""
        if not (self.is_json or self._is_heard):
            self._say(invocation, start_text(invocation.request_id, invocation.function.version))
            return
        record = {
            "requestId": invocation.request_id,
            "version": invocation.function.version,
            "tracing": {"type": "X-Amzn-Trace-Id", "value": invocation.trace_id},
        }
        self.tell("platform.start", record, invocation)

    def timed_out(self, invocation: Invocation, seconds: float) -> None:
        """It took longer than `seconds`, which it may take."""
        self._limit = seconds
        now = timestamp(time.time())
        text = f"{now} {invocation.request_id} Task timed out after {seconds:.2f} seconds\n"
        self._say(invocation, text)

    def runtime_done(self, invocation: Invocation) -> None:
        """The runtime is through with it; extensions may not be."""
        if not self._is_heard:
            return
        record = self._result(invocation)
        record["metrics"] = {
            "durationMs": self._duration(invocation),
            "producedBytes": invocation.produced_bytes,
        }
        record["tracing"] = {"type": "X-Amzn-Trace-Id", "value": invocation.trace_id}
        self.tell("platform.runtimeDone", record, invocation)

    def report(
        self,
        invocation: Invocation,
        ended_at: float,
        *,
        memory_used: int | None,
        init: float | None,
        restore: float | None = None,
    ) -> None:
        """It is over.

        AWS bills init with the first invocation, since 2025-08-01 for zip files on managed
        runtimes, too ("AWS Lambda standardizes billing for INIT Phase"), but not on Managed
        Instances. Of a restore it bills the runtime and its hooks, which is all there is of
        one here.
        """
        is_brief = not (self.is_json or self._is_heard)
        record = self._result(invocation, is_brief=is_brief)
        duration = self._duration(invocation, ended_at)
        billed = duration
        if init is not None and self._find is None:
            billed += milliseconds(init)
        if restore is not None:
            billed += whole_milliseconds(milliseconds(restore))
        record["metrics"] = metrics = {
            "durationMs": duration,
            "billedDurationMs": whole_milliseconds(billed),
            "memorySizeMB": self._function.memory,
        }
        if memory_used is not None:
            metrics["maxMemoryUsedMB"] = memory_used
        if init is not None:
            metrics["initDurationMs"] = milliseconds(init)
        if restore is not None:
            metrics["restoreDurationMs"] = milliseconds(restore)
            metrics["billedRestoreDurationMs"] = whole_milliseconds(milliseconds(restore))
        text = None
        if not self.is_json:
            is_of_handler = record["status"] == "error" and self._start_error is None
            text = report_text(record, is_of_handler=is_of_handler)
        if is_brief and text is not None:
            self._say(invocation, text)
        else:
            self.tell("platform.report", record, invocation, text)
        outcome = invocation.relay.known_outcome
        ending = _ending(outcome)
        if ending in _FAILED_ON_THE_WAY and not self._log.is_stopping:
            self.line(_explained(invocation, ending, outcome))
        hint = hint_for(outcome.text) if outcome is not None else None
        if hint is not None:
            self.line(hint)

    def tell(
        self,
        kind: str,
        record: Record,
        invocation: Invocation | None = None,
        text: str | None = None,
    ) -> None:
        """Tell of an event that `invocation`, if there is one, is concerned by.

        `text` is what the log says, if the event alone does not tell.
        """
        event = PlatformEvent(kind, record, self._function.name, self._environment, time.time())
        text = text or self._rendered(event)
        if text is not None and invocation is not None:
            self._say(invocation, text)
        elif text is not None:
            self._output.flush()
            self._log.write_of(self._function.name, text)
        self._send(event)

    # -- inside

    @property
    def _is_heard(self) -> bool:
        return bool(self._subscribers or self._early is not None or self._log.events.is_heard)

    def _send(self, event: PlatformEvent) -> None:
        if not self._is_heard:
            return
        self._log.events.send(event)
        with self._lock:
            if self._early is not None and len(self._early) < _EARLY_EVENTS:
                self._early.append(event)
            subscribers = self._subscribers
        for subscriber in subscribers:
            subscriber(event)

    def _result(self, invocation: Invocation, *, is_brief: bool = False) -> dict[str, Any]:
        record = _result(invocation, is_brief=is_brief)
        if self._start_error is not None:
            record["errorType"] = self._start_error
        return record

    def _duration(self, invocation: Invocation, until: float | None = None) -> float:
        until = until or invocation.runtime_done_at or time.monotonic()
        seconds = until - (invocation.delivered_at or until)
        if invocation.has_timed_out:
            # AWS reports a timeout of 3 seconds as 3000.00 ms, however long the end took.
            seconds = min(seconds, self._limit)
        return milliseconds(seconds)

    def _say(self, invocation: Invocation, text: str) -> None:
        if self._find is None:
            # Where there is one invocation, what has been printed comes before.
            self._output.flush()
        invocation.log.add(text.encode())
        self._log.write_of(self._function.name, text)

    def _pass_on(self, text: str, kind: str) -> None:
        """Whole lines of output, to the log and as events."""
        self._log.write_of(self._function.name, text)
        if not self._is_heard:
            return
        now = time.time()
        for line in text.split("\n")[:-1]:
            record: Record = line
            if self.is_json:
                record = _object_or_text(line)
            self._send(PlatformEvent(kind, record, self._function.name, self._environment, now))


def _object_or_text(line: str) -> Record:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return line
    return record if isinstance(record, dict) else line


def _ending(outcome: Outcome | None) -> Ending:
    return outcome.ending if outcome is not None else Ending.CUT


def _result(invocation: Invocation, *, is_brief: bool = False) -> dict[str, Any]:
    """What runtimeDone and report both say; `is_brief`: no more than the REPORT line tells."""
    outcome = invocation.relay.known_outcome
    ending = _ending(outcome)
    status = "error"
    if invocation.has_timed_out:
        status = "timeout"
    elif ending is Ending.WHOLE:
        status = "success"
    elif ending in (Ending.EXITED, Ending.CUT):
        status = "failure"
    record: dict[str, Any] = {"requestId": invocation.request_id, "status": status, "spans": []}
    if status != "success" and outcome is not None and outcome.error_type:
        record["errorType"] = outcome.error_type
    first, last = invocation.first_byte_at, invocation.response_ended_at
    if first is not None and invocation.delivered_at is not None:
        if is_brief:
            latency = milliseconds(first - invocation.delivered_at)
            record["spans"].append({"name": "responseLatency", "durationMs": latency})
            return record
        record["spans"].append(span("responseLatency", invocation.delivered_at, first))
        if last is not None:
            record["spans"].append(span("responseDuration", first, last))
            if invocation.runtime_done_at is not None:
                record["spans"].append(span("runtimeOverhead", last, invocation.runtime_done_at))
    return record


def _explained(invocation: Invocation, ending: Ending, outcome: Outcome | None) -> str:
    """What a failure looked like from outside: on AWS nobody would tell."""
    what = _FAILED_ON_THE_WAY[ending]
    detail = outcome.detail if outcome is not None else ""
    text = f"the response to {invocation.request_id} {what} ({detail})"
    if ending is not Ending.TOO_LARGE:
        return text
    if invocation.relay.is_streaming:
        return f"{text}: AWS sends one byte more, and ends the stream; {_ELSEWHERE}"
    return (
        f"{text}: AWS gives whoever invokes this error instead; stream it, up to 200 MiB, to "
        "InvokeWithResponseStream, a Function URL with RESPONSE_STREAM or an integration with "
        f"STREAM, or {_ELSEWHERE}"
    )


_ELSEWHERE = "put it into S3, and answer with a link to it"
