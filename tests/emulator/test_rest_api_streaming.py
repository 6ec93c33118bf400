"""What a client gets of a stream, and how long it is waited for, with a clock of the test's."""

from __future__ import annotations

import pytest

from penstock.emulator.bandwidth import Bandwidth
from penstock.emulator.fronts.rest_api_streaming import StreamingReceiver, wait_for_stream
from penstock.emulator.relay import WHOLE, BufferedReceiver, Ending, Outcome, Relay, ResponseHead

HEAD = ResponseHead("application/octet-stream", says_streaming=True)


class Receiver:
    """Notes what it is told; `last_byte_at` is the test's to set."""

    def __init__(self) -> None:
        self.last_byte_at = 0.0
        self.reasons: list[str] = []

    def give_up(self, reason: str) -> None:
        self.reasons.append(reason)


class RelayInTime:
    """A relay that lets time pass while it is waited for, and then does `step`."""

    def __init__(self, clock, steps) -> None:
        self.clock = clock
        self.steps = list(steps)
        self.waited: list[float] = []

    def wait(self, seconds):
        self.waited.append(seconds)
        return self.steps.pop(0)(seconds)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_end_of_the_response_is_the_end_of_the_wait(clock):
    relay = Relay(BufferedReceiver(), 100, is_streaming=True)
    relay.begin(HEAD)
    relay.end()
    receiver = Receiver()
    receiver.last_byte_at = clock.now

    outcome = wait_for_stream(relay, receiver, timeout=900, idle=300, clock=clock)

    assert outcome == WHOLE
    assert receiver.reasons == []


def test_a_failure_is_an_end_as_well(clock):
    relay = Relay(BufferedReceiver(), 100, is_streaming=True)
    relay.break_off(Outcome(Ending.EXITED, "Runtime.ExitError"))
    receiver = Receiver()
    receiver.last_byte_at = clock.now

    outcome = wait_for_stream(relay, receiver, timeout=900, idle=300, clock=clock)

    assert outcome is not None
    assert outcome.ending is Ending.EXITED


def test_five_minutes_without_a_byte_are_too_long(clock):
    receiver = Receiver()
    receiver.last_byte_at = clock.now

    def a_byte_after_200_seconds(seconds):
        receiver.last_byte_at = clock.now + 200
        clock.now += seconds

    def nothing(seconds):
        clock.now += seconds

    relay = RelayInTime(clock, [a_byte_after_200_seconds, nothing])

    assert wait_for_stream(relay, receiver, timeout=900, idle=300, clock=clock) is None
    assert relay.waited == [300, 200]
    assert "no byte came for 300 seconds" in receiver.reasons[0]
    assert "an edge-optimized one for 30 seconds" in receiver.reasons[0]


def test_fifteen_minutes_in_all_are_too_long_however_busy_it_is(clock):
    receiver = Receiver()

    def bytes_all_the_time(seconds):
        clock.now += seconds
        receiver.last_byte_at = clock.now

    receiver.last_byte_at = clock.now
    relay = RelayInTime(clock, [bytes_all_the_time] * 3)

    assert wait_for_stream(relay, receiver, timeout=900, idle=300, clock=clock) is None
    assert relay.waited == [300, 300, 300]
    assert "the integration's timeout, 900 seconds" in receiver.reasons[0]


class Exchange:
    """What a client was sent, in order."""

    def __init__(self, method: str = "GET") -> None:
        self.method = method
        self.sent: list[object] = []
        self.while_sending = lambda: None

    def begin(self, status, headers) -> None:
        self.sent.append(status)

    def send(self, data) -> None:
        self.while_sending()
        self.sent.append(bytes(data))

    def end(self) -> None:
        self.sent.append("end")

    def abort(self) -> None:
        self.sent.append("abort")


class Stream:
    """A receiver with its exchange; an error of API Gateway's is its status, negative."""

    def __init__(self, clock, method: str = "GET", bandwidth=None) -> None:
        self.exchange = Exchange(method)
        self.said: list[str] = []
        self.receiver = StreamingReceiver(
            self.exchange,
            [],
            refuse=lambda status: self.exchange.sent.append(-status),
            say=self.said.append,
            bandwidth=bandwidth,
            clock=clock,
        )

    def get(self, *parts: bytes) -> list[object]:
        for part in parts:
            self.receiver.body(part)
        return self.exchange.sent


METADATA = b'{"statusCode":201}' + bytes(8)
FAILED = Outcome(Ending.FAILED, "ValueError")


def test_metadata_may_come_byte_by_byte_and_the_body_after_it(clock):
    stream = Stream(clock)

    for byte in METADATA[:-1]:
        assert stream.get(bytes([byte])) == []
    assert stream.get(METADATA[-1:]) == [201]
    assert stream.get(b"body") == [201, b"body"]
    stream.receiver.finish(WHOLE)
    assert stream.exchange.sent == [201, b"body", "end"]


def test_after_an_error_nothing_more_is_sent(clock):
    stream = Stream(clock)

    assert stream.get(b"[]" + bytes(8), METADATA, b"body") == [-502]
    stream.receiver.finish(WHOLE)
    stream.receiver.give_up("late")
    assert stream.exchange.sent == [-502]
    assert len(stream.said) == 1


def test_metadata_that_come_too_late_are_not_sent_after_the_504(clock):
    stream = Stream(clock)

    stream.receiver.give_up("it is late")
    assert stream.get(METADATA, b"body") == [-504]
    stream.receiver.finish(WHOLE)
    assert stream.exchange.sent == [-504]


def test_what_comes_after_a_cut_is_not_sent(clock):
    stream = Stream(clock)
    stream.get(METADATA, b"one")

    stream.receiver.give_up("it is late")

    assert stream.get(b"two") == [201, b"one", "abort"]
    stream.receiver.finish(FAILED)
    assert stream.exchange.sent == [201, b"one", "abort"]


@pytest.mark.parametrize("outcome", [WHOLE, FAILED, None])
def test_an_answer_without_a_body_is_whole_with_its_head(outcome, clock):
    stream = Stream(clock, method="HEAD")
    stream.get(METADATA, b"body")

    if outcome is None:
        stream.receiver.give_up("it is late")
    else:
        stream.receiver.finish(outcome)

    assert stream.exchange.sent == [201, "end"]
    assert stream.said == []


def test_a_client_that_reads_slowly_is_no_silence_of_the_functions(clock):
    stream = Stream(clock)
    seen = []

    def slowly():
        clock.now += 1000
        seen.append(stream.receiver.last_byte_at)

    stream.exchange.while_sending = slowly
    stream.get(METADATA, b"body")

    assert seen == [2000.0]
    clock.now += 10
    assert stream.receiver.last_byte_at == 2000.0


def test_only_the_body_counts_for_the_bandwidth(clock):
    waits = []
    stream = Stream(clock, bandwidth=Bandwidth(4, 2, clock=clock, sleep=waits.append))

    stream.get(METADATA + b"free", b"slow")

    assert waits == [2.0]
