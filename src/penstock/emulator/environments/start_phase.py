"""The start of one environment: init, or the restore of a snapshot, and how long it takes.

Source: AWS documentation, "Lambda runtime environment life cycle".
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable

from .. import limits
from ..deadlines import Deadline, Deadlines
from ..invocations import Invocation
from .environment_log import EnvironmentLog
from .extensions import Extension

# What AWS takes for the type of a failure; of what a runtime says all else becomes
# Runtime.Unknown or Function.Unknown. (AWS's open emulator; the extensions' types are AWS's.)
_KNOWN_TYPE = re.compile(r"(Runtime|Function|Extension)\.[A-Z][a-zA-Z]+")


class StartPhase:
    """Watches the time, and tells `log` what comes of the start, once.

    `timeout` is the function's, in seconds. `on_timeout` is called when it takes too long.
    """

    def __init__(
        self,
        log: EnvironmentLog,
        deadlines: Deadlines,
        timeout: float,
        on_timeout: Callable[[], None],
    ) -> None:
        self._log = log
        self._deadlines = deadlines
        self._timeout = timeout
        self._on_timeout = on_timeout
        self._lock = threading.Lock()
        self._deadline: Deadline | None = None
        self._failure_is_told = False
        self._restored_at: float | None = None
        self._seconds: float | None = None
        self._restore_seconds: float | None = None
        self.began_at = 0.0
        #: Whether it has succeeded.
        self.is_done = False
        #: Whether it is a second start, in the time of an invocation.
        self.is_restart = False
        #: Whether a snapshot has been taken.
        self.has_snapshot = False

    @property
    def limit(self) -> float:
        """How long what is going on may take, in seconds."""
        if self._restored_at is not None:
            return limits.RESTORE
        return self._timeout if self.is_restart else limits.INIT

    @property
    def may_repeat(self) -> bool:
        """Whether there is a second start if this one takes too long."""
        return not self.is_restart and not self.has_snapshot

    def begin(self, *, is_restart: bool) -> None:
        """The processes are about to be started."""
        self.is_restart = is_restart
        if is_restart:
            self._log.init_repeats()
        self._watch()
        self.began_at = time.monotonic()
        self._log.init_started()

    def runtime_ready(self) -> None:
        """The runtime asks for work, or for its restore; perhaps after that."""
        if not self.has_snapshot:
            self._log.runtime_ready()

    def snapshot(self) -> None:
        """All is ready for a snapshot."""
        self.end()
        self.has_snapshot = True
        self._log.init_done(time.monotonic() - self.began_at, "success")

    def restore(self) -> None:
        """A call has come for the snapshot."""
        self._restored_at = self.began_at = time.monotonic()
        self._watch()
        self._log.restore_started()

    def succeed(self, extensions: Iterable[Extension]) -> None:
        """The runtime, and these, are ready for work."""
        self.end()
        now = time.monotonic()
        for each in extensions:
            record = {"name": each.name, "state": "Ready", "events": list(each.events)}
            self._log.tell("platform.extension", record)
        if self._restored_at is not None:
            self._restore_seconds = now - self._restored_at
            self._log.restored(self._restore_seconds, "success")
        else:
            seconds = now - self.began_at
            self._seconds = None if self.is_restart else seconds
            self._log.init_done(seconds, "success")
        self._log.close_subscriptions()
        self.is_done = True

    def fail(self, status: str, error_type: str | None = None) -> None:
        """It has come to nothing, if it is not over."""
        with self._lock:
            if self.is_done or self._failure_is_told:
                return
            self._failure_is_told = True
        if error_type is not None and not _KNOWN_TYPE.fullmatch(error_type):
            part = "Function" if error_type.startswith("Function.") else "Runtime"
            error_type = f"{part}.Unknown"
        now = time.monotonic()
        if self._restored_at is not None:
            self._log.restored(now - self._restored_at, status, error_type)
        elif not self.has_snapshot:
            self._log.runtime_ready(status, error_type)
            self._log.init_done(now - self.began_at, status, error_type)

    def take_up(self, invocation: Invocation) -> None:
        """It will get no further than the start, which is what it takes: tell, once."""
        with self._lock:
            if invocation.delivered_at is not None:
                return
            invocation.delivered_at = self.began_at
        self._log.started(invocation)

    def end(self) -> None:
        """Watch the time no longer."""
        if self._deadline is not None:
            self._deadline.cancel()

    def take_seconds(self) -> tuple[float | None, float | None]:
        """How long init and restore took, for the first report; None where there was none."""
        taken = self._seconds, self._restore_seconds
        self._seconds = self._restore_seconds = None
        return taken

    def _watch(self) -> None:
        self._deadline = self._deadlines.at(time.monotonic() + self.limit, self._on_timeout)
