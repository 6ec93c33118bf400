"""The environments of a function: started when needed, used again, never too many."""

from __future__ import annotations

import threading
import time
from collections import deque

from ..errors import PenstockError
from .deadlines import Deadlines
from .environment import Environment
from .functions import Function
from .invocations import Invocation
from .log import Log
from .relay import exited

# How long a call waits for an environment whose response has ended already, before it is
# refused: one caller after the other must not be too many.
_FREE_GRACE = 0.3

_STOP_SECONDS = 2.0


class TooManyRequestsError(PenstockError):
    """Every environment that the function may have is busy."""


class Environments:
    """The environments of one function: started when needed, reused when free."""

    def __init__(self, function: Function, log: Log, deadlines: Deadlines) -> None:
        self.function = function
        self._log = log
        self._deadlines = deadlines
        self._lock = threading.Condition()
        # Every one whose process may be there; those that take work, now or later; and
        # of these the ones that have none.
        self._all: set[Environment] = set()
        self._serving: set[Environment] = set()
        self._idle: list[Environment] = []
        self._waiting: deque[Invocation] = deque()
        self._stopped = False

    @property
    def pids(self) -> list[int]:
        """The ids of their processes."""
        with self._lock:
            return [environment.pid for environment in self._all if environment.pid]

    @property
    def is_busy(self) -> bool:
        """Whether any of them is starting, or works on an invocation."""
        with self._lock:
            return len(self._idle) < len(self._all)

    def invoke(self, invocation: Invocation) -> None:
        """Give `invocation` to a free environment, or to a new one. Does not wait for it.

        Raises:
            TooManyRequestsError: there are as many as there may be, and all are busy.
        """
        with self._lock:
            if self._is_full() and any(each.is_finishing for each in self._serving):
                self._lock.wait_for(lambda: not self._is_full(), _FREE_GRACE)
            if self._stopped:
                raise TooManyRequestsError("the emulator is shutting down")
            if self._is_full():
                raise TooManyRequestsError(
                    f"all {self.function.max_environments} environments "
                    f"of {self.function.name} are busy"
                )
            environment = self._taken(invocation)
        self._start(environment, invocation)

    def invoke_later(self, invocation: Invocation) -> None:
        """Give `invocation` to an environment as soon as there is one for it."""
        with self._lock:
            self._waiting.append(invocation)
        self._serve_waiting()

    def replace(self, function: Function) -> None:
        """Have other code or configuration from the next call on."""
        self.function = function
        self.recycle()

    def recycle(self) -> None:
        """The code has changed: end idle environments now, busy ones after their work."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._serving.clear()
        for environment in idle:
            environment.stop()
        self._serve_waiting()

    def begin_stop(self) -> None:
        """Take no more work, and ask all of them to end. Returns at once; may be repeated."""
        with self._lock:
            self._stopped = True
            self._idle.clear()
            ending = list(self._all)
            waiting, self._waiting = self._waiting, deque()
        for invocation in waiting:
            invocation.relay.break_off(exited(invocation.request_id, 0))
            invocation.finished.set()
        for environment in ending:
            environment.stop()

    def stop(self) -> None:
        """End all of them and wait until their processes are gone."""
        self.begin_stop()
        with self._lock:
            ending = list(self._all)
        deadline = time.monotonic() + _STOP_SECONDS
        for environment in ending:
            if not environment.wait(max(0.0, deadline - time.monotonic())):
                environment.kill()
                environment.wait(_STOP_SECONDS)

    def _is_full(self) -> bool:
        return not self._idle and len(self._serving) >= self.function.max_environments

    def _taken(self, invocation: Invocation) -> Environment | None:
        """Give `invocation` to an idle environment, or make one that is to be started."""
        if self._idle:
            self._idle.pop().assign(invocation)
            return None
        environment = Environment(
            self.function,
            self._log,
            self._deadlines,
            on_free=self._freed,
            on_leaving=self._left,
            on_end=self._removed,
        )
        self._all.add(environment)
        self._serving.add(environment)
        return environment

    def _start(self, environment: Environment | None, invocation: Invocation) -> None:
        if environment is None:
            return
        try:
            environment.start(invocation)
        except (OSError, RuntimeError) as exc:
            self._log.line(f"cannot start an environment of {self.function.name}: {exc}")
            self._removed(environment, None)
            invocation.relay.break_off(exited(invocation.request_id, 127))
            invocation.finished.set()
        if self._stopped:
            environment.stop()

    def _serve_waiting(self) -> None:
        while True:
            with self._lock:
                if not self._waiting or self._is_full() or self._stopped:
                    return
                invocation = self._waiting.popleft()
                environment = self._taken(invocation)
            self._start(environment, invocation)

    def _freed(self, environment: Environment) -> bool:
        with self._lock:
            if self._stopped or environment not in self._serving:
                return False
            self._idle.append(environment)
            self._lock.notify()
        self._serve_waiting()
        return True

    def _left(self, environment: Environment) -> None:
        with self._lock:
            self._serving.discard(environment)
            if environment in self._idle:
                self._idle.remove(environment)
            self._lock.notify()
        self._serve_waiting()

    def _removed(self, environment: Environment, undone: Invocation | None) -> None:
        self._left(environment)
        with self._lock:
            self._all.discard(environment)
        if undone is not None:
            self.invoke_later(undone)
