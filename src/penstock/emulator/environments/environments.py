"""The environments of a function: started when needed, used again, never too many."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Collection
from dataclasses import replace

from ..concurrency import Concurrency, TooManyRequestsError
from ..deadlines import Deadlines
from ..functions import Function
from ..invocations import Invocation
from ..log import Log
from ..platform_events import PlatformEvent
from ..relay import exited
from .environment import Environment

__all__ = ["Environments", "TooManyRequestsError"]

# How long a call waits for an environment whose response has ended already, before it is
# refused: one caller after the other must not be too many.
_FREE_GRACE = 1.0

# The same before another is started: one caller after the other is to find one environment,
# as on AWS, however fast it is.
_REUSE_GRACE = 0.1

# Longer than AWS gives extensions.
_STOP_SECONDS = 3.0


class Environments:
    """The environments of one function: started when needed, reused when free."""

    def __init__(
        self,
        function: Function,
        log: Log,
        deadlines: Deadlines,
        concurrency: Concurrency | None = None,
    ) -> None:
        self.function = function
        self._concurrency = concurrency or Concurrency()
        self._log = log
        log.add_function(function.name)
        self._deadlines = deadlines
        self._lock = threading.RLock()
        # Every one whose process may be there; those that take work, now or later; and
        # of these the ones that have room for one more.
        self._all: set[Environment] = set()
        self._serving: set[Environment] = set()
        self._free: list[Environment] = []
        self._waiting: deque[Invocation] = deque()
        # The same of callers that wait for a moment only: they do not start others.
        self._hoping: deque[Invocation] = deque()
        self._stopped = False
        self._retired = False
        if function.snap_start:
            self.prepare()

    @property
    def pids(self) -> list[int]:
        """The ids of their processes."""
        with self._lock:
            return [environment.pid for environment in self._all if environment.pid]

    @property
    def functions(self) -> list[Function]:
        """What they run: the function, and what it was for those that go on with it."""
        with self._lock:
            return [self.function, *(environment.function for environment in self._all)]

    @property
    def has_work(self) -> bool:
        """Whether there are any, or invocations that wait for one."""
        with self._lock:
            return bool(self._all or self._waiting or self._hoping)

    @property
    def is_busy(self) -> bool:
        """Whether any of them is starting, or works on an invocation."""
        with self._lock:
            idle = sum(1 for each in self._free if not each.load)
            return idle < len(self._all)

    @property
    def load(self) -> int:
        """How many invocations they are working on."""
        with self._lock:
            return sum(each.load for each in self._all)

    def invoke(self, invocation: Invocation) -> None:
        """Give `invocation` to a free environment, or to a new one. Does not wait for it.

        Raises:
            TooManyRequestsError: there are as many as there may be, and all are busy.
        """
        try:
            self._invoke(invocation)
        except TooManyRequestsError as exc:
            self._concurrency.leave(invocation)
            if self._log.events.is_heard:
                record = {"requestId": invocation.request_id, "reason": exc.reason}
                name = self.function.name
                self._log.events.send(
                    PlatformEvent("penstock.throttled", record, name, "", time.time())
                )
            raise
        except BaseException:
            self._concurrency.leave(invocation)
            raise

    def _invoke(self, invocation: Invocation) -> None:
        if invocation.injection.refuses:
            raise TooManyRequestsError("a fault was injected")
        self._concurrency.enter(invocation, self.function.reserved_concurrency)
        if self._is_taken_soon(invocation):
            return
        with self._lock:
            if self._stopped:
                raise TooManyRequestsError("the emulator is shutting down")
            if self._retired:
                raise TooManyRequestsError(f"{self.function.name} was deleted")
            if self._is_full():
                count, name = self.function.max_environments, self.function.name
                raise TooManyRequestsError(
                    f"all {count} environments of {name} are busy"
                    if count > 1
                    else f"the only environment of {name} is busy"
                )
            environment = self._taken(invocation)
        if not self._start(environment):
            self._serve_waiting()

    def _is_taken_soon(self, invocation: Invocation) -> bool:
        """Wait a moment for an environment that is about to be free; whether it has got it.

        The thread that sets it free gives it the invocation, and this one waits for the
        answer at once: each need of one thread for another takes as long as half a call.
        """
        with self._lock:
            if self._free or not self._is_one_finishing():
                return False
            grace = _FREE_GRACE if self._is_full() else _REUSE_GRACE
            self._hoping.append(invocation)
        invocation.relay.wait(grace)
        with self._lock:
            if invocation not in self._hoping:
                return True
            self._hoping.remove(invocation)
            return False

    def invoke_later(self, invocation: Invocation) -> None:
        """Give `invocation` to an environment as soon as there is one for it."""
        with self._lock:
            self._waiting.append(invocation)
        self._serve_waiting()

    def reserve(self, concurrency: int | None) -> None:
        """Have this reserved concurrency from the next call on, in the same environments."""
        with self._lock:
            self.function = replace(self.function, reserved_concurrency=concurrency)

    def replace(self, function: Function) -> None:
        """Have other code or configuration from the next call on."""
        with self._lock:
            self.function = function
        self.recycle()
        if function.snap_start:
            self.prepare()

    def prepare(self) -> None:
        """Start an environment ahead of the first call, as for a snapshot. Returns at once."""

        def start() -> None:
            with self._lock:
                if self._stopped or self._is_full():
                    return
                environment = self._new()
                self._free.append(environment)
            if not self._start(environment):
                self._serve_waiting()

        threading.Thread(target=start, name="snapshot", daemon=True).start()

    def recycle(self) -> None:
        """The code has changed: end idle environments now, busy ones after their work."""
        with self._lock:
            idle = [each for each in self._free if not each.load]
            self._free.clear()
            self._serving.clear()
        for environment in idle:
            environment.stop()
        self._serve_waiting()

    def retire(self) -> None:
        """The function was deleted: take no new invocations, and end after those there are."""
        with self._lock:
            self._retired = True
        self.recycle()

    def begin_stop(self) -> None:
        """Take no more work, and ask all of them to end. Returns at once; may be repeated."""
        with self._lock:
            self._stopped = True
            self._free.clear()
            ending = list(self._all)
            waiting, self._waiting = self._waiting, deque()
        for invocation in waiting:
            invocation.relay.break_off(exited(invocation.request_id, 0))
            invocation.finish()
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

    def _is_one_finishing(self) -> bool:
        return any(each.is_finishing for each in self._serving)

    def _is_full(self) -> bool:
        return not self._free and len(self._serving) >= self.function.max_environments

    def _taken(self, invocation: Invocation) -> Environment | None:
        """Give `invocation` to an idle environment, or make one that is to be started."""
        if self._free:
            # Where each has one at a time, the one that was free last: the others may go.
            several = self.function.max_concurrency is not None
            environment = min(self._free, key=lambda e: e.load) if several else self._free[-1]
            environment.assign(invocation)
            if not environment.has_room:
                self._free.remove(environment)
            return None
        environment = self._new()
        environment.assign(invocation)
        if environment.has_room:
            # Others may wait for its start, too.
            self._free.append(environment)
        return environment

    def _new(self) -> Environment:
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

    def _start(self, environment: Environment | None) -> bool:
        """Start it, if there is one; False if it cannot be: then others may have its place."""
        if environment is None:
            return True
        try:
            environment.start()
        except (OSError, RuntimeError, TypeError, ValueError) as exc:
            self._log.line(f"cannot start an environment of {self.function.name}: {exc}")
            self._dismiss(environment)
            environment.abandon()
            with self._lock:
                self._all.discard(environment)
            return False
        if self._stopped:
            environment.stop()
        return True

    def _serve_waiting(self, *, starts: bool = True) -> None:
        """Give out what waits. `starts`: callers that hoped in vain get new environments."""
        while True:
            with self._lock:
                if self._stopped:
                    return
                if self._waiting and not self._is_full():
                    invocation = self._waiting.popleft()
                elif self._hoping and (self._free or (starts and not self._is_one_finishing())):
                    if self._is_full():
                        return  # it will be refused in a moment
                    invocation = self._hoping.popleft()
                else:
                    return
                environment = self._taken(invocation)
            self._start(environment)

    def _freed(self, environment: Environment) -> bool:
        with self._lock:
            if self._stopped or environment not in self._serving:
                return False
            if environment.has_room and environment not in self._free:
                self._free.append(environment)
        self._serve_waiting(starts=False)
        return True

    def _left(self, environment: Environment) -> None:
        self._dismiss(environment)
        self._serve_waiting()

    def _dismiss(self, environment: Environment) -> None:
        """It takes no more work."""
        with self._lock:
            self._serving.discard(environment)
            if environment in self._free:
                self._free.remove(environment)

    def _removed(self, environment: Environment, undone: Collection[Invocation]) -> None:
        self._left(environment)
        with self._lock:
            self._all.discard(environment)
        for invocation in undone:
            self.invoke_later(invocation)
