"""What an emulator tells its listeners, from the start of an environment to its end."""

from __future__ import annotations

import json
import math
import re

import httpx
import pytest

from tests.tools import wait_for


def types(events) -> list[str]:
    return [event.type.removeprefix("platform.") for event in events]


def test_from_the_start_to_the_end(serve):
    function = serve(
        """
        print("loaded")

        @streamify_response
        def handler(event, response_stream, context):
            print("called")
            response_stream.write(b"x" * 1000)
            response_stream.write(b"y" * 234)
        """
    )
    events = []
    function.emulator.subscribe(events.append)
    httpx.get(function.url)
    wait_for(lambda: "report" in types(events), "the report")
    function.emulator.stop()
    assert types(events) == [
        *["initStart", "function", "initRuntimeDone", "initReport"],
        *["start", "function", "runtimeDone", "report", "penstock.environmentEnd"],
    ]
    assert [event.record for event in events if event.type == "function"] == ["loaded", "called"]
    assert {event.function for event in events} == {"app"}
    assert len({event.environment for event in events}) == 1
    found = {event.type: event.record for event in events}
    assert found["platform.initStart"]["initializationType"] == "on-demand"
    assert found["platform.initReport"]["status"] == "success"
    done, report = found["platform.runtimeDone"], found["platform.report"]
    assert done["metrics"]["producedBytes"] == 1234
    names = ["responseLatency", "responseDuration", "runtimeOverhead"]
    assert [span["name"] for span in done["spans"]] == names
    assert done["requestId"] == report["requestId"]
    assert (
        report["metrics"]["initDurationMs"] == found["platform.initReport"]["metrics"]["durationMs"]
    )
    assert report["status"] == "success"


def test_init_is_billed_with_the_first_invocation(serve):
    function = serve("def handler(event, context): pass", max_environments=1)
    events = []
    function.emulator.subscribe(events.append)
    for _ in range(2):
        httpx.get(function.url)
    wait_for(lambda: types(events).count("report") == 2, "two reports")
    first, second = (event.record["metrics"] for event in events if event.type == "platform.report")
    init = first["initDurationMs"]
    assert first["billedDurationMs"] == math.ceil(round(first["durationMs"] + init, 3))
    assert "initDurationMs" not in second
    assert second["billedDurationMs"] == math.ceil(second["durationMs"])


def test_on_managed_instances_init_is_not_billed(serve):
    function = serve("def handler(event, context): pass", max_concurrency=2)
    events = []
    function.emulator.subscribe(events.append)
    httpx.get(function.url)
    wait_for(lambda: "report" in types(events), "the report")
    (metrics,) = (event.record["metrics"] for event in events if event.type == "platform.report")
    assert metrics["billedDurationMs"] == math.ceil(metrics["durationMs"])


@pytest.mark.parametrize(
    ("body", "status", "error_type", "line"),
    [
        ("raise ValueError('no')", "error", "ValueError", ""),
        ("os._exit(3)", "failure", "Runtime.ExitError", "error\tError Type: Runtime.ExitError"),
        ("time.sleep(60)", "timeout", "Sandbox.Timedout", "timeout"),
    ],
)
def test_a_failure_says_of_which_kind_it_is(serve, body, status, error_type, line):
    function = serve(f"def handler(event, context): {body}", timeout=1)
    events = []
    function.emulator.subscribe(events.append)
    httpx.get(function.url, timeout=30)
    report = function.wait_for_log("REPORT").partition("\nREPORT")[2].splitlines()[0]
    assert report.partition("\tStatus: ")[2] == line
    wait_for(lambda: "report" in types(events), "the report")
    ends = [each for each in events if each.type in ("platform.runtimeDone", "platform.report")]
    if status == "timeout":
        when = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
        words = rf"\n{when} [\da-f-]{{36}} Task timed out after 1.00 seconds\n"
        assert re.search(words, function.log)
        assert [each.record["metrics"]["durationMs"] for each in ends] == [1000.0, 1000.0]
    assert [(each.type, each.record["status"], each.record["errorType"]) for each in ends] == [
        ("platform.runtimeDone", status, error_type),
        ("platform.report", status, error_type),
    ]


@pytest.mark.parametrize(
    ("source", "error_type"),
    [
        ("import nothing_of_the_sort", "Runtime.ImportModuleError"),
        ("os._exit(5)", "Runtime.ExitError"),
        ("raise ValueError('no')", "Runtime.Unknown"),
    ],
)
def test_a_start_that_fails(serve, source, error_type):
    function = serve(source)
    events = []
    function.emulator.subscribe(events.append)
    httpx.get(function.url)
    failure = f"\tStatus: error\tError Type: {error_type}\n"
    function.wait_for_log(f"Phase: init{failure}")
    wait_for(lambda: "report" in types(events), "the report")
    assert re.search(rf"\nREPORT .*{failure}", function.log)
    assert [event.record["errorType"] for event in events if "errorType" in event.record] == [
        *[error_type] * 4
    ]
    assert types(events)[0] == "initStart"
    assert types(events).count("initReport") == 1


@pytest.mark.parametrize("source", ["os._exit(5)", "def handler(event, context): os._exit(5)"])
def test_how_a_process_ended_is_told_by_a_line_of_our_own(serve, source):
    function = serve(source)
    request_id = httpx.get(function.url).headers["x-amzn-requestid"]
    function.wait_for_log(
        f"penstock: the response to {request_id} never came (Runtime.ExitError: RequestId: "
        f"{request_id} Error: Runtime exited with error: exit status 5)\n"
    )


def test_a_log_in_json_has_the_events(serve):
    function = serve(
        "def handler(event, context): print('said')",
        environment={"AWS_LAMBDA_LOG_FORMAT": "JSON"},
    )
    httpx.get(function.url)
    function.wait_for_log('"platform.report"')
    lines = [json.loads(line) for line in function.log.splitlines() if line.startswith("{")]
    assert [line["type"] for line in lines if "type" in line] == [
        *["platform.initStart", "platform.start", "platform.report"]
    ]
    assert "REPORT" not in function.log
