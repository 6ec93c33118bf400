"""The extensions of one environment: who they are, and what they have been told.

Sources: AWS documentation, "Lambda Extensions API"; AWS's open emulator for states and
texts.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Collection
from enum import Enum
from pathlib import Path
from typing import Any

from ..invocations import Invocation
from ..relay import Ending, Outcome

#: How many there may be. (AWS documentation; "MaxAgentsAllowed")
MOST = 10

INVOKE, SHUTDOWN = "INVOKE", "SHUTDOWN"


class State(Enum):
    """Where an extension is; the values are AWS's names."""

    STARTED = "Started"
    REGISTERED = "Registered"
    READY = "Ready"
    RUNNING = "Running"
    INIT_ERROR = "InitError"
    EXIT_ERROR = "ExitError"
    EXITED = "Exited"
    LAUNCH_ERROR = "LaunchError"


class ExtensionRefusedError(Exception):
    """An extension asks for what it may not have; the arguments are type and message."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message


class Extension:
    """One extension; external ones have a process of their own."""

    def __init__(self, name: str, *, is_external: bool) -> None:
        self.name = name
        self.is_external = is_external
        self.identifier = str(uuid.uuid4())
        self.events: tuple[str, ...] = ()
        self.state = State.STARTED
        self.error_type: str | None = None
        self.told: deque[dict[str, Any]] = deque()

    @property
    def is_waiting(self) -> bool:
        """Whether it asks for an event, and none is on its way to it."""
        return self.state is State.READY and not self.told

    def move(self, state: State, *allowed: State) -> None:
        """Go to another state.

        Raises:
            ExtensionRefusedError: not from where it is.
        """
        if self.state not in allowed:
            raise ExtensionRefusedError(
                "Extension.InvalidExtensionState",
                f"State transition from {self.state.value} to {state.value} failed for extension "
                f"{self.identifier}. Error: State transition is not allowed",
            )
        self.state = state


class Extensions:
    """The extensions of one environment, from any thread.

    `expected` are the names of external ones, whose processes are being started.
    """

    def __init__(self, expected: Collection[str] = ()) -> None:
        self._changed = threading.Condition()
        self._known = [Extension(name, is_external=True) for name in expected]
        self._is_closed = False
        self._registration_is_over = False

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._known)

    @property
    def all(self) -> list[Extension]:
        """All of them."""
        return list(self._known)

    @property
    def has_internal(self) -> bool:
        """Whether one of them runs in the runtime's process."""
        return any(not each.is_external for each in self._known)

    def find(self, identifier: str) -> Extension | None:
        """The one that got this identifier when it registered."""
        return next((each for each in self._known if each.identifier == identifier), None)

    def named(self, name: str) -> Extension | None:
        """The one with this name."""
        return next((each for each in self._known if each.name == name), None)

    def register(self, name: str, events: Collection[str], *, is_shared: bool) -> Extension:
        """One of them registers; if no external one is called so, an internal one.

        Where there are several invocations at once (`is_shared`), none hears of them. (AWS's
        open emulator has other rules for Managed Instances: externalagent.go, agentregister.go)

        Raises:
            ExtensionRefusedError: it may not.
        """
        with self._changed:
            extension = self.named(name)
            is_external = extension is not None and extension.is_external
            if is_shared and events and not is_external:
                raise ExtensionRefusedError(
                    "Extension.InvalidEventType", "No events allowed for internal extensions"
                )
            allowed = {SHUTDOWN} if is_external else set()
            if not is_shared:
                allowed.add(INVOKE)
            for event in events:
                if event not in allowed:
                    reason = (
                        "SHUTDOWN event is not supported for internal extensions"
                        if event == SHUTDOWN
                        else "Invalid event type"
                    )
                    raise ExtensionRefusedError("Extension.InvalidEventType", f"{event}: {reason}")
            if extension is None:
                if self._registration_is_over:
                    raise ExtensionRefusedError(
                        "Extension.RegistrationClosed", "Extension registration closed already"
                    )
                if len(self._known) >= MOST:
                    raise ExtensionRefusedError(
                        "Extension.TooManyExtensions", f"Extension limit ({MOST}) reached"
                    )
                extension = Extension(name, is_external=False)
                self._known.append(extension)
            elif not is_external:
                raise ExtensionRefusedError(
                    "Extension.InvalidExtensionState",
                    "Extension with this name already registered",
                )
            extension.move(State.REGISTERED, State.STARTED)
            extension.events = tuple(sorted(set(events)))
            self._changed.notify_all()
            return extension

    def next_event(
        self, extension: Extension, is_connected: Callable[[], bool]
    ) -> dict[str, Any] | None:
        """It is ready: block until there is an event for it. None when all is over.

        Raises:
            ExtensionRefusedError: it has failed before.
        """
        with self._changed:
            extension.move(State.READY, State.REGISTERED, State.READY, State.RUNNING)
            self._changed.notify_all()
            self._changed.wait_for(lambda: extension.told or self._is_closed)
            if not extension.told or not is_connected():
                return None
            extension.state = State.RUNNING
            return extension.told.popleft()

    def failed(self, extension: Extension, state: State, error_type: str) -> None:
        """It reports an error; only the first counts.

        Raises:
            ExtensionRefusedError: it is not in a state to.
        """
        allowed = {
            State.INIT_ERROR: (State.REGISTERED, State.INIT_ERROR),
            State.EXIT_ERROR: (State.REGISTERED, State.READY, State.RUNNING, State.EXIT_ERROR),
        }
        with self._changed:
            extension.move(state, *allowed[state])
            extension.error_type = extension.error_type or error_type
            self._changed.notify_all()

    def ended(self, name: str) -> None:
        """The process of an external one is gone."""
        with self._changed:
            for extension in self._known:
                if extension.name == name and extension.error_type is None:
                    extension.state = State.EXITED
            self._changed.notify_all()

    def wait_registered(self) -> bool:
        """Wait for the external ones to register; False if all is over before."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_closed or all(e.state is not State.STARTED for e in self._known)
            )
            return not self._is_closed

    def wait_ready(self) -> bool:
        """Wait until all ask for events, whereby registration ends; False if it is over before."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_closed or all(each.is_waiting for each in self._known)
            )
            self._registration_is_over = True
            return not self._is_closed

    def invoke(self, invocation: Invocation, deadline: float) -> None:
        """Tell those who want to know of an invocation; `deadline` is of the clock."""
        event = {
            "eventType": INVOKE,
            "deadlineMs": int(deadline * 1000),
            "requestId": invocation.request_id,
            "invokedFunctionArn": invocation.invoked_arn,
            "tracing": {"type": "X-Amzn-Trace-Id", "value": invocation.trace_id},
        }
        self._tell(INVOKE, event)

    def shut_down(self, reason: str, seconds: float) -> None:
        """Tell those who want to know of the end. "spindown", "timeout" or "failure"."""
        deadline_ms = int((time.time() + seconds) * 1000)
        event = {"eventType": SHUTDOWN, "deadlineMs": deadline_ms, "shutdownReason": reason}
        self._tell(SHUTDOWN, event)

    def wait_idle(self, is_over: Callable[[], bool]) -> None:
        """Wait until all that heard of an invocation ask for the next event, or it is over."""
        heard = [each for each in self._known if INVOKE in each.events]
        self.wait_until(lambda: is_over() or all(each.is_waiting for each in heard), None)

    def wait_until(self, condition: Callable[[], bool], seconds: float | None) -> None:
        """Wait for something that changes with them, or until `wake` is called for it."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or condition(), seconds)

    def wake(self) -> None:
        """What somebody waits for may have come true."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """The environment is over: nobody waits any longer."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _tell(self, kind: str, event: dict[str, Any]) -> None:
        with self._changed:
            for extension in self._known:
                if kind in extension.events:
                    extension.told.append(event)
            self._changed.notify_all()


