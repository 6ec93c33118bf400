"""From the runtime's response to the caller, and how it ended.

The relay of an invocation passes the body on to a *receiver* in the thread that reads it
from the runtime, so a caller that reads slowly holds the handler back. It is the one place
that knows how a response ended: every way is an `Outcome`.
"""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple, Protocol

from ..wire.response_states import Event, State, next_state
from .http.http_server import ClientGoneError
from .latch import Latch

_log = logging.getLogger("penstock.emulator")


class Ending(Enum):
    """The ways in which a response ends."""

    WHOLE = "whole"
    #: `POST /error` or `/init/error`: the handler, or the start, failed before the first byte.
    ERROR = "error"
    #: Trailers: the handler failed after the first byte.
    FAILED = "failed"
    #: The runtime's connection closed, or its process ended, in mid-response.
    CUT = "cut"
    TIMEOUT = "timeout"
    #: The process ended without an answer.
    EXITED = "exited"
    TOO_LARGE = "too large"


@dataclass(frozen=True)
class Outcome:
    """How a response ended.

    `error_type` is AWS's or the runtime's name for a failure, `payload` what AWS tells an
    invoker of it (JSON), if anything.
    """

    ending: Ending
    error_type: str = ""
    payload: bytes = b""

    @property
    def detail(self) -> str:
        """The failure in one line, for the log, whatever its message has."""
        return self.text.partition("\n")[0].rstrip(": ")

    @property
    def text(self) -> str:
        """The failure's type and its whole message."""
        if not self.payload:
            return self.error_type
        try:
            error = json.loads(self.payload)
        except (ValueError, RecursionError):
            error = None
        message = error.get("errorMessage", "") if isinstance(error, dict) else ""
        return f"{self.error_type}: {message}" if message else self.error_type


WHOLE = Outcome(Ending.WHOLE)


def timed_out(request_id: str, seconds: float) -> Outcome:
    """The function ran for longer than its timeout. (Payload as captured on AWS.)"""
    return _platform_error(
        Ending.TIMEOUT,
        "Sandbox.Timedout",
        f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds",
    )


def exited(request_id: str, status: int) -> Outcome:
    """The process ended without an answer. (Payloads as captured on AWS.)"""
    if status == 0:
        reason = "Runtime exited without providing a reason"
    elif status < 0:
        reason = f"Runtime exited with error: signal: {_SIGNALS.get(-status, -status)}"
    else:
        reason = f"Runtime exited with error: exit status {status}"
    return _platform_error(
        Ending.EXITED, "Runtime.ExitError", f"RequestId: {request_id} Error: {reason}"
    )


def no_answer(request_id: str) -> Outcome:
    """The runtime asked for the next invocation without having answered this one."""
    return _platform_error(
        Ending.EXITED,
        "Runtime.NoResponse",
        f"RequestId: {request_id} Error: the runtime asked for the next invocation "
        "without answering this one",
    )


def truncated(request_id: str, reason: str = "") -> Outcome:
    """The response did not come to its end; without `reason` nobody knows why."""
    message = f"RequestId: {request_id} Error: the response was cut off in its middle"
    return _platform_error(
        Ending.CUT, "Runtime.TruncatedResponse", f"{message}: {reason}" if reason else message
    )


def too_large(limit: int) -> Outcome:
    """The response has more than `limit` bytes.

    Of a buffered one it is 148 bytes, laid out as captured on AWS. What AWS says of a stream
    is not known: its invoker does not hear of it.
    """
    message = f"Response payload size exceeded maximum allowed payload size ({limit} bytes)."
    error_type = "Function.ResponseSizeTooLarge"
    payload = json.dumps({"errorMessage": message, "errorType": error_type}, indent=2)
    return Outcome(Ending.TOO_LARGE, error_type, payload.encode())


# The names that Go gives them: AWS's texts come from there.
_SIGNALS = {
    1: "hangup",
    2: "interrupt",
    3: "quit",
    4: "illegal instruction",
    6: "aborted",
    7: "bus error",
    8: "floating point exception",
    9: "killed",
    11: "segmentation fault",
    13: "broken pipe",
    15: "terminated",
}


def _platform_error(ending: Ending, error_type: str, message: str) -> Outcome:
    payload = json.dumps({"errorType": error_type, "errorMessage": message}, separators=(",", ":"))
    return Outcome(ending, error_type, payload.encode())


class ResponseHead(NamedTuple):
    """What the runtime says before the body.

    `content_type` is "" if there was none; `says_streaming` is the response mode header.
    """

    content_type: str
    says_streaming: bool

    @property
    def is_json(self) -> bool:
        """Whether the runtime calls its response JSON."""
        return self.content_type.partition(";")[0].strip().lower() == "application/json"


class Receiver(Protocol):
    """Takes a response on behalf of a caller.

    `begin` comes once, then `body` any number of times, in one thread. How it ended is told
    to whoever waits for the invocation, after the last of these calls has returned.
    """

    def begin(self, head: ResponseHead) -> None:
        """The runtime has begun to answer."""

    def body(self, data: bytes) -> None:
        """A part of the body, not empty; blocks while the caller reads slowly."""


