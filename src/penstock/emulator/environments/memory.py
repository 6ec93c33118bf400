"""How much memory groups of processes use, and a watch on it. Linux only."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path

# How often the watch looks, in seconds.
_WATCH_EVERY = 0.1


def memory_of_groups(groups: Collection[int], field: str, *, without: int = 0) -> dict[int, int]:
    """A field of memory ("VmHWM", "VmRSS") of each group's processes together, in MB.

    Elsewhere than on Linux it is 0. `without` is a process that does not count.
    """
    used = dict.fromkeys(groups, 0)
    try:
        numbers = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    except OSError:
        return used
    for number in numbers:
        try:
            if number != without and (group := os.getpgid(number)) in used:
                status = Path(f"/proc/{number}/status").read_text()
                used[group] += next(
                    int(line.split()[1]) for line in status.splitlines() if line.startswith(field)
                )
        except (OSError, StopIteration):
            pass  # it has just ended
    return {group: -(-kilobytes // 1024) for group, kilobytes in used.items()}


class MemoryWatch:
    """Looks at groups of processes again and again: at all of them at once, on one thread.

    There is a thread while there is something to look at.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: dict[Callable[[int], bool], Callable[[], int | None]] = {}

    def add(self, group: Callable[[], int | None], look: Callable[[int], bool]) -> None:
        """Call `look` with what the group uses, in MB, until it says False.

        `group` gives None before there is one.
        """
        with self._lock:
            if not self._watched:
                threading.Thread(target=self._run, name="memory", daemon=True).start()
            self._watched[look] = group

    def _run(self) -> None:
        while True:
            with self._lock:
                watched = {look: group() or 0 for look, group in self._watched.items()}
            used = memory_of_groups(set(watched.values()) - {0}, "VmRSS")
            over = [look for look, group in watched.items() if not _goes_on(look, used.get(group))]
            with self._lock:
                for look in over:
                    del self._watched[look]
                if not self._watched:
                    return
            time.sleep(_WATCH_EVERY)


def _goes_on(look: Callable[[int], bool], used: int | None) -> bool:
    try:
        return look(used or 0)
    except Exception:
        # The fault of one must not keep the others from being looked at.
        logging.getLogger("penstock.emulator").exception("a look at memory failed")
        return False
