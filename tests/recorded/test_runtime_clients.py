"""Our runtime sends what AWS's own clients were recorded sending, or better, as said here.

The recordings are not part of the project: without PENSTOCK_RECORDINGS these tests skip.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import pytest

from tests.runtime.recorder import Recorded, RuntimeApiRecorder

PREAMBLE = """\
import asyncio, json, os, sys, zlib
from penstock import HttpResponseStream, pipeline, streamify_response

"""

VARIABLES = {
    "AWS_LAMBDA_FUNCTION_NAME": "fn",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/fn",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]abcdef",
    "TZ": ":UTC",
}


def run_runtime(
    folder: Path,
    source: str,
    handler: str,
    events: list[bytes],
    headers: dict[str, str] | None = None,
    variables: dict[str, str] | None = None,
    answers: dict[str, int] | None = None,
) -> tuple[RuntimeApiRecorder, subprocess.CompletedProcess[str]]:
    (folder / "app.py").write_text(source)
    api = RuntimeApiRecorder(events, headers, answers)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "penstock.runtime", handler],
            cwd=folder,
            env={
                **os.environ,
                **VARIABLES,
                **(variables or {}),
                "AWS_LAMBDA_RUNTIME_API": api.address,
                "LAMBDA_TASK_ROOT": str(folder),
            },
            capture_output=True,
            text=True,
            timeout=20,
        )
    finally:
        api.stop()
    return api, done


PY422 = {
    # What the recording needs besides handler and events, and what is done better.
    "01b_return_dict_exec_env_312": {"variables": {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.12"}},
    "01c_return_none": {},
    "01d_return_string": {},
    "01e_return_bytes": {},
    "01f_return_nan_decimal_inf": {},
    "01g_return_tuple_intkeys": {},
    "01h_echo_event_types": {},
    "02b_raise_nested": {},
    "03_raise_custom_unicode": {},
    "03d_raise_empty": {},
    "04_unserialisable": {},
    "04b_unserialisable_datetime": {},
    "05b_syntax_error": {},
    "05c_handler_missing": {},
    "05d_module_missing": {},
    "05e_bad_handler": {},
    "05g_builtin_conflict": {},
    "06_logging_json": {"variables": {"AWS_LAMBDA_LOG_FORMAT": "JSON"}},
    "07_sys_exit": {},
    "09_context": {
        "headers": {
            "Lambda-Runtime-Client-Context": '{"custom":{"a":"b"}}',
            "Lambda-Runtime-Cognito-Identity": (
                '{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}'
            ),
            "Lambda-Runtime-Aws-Tenant-Id": "tenant-1",
            "Lambda-Runtime-Invocation-Id": "inv-id-123",
        }
    },
    "09b_error_with_invocation_id": {"headers": {"Lambda-Runtime-Invocation-Id": "inv-id-123"}},
    "11c_async_handler": {},
}


def load(path: Path) -> dict[str, object]:
    return json.loads(path.read_text())


def body_of(request: dict[str, object]) -> bytes:
    return b64decode(request["raw_b64"]).partition(b"\r\n\r\n")[2]


def in_any_folder(text: str) -> str:
    """Handlers lie in one folder here and in another there."""
    return re.sub(r'(?:/[\w.-]+)+/(?=app\.py)|(?<="working_directory": ")[^"]+', "", text)


@pytest.mark.parametrize("scenario", PY422)
def test_a_buffered_handler_is_answered_as_by_aws_client(scenario, recordings, tmp_path):
    recorded = load(recordings("runtime-clients") / f"py422_{scenario}.json")
    events = [
        e.encode() if isinstance(e, str) else json.dumps(e).encode() for e in recorded["events"]
    ]
    api, done = run_runtime(
        tmp_path, recorded["handler_source"], recorded["handler"], events, **PY422[scenario]
    )

    assert [(r.method, r.path) for r in api.requests] == [
        (r["method"], r["path"]) for r in recorded["requests"]
    ]
    for ours, theirs in zip(api.requests, recorded["requests"], strict=True):
        assert in_any_folder(ours.body.decode("latin-1")) == in_any_folder(
            body_of(theirs).decode("latin-1")
        )
        their_headers = {name.lower(): value for name, value in theirs["headers"]}
        for name in (
            "lambda-runtime-invocation-id",
            "lambda-runtime-function-error-type",
            "lambda-runtime-function-xray-error-cause",
        ):
            assert in_any_folder(ours.header(name) or "") == in_any_folder(
                their_headers.get(name, "")
            )
        if theirs["method"] == "POST" and ours.action != "init/error":
            assert ours.header("content-type") == their_headers["content-type"]
    # A recording without an exit code was ended from outside; ours ends by the 410.
    assert done.returncode == (recorded["process_exit_code"] or 1)

    printed = "".join(text for _, text in recorded["stdout"])
    assert lines_of(done.stdout) == lines_of(printed)


def lines_of(log: str) -> list[str]:
    """The log without times and folders, and without the runtime's own warning."""
    log = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<time>", in_any_folder(log))
    return [line for line in log.splitlines() if "LAMBDA_WARNING" not in line]


