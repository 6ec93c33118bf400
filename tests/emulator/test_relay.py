"""One response, and every way in which it can end."""

from __future__ import annotations

import json
import sys
import threading
from types import FrameType

import pytest

from penstock.emulator import limits
from penstock.emulator import relay as relay_module
from penstock.emulator.http.http_server import ClientGoneError
from penstock.emulator.relay import (
    WHOLE,
    BufferedReceiver,
    Ending,
    Outcome,
    Relay,
    ResponseHead,
    exited,
    timed_out,
    too_large,
    truncated,
)

HEAD = ResponseHead("text/plain", says_streaming=True)
TIMED_OUT = timed_out("id", 3)


def relay(max_size: int = 100, *, is_streaming: bool = True) -> tuple[Relay, BufferedReceiver]:
    receiver = BufferedReceiver()
    return Relay(receiver, max_size, is_streaming=is_streaming), receiver


def test_a_whole_response():
    response, receiver = relay()
    assert response.begin(HEAD)
    assert response.body(b"a")
    assert response.body(b"b")
    assert response.wait(0) is None
    response.end()
    assert response.wait(0) is WHOLE
    assert (receiver.head, receiver.content) == (HEAD, b"ab")


def test_a_response_can_begin_only_once():
    response, _ = relay()
    assert response.begin(HEAD)
    assert not response.begin(HEAD)


def test_there_is_no_response_after_an_error():
    response, receiver = relay()
    response.break_off(Outcome(Ending.ERROR, "E"))
    assert not response.begin(HEAD)
    assert receiver.head is None


def test_the_first_end_counts():
    response, _ = relay()
    response.break_off(TIMED_OUT)
    response.break_off(exited("id", 9))
    assert response.outcome is TIMED_OUT


def test_a_response_in_progress_is_broken_off_when_its_connection_closes_not_before():
    response, _ = relay()
    response.begin(HEAD)
    response.break_off(TIMED_OUT)
    assert response.wait(0) is None
    response.body(b"still on its way")
    response.cut(truncated("id"))
    assert response.wait(0) == Outcome(Ending.TIMEOUT, "Sandbox.Timedout", TIMED_OUT.payload)


def test_a_response_that_came_to_its_end_before_it_was_broken_off_is_whole():
    response, _ = relay()
    response.begin(HEAD)
    response.break_off(exited("id", 1))
    response.end()
    assert response.wait(0) is WHOLE


def test_a_cut_without_a_cause():
    response, _ = relay()
    response.begin(HEAD)
    response.cut(truncated("id"))
    assert response.wait(0) == truncated("id")


def test_a_stream_over_its_limit_gets_one_byte_more():
    response, receiver = relay(max_size=5)
    response.begin(HEAD)
    assert response.body(b"12345")
    assert not response.body(b"67")
    assert receiver.content == b"123456"
    assert response.outcome == too_large(5)
    assert "(5 bytes)" in response.outcome.detail


def test_a_buffered_response_over_its_limit_is_an_error():
    response, _ = relay(max_size=5, is_streaming=False)
    response.begin(HEAD)
    assert not response.body(b"123456")
    assert response.outcome.ending is Ending.TOO_LARGE
    assert "(5 bytes)" in response.outcome.detail


def test_what_aws_says_of_a_buffered_response_over_the_limit_has_148_bytes():
    assert len(too_large(limits.BUFFERED_PAYLOAD).payload) == 148


def test_a_caller_who_has_gone_does_not_stop_the_response():
    class Gone(BufferedReceiver):
        calls = 0

        def body(self, data: bytes) -> None:
            self.calls += 1
            raise ClientGoneError

    receiver = Gone()
    response = Relay(receiver, 100, is_streaming=True)
    response.begin(HEAD)
    assert response.body(b"a")
    assert response.body(b"b")
    response.end()
    assert response.caller_gone
    assert receiver.calls == 1
    assert response.wait(0) is WHOLE


def test_whoever_waits_is_woken_by_the_end():
    response, _ = relay()
    seen: list[Outcome | None] = []
    waiter = threading.Thread(target=lambda: seen.append(response.wait(5)))
    waiter.start()
    response.break_off(TIMED_OUT)
    waiter.join(5)
    assert seen == [TIMED_OUT]


@pytest.mark.parametrize("line", range(1, 12))
def test_nothing_comes_after_the_end_wherever_the_runtime_answers_meanwhile(line: int):
    class Strict(BufferedReceiver):
        def body(self, data: bytes) -> None:
            seen.append(response.outcome)

    def answer() -> None:
        if response.begin(HEAD):
            response.body(b"a")
            response.cut(truncated("id"))

    def trace(frame: FrameType, event: str, arg: object) -> object:
        nonlocal lines
        if frame.f_code.co_filename != relay_module.__file__:
            return None
        if event == "line":
            lines += 1
            if lines == line:
                runtime.start()
                runtime.join(0.02)  # unless it has to wait for the lock
        return trace

    seen: list[Outcome | None] = []
    lines = 0
    response = Relay(Strict(), 100, is_streaming=True)
    runtime = threading.Thread(target=answer)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        response.break_off(TIMED_OUT)
    finally:
        sys.settrace(before)
    assert lines >= line, "this test has more lines than there are: make its range smaller"
    runtime.join(10)
    assert response.outcome is not None
    assert set(seen) <= {None}


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (timed_out("id", 3), "RequestId: id Error: Task timed out after 3.00 seconds"),
        (exited("id", 0), "RequestId: id Error: Runtime exited without providing a reason"),
        (exited("id", 7), "RequestId: id Error: Runtime exited with error: exit status 7"),
        (exited("id", -9), "RequestId: id Error: Runtime exited with error: signal: killed"),
        (
            exited("id", -11),
            "RequestId: id Error: Runtime exited with error: signal: segmentation fault",
        ),
    ],
)
def test_what_aws_says_of_it(outcome, message):
    assert json.loads(outcome.payload)["errorMessage"] == message
