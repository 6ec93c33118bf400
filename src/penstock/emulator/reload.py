"""Watches a function's source."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection
from pathlib import Path

import watchfiles

# Changes that come within this many milliseconds are told together.
_DEBOUNCE = 100


_CODE = """
    py pyx pyd js mjs cjs jsx ts mts cts tsx rb sh bash go rs zig nim c cc cpp h hpp swift
    kt kts java class jar scala clj cs fs vb dll so dylib wasm php pl pm lua ex exs erl beam
    hs ml dart r jl cr f90
"""
_ENDINGS = frozenset(_CODE.split())


class CodeFilter(watchfiles.DefaultFilter):
    """What may be code of any runtime: by its ending, without one, or executable.

    JSON, text and other data do not count, for answers and logs are often written to where
    the function lies; nor do the folders that no filter of watchfiles looks into, such as
    `.git`, `.venv` and `node_modules`.
    """

    def __call__(self, change: watchfiles.Change, path: str) -> bool:
        """Whether a change of this path counts."""
        if not super().__call__(change, path):
            return False
        if os.path.isdir(path):
            return False
        ending = os.path.splitext(path)[1].lower().removeprefix(".")
        return not ending or ending in _ENDINGS or os.access(path, os.X_OK)


class SourceWatcher:
    """Calls `on_change` with the changed source files below `folder`, relative to it.

    These are Python's, or, for a function of `any_runtime`, what `CodeFilter` lets pass; and
    nothing in the folder `apart`.
    Other files do not count, for a function may write some itself; nor do `.venv`,
    `node_modules`, `site-packages` and the folders of tools.
    """

    def __init__(
        self,
        folder: Path,
        on_change: Callable[[Collection[str]], None],
        *,
        any_runtime: bool = False,
        apart: Path | None = None,
    ) -> None:
        self._folder = folder
        self._on_change = on_change
        # With its separator, for the filters compare texts.
        apart_from = [os.path.join(apart.resolve(), "")] if apart is not None else []
        self._filter = (CodeFilter if any_runtime else watchfiles.PythonFilter)(
            ignore_paths=apart_from
        )
        self._stop = threading.Event()
        threading.Thread(target=self._run, name="source-watcher", daemon=True).start()

    def stop(self) -> None:
        """Stop watching. Returns at once."""
        self._stop.set()

    def _run(self) -> None:
        changes = watchfiles.watch(
            self._folder,
            watch_filter=self._filter,
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