# Python twins of the recorded Node handlers.
NODE402 = {
    "01_plain_3_chunks": """
        for i in (1, 2, 3):
            await s.write(f"chunk-{i}\\n")
        await s.end()""",
    "01b_end_with_data": """
        await s.write("chunk-1\\n")
        await s.end("last-via-end\\n")""",
    "01c_no_delay": """
        for i in range(5):
            await s.write(f"line {i}\\n")
        await s.end()""",
    "01d_end_only_with_data": """
        await s.end("only-end")""",
    "01e_delay_before_first_write": """
        await asyncio.sleep(0.01)
        await s.write("late")""",
    "02_set_content_type": """
        s.set_content_type("text/event-stream; charset=utf-8")
        await s.write("data: hi\\n\\n")""",
    "02b_set_content_type_after_write": """
        await s.write("x")
        s.set_content_type("text/plain")""",
    "03_http_response_stream": """
        s = HttpResponseStream.from_(s, {
            "statusCode": 201,
            "headers": {"Content-Type": "text/html", "X-Custom-Header": "Example",
                        "Cache-Control": "no-store"},
            "cookies": ["language=xxx; Path=/", "theme=abc; HttpOnly"]})
        await s.write("<p>hello</p>")
        await s.write("<p>world</p>")""",
    "03b_prelude_sync_write": """
        s = HttpResponseStream.from_(
            s, {"statusCode": 200, "headers": {"Content-Type": "text/plain"}})
        await s.write("hello")""",
    "05b_pipeline_with_prelude": """
        s = HttpResponseStream.from_(
            s, {"statusCode": 206, "headers": {"Content-Type": "text/plain"}})
        await pipeline(["a", "bb", "ccc"], s)""",
    "07_throw_after_first_write": """
        await s.write("partial ")
        raise Exception("boom after write")""",
    "07b_throw_after_prelude_and_write": """
        s = HttpResponseStream.from_(
            s, {"statusCode": 200, "headers": {"Content-Type": "text/plain"}})
        await s.write("partial ")
        raise Exception("boom after write")""",
    "07c_throw_after_end": """
        await s.write("all")
        await s.end()
        raise Exception("boom after end")""",
    "07g_process_exit_mid_stream": """
        await s.write("partial ")
        sys.exit(3)""",
    "11_empty_stream": """
        await s.end()""",
    "11b_empty_stream_content_type": """
        s.content_type = "text/plain"
        await s.end()""",
    "12b_prelude_empty_string_write": """
        s = HttpResponseStream.from_(s, {"statusCode": 204, "headers": {"x-a": "b"}})
        await s.write("")""",
    "12c_empty_writes": """
        await s.write("")
        await s.write(b"")
        await s.write("x")""",
    "17f_from_twice": """
        s = HttpResponseStream.from_(s, {"statusCode": 200})
        s = HttpResponseStream.from_(s, {"statusCode": 404})
        await s.write("body")""",
    "17g_manual_prelude": """
        s.content_type = "application/vnd.awslambda.http-integration-response"
        await s.write('{"statusCode":418}')
        await s.write(bytes(8))
        await s.write("teapot")""",
    "20_return_value": """
        await s.write("x")
        return {"ignored": True}""",
    "25_two_invocations": """
        if event.get("prelude"):
            s = HttpResponseStream.from_(s, {"statusCode": 200 + event["n"]})
        await s.write("n=" + str(event["n"]))""",
    "25b_error_then_ok": """
        await s.write("n=" + str(event["n"]))
        if event["n"] == 1:
            raise Exception("first fails")""",
    "32_flush_many_small_same_tick_then_delay": """
        for k in range(3):
            for i in range(3):
                await s.write(f"{k}.{i};")""",
    "37_two_chunks_in_loop_sse": """
        s = HttpResponseStream.from_(s, {"statusCode": 200, "headers": {
            "Content-Type": "text/event-stream", "Cache-Control": "no-cache"}})
        for i in range(5):
            await s.write(f'id: {i}\\ndata: {{"i":{i}}}\\n\\n')""",
}

