"""How fast a stream may be."""

from __future__ import annotations

from penstock.emulator.bandwidth import Bandwidth


class Time:
    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_a_burst_passes_and_what_follows_has_its_rate():
    time = Time()
    bandwidth = Bandwidth(100, 10, clock=lambda: time.now, sleep=time.sleep)

    bandwidth.take(60)
    bandwidth.take(40)
    assert time.slept == []
    bandwidth.take(5)
    bandwidth.take(20)
    assert time.slept == [0.5, 2.0]


def test_what_is_over_the_burst_waits():
    time = Time()
    bandwidth = Bandwidth(100, 10, clock=lambda: time.now, sleep=time.sleep)

    bandwidth.take(130)

    assert time.slept == [3.0]


def test_silence_earns_nothing():
    time = Time()
    bandwidth = Bandwidth(0, 10, clock=lambda: time.now, sleep=time.sleep)

    bandwidth.take(10)
    time.now += 100
    bandwidth.take(10)

    assert time.slept == [1.0, 1.0]
