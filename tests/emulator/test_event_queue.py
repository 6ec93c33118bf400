"""A queue whose items begin in order and go on side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from penstock.emulator.invoke.event_queue import EventQueue, Rest
from tests.tools import PATIENCE, wait_for


class Steps:
    """Notes what begins and ends; what has begun goes on until it is let go."""

    def __init__(self) -> None:
        self.queue: EventQueue[str] = EventQueue(self.begin)
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.gates: dict[str, threading.Event] = {}
        self.refused: set[str] = set()
        self.held: list[str] = []
        self.threads: set[threading.Thread] = set()

    def begin(self, item: str) -> Rest | None:
        if item in self.refused:
            self.queue.hold(item)
            self.held.append(item)
            return None
        self.begun.append(item)
        gate = self.gates[item] = threading.Event()

        def rest() -> None:
            self.threads.add(threading.current_thread())
            assert gate.wait(PATIENCE)
            self.ended.append(item)

        return rest

    def wait_for(self, begun: str) -> None:
        wait_for(lambda: len(self.begun) == len(begun), f"{begun}, not {self.begun}")
        assert "".join(self.begun) == begun


@pytest.fixture
def steps() -> Iterator[Steps]:
    steps = Steps()
    yield steps
    for gate in steps.gates.values():
        gate.set()


def let_go(steps: Steps, item: str) -> None:
    steps.gates[item].set()
    wait_for(lambda: item in steps.ended, f"the end of {item}")


def test_items_begin_in_order_and_go_on_side_by_side(steps: Steps) -> None:
    for item in "abcdefgh":
        steps.queue.add(item)
    steps.wait_for("abcdefgh")
    assert steps.ended == []
    let_go(steps, "h")
    let_go(steps, "a")


def test_what_cannot_begin_keeps_its_place(steps: Steps) -> None:
    steps.refused = {"b"}
    for item in "abc":
        steps.queue.add(item)
    steps.wait_for("a")
    wait_for(lambda: steps.held, "b to be held")
    steps.refused.clear()
    steps.queue.go_on()
    steps.wait_for("abc")


def test_the_end_of_one_lets_the_next_begin(steps: Steps) -> None:
    steps.refused = {"b"}
    for item in "abc":
        steps.queue.add(item)
    steps.wait_for("a")
    wait_for(lambda: steps.held, "b to be held")
    steps.refused.clear()
    let_go(steps, "a")
    steps.wait_for("abc")


def test_an_item_without_a_rest_is_done_with() -> None:
    done: list[int] = []
    queue: EventQueue[int] = EventQueue(done.append)
    for number in range(100):
        queue.add(number)
    wait_for(lambda: len(done) == 100, "all of them")
    assert done == [*range(100)]


def fail(_: object = None) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("result", [fail, lambda: fail], ids=["begin", "rest"])
def test_what_goes_wrong_with_one_does_not_stop_the_others(
    result: Callable[[], Rest], caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[int] = []

    def begin(item: int) -> Rest | None:
        seen.append(item)
        return result() if item == 1 else None

    queue: EventQueue[int] = EventQueue(begin)
    for number in (1, 2, 3):
        queue.add(number)
    wait_for(lambda: len(seen) == 3, "all of them")
    wait_for(lambda: "ZeroDivisionError" in caplog.text, "the error in the log")


def test_there_is_no_thread_when_there_is_no_work(steps: Steps) -> None:
    for item in "ab":
        steps.queue.add(item)
    steps.wait_for("ab")
    let_go(steps, "a")
    let_go(steps, "b")
    assert len(steps.threads) == 2
    wait_for(lambda: not any(each.is_alive() for each in steps.threads), "their end")
