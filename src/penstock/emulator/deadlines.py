"""Calls things at a time, on one thread for all of them."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

# From how many on the cancelled ones are thrown out.
_CROWDED = 1000


class Deadline:
    """One call to be made. Cancelled, it lets go of everything it would have needed."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call

    @property
    def is_cancelled(self) -> bool:
        """Whether the call will not be made any more, or was."""
        return self._call is None

    def cancel(self) -> None:
        """Do not make the call."""
        self._call = None

    def pass_by(self) -> None:
        """Make the call now, unless it was cancelled."""
        call, self._call = self._call, None
        if call is not None:
            call()


class Deadlines:
    """A list of calls to make at a `time.monotonic` time. Calls must be short."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, Deadline]] = []
        self._numbers = itertools.count()
        self._crowded = _CROWDED
        self._stopped = False
        threading.Thread(target=self._run, name="deadlines", daemon=True).start()

    def at(self, when: float, call: Callable[[], None]) -> Deadline:
        """Make `call` at `when`, unless the deadline is cancelled before."""
        deadline = Deadline(call)
        with self._changed:
            if len(self._heap) >= self._crowded:
                # Most calls are cancelled long before their time.
                self._heap = [entry for entry in self._heap if not entry[2].is_cancelled]
                heapq.heapify(self._heap)
                self._crowded = max(_CROWDED, 2 * len(self._heap))
            heapq.heappush(self._heap, (when, next(self._numbers), deadline))
            if self._heap[0][2] is deadline:
                # Else the thread wakes early enough.
                self._changed.notify()
        return deadline

    def stop(self) -> None:
        """Forget all of them."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._stopped:
                    wait = self._heap[0][0] - time.monotonic() if self._heap else None
                    if wait is not None and wait <= 0:
                        break
                    self._changed.wait(wait)
                if self._stopped:
                    return
                _, _, deadline = heapq.heappop(self._heap)
            try:
                deadline.pass_by()
            except Exception:
                # One call's fault must not keep all others from being made.
                logging.getLogger("penstock.emulator").exception("a deadline's call failed")
