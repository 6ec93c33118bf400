"""The runtime in front of a Runtime API that refuses, breaks off, dies or talks nonsense.

What it does follows AWS's documentation ("Using the Lambda runtime API for custom runtimes")
and AWS's own clients: 2xx is taken, 500 ends the process, other refusals of an answer are
logged and the next invocation is asked for. It never asks again and again, and it ends by
itself, which `Client.wait` sees to.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.runtime.clients import Client, Run
from tests.runtime.hostile_api import ACCEPTED, Behaviour, Connection, HostileApi, answer, event
from tests.tools import each_value_in_one_test

pytestmark = each_value_in_one_test

SOURCE = """\
import os
from penstock import streamify_response
from penstock.errors import StreamBrokenError


if "HOOK" in os.environ:
    from snapshot_restore_py import register_after_restore

    @register_after_restore
    def fail():
        raise ValueError("the hook failed")


def buffered(event, context):
    return {"echo": event}


def failing(event, context):
    raise ValueError("the handler failed")


@streamify_response
def stream(event, response_stream, context):
    response_stream.write("one")
    response_stream.write("two")


@streamify_response
async def async_stream(event, response_stream, context):
    await response_stream.write("one")
    await response_stream.write("two")


@streamify_response
def endless(event, response_stream, context):
    while True:
        response_stream.write("x" * 1000)


@streamify_response
async def async_endless(event, response_stream, context):
    while True:
        await response_stream.write("x" * 1000)


@streamify_response
def deaf(event, response_stream, context):
    try:
        endless.__wrapped__(event, response_stream, context)
    except StreamBrokenError:
        print("broken, and never mind")


@streamify_response
async def async_deaf(event, response_stream, context):
    try:
        await async_endless.__wrapped__(event, response_stream, context)
    except StreamBrokenError:
        print("broken, and never mind")


@streamify_response
def failing_stream(event, response_stream, context):
    response_stream.write("one")
    raise ValueError("the handler failed")


@streamify_response
async def async_failing_stream(event, response_stream, context):
    await response_stream.write("one")
    raise ValueError("the handler failed")