def crash(name: str, status: int) -> tuple[str, str]:
    """Error type and reason when the process of an extension has ended with this status."""
    how = (
        f"signal: {-status}" if status < 0 else f"exit status {status}" if status else "exit code 0"
    )
    return "Extension.Crash", f"{how} of the extension {name}"


def not_launched(name: str, number: int) -> tuple[str, str]:
    """Error type and reason when an extension could not be started, by the kernel's error.

    The words are AWS's, as in aws-lambda-extensions#38 (permission) and #54 (not found).
    """
    reason = f"fork/exec /opt/extensions/{name}: {os.strerror(number).lower()}"
    return "Extension.LaunchError", reason


def failure(error_type: str, request_id: str, reason: str) -> Outcome:
    """What an invocation comes to when an extension has failed."""
    message = f"RequestId: {request_id} Error: {reason}"
    error = {"errorType": error_type, "errorMessage": message}
    return Outcome(Ending.EXITED, error_type, json.dumps(error, separators=(",", ":")).encode())


def external_extensions(folder: Path | None, say: Callable[[str], None]) -> list[Path]:
    """The programs in a folder that stands for `/opt/extensions`.

    There are none if it cannot be read, which `say` gets to hear.
    """
    if folder is None:
        return []
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        return [Path(entry.path) for entry in entries if not entry.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as exc:
        say(
            f"the extensions in {folder} cannot be started, because it cannot be read: "
            f"{exc.strerror}"
        )
        return []
