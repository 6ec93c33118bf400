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


def memory_of_groups(
    groups: Collection[int], field: str, *, without: Collection[int] = ()
) -> dict[int, int]:
    """A field of memory ("VmHWM", "VmRSS") of each group's processes together, in MB.

    Elsewhere than on Linux it is 0. The processes in `without` do not count.
    """
    used = dict.fromkeys(groups, 0)
    try:
        numbers = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    except OSError:
        return used
    for number in numbers:
        try:
            if number not in without and (group := os.getpgid(number)) in used:
                # What it is called may be no text.
                status = Path(f"/proc/{number}/status").read_text(errors="replace")
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
        self._watched: dict[Callable[[int], bool], Callable[[], Collection[int]]] = {}

    def add(self, groups: Callable[[], Collection[int]], look: Callable[[int], bool]) -> None:
        """Call `look` with what the groups use together, in MB, until it says False.

        `groups` gives those that there are when it is called.
        """
        with self._lock:
            if not self._watched:
                threading.Thread(target=self._run, name="memory", daemon=True).start()
            self._watched[look] = groups

    def _run(self) -> None:
        while True:
            with self._lock:
                watched = {look: groups() for look, groups in self._watched.items()}
            used = memory_of_groups(set().union(*watched.values()), "VmRSS")
            over = [
                look
                for look, groups in watched.items()
                if not _goes_on(look, sum(used[group] for group in groups))
            ]
            with self._lock:
                for look in over:
                    del self._watched[look]
                if not self._watched:
                    return
            time.sleep(_WATCH_EVERY)


def _goes_on(look: Callable[[int], bool], used: int) -> bool:
    try:
        return look(used)
    except Exception:
        # The fault of one must not keep the others from being looked at.
        logging.getLogger("penstock.emulator").exception("a look at memory failed")
        return False
