"""A queue of things that begin one after the other and then go on side by side."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from ...errors import PenstockError

T = TypeVar("T")

#: What is left to do of an item that has begun: waits for its end.
Rest = Callable[[], None]


class QueueFullError(PenstockError):
    """So much waits already that no more is taken."""


class EventQueue(Generic[T]):
    """Begins its items in order, from threads of its own.

    `begin` begins one, and returns the rest of it, which a thread runs while the next item
    begins; or None, if nothing is left to do. It may `hold` the queue, and this item in it.
    There are as many threads as items that have begun, and one more while one begins.
    """

    def __init__(self, begin: Callable[[T], Rest | None]) -> None:
        self._begin = begin
        self._lock = threading.Lock()
        self._items: deque[T] = deque()
        self._is_beginning = False
        self._is_held = False

    def add(self, item: T) -> None:
        """Take an item, to begin after those that are here. Does not wait for it."""
        with self._lock:
            self._items.append(item)
        self._start()

    def hold(self, item: T) -> None:
        """From `begin`: the item cannot begin. None does until `go_on`, and this one first."""
        with self._lock:
            self._items.appendleft(item)
            self._is_held = True

    def go_on(self) -> None:
        """Begin again; harmless if nothing is held. So does the end of any item."""
        with self._lock:
            self._is_held = False
        self._start()

    def _start(self) -> None:
        with self._lock:
            if not self._items or self._is_beginning or self._is_held:
                return
        threading.Thread(target=self._run, name="events", daemon=True).start()

    def _run(self) -> None:
        while (item := self._next()) is not None:
            rest = self._begun(item[0])
            if rest is None:
                continue
            self._start()
            try:
                rest()
            except Exception:
                logging.getLogger("penstock.emulator").exception("an event was not seen through")
            with self._lock:
                self._is_held = False

    def _next(self) -> tuple[T] | None:
        with self._lock:
            if not self._items or self._is_beginning or self._is_held:
                return None
            self._is_beginning = True
            return (self._items.popleft(),)

    def _begun(self, item: T) -> Rest | None:
        try:
            return self._begin(item)
        except Exception:
            logging.getLogger("penstock.emulator").exception("an event could not begin")
            return None
        finally:
            with self._lock:
                self._is_beginning = False
