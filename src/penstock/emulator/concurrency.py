"""How many invocations may run at once: in the account, and of functions that reserve some.

Sources: AWS documentation, "Understanding Lambda function scaling", "Configuring reserved
concurrency"; the Lambda API reference for the names of reasons.
"""

from __future__ import annotations

import threading

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

    What functions have reserved they share with no others; these have the rest of `account`
    together.
    """

    def __init__(self, account: int = ACCOUNT_CONCURRENCY) -> None:
        self.account = account
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._reserved: dict[str, int] = {}
        self._unreserved = account
        self._running: dict[str, set[Invocation]] = {}
        self._total = 0  # of all functions
        self._waiting = 0

    def reserve(self, name: str, concurrency: int | None) -> None:
        """From now on a function has reserved so much of the account's, or, with None, nothing."""
        with self._lock:
            if concurrency is None:
                self._reserved.pop(name, None)
            else:
                self._reserved[name] = concurrency
            self._unreserved = max(0, self.account - sum(self._reserved.values()))

    def enter(self, invocation: Invocation, reserved: int | None) -> None:
        """Count an invocation of a function that has this much reserved, until it is finished.

        Raises:
            TooManyRequestsError: there are as many as there may be.
        """
        name = invocation.function.name
        with self._lock:
            limit = self._unreserved if reserved is None else reserved
            # Where all together are fewer, there is nothing to count.
            if self._total >= limit and not self._has_place(limit, name, reserved):
                if reserved is None:
                    why = (
                        f"the account has {limit} unreserved concurrency, and all is in use"
                        if limit
                        else f"all of the account's concurrency of {self.account} is reserved by "
                        "other functions"
                    )
                    raise TooManyRequestsError(why, ACCOUNT_LIMIT)
                use = "all is in use" if reserved else "no call is let through"
                raise TooManyRequestsError(f"{name} has {reserved} reserved concurrency, and {use}")
            self._running.setdefault(name, set()).add(invocation)
            self._total += 1
        invocation.when_finished(self.leave)

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

    def _has_place(self, limit: int, name: str, reserved: int | None) -> bool:
        """Whether there is a place among those that share it, perhaps in a moment."""

        def sharing() -> list[set[Invocation]]:
            if reserved is not None:
                return [self._running.get(name, set())]
            return [each for other, each in self._running.items() if other not in self._reserved]

        def is_free() -> bool:
            return sum(map(len, sharing())) < limit

        def is_one_finishing() -> bool:
            return any(each.relay.outcome is not None for group in sharing() for each in group)

        if not limit or is_free() or not is_one_finishing():
            return is_free()
        self._waiting += 1
        try:
            return self._changed.wait_for(is_free, _FREE_GRACE)
        finally:
            self._waiting -= 1
