"""Calls are made at their times, whatever has been cancelled."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from penstock.emulator.deadlines import Deadlines


@pytest.fixture
def deadlines() -> Iterator[Deadlines]:
    deadlines = Deadlines()
    yield deadlines
    deadlines.stop()


@contextmanager
def held(deadlines: Deadlines) -> Iterator[None]:
    """No other call is made in the meantime, however long it takes."""
    over = threading.Event()
    deadlines.at(0, over.wait)
    yield
    over.set()


def test_calls_are_made_in_the_order_of_their_times(deadlines):
    made: queue.Queue[str] = queue.Queue()
    now = time.monotonic()
    with held(deadlines):
        deadlines.at(now + 0.3, lambda: made.put("third"))
        deadlines.at(now + 0.1, lambda: made.put("first"))
        deadlines.at(now + 0.2, lambda: made.put("second"))
    assert [made.get(timeout=10) for _ in range(3)] == ["first", "second", "third"]


def test_among_thousands_of_cancelled_ones_the_others_are_made(deadlines):
    made: queue.Queue[int] = queue.Queue()
    when = time.monotonic() + 0.5
    with held(deadlines):
        for number in range(5000):
            deadline = deadlines.at(when + number / 1e6, lambda number=number: made.put(number))
            if number % 1000:
                deadline.cancel()
    assert [made.get(timeout=10) for _ in range(5)] == [0, 1000, 2000, 3000, 4000]
    assert made.empty()


def test_a_call_that_fails_keeps_no_other_from_being_made(deadlines, caplog):
    made: queue.Queue[str] = queue.Queue()
    now = time.monotonic()
    deadlines.at(now, lambda: 1 / 0)
    deadlines.at(now + 0.1, lambda: made.put("made"))
    assert made.get(timeout=10) == "made"
    assert "a deadline's call failed" in caplog.text
