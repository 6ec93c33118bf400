"""How many invocations may run at once: in the account, and of functions that reserve some.

Sources: AWS documentation, "Understanding Lambda function scaling", "Configuring reserved
concurrency"; the Lambda API reference for the names of reasons.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from ..errors import PenstockError
from .invocations import Invocation

#: What a new account has. (Lambda quotas)
ACCOUNT_CONCURRENCY = 1000

RESERVED_LIMIT = "ReservedFunctionConcurrentInvocationLimitExceeded"
ACCOUNT_LIMIT = "ConcurrentInvocationLimitExceeded"

# How long a call waits for one that has been answered and is not quite over, before it is
# refused: one caller after the other must not be too many.
_FREE_GRACE = 0.3


class TooManyRequestsError(PenstockError):
    """There is no place for one invocation more. `reason` is what AWS's 429 gives as Reason."""

    def __init__(self, message: str, reason: str = RESERVED_LIMIT) -> None:
        super().__init__(message)
        self.reason = reason


class Concurrency:
    """Counts what runs, from any thread.

    `reservations` gives what functions, by name, have reserved; they share nothing with
    others, which have the rest of `account` together.
    """

    def __init__(
        self,
        account: int = ACCOUNT_CONCURRENCY,
        reservations: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self.account = account
        self._reservations = reservations
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._running: dict[str, set[Invocation]] = {}
        self._total = 0  # of all functions
        self._waiting = 0

    def enter(self, invocation: Invocation, reserved: int | None) -> None:
        """Count an invocation of a function that has this much reserved, until it is finished.

        Raises:
            TooManyRequestsError: there are as many as there may be.
        """
        name = invocation.function.name
        limit, counts = self._limit(name, reserved)
        with self._lock:
            # Where all together are fewer, there is nothing to count.
            if self._total >= limit and not self._has_place(limit, counts):
                if reserved is None:
                    raise TooManyRequestsError(
                        f"the account has {limit} unreserved concurrency, and all is in use",
                        ACCOUNT_LIMIT,
                    )
                raise TooManyRequestsError(
                    f"{name} has {reserved} reserved concurrency, and all is in use"
                )
            self._running.setdefault(name, set()).add(invocation)
            self._total += 1
        invocation.when_finished(self.leave)

    def _has_place(self, limit: int, counts: Callable[[str], bool]) -> bool:
        """Whether there is a place among what `counts`, perhaps in a moment."""

        def is_free() -> bool:
            return self._count(counts) < limit

        if not limit or is_free() or not self._is_finishing(counts):
            return is_free()
        self._waiting += 1
        try:
            return self._changed.wait_for(is_free, _FREE_GRACE)
        finally:
            self._waiting -= 1

    def leave(self, invocation: Invocation) -> None:
        """Count it no longer; harmless if it was not."""
        name = invocation.function.name
        with self._lock:
            running = self._running.get(name, set())
            if invocation not in running:
                return
            running.remove(invocation)
            self._total -= 1
            if not running:
                del self._running[name]
            if self._waiting:
                self._changed.notify_all()

    def _limit(self, name: str, reserved: int | None) -> tuple[int, Callable[[str], bool]]:
        """What is the most, and of which functions it is."""
        if reserved is not None:
            return reserved, lambda other: other == name
        reservations = self._reservations()
        return (
            max(0, self.account - sum(reservations.values())),
            lambda other: other not in reservations,
        )

    def _count(self, counts: Callable[[str], bool]) -> int:
        return sum(len(running) for name, running in self._running.items() if counts(name))

    def _is_finishing(self, counts: Callable[[str], bool]) -> bool:
        return any(
            each.relay.outcome is not None
            for name, running in self._running.items()
            if counts(name)
            for each in running
        )
