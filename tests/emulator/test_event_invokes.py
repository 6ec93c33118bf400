"""Asynchronous invocations: their order, retries, throttles, ages, and the end of it all."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.emulator.invoke import event_invokes
from penstock.emulator.invoke.event_queue import QueueFullError
from penstock.emulator.platform_events import PlatformEvent
from tests.tools import Gate, wait_for

from .event_functions import FAILS, FAILS_TWICE, HOLDS, PRINTS, Lambda, running


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Lambda]:
    with running(tmp_path) as aws:
        yield aws


def test_an_event_is_run(aws: Lambda) -> None:
    aws.add(PRINTS)
    request_id = aws.send({"order": 7})
    aws.wait_for_log('got {"order": 7}')
    aws.wait_for_log(f"REPORT RequestId: {request_id}")
    wait_for(lambda: aws.events.undone == 0, "the end of the event")


def test_events_begin_in_order(aws: Lambda) -> None:
    aws.add(PRINTS)
    for number in range(20):
        aws.send(number)
    aws.wait_for_log("got 19\n")
    assert re.findall(r"^got (\d+)$", aws.log, re.MULTILINE) == [str(n) for n in range(20)]


def test_events_are_run_side_by_side(aws: Lambda, gate: Gate) -> None:
    aws.add("def handler(event, context): pass_gate(event)", max_environments=3)
    for name in "abc":
        aws.send(name)
    for name in "cba":
        gate.open(name)
    wait_for(lambda: aws.events.undone == 0, "their end")


def test_an_error_is_tried_twice_more_with_the_same_request_id(aws: Lambda) -> None:
    aws.add(FAILS_TWICE)
    path = aws.configure()
    request_id = aws.send()
    aws.clock.move_to_next()
    aws.clock.move_to_next()
    record = aws.wait_for_record(path)
    assert record["responsePayload"] == [request_id] * 3
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestContext"]["condition"] == "Success"
    assert aws.clock.waits == [60, 120]
    assert "try 1 of 3 failed (ValueError: not at 1); the next is in 60 s" in aws.log


def test_the_waits_are_in_proportion(aws: Lambda) -> None:
    aws.with_options(retry_delay=0.5)
    aws.add(FAILS)
    aws.send()
    aws.clock.move_to_next()
    wait_for(lambda: len(aws.clock.waits) == 2, "the second wait")
    assert aws.clock.waits == [0.5, 1]


def test_what_always_fails_is_given_up(aws: Lambda) -> None:
    aws.add(FAILS)
    path = aws.configure()
    request_id = aws.send({"order": 7})
    aws.clock.move_to_next()
    aws.clock.move_to_next()
    record = aws.wait_for_record(path)
    assert record["requestContext"] == {
        "requestId": request_id,
        "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:app:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    }
    assert record["requestPayload"] == {"order": 7}
    assert record["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert record["responsePayload"]["errorMessage"] == "never"
    assert aws.log.count(f"START RequestId: {request_id}") == 3
    wait_for(lambda: aws.events.undone == 0, "the end of the event")


@pytest.mark.parametrize("attempts", [0, 1])
def test_fewer_retries_can_be_configured(attempts: int, aws: Lambda) -> None:
    aws.add(FAILS)
    path = aws.configure(maximum_retry_attempts=attempts)
    aws.send()
    for _ in range(attempts):
        aws.clock.move_to_next()
    record = aws.wait_for_record(path)
    assert record["requestContext"]["approximateInvokeCount"] == attempts + 1


def test_an_event_that_would_be_too_old_is_not_tried_again(aws: Lambda) -> None:
    aws.add(FAILS)
    path = aws.configure(maximum_event_age_in_seconds=60 + 119)
    aws.send()
    aws.clock.move_to_next()
    record = aws.wait_for_record(path)
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["responseContext"]["functionError"] == "Unhandled"


def test_an_event_may_be_as_old_as_configured(aws: Lambda) -> None:
    aws.add(FAILS)
    path = aws.configure(maximum_event_age_in_seconds=60 + 120)
    aws.send()
    aws.clock.move_to_next()
    aws.clock.move_to_next()
    assert aws.wait_for_record(path)["requestContext"]["condition"] == "RetriesExhausted"


def test_a_process_that_dies_is_an_error(aws: Lambda) -> None:
    aws.add("def handler(event, context): os._exit(3)")
    path = aws.configure(maximum_retry_attempts=1)
    aws.send()
    aws.clock.move_to_next()
    record = aws.wait_for_record(path)
    assert record["responsePayload"]["errorType"] == "Runtime.ExitError"
    assert record["requestContext"]["approximateInvokeCount"] == 2


def test_a_throttled_event_is_asked_again_after_longer_and_longer(aws: Lambda, gate: Gate) -> None:
    aws.add(HOLDS)
    free = aws.occupied(gate)
    aws.send("event")
    for number in range(12):
        wait_for(lambda n=number: len(aws.clock.waits) == n + 1, "the wait")
        if number < 11:
            aws.clock.move_to_next()
    assert aws.clock.waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    free()
    aws.clock.move_to_next()
    aws.wait_for_log('got "event"')


def test_a_throttle_is_no_try(aws: Lambda, gate: Gate) -> None:
    aws.add(HOLDS)
    path = aws.configure()
    free = aws.occupied(gate)
    aws.send("event")
    wait_for(lambda: aws.clock.waits, "the throttle")
    free()
    aws.clock.move_to_next()
    assert aws.wait_for_record(path)["requestContext"]["approximateInvokeCount"] == 1


def test_a_throttled_event_gets_too_old(aws: Lambda, gate: Gate) -> None:
    aws.add(HOLDS)
    path = aws.configure(maximum_event_age_in_seconds=60)
    free = aws.occupied(gate)
    aws.send("event")
    for number in range(5):
        wait_for(lambda n=number: len(aws.clock.waits) == n + 1, "the wait")
        aws.clock.move_to_next()
    record = aws.wait_for_record(path)
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert record["responseContext"] == {"statusCode": 429}
    free()


def test_a_function_that_may_not_run_gets_no_events(aws: Lambda) -> None:
    aws.add(PRINTS)
    environments = aws.registry.find("app")
    assert environments is not None
    off = dataclasses.replace(environments.function, max_environments=0, reserved_concurrency=0)
    aws.registry.put(off)
    path = aws.configure()
    aws.send("event")
    record = aws.wait_for_record(path)
    assert record["requestContext"]["condition"] == "ZeroReservedConcurrency"
    assert "responseContext" not in record
    assert aws.clock.waits == []


def test_an_event_that_failed_can_be_throttled_after_that(aws: Lambda, gate: Gate) -> None:
    aws.add("""
        def handler(event, context):
            if event != "hold":
                raise ValueError("no")
            pass_gate("hold")
    """)
    path = aws.configure(maximum_event_age_in_seconds=63)
    free = aws.occupied(gate)
    aws.send("event")
    wait_for(lambda: aws.clock.waits == [1], "the throttle")
    free()
    aws.clock.move_to_next()
    wait_for(lambda: aws.clock.waits == [1, 60], "the error")
    free = aws.occupied(gate)
    aws.clock.move_to_next()
    wait_for(lambda: aws.clock.waits == [1, 60, 1], "a new first throttle")
    aws.clock.move_to_next()
    record = aws.wait_for_record(path)
    free()
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "no"


def test_an_event_that_is_too_old_when_its_turn_comes_is_not_run(aws: Lambda, gate: Gate) -> None:
    aws.add(HOLDS)
    path = aws.configure(maximum_event_age_in_seconds=60)
    free = aws.occupied(gate)
    aws.send("event")
    wait_for(lambda: aws.clock.waits, "the throttle")
    free()
    aws.clock.move(61)
    record = aws.wait_for_record(path)
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert 'got "event"' not in aws.log


def test_an_end_lets_what_is_throttled_begin(aws: Lambda) -> None:
    aws.add(PRINTS)
    for number in range(5):
        aws.send(number)
    # The clock stands still: nothing comes of its waits.
    aws.wait_for_log("got 4\n")


def test_an_event_for_a_function_that_is_deleted_is_dropped(aws: Lambda, gate: Gate) -> None:
    aws.add(HOLDS)
    free = aws.occupied(gate)
    request_id = aws.send("event")
    wait_for(lambda: aws.clock.waits, "the throttle")
    aws.registry.remove("app")
    free()
    aws.clock.move_to_next()
    aws.wait_for_log(f"{request_id}: there is no app any more; the event is dropped")
    wait_for(lambda: aws.events.undone == 0, "the end of the event")


def test_an_event_is_not_for_another_function_of_the_same_name(aws: Lambda) -> None:
    aws.add(FAILS)
    first = aws.send()
    wait_for(lambda: aws.clock.waits, "the first error")
    aws.registry.remove("app")
    aws.add(PRINTS)
    aws.clock.move_to_next()
    aws.wait_for_log(
        f"{first}: app was deleted, and another function has its name now; the event is dropped"
    )
    # Those that come for the new one are run.
    aws.send("new")
    aws.wait_for_log('got "new"')
    wait_for(lambda: aws.events.undone == 0, "the end of the events")
    assert aws.log.count("got") == 1


def test_what_waits_for_a_place_is_not_for_another_function_either(aws: Lambda, gate: Gate) -> None:
    aws.add(HOLDS)
    free = aws.occupied(gate)
    first = aws.send("event")
    wait_for(lambda: aws.clock.waits, "the throttle")
    aws.registry.remove("app")
    free()
    aws.add(PRINTS)
    aws.clock.move_to_next()
    aws.wait_for_log(f"{first}: app was deleted, and another function has its name now")
    wait_for(lambda: aws.events.undone == 0, "the end of the event")
    assert 'got "event"' not in aws.log


def test_what_a_deleted_function_answers_is_not_sent_where_another_wants_its_own(
    aws: Lambda, gate: Gate
) -> None:
    aws.add("""
        def handler(event, context):
            print("running")
            pass_gate("hold")
    """)
    aws.send("old")
    aws.wait_for_log("running")
    aws.registry.remove("app")
    aws.add(PRINTS)
    path = aws.configure()
    gate.open("hold")
    wait_for(lambda: aws.events.undone == 0, "the end of the event")
    assert not path.exists()
    aws.send("new")
    assert aws.wait_for_record(path)["requestPayload"] == "new"


def test_an_event_is_over_when_the_runtime_is_through_with_it(aws: Lambda, gate: Gate) -> None:
    aws.add("""
        @streamify_response
        async def handler(event, response_stream, context):
            await response_stream.write(b"[1]")
            await response_stream.end()
            print("answered")
            await asyncio.to_thread(pass_gate, "after")
    """)
    path = aws.configure()
    request_id = aws.send()
    aws.wait_for_log("answered")
    assert not path.exists()
    gate.open("after")
    aws.wait_for_record(path)
    assert f"REPORT RequestId: {request_id}" in aws.log


def test_new_code_is_used_for_the_next_try(aws: Lambda) -> None:
    aws.add(FAILS)
    path = aws.configure()
    aws.send()
    wait_for(lambda: aws.clock.waits, "the first error")
    aws.add("def handler(event, context): return 'mended'")
    aws.clock.move_to_next()
    assert aws.wait_for_record(path)["responsePayload"] == "mended"


def test_what_is_undone_at_the_end_is_counted_once(aws: Lambda, gate: Gate) -> None:
    aws.add(HOLDS)
    free = aws.occupied(gate)
    for _ in range(3):
        aws.send("event")
    aws.events.stop()
    aws.events.stop()
    assert aws.log.count("stopped: 3 asynchronous events are lost; on AWS they are kept") == 1
    free()
    aws.clock.move(1000)
    assert 'got "event"' not in aws.log


def test_an_event_that_breaks_the_emulator_is_dropped_and_the_next_one_runs(
    aws: Lambda, caplog: pytest.LogCaptureFixture
) -> None:
    aws.add(PRINTS)
    right = aws.events.config_of

    def broken(function: str, qualifier: str | None) -> event_invokes.EventInvokeConfig:
        raise TypeError("5 is no configuration")

    aws.events.config_of = broken
    aws.send("first")
    wait_for(lambda: aws.events.undone == 0, "the end of the first")
    assert "the event for app is dropped, because the emulator failed: TypeError: 5" in aws.log
    aws.events.config_of = right
    aws.send("second")
    aws.wait_for_log('got "second"')
    caplog.clear()


def test_a_stop_without_events_says_nothing(aws: Lambda) -> None:
    aws.events.stop()
    assert aws.log == ""


def test_there_is_an_end_to_what_may_wait(
    aws: Lambda, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.add(HOLDS)
    monkeypatch.setattr(event_invokes, "QUEUED_BYTES", 2000)
    free = aws.occupied(gate)
    aws.send("x" * 900)
    wait_for(lambda: aws.clock.waits, "the throttle")
    with pytest.raises(QueueFullError, match="events that wait: 1; with this one they have over"):
        aws.send("y" * 900)
    free()
    aws.clock.move_to_next()
    wait_for(lambda: aws.events.undone == 0, "the end of the first")
    aws.send("z" * 900)
    aws.wait_for_log("zzz")


def test_hundreds_of_events_need_few_threads(aws: Lambda, gate: Gate) -> None:
    aws.add(HOLDS)
    before = threading.active_count()
    free = aws.occupied(gate)
    for number in range(300):
        aws.send(number)
    assert threading.active_count() < before + 20
    assert aws.events.undone == 300
    wait_for(lambda: aws.clock.waits, "the throttle")
    free()
    aws.clock.move_to_next()
    wait_for(lambda: aws.events.undone == 0, "the end of all")
    assert aws.log.count("START RequestId") == 301


def test_listeners_hear_of_each_step(aws: Lambda) -> None:
    told: list[PlatformEvent] = []
    aws.log_events.subscribe(told.append)
    aws.add(FAILS)
    path = aws.configure(maximum_retry_attempts=1)
    request_id = aws.send()
    aws.clock.move_to_next()
    aws.wait_for_record(path)
    own = [each for each in told if each.type.startswith("penstock.eventInvoke")]
    assert [each.type.removeprefix("penstock.eventInvoke") for each in own] == [
        "Accepted",
        "Retry",
        "Done",
    ]
    assert {each.function for each in own} == {"app"}
    assert own[1].record == {
        "requestId": request_id,
        "qualifier": None,
        "error": "ValueError",
        "seconds": 60,
        "tries": 1,
    }
    assert isinstance(own[2].record, dict)
    assert own[2].record["condition"] == "RetriesExhausted"
