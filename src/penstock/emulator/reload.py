"""Watches a function's source."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from pathlib import Path

import watchfiles

# Changes that come within this many milliseconds are told together.
_DEBOUNCE = 100


class SourceWatcher:
    """Calls `on_change` with the changed Python files below `folder`, relative to it.

    Other files do not count, for a function may write some itself; nor do `.venv`,
    `node_modules`, `site-packages` and the folders of tools.
    """

    def __init__(self, folder: Path, on_change: Callable[[Collection[str]], None]) -> None:
        self._folder = folder
        self._on_change = on_change
        self._stop = threading.Event()
        threading.Thread(target=self._run, name="source-watcher", daemon=True).start()

    def stop(self) -> None:
        """Stop watching. Returns at once."""
        self._stop.set()

    def _run(self) -> None:
        changes = watchfiles.watch(
            self._folder,
            watch_filter=watchfiles.PythonFilter(),
            stop_event=self._stop,
            debounce=_DEBOUNCE,
            step=10,
            rust_timeout=200,
            raise_interrupt=False,
        )
        for changed in changes:
            if self._stop.is_set():
                return
            self._on_change({self._relative(path) for _, path in changed})

    def _relative(self, path: str) -> str:
        try:
            return str(Path(path).relative_to(self._folder))
        except ValueError:
            return path
