"""The invocations of one environment: which there are, and how many more there may be."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from ..invocations import Invocation

# How many timed-out invocations are remembered, as in AWS's own emulator.
_REMEMBERED = 1000


class Workload:
    """What an environment has been given, and who asks it for work. From any thread.

    It takes `max_concurrency` at once, or, if that is None, one at a time.
    """

    def __init__(self, max_concurrency: int | None) -> None:
        self.lock = threading.RLock()
        self._changed = threading.Condition(self.lock)
        self._slots = max_concurrency or 1
        #: Whether there may be several.
        self.is_shared = max_concurrency is not None
        # By request id; of these the ones that the runtime has not got yet.
        self._invocations: dict[str, Invocation] = {}
        self._queue: deque[Invocation] = deque()
        # Requests for work that wait, and invocations that were given up while the runtime
        # is still busy with them.
        self._asking = 0
        self._most_asking = 0
        self._stuck = 0
        self._given_up: dict[str, None] = {}

    @property
    def load(self) -> int:
        """How many there are."""
        return len(self._invocations)

    @property
    def has_room(self) -> bool:
        """Whether it can take one more."""
        return len(self._invocations) + self._stuck < self._slots

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do, for any part of the runtime."""
        with self.lock:
            return not self._invocations and self._asking + self._stuck >= self._most_asking

    @property
    def is_stuck(self) -> bool:
        """Whether all places are taken by what has been given up."""
        return self._stuck >= self._slots

    @property
    def all(self) -> list[Invocation]:
        """All of them."""
        with self.lock:
            return list(self._invocations.values())

    @property
    def only(self) -> Invocation | None:
        """The one there is, where there is one at a time."""
        return None if self.is_shared else next(iter(self._invocations.values()), None)

    @property
    def waiting(self) -> Invocation | None:
        """The first that the runtime has not got yet."""
        return self._queue[0] if self._queue else None

    def find(self, request_id: str) -> Invocation | None:
        """The one with this id."""
        return self._invocations.get(request_id)

    def has(self, invocation: Invocation) -> bool:
        """Whether this is one of them."""
        return self._invocations.get(invocation.request_id) is invocation

    def add(self, invocation: Invocation) -> None:
        """There is one more, for whoever asks."""
        with self.lock:
            self._invocations[invocation.request_id] = invocation
            self._queue.append(invocation)
            self._changed.notify()

    def remove(self, invocation: Invocation) -> None:
        """It is over."""
        with self.lock:
            del self._invocations[invocation.request_id]

    def take_back(self) -> list[Invocation]:
        """Remove those that the runtime has not got."""
        with self.lock:
            undone = list(self._queue)
            self._queue.clear()
            for invocation in undone:
                del self._invocations[invocation.request_id]
            return undone

    def give_up(self, invocation: Invocation) -> None:
        """It has timed out, and the runtime goes on with it: its place is not free yet."""
        with self.lock:
            self._stuck += 1
            self._given_up[invocation.request_id] = None
            while len(self._given_up) > _REMEMBERED:
                del self._given_up[next(iter(self._given_up))]

    def was_given_up(self, request_id: str) -> bool:
        """Whether one with this id was given up; tells it once."""
        with self.lock:
            return self._given_up.pop(request_id, self) is None

    def ask(self) -> None:
        """Part of the runtime asks for work: it is stuck no longer, if it was."""
        with self.lock:
            self._asking += 1
            self._most_asking = max(self._most_asking, self._asking)
            working = len(self._invocations) - len(self._queue)
            self._stuck = max(0, min(self._stuck, self._slots - self._asking - working))

    def no_longer_ask(self) -> None:
        """It asks no more."""
        with self.lock:
            self._asking -= 1

    def wait(self, is_over: Callable[[], bool]) -> bool:
        """Wait until there is one for whoever asks, or none will come; False if it was there."""

        def is_decided() -> bool:
            if self._queue or is_over():
                return True
            # One at a time: somebody else has got the work that this one was waiting for.
            return not self.is_shared and bool(self._invocations)

        with self.lock:
            if self._queue:
                return False
            self._changed.wait_for(is_decided)
            return True

    def take(self, is_connected: Callable[[], bool] | None) -> Invocation | None:
        """Hand one out, if there is one and whoever asked is, as far as is known, still there."""
        with self.lock:
            if not self._queue:
                return None
            if is_connected is not None and not is_connected():
                self._changed.notify()  # somebody else may be
                return None
            return self._queue.popleft()

    def wake(self) -> None:
        """It is over: whoever waits need not."""
        with self.lock:
            self._changed.notify_all()
