"""Stops an environment's processes while they have nothing to do, as Lambda does."""

from __future__ import annotations

from .processes import Processes
from .workload import Workload


class Freezer:
    """Freezes and thaws `processes`. All calls are made under the lock of `work`."""

    def __init__(self, work: Workload, processes: Processes) -> None:
        self._work = work
        self._processes = processes
        self._is_frozen = False

    def freeze_if_idle(self) -> None:
        """Stop them, if there is no work and the runtime waits for some; may be repeated."""
        if self._work.is_idle and not self._is_frozen:
            self._is_frozen = True
            self._processes.freeze()

    def thaw(self) -> None:
        """Let them go on, if they are stopped."""
        if self._is_frozen:
            self._is_frozen = False
            self._processes.thaw()
