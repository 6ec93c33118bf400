"""How fast a stream may be: some of it at once, the rest at a steady rate."""

from __future__ import annotations

import time
from collections.abc import Callable


class Bandwidth:
    """Holds a stream back: `burst` bytes pass freely, after them `rate` bytes a second.

    For one stream, in one thread. `clock` and `sleep` count seconds.
    """

    def __init__(
        self,
        burst: int,
        rate: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._free = burst
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._next_at = 0.0

    def take(self, size: int) -> None:
        """Wait until `size` more bytes may pass."""
        free = min(self._free, size)
        self._free -= free
        if size == free:
            return
        now = self._clock()
        # Time in which nothing came is not made up for.
        self._next_at = max(self._next_at, now) + (size - free) / self._rate
        self._sleep(self._next_at - now)
