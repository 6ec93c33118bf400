"""Events as AWS's Telemetry API has them, and how the log tells of them."""

from __future__ import annotations

import json

import pytest

from penstock.emulator.platform_events import (
    PlatformEvent,
    PlatformEvents,
    json_of,
    milliseconds,
    report_text,
    text_of,
    timestamp,
    whole_milliseconds,
)


def event(kind: str, record: object) -> PlatformEvent:
    return PlatformEvent(kind, record, "app", "0123", 1_700_000_000.25)


REPORT = {
    "requestId": "id",
    "status": "success",
    "spans": [{"name": "responseLatency", "start": "...", "durationMs": 1.09}],
    "metrics": {
        "durationMs": 153.54,
        "billedDurationMs": 154,
        "memorySizeMB": 128,
        "maxMemoryUsedMB": 77,
        "initDurationMs": 81.5,
    },
}


def test_end_and_report():
    assert report_text(REPORT) == (
        "END RequestId: id\n"
        "REPORT RequestId: id\tDuration: 153.54 ms\tBilled Duration: 154 ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 77 MB\tInit Duration: 81.50 ms\t"
        "First Byte: 1.09 ms\t\n"
    )


@pytest.mark.parametrize(
    ("status", "error_type", "end"),
    [
        ("timeout", "Sandbox.Timedout", "Status: timeout\n"),
        ("failure", "Runtime.ExitError", "Status: error\tError Type: Runtime.ExitError\n"),
        ("error", "Runtime.Unknown", "Status: error\tError Type: Runtime.Unknown\n"),
    ],
)
def test_a_report_says_what_the_platform_knows_of_a_failure(status, error_type, end):
    failed = {**REPORT, "status": status, "errorType": error_type, "spans": []}
    assert report_text(failed).endswith(f"\tInit Duration: 81.50 ms\t{end}")


def test_a_report_says_nothing_of_what_a_handler_raises():
    failed = {**REPORT, "status": "error", "errorType": "ValueError"}
    assert report_text(failed, is_of_handler=True) == report_text(REPORT)


def test_a_start_that_went_well_has_no_line_of_its_own():
    record = {
        "phase": "init",
        "status": "success",
        "metrics": {"durationMs": 10008.94},
        "initializationType": "on-demand",
    }
    assert text_of(event("platform.initReport", record)) is None
    assert text_of(event("platform.initReport", {**record, "status": "timeout"})) == (
        "INIT_REPORT Init Duration: 10008.94 ms\tPhase: init\tStatus: timeout\n"
    )


def test_the_json_of_a_log_is_the_event():
    line = json_of(event("platform.report", REPORT))
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.250Z",
        "type": "platform.report",
        "record": REPORT,
    }
    assert json_of(event("platform.runtimeDone", REPORT)) is None
    assert json_of(event("platform.runtimeDone", {**REPORT, "status": "error"})) is not None
    assert json_of(event("function", "a line")) is None


def test_our_own_fields_stand_beside_aws_s():
    assert json.loads(event("function", "a line").line()) == {
        "time": "2023-11-14T22:13:20.250Z",
        "type": "function",
        "record": "a line",
        "function": "app",
        "environment": "0123",
    }


def test_a_listener_hears_until_it_does_not_want_to(caplog):
    events, heard = PlatformEvents(), []
    assert not events.is_heard
    stop_failing = events.subscribe(lambda event: 1 / 0)
    stop = events.subscribe(heard.append)
    first, second = event("function", "1"), event("function", "2")
    events.send(first)
    assert "a listener failed" in caplog.text
    stop()
    events.send(second)
    assert heard == [first]
    stop_failing()
    assert not events.is_heard


def test_a_restore_is_in_the_report_with_what_is_billed_of_it():
    metrics = {**REPORT["metrics"], "restoreDurationMs": 511.25, "billedRestoreDurationMs": 512}
    del metrics["initDurationMs"]
    assert (
        "\tMax Memory Used: 77 MB\tRestore Duration: 511.25 ms\tBilled Restore Duration: 512 ms\t"
    ) in report_text({**REPORT, "metrics": metrics})


def test_each_millisecond_that_has_begun_is_billed():
    assert whole_milliseconds(2.37 + 423.98) == 427
    assert whole_milliseconds(1.1 + 2.2 - 0.3) == 3
    assert whole_milliseconds(0.0) == 0


def test_times():
    assert timestamp(0.9999) == "1970-01-01T00:00:00.999Z"
    assert milliseconds(0.0123456) == 12.345
