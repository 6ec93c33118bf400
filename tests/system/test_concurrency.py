"""Managed Instances: several invocations at once in one process, by the real runtime."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import penstock
from tests.runtime.recorder import Recorded, RuntimeApiRecorder
from tests.tools import each_value_once, wait_for

pytestmark = each_value_once

PREAMBLE = """\
import asyncio, contextvars, functools, json, logging, os, sys, threading
from penstock import streamify_response

current = contextvars.ContextVar("current", default="nobody")
"""

ENTRY_POINT = (sys.executable, "-m", "penstock.runtime", "app.handler")
EXEC_WRAPPER = (
    str(Path(penstock.__file__).parent / "runtime/exec-wrapper"),
    sys.executable,
    "/var/runtime/bootstrap.py",
)

Run = Callable[..., tuple[list[Recorded], str]]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Run `count` invocations, `concurrency` at a time; gives their answers and the log."""
    recorders = []
    processes = []

    def run(
        source: str, count: int = 8, concurrency: int = 8, command: tuple[str, ...] = ENTRY_POINT
    ) -> tuple[list[Recorded], str]:
        (tmp_path / "app.py").write_text(PREAMBLE + textwrap.dedent(source))
        events = [json.dumps({"number": number}).encode() for number in range(count)]
        recorder = RuntimeApiRecorder(events)
        recorders.append(recorder)
        environment = {
            **os.environ,
            "AWS_LAMBDA_RUNTIME_API": recorder.address,
            "AWS_LAMBDA_MAX_CONCURRENCY": str(concurrency),
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "LAMBDA_TASK_ROOT": str(tmp_path),
            "_HANDLER": "app.handler",
        }
        environment.pop("_X_AMZN_TRACE_ID", None)
        log = tmp_path / "log"
        with log.open("w") as output:
            process = subprocess.Popen(
                command,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        processes.append(process)
        wait_for(
            lambda: sum(post.complete for post in recorder.posts()) == count,
            f"{count} answers: {recorder.posts()}",
        )
        process.terminate()
        process.wait(10)
        return recorder.posts(), log.read_text()

    yield run
    for process in processes:
        process.kill()
        process.wait()
    for recorder in recorders:
        recorder.stop()


def own_id(post: Recorded) -> str:
    """The request id of the invocation that `post` answers."""
    return post.path.split("/")[-2]


def log_lines(log: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]


ASYNC = """
together = asyncio.Barrier(8)  # of one loop: on several it would raise
found = []

@streamify_response
async def handler(event, response_stream, context):
    before = current.get()
    current.set(context.aws_request_id)
    await response_stream.write(context.aws_request_id)
    await together.wait()
    logging.getLogger().warning("I am %s", context.aws_request_id)
    await asyncio.sleep(0)
    await response_stream.write(f" {before} {current.get()} {os.environ.get('_X_AMZN_TRACE_ID')}")
"""


@pytest.mark.parametrize("command", [ENTRY_POINT, EXEC_WRAPPER], ids=["entry point", "wrapper"])
def test_async_handlers_overlap_on_one_loop_each_with_variables_of_its_own(run: Run, command):
    posts, log = run(ASYNC, count=24, command=command)

    assert len({own_id(post) for post in posts}) == 24
    for post in posts:
        own = own_id(post)
        assert post.body.decode() == f"{own} nobody {own} None"
    lines = log_lines(log)
    assert len(lines) >= 24
    for line in lines:
        if line["message"].startswith("I am"):
            assert line["message"] == f"I am {line['requestId']}"


def test_under_other_decorators_they_still_share_the_loop(run: Run):
    posts, _ = run(
        """
        together = asyncio.Barrier(4)

        def logged(handler):
            @functools.wraps(handler)
            def wrapper(event, context):
                return handler(event, context)
            return wrapper

        @logged
        @streamify_response
        async def handler(event, context):
            yield context.aws_request_id
            await together.wait()
            yield "."
        """,
        count=8,
        concurrency=4,
    )
    assert all(post.body.decode() == own_id(post) + "." for post in posts)


def test_plain_handlers_overlap_on_threads(run: Run):
    posts, log = run(
        """
        together = threading.Barrier(4)

        def handler(event, context):
            together.wait()
            print(context.aws_request_id, "said", end=" ")
            print(current.get())
            logging.getLogger().warning("I am %s", context.aws_request_id)
            current.set("somebody")
            return context.aws_request_id
        """,
        count=12,
        concurrency=4,
    )
    assert all(json.loads(post.body) == own_id(post) for post in posts)
    said = [line for line in log.splitlines() if "said" in line]
    assert sorted(said) == sorted(f"{own_id(post)} said nobody" for post in posts)
    for line in log_lines(log):
        if line["message"].startswith("I am"):
            assert line["message"] == f"I am {line['requestId']}"


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_a_failure_is_its_own_invocation_s(kind: str, run: Run):
    answer = "await response_stream.write" if kind == "async def" else "response_stream.write"
    posts, log = run(
        f"""
        together = threading.Barrier(3)

        @streamify_response
        {kind} handler(event, response_stream, context):
            if event["number"] == 1:
                raise ValueError("one")
            if event["number"] == 2:
                sys.exit(5)
            if event["number"] == 3:
                {answer}("begun")
                raise KeyError("three")
            {answer}("well")
        """,
        count=8,
        concurrency=4,
    )
    failed = {json.loads(post.body)["errorType"] for post in posts if post.action == "error"}
    assert failed == {"ValueError", "Runtime.ExitError"}
    bodies = sorted(post.body for post in posts if post.action == "response")
    assert bodies == [b"begun"] + [b"well"] * 5
    errors = {
        line["errorType"]: line["requestId"] for line in log_lines(log) if "errorType" in line
    }
    for post in posts:
        if post.action == "error":
            assert errors[json.loads(post.body)["errorType"]] == own_id(post)


def test_a_number_that_is_none_is_refused(tmp_path: Path):
    (tmp_path / "app.py").write_text("def handler(event, context): pass\n")
    recorder = RuntimeApiRecorder([])
    try:
        done = subprocess.run(
            [sys.executable, "-m", "penstock.runtime", "app.handler"],
            env={
                **os.environ,
                "AWS_LAMBDA_RUNTIME_API": recorder.address,
                "AWS_LAMBDA_MAX_CONCURRENCY": "many",
                "LAMBDA_TASK_ROOT": str(tmp_path),
            },
            capture_output=True,
            text=True,
            timeout=20,
        )
    finally:
        recorder.stop()
    assert done.returncode == 2
    assert "AWS_LAMBDA_MAX_CONCURRENCY should be a number of invocations, found 'many'" in (
        done.stderr
    )


def test_it_gives_up_when_there_are_no_invocations_any_more(tmp_path: Path):
    (tmp_path / "app.py").write_text("def handler(event, context): pass\n")
    recorder = RuntimeApiRecorder([])
    try:
        done = subprocess.run(
            [sys.executable, "-m", "penstock.runtime", "app.handler"],
            env={
                **os.environ,
                "AWS_LAMBDA_RUNTIME_API": recorder.address,
                "AWS_LAMBDA_MAX_CONCURRENCY": "2",
                "LAMBDA_TASK_ROOT": str(tmp_path),
            },
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert [request.action for request in recorder.requests] == ["next"] * 10
    finally:
        recorder.stop()
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "penstock.runtime: the Runtime API gives no invocations any more"
    )


# Each app answers only when eight of its requests are there, so none may hold another up.
ASGI_APP = """
from penstock import adapt
from penstock.event_sources.direct import Direct

class Streamed(Direct):
    can_stream = True
    is_internal = False

starts = 0
together = asyncio.Barrier(8)

async def app(scope, receive, send):
    global starts
    if scope["type"] == "lifespan":
        starts += 1
        await receive()
        await asyncio.sleep(0.01)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        print(f"ENDED {starts}", flush=True)  # in one piece: others log at this moment
        return
    current.set(current.get() + scope["aws.context"].aws_request_id)
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"one ", "more_body": True})
    await together.wait()
    await send({"type": "http.response.body", "body": current.get().encode()})

handler = adapt(app, sources=[Streamed("/invoke")], stream=["direct"])
"""

WSGI_APP = """
from penstock import adapt
from penstock.event_sources.direct import Direct

class Streamed(Direct):
    can_stream = True
    is_internal = False

together = threading.Barrier(8)

def app(environ, start_response):
    assert environ["wsgi.multithread"]
    current.set(current.get() + environ["aws.context"].aws_request_id)
    start_response("200 OK", [])
    yield b"one "
    together.wait(15)
    yield current.get().encode()

handler = adapt(app, sources=[Streamed("/invoke")], stream=["direct"])
"""


@pytest.mark.parametrize("command", [ENTRY_POINT, EXEC_WRAPPER], ids=["entry point", "wrapper"])
@pytest.mark.parametrize("app", [ASGI_APP, WSGI_APP], ids=["asgi", "wsgi"])
def test_the_requests_of_an_app_overlap_and_it_starts_once(run: Run, app, command):
    posts, log = run(app, count=24, command=command)

    assert len({own_id(post) for post in posts}) == 24
    for post in posts:
        body = post.body.partition(bytes(8))[2].decode()
        assert body == f"one nobody{own_id(post)}"
    if app is ASGI_APP:
        assert "ENDED 1" in log