class Relay:
    """The way of one response: what may come next, how much, and how it ended.

    The runtime's side calls `begin`, `body` and `end`; anybody may call `break_off`; the
    caller's side waits.
    """

    def __init__(self, receiver: Receiver, max_size: int, *, is_streaming: bool) -> None:
        self._receiver = receiver
        #: How many bytes it may have.
        self.limit = self._left = max_size
        self.is_streaming = is_streaming
        self._lock = threading.Lock()
        self._ended = Latch()
        self._state = State.WAITING
        self._outcome: Outcome | None = None
        self._cause_of_cut: Outcome | None = None
        self._reported: Outcome | None = None
        self.caller_gone = False

    @property
    def has_begun(self) -> bool:
        """Whether the head of a response, or its end, was seen."""
        return self._state is not State.WAITING

    @property
    def outcome(self) -> Outcome | None:
        """How it ended, or None while it has not."""
        return self._outcome

    @property
    def known_outcome(self) -> Outcome | None:
        """How it ended, or, while the last of it is still passed on, what has broken it off."""
        return self._outcome or self._cause_of_cut

    def begin(self, head: ResponseHead) -> bool:
        """The response starts. False if there can be none any more."""
        with self._lock:
            if self._state is not State.WAITING:
                return False
            self._state = next_state(self._state, Event.HEAD)
        self._to_caller(lambda: self._receiver.begin(head))
        return True

    def body(self, data: bytes) -> bool:
        """Pass a part of the body on. False if the limit is passed: no more is wanted."""
        if len(data) > self._left:
            # AWS delivers one byte more than a stream may have, and then stops.
            data = data[: self._left + 1] if self.is_streaming else b""
            if data:
                self._to_caller(lambda: self._receiver.body(data))
            self._end(Event.FAILURE, too_large(self.limit))
            return False
        self._left -= len(data)
        if data:
            self._to_caller(lambda: self._receiver.body(data))
        return True

    def report_error(self, error: Outcome) -> bool:
        """The runtime has posted an error. False if the response has ended already.

        One that is in progress will not count as whole, whatever comes of it.
        """
        with self._lock:
            if self._outcome is not None:
                return False
            self._reported = Outcome(Ending.FAILED, error.error_type, error.payload)
            is_over = self._breaks_off(error)
        if is_over:
            self._ended.set()
        return True

    def end(self, outcome: Outcome = WHOLE) -> None:
        """The runtime has said how the response ends."""
        if outcome.ending is Ending.WHOLE and self._reported is not None:
            outcome = self._reported
        event = Event.END if outcome.ending is Ending.WHOLE else Event.FAILURE
        self._end(event, outcome)

    def cut(self, otherwise: Outcome) -> None:
        """The runtime's connection closed in mid-response, for a known cause or `otherwise`."""
        self._end(Event.FAILURE, self._cause_of_cut or otherwise)

    def break_off(self, outcome: Outcome) -> None:
        """There will be no more from the runtime, because of `outcome`.

        A response in progress ends when what has arrived of it was passed on.
        """
        with self._lock:
            is_over = self._breaks_off(outcome)
        if is_over:
            self._ended.set()

    def wait(self, seconds: float | None = None) -> Outcome | None:
        """Wait for the end; None if it does not come within `seconds`."""
        self._ended.wait(seconds)
        return self._outcome

    def _end(self, event: Event, outcome: Outcome) -> None:
        with self._lock:
            is_over = self._ends(event, outcome)
        if is_over:
            self._ended.set()

    def _ends(self, event: Event, outcome: Outcome) -> bool:
        """Under the lock: note its end. False if it has ended already."""
        if self._outcome is not None:
            return False
        self._state = next_state(self._state, event)
        self._outcome = outcome
        return True

    def _breaks_off(self, outcome: Outcome) -> bool:
        """Under the lock: note what breaks it off, which is its end unless it is in progress."""
        if self._state is not State.STREAMING:
            return self._ends(Event.FAILURE, outcome)
        cut = Outcome(
            Ending.TIMEOUT if outcome.ending is Ending.TIMEOUT else Ending.CUT,
            outcome.error_type,
            outcome.payload,
        )
        self._cause_of_cut = self._cause_of_cut or cut
        return False

    def _to_caller(self, call: Any) -> None:
        if self.caller_gone:
            return
        # As on AWS the function goes on to its end; nobody is there to hear it.
        try:
            call()
        except ClientGoneError:
            self.caller_gone = True
        except Exception:
            # A fault of the receiver's must not keep the runtime, and so the environment.
            self.caller_gone = True
            _log.exception("a response could not be passed on to its caller")


class BufferedReceiver:
    """Keeps a whole response in memory: for callers that get it in one piece."""

    def __init__(self) -> None:
        self.head: ResponseHead | None = None
        self._body: list[bytes] = []

    def begin(self, head: ResponseHead) -> None:
        """Note the head."""
        self.head = head

    def body(self, data: bytes) -> None:
        """Keep a part of the body."""
        self._body.append(data)

    @property
    def content(self) -> bytes:
        """The body so far."""
        return b"".join(self._body)