"""

STREAMS = ["stream", "async_stream"]
# What each handler answers with.
ANSWERS = {"buffered": "response", "failing": "error"} | dict.fromkeys(
    (*STREAMS, "failing_stream", "async_failing_stream"), "response"
)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., tuple[HostileApi, Run]]]:
    """Run a handler of `SOURCE` in front of a Runtime API that behaves like this."""
    (tmp_path / "app.py").write_text(SOURCE)
    apis: list[HostileApi] = []

    def run(
        handler: str,
        behaviours: dict[str, list[Behaviour]] | None = None,
        at_chunk: Behaviour | None = None,
        variables: dict[str, str] | None = None,
    ) -> tuple[HostileApi, Run]:
        api = HostileApi(behaviours or {}, at_chunk)
        apis.append(api)
        name = handler if "." in handler else f"app.{handler}"
        client = Client("penstock", tmp_path, name, [], variables, address=api.address)
        return api, client.wait()

    yield run
    for api in apis:
        api.stop()


REFUSALS = [400, 403, 404, 410, 413, 302, 503]


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("handler", ANSWERS)
def test_a_refused_answer_is_logged_and_the_next_invocation_is_asked_for(run, handler, status):
    action = ANSWERS[handler]
    api, ended = run(handler, {"next": [event(), event()], action: [answer(status)]})

    assert api.actions == ["next", action, "next", action, "next"]
    assert f"was answered {status}" in ended.stdout + ended.stderr
    assert ended.status == 1
    assert "was answered 410" in ended.stderr


@pytest.mark.parametrize("handler", ANSWERS)
def test_an_answer_that_is_answered_500_ends_the_process(run, handler):
    action = ANSWERS[handler]
    api, ended = run(handler, {"next": [event()] * 3, action: [answer(500)]})

    assert api.actions == ["next", action]
    assert ended.status == 1
    assert "was answered 500" in ended.stderr


@pytest.mark.parametrize("status", [400, 403, 410, 413, 500, 202, 204, 302])
def test_a_next_that_is_not_answered_200_ends_the_process(run, status):
    api, ended = run("buffered", {"next": [answer(status, b""), event()]})

    assert api.actions == ["next"]
    assert ended.status == 1
    assert ended.stderr == (
        f"penstock.runtime: the Runtime API at {api.address} gives no more work: "
        f"GET /2018-06-01/runtime/invocation/next was answered {status}: \n"
    )


@pytest.mark.parametrize("status", [400, 403, 410, 413, 500])
def test_an_init_error_that_is_refused_ends_the_process_as_any(run, status):
    api, ended = run("nowhere.handler", {"init/error": [answer(status, b"no")]})

    assert api.actions == ["init/error"]
    assert ended.status == 1
    assert "Runtime.ImportModuleError" in ended.stdout
    assert "cannot report the init error: POST /2018-06-01/runtime/init/error was answered " in (
        ended.stderr
    )


SNAP_START = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}


@pytest.mark.parametrize("status", [400, 403, 410, 413, 500])
def test_a_restore_that_is_refused_ends_the_process(run, status):
    api, ended = run("buffered", {"restore/next": [answer(status)]}, variables=SNAP_START)

    assert api.actions == ["restore/next", "init/error"]
    assert ended.status == 64
    assert f"was answered {status}" in ended.stdout


@pytest.mark.parametrize("status", [400, 403, 410, 413, 500])
def test_a_restore_error_that_is_refused_ends_the_process_as_any(run, status):
    api, ended = run(
        "buffered", {"restore/error": [answer(status, b"no")]}, variables=SNAP_START | {"HOOK": "1"}
    )

    assert api.actions == ["restore/next", "restore/error"]
    assert ended.status == 65
    assert ended.stderr == (
        "penstock.runtime: cannot report the failure: "
        f"POST /2018-06-01/runtime/restore/error was answered {status}: no\n"
    )


# What comes instead of an answer, and then the end of the connection.
NO_ANSWERS: dict[str, bytes] = {
    "nothing": b"",
    "half a line": b"HTTP/1.1 2",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "half of the last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
    "a greeting of SSH": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "zeros": bytes(100_000),
    "any bytes": bytes(range(255, -1, -1)) * 4 + b"\r\n\r\n",
    "a head of 1 MB": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n",
    "a head of 1 MB without an end": b"X" * 1_000_000,
    "a wrong chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "a wrong length": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "too much": ACCEPTED + b"and more",
    "two answers": ACCEPTED + ACCEPTED,
}


def then_close(data: bytes) -> Behaviour:
    def behave(connection: Connection) -> None:
        try:
            connection.send(data)
            connection.close()
        except OSError:
            pass  # the runtime has seen enough

    return behave


@pytest.mark.parametrize("what", NO_ANSWERS)
@pytest.mark.parametrize("handler", ["buffered", *STREAMS])
def test_what_is_no_answer_to_a_post_ends_the_process_or_the_invocation(run, handler, what):
    """The other side may or may not have it; to send it again and again would not help."""
    wrong = then_close(NO_ANSWERS[what])
    api, ended = run(handler, {"next": [event()], "response": [wrong, wrong, wrong]})

    assert api.actions.count("response") <= 2
    assert api.actions.count("next") <= 2
    assert ended.status == 1
    assert "gives no more work" in ended.stderr


@pytest.mark.parametrize("what", NO_ANSWERS)
def test_what_is_no_invocation_ends_the_process(run, what):
    wrong = then_close(NO_ANSWERS[what])
    api, ended = run("buffered", {"next": [wrong, wrong, wrong]})

    assert api.actions == ["next"]
    assert ended.status == 1
    assert "gives no more work" in ended.stderr
    assert len(ended.stderr) < 500
    assert ended.stdout == ""


@pytest.mark.parametrize("what", NO_ANSWERS)
def test_what_is_no_answer_to_an_init_error_ends_the_process(run, what):
    wrong = then_close(NO_ANSWERS[what])
    api, ended = run("nowhere.handler", {"init/error": [wrong, wrong, wrong]})

    assert api.actions == ["init/error"]
    assert ended.status == 1
    assert "cannot report the init error" in ended.stderr


def test_an_invocation_that_cannot_be_answered_ends_the_process(run):
    api, ended = run("buffered", {"next": [answer(200, b"{}")] * 3})

    assert api.actions == ["next"]
    assert ended.status == 1
    assert "an invocation without Lambda-Runtime-Aws-Request-Id" in ended.stderr


@pytest.mark.parametrize("handler", ["buffered", *STREAMS])
def test_answers_that_come_byte_by_byte_are_answers(run, handler):
    def slow_event(connection):
        connection.send_slowly(b"HTTP/1.1 100 Continue\r\n\r\n" + event(b'{"a": 1}'))

    def slow_answer(connection):
        connection.send_slowly(ACCEPTED)

    api, ended = run(handler, {"next": [slow_event], "response": [slow_answer]})

    assert api.actions == ["next", "response", "next"]
    assert api.requests[1].complete
    assert api.connections == 1
    assert "410" in ended.stderr


def test_an_event_of_6_mb_is_read_and_answered(run):
    big = json.dumps("größe" * 1_200_000).encode()
    api, _ = run("buffered", {"next": [event(big)]})

    assert len(big) > 6_291_556
    assert json.loads(b"".join(api.requests[1].chunks))["echo"] == json.loads(big)


@pytest.mark.parametrize("handler", ["buffered", "failing", *STREAMS])
def test_a_connection_that_is_closed_after_each_answer_is_opened_anew(run, handler):
    closing = "Connection: close"
    action = ANSWERS[handler]
    api, ended = run(
        handler,
        {"next": [event(b"1", closing)] * 3, action: [answer(202, b"", closing)] * 3},
    )

    assert api.actions == ["next", action] * 3 + ["next"]
    assert ended.stdout.count("[WARNING]") == 0


@pytest.mark.parametrize("handler", ["buffered", "failing", *STREAMS])
def test_a_connection_that_dies_while_it_is_idle_costs_nothing(run, handler):
    action = ANSWERS[handler]
    api, ended = run(handler, {"next": [event()] * 2, action: [then_close(ACCEPTED)] * 2})

    assert api.actions == ["next", action, "next", action, "next"]
    assert "was answered 410" in ended.stderr


@pytest.mark.parametrize("handler", ["buffered", "failing", *STREAMS])
def test_a_connection_that_is_closed_without_a_word_is_opened_anew_once(run, handler):
    action = ANSWERS[handler]
    silence = then_close(b"")
    api, ended = run(handler, {"next": [event(), silence, silence, silence]})

    assert api.actions == ["next", action, "next", "next"]
    assert ended.status == 1


KILLED = {
    "closed": lambda connection: connection.close(),
    "reset": lambda connection: connection.reset(),
    "dead": lambda connection: connection.die(),
}


@pytest.mark.parametrize("how", KILLED)
@pytest.mark.parametrize("handler", ["endless", "async_endless", "deaf", "async_deaf"])
def test_a_stream_whose_other_end_dies_breaks_in_the_handler(run, handler, how):
    api, ended = run(handler, {"next": [event()]}, at_chunk=KILLED[how])

    assert api.actions == ["next", "response"] + (["next"] if how != "dead" else [])
    assert not api.requests[1].complete
    assert ended.status == 1
    assert "gives no more work" in ended.stderr
    if "deaf" in handler:
        assert ended.stdout == "broken, and never mind\n"
    else:
        assert ended.stdout.startswith("[ERROR] StreamBrokenError: the rest of the response cannot")


@pytest.mark.parametrize("status", [400, 410, 413])
@pytest.mark.parametrize("handler", ["endless", "async_endless"])
def test_a_stream_that_is_refused_half_way_breaks_with_the_reason(run, handler, status):
    def refuse(connection):
        connection.send(answer(status, b"enough", "Connection: close"))
        connection.close()

    api, ended = run(handler, {"next": [event()]}, at_chunk=refuse)

    assert api.actions == ["next", "response", "next"]
    assert "StreamBrokenError" in ended.stdout
    # What was sent after the refusal may have made the kernel drop it unread.
    assert f"was answered {status}: enough" in ended.stdout or "reset by peer" in ended.stdout


@pytest.mark.parametrize("handler", ["endless", "async_endless"])
def test_a_stream_that_is_answered_500_half_way_ends_the_process(run, handler):
    def refuse(connection):
        connection.send(answer(500, b"enough"))
        connection.close()

    api, ended = run(handler, {"next": [event()] * 3}, at_chunk=refuse)

    assert api.actions[:2] == ["next", "response"]
    assert ended.status == 1


@pytest.mark.parametrize("handler", ["buffered", "failing", *STREAMS])
def test_a_runtime_api_that_dies_before_it_answers_ends_the_process(run, handler):
    action = ANSWERS[handler]
    api, ended = run(handler, {"next": [event()], action: [KILLED["dead"]]})

    assert api.actions == ["next", action]
    assert ended.status == 1
    assert "gives no more work" in ended.stderr


@pytest.mark.parametrize("handler", ["endless", "async_endless"])
def test_an_early_answer_ends_a_stream_that_nobody_reads_any_more(run, handler):
    ended = threading.Event()

    def answer_and_read_no_more(connection: Connection) -> None:
        connection.send(answer(413))
        ended.wait(30)

    try:
        api, result = run(handler, {"next": [event()]}, answer_and_read_no_more)
    finally:
        ended.set()

    assert api.actions == ["next", "response", "next"]
    assert "was answered 413" in result.stdout