# What AWS's Node client does badly, by the number of its recording, and what ours does.
BETTER = {
    # The prelude goes out also when there is nothing to write.
    "03c_prelude_end_with_data": (
        """
        s = HttpResponseStream.from_(
            s, {"statusCode": 200, "headers": {"Content-Type": "text/plain"}})
        await s.end("body via end only")""",
        b'{"statusCode":200,"headers":{"Content-Type":"text/plain"}}'
        + bytes(8)
        + b"body via end only",
    ),
    "12_prelude_no_body": (
        """
        s = HttpResponseStream.from_(s, {"statusCode": 204, "headers": {"x-a": "b"}})
        await s.end()""",
        b'{"statusCode":204,"headers":{"x-a":"b"}}' + bytes(8),
    ),
    # A return ends the stream, where Node waits for its timeout.
    "09_no_end": ('\n        await s.write("never ended")', b"never ended"),
    "09b_no_write_no_end": ("\n        pass", b""),
    # Written after the end: raised in the handler, where Node's process dies.
    "10_write_after_end": (
        """
        await s.write("a")
        await s.end()
        await s.write("b")""",
        b"a",
    ),
}


def stream(tmp_path: Path, body: str, events: list[bytes]) -> tuple[list[Recorded], int]:
    source = PREAMBLE + "@streamify_response\nasync def handler(event, s, context):" + body
    api, done = run_runtime(tmp_path, source, "app.handler", events)
    return api.requests, done.returncode


@pytest.mark.parametrize("scenario", NODE402)
def test_a_streaming_handler_is_answered_as_by_aws_node_client(scenario, recordings, tmp_path):
    recorded = load(recordings("runtime-clients") / f"node402_{scenario}.json")
    events = [
        e.encode() if isinstance(e, str) else json.dumps(e).encode() for e in recorded["events"]
    ]
    requests, status = stream(tmp_path, NODE402[scenario], events)
    ours = [request for request in requests if request.method == "POST"]
    theirs = [request for request in recorded["requests"] if request["method"] == "POST"]

    assert len(ours) == len(theirs)
    for mine, its in zip(ours, theirs, strict=True):
        assert mine.path == its["path"]
        assert mine.complete == its["complete"]
        headers = {name.lower(): value for name, value in its["headers"]}
        assert mine.header("content-type") == headers["content-type"]
        assert mine.header("lambda-runtime-function-response-mode") == "streaming"
        assert mine.header("transfer-encoding") == "chunked"
        assert mine.header("trailer") == (
            "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body"
        )
        assert b"".join(mine.chunks) == dechunked(body_of(its))
        sizes = [chunk["size"] for chunk in its["chunks"]]
        assert [len(chunk) for chunk in mine.chunks] == with_joined_prelude(sizes, mine)
        failed = {name for name, _ in its["trailers"] or ()}
        assert {name.lower() for name in mine.trailers} == {name.lower() for name in failed}
        if failed:
            message = json.loads(b64decode(mine.trailers["Lambda-Runtime-Function-Error-Body"]))
            its_trailers = dict(its["trailers"])
            its_error = json.loads(b64decode(its_trailers["Lambda-Runtime-Function-Error-Body"]))
            if not scenario.startswith("02b"):  # our words are our own
                assert message["errorMessage"] == its_error["errorMessage"]
    assert status == (recorded["process_exit_code"] or 1)


@pytest.mark.parametrize("scenario", BETTER)
def test_what_aws_node_client_does_badly_is_done_well(scenario, tmp_path):
    body, expected = BETTER[scenario]
    requests, _ = stream(tmp_path, body, [b"{}", b"{}"])
    answers = [request for request in requests if request.method == "POST"]
    assert [answer.body for answer in answers] == [expected, expected]
    assert all(answer.complete for answer in answers)


@pytest.mark.parametrize(
    "body",
    ['raise ValueError("too early")', "await s.write(None)"],
    ids=["06_throw_before_first_write", "22b_null_write"],
)
def test_a_failure_before_the_first_byte_is_posted_as_an_error(body, tmp_path):
    requests, _ = stream(tmp_path, f"\n        {body}", [b"{}"])
    assert [request.action for request in requests] == ["next", "error", "next"]


def with_joined_prelude(sizes: list[int], mine: Recorded) -> list[int]:
    """Node sends a prelude and its NULs as two chunks, we as one."""
    is_prelude = mine.header(
        "content-type",
    ).endswith("http-integration-response")
    if is_prelude and len(sizes) >= 2 and sizes[1] == 8 and mine.chunks[0].endswith(bytes(8)):
        return [sizes[0] + 8, *sizes[2:]]
    return sizes


def dechunked(raw: bytes) -> bytes:
    body = b""
    while raw:
        line, _, raw = raw.partition(b"\r\n")
        size = int(line, 16)
        if not size:
            break
        body, raw = body + raw[:size], raw[size + 2 :]
    return body
