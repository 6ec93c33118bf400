"""The runtime's loop against a Runtime API that writes everything down."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from penstock import HttpResponseStream, streamify_response
from penstock.errors import RuntimeApiError, StreamBrokenError
from penstock.runtime.api_client import RuntimeApiClient
from penstock.runtime.logs import FunctionLog
from penstock.runtime.loop import serve
from tests.runtime.recorder import Recorded, RuntimeApiRecorder


class Quiet(FunctionLog):
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[str] = []
        self.errors: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)

    def error(self, report: Any, request_id: str = "") -> None:
        self.errors.append(f"{report.error_type}: {report.message}")


@pytest.fixture
def run() -> Iterator[Callable[..., tuple[RuntimeApiRecorder, Quiet]]]:
    """Run a handler for some events; ends when the recorder answers 410."""
    recorders: list[RuntimeApiRecorder] = []

    def run(
        handler: Callable[[Any, Any], Any],
        events: list[Any] | None = None,
        ends_with: int = 410,
        **options: Any,
    ) -> tuple[RuntimeApiRecorder, Quiet]:
        payloads = [json.dumps(event).encode() for event in (events or [{}])]
        recorder = RuntimeApiRecorder(payloads, **options)
        recorders.append(recorder)
        log = Quiet()
        client = RuntimeApiClient(recorder.address, "test")
        with pytest.raises(RuntimeApiError) as raised:
            serve(handler, client, log)
        if client._kept is not None:
            client._kept.close()
        assert raised.value.status == ends_with
        return recorder, log

    yield run
    for recorder in recorders:
        recorder.stop()


def actions(recorder: RuntimeApiRecorder) -> list[str]:
    return [request.action for request in recorder.requests]


def test_streamed_and_buffered_responses_and_errors_share_one_connection(run):
    @streamify_response
    def streaming(event, context):
        yield "a"

    def handler(event, context):
        if event == "stream":
            return streaming(event, context)
        if event == "raise":
            raise ValueError("no")
        return event

    recorder, _ = run(handler, ["stream", "raise", "plain", "stream"])
    assert actions(recorder) == [
        *("next", "response"),
        *("next", "error"),
        *("next", "response"),
        *("next", "response"),
        "next",
    ]
    assert recorder.connections == 1


def test_every_write_is_one_chunk_and_the_prelude_another(run):
    @streamify_response
    async def handler(event, response_stream, context):
        HttpResponseStream.from_(response_stream, {"statusCode": 201})
        for text in ("a", "bc", "", "d"):
            await response_stream.write(text)

    recorder, _ = run(handler)
    (post,) = recorder.posts()
    assert post.chunks == [b'{"statusCode":201}' + bytes(8), b"a", b"bc", b"d"]
    assert post.header("content-type") == "application/vnd.awslambda.http-integration-response"


def failing(error: BaseException) -> Callable[[Any, Any], Any]:
    @streamify_response
    def handler(event, response_stream, context):
        response_stream.write("partial")
        raise error

    return handler


def failure_of(post: Recorded) -> dict[str, Any]:
    return json.loads(b64decode(post.trailers["Lambda-Runtime-Function-Error-Body"]))


def test_a_failure_after_the_first_byte_is_told_in_trailers(run):
    recorder, log = run(failing(ValueError("no more")), [{}, {}])
    assert actions(recorder) == ["next", "response", "next", "response", "next"]
    post = recorder.posts()[0]
    assert (post.body, post.complete) == (b"partial", True)
    assert post.trailers["Lambda-Runtime-Function-Error-Type"] == "ValueError"
    failure = failure_of(post)
    assert (failure["errorType"], failure["errorMessage"]) == ("ValueError", "no more")
    assert "raise error" in failure["stackTrace"][-1]
    assert log.errors == ["ValueError: no more"] * 2


def deep(levels: int) -> None:
    if levels == 0:
        raise ValueError("at the bottom")
    deep(levels - 1)


def test_trailers_stay_within_4096_bytes_however_deep_the_stack(run):
    @streamify_response
    def handler(event, response_stream, context):
        response_stream.write("partial")
        deep(200)

    recorder, _ = run(handler)
    post = recorder.posts()[0]
    block = sum(len(name) + len(value) + 4 for name, value in post.trailers.items()) + 2
    assert block <= 4096
    assert "at the bottom" in failure_of(post)["stackTrace"][-1]


def test_trailers_stay_within_4096_bytes_however_long_the_message(run):
    recorder, _ = run(failing(ValueError("x" * 100_000)))
    post = recorder.posts()[0]
    block = sum(len(name) + len(value) + 4 for name, value in post.trailers.items()) + 2
    assert 2000 < block <= 4096
    assert failure_of(post)["errorMessage"].startswith("xxxx")


def test_a_swallowed_failure_is_told_all_the_same(run):
    inner = failing(ValueError("no more"))

    def handler(event, context):
        try:
            inner(event, context)
        except ValueError:
            return {"statusCode": 500}

    recorder, log = run(handler)
    assert actions(recorder) == ["next", "response", "next"]
    assert recorder.posts()[0].trailers["Lambda-Runtime-Function-Error-Type"] == "ValueError"
    assert log.errors == []


def test_a_swallowed_failure_before_the_first_byte_may_be_answered_otherwise(run):
    @streamify_response
    def inner(event, response_stream, context):
        raise ValueError("too early")

    def handler(event, context):
        try:
            inner(event, context)
        except ValueError:
            return {"statusCode": 500}

    recorder, _ = run(handler)
    assert recorder.posts()[0].body == b'{"statusCode": 500}'


@pytest.mark.parametrize("status", [400, 403, 413])
def test_a_refused_buffered_response_is_logged_and_the_loop_goes_on(status, run):
    recorder, log = run(lambda event, context: 1, [{}, {}], answers={"response": status})
    assert actions(recorder) == ["next", "response", "next", "response", "next"]
    assert f"was answered {status}" in log.warnings[0]


def test_a_refused_stream_is_an_error_in_the_handler_and_the_loop_goes_on(run):
    @streamify_response
    def handler(event, context):
        yield "a"

    recorder, log = run(handler, [{}, {}], answers={"response": 413})
    assert actions(recorder) == ["next", "response", "next", "response", "next"]
    assert "StreamBrokenError" in log.errors[0]
    assert "was answered 413" in log.errors[0]


def test_500_from_the_runtime_api_ends_the_process(run):
    @streamify_response
    def handler(event, context):
        yield "a"

    for each in (handler, lambda event, context: 1):
        recorder, _ = run(each, [{}, {}], ends_with=500, answers={"response": 500})
        assert actions(recorder) == ["next", "response"]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_connection_that_closes_in_mid_stream_breaks_the_stream_not_the_runtime(kind, run):
    broken: list[BaseException] = []

    if kind == "def":

        @streamify_response
        def handler(event, response_stream, context):
            try:
                for _ in range(1000):
                    response_stream.write(b"x" * 65536)
            except StreamBrokenError as exc:
                broken.append(exc)
                raise

    else:

        @streamify_response
        async def handler(event, response_stream, context):
            try:
                for _ in range(1000):
                    await response_stream.write(b"x" * 65536)
            except StreamBrokenError as exc:
                broken.append(exc)
                raise

    recorder, log = run(handler, [{}, {}], close_after=100_000)
    assert actions(recorder) == ["next", "response", "next", "response", "next"]
    assert len(broken) == 2
    assert "the rest of the response cannot be delivered" in log.errors[0]


def test_the_invocation_id_is_echoed_on_streams(run):
    @streamify_response
    def handler(event, context):
        yield "a"

    recorder, _ = run(handler, headers={"Lambda-Runtime-Invocation-Id": "inv-1"})
    assert recorder.posts()[0].header("lambda-runtime-invocation-id") == "inv-1"


def test_the_trace_id_is_in_the_environment_while_the_handler_runs(run, monkeypatch):
    monkeypatch.delenv("_X_AMZN_TRACE_ID", raising=False)
    recorder, _ = run(lambda event, context: os.environ["_X_AMZN_TRACE_ID"])
    assert recorder.posts()[0].body.startswith(b'"Root=1-5bef4de7')
    monkeypatch.delenv("_X_AMZN_TRACE_ID")


def test_a_second_stream_for_one_invocation_is_refused(run):
    @streamify_response
    def first(event, context):
        yield "a"

    @streamify_response
    def second(event, context):
        yield "b"

    def handler(event, context):
        first(event, context)
        second(event, context)

    recorder, log = run(handler)
    assert recorder.posts()[0].body == b"a"
    assert log.errors == ["StreamError: this invocation has a response stream already"]


class SlowRuntimeApi:
    """Takes one streamed response, but reads it only when `read` is set."""

    def __init__(self) -> None:
        self.read = threading.Event()
        self.received = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with self._listener:
            runtime = self._listener.accept()[0]
        with runtime:
            runtime.recv(65536)
            runtime.sendall(
                b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 1\r\n"
                b"Content-Length: 2\r\n\r\n{}"
            )
            self.read.wait(20)
            while not self.received.endswith(b"\r\n0\r\n\r\n"):
                data = runtime.recv(1 << 20)
                if not data:
                    return
                self.received += data
            runtime.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")

    def wait(self) -> None:
        self._thread.join(20)


def test_a_slow_reader_suspends_an_async_write_but_not_its_event_loop():
    api = SlowRuntimeApi()
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1
            # The loop turns while the write waits; only then the reader may go on.
            if ticks == 1000:
                api.read.set()

    @streamify_response
    async def handler(event, response_stream, context):
        ticking = asyncio.create_task(tick())
        await response_stream.write(b"x" * 20_000_000)
        assert ticks >= 1000
        ticking.cancel()

    with pytest.raises((ConnectionError, OSError)):
        serve(handler, RuntimeApiClient(api.address, "test"), Quiet())
    api.wait()
    assert len(api.received) > 20_000_000


def test_two_tasks_that_write_at_once_do_not_mix_their_chunks():
    api = SlowRuntimeApi()

    @streamify_response
    async def handler(event, response_stream, context):
        blocks = [bytes([65 + i]) * 3_000_000 for i in range(4)]
        writes = [asyncio.create_task(response_stream.write(block)) for block in blocks]
        await asyncio.sleep(0.01)
        api.read.set()
        await asyncio.gather(*writes)

    with pytest.raises((ConnectionError, OSError)):
        serve(handler, RuntimeApiClient(api.address, "test"), Quiet())
    api.wait()
    body = api.received.partition(b"\r\n\r\n")[2]
    expected = b"".join(b"2dc6c0\r\n" + bytes([65 + i]) * 3_000_000 + b"\r\n" for i in range(4))
    assert body == expected + b"0\r\n\r\n"


def test_a_write_cancelled_in_its_middle_breaks_the_response():
    api = SlowRuntimeApi()
    seen: list[BaseException] = []

    @streamify_response
    async def handler(event, response_stream, context):
        try:
            await asyncio.wait_for(response_stream.write(b"x" * 20_000_000), 0.05)
        except TimeoutError:
            pass
        try:
            await response_stream.write("more")
        except StreamBrokenError as exc:
            seen.append(exc)

    log = Quiet()
    _serve_quietly(handler, api.address, log)
    api.read.set()
    api.wait()
    assert "cancelled in its middle" in str(seen[0])


def _serve_quietly(handler: Any, address: str, log: Quiet) -> None:
    try:
        serve(handler, RuntimeApiClient(address, "test"), log)
    except (OSError, RuntimeApiError):
        pass


def test_a_cancelled_task_s_error_fails_the_invocation_not_the_process(run):
    @streamify_response
    async def handler(event, response_stream, context):
        task = asyncio.create_task(asyncio.sleep(60))
        await asyncio.sleep(0)
        task.cancel()
        await task

    recorder, log = run(handler, [{}, {}])
    assert actions(recorder) == ["next", "error", "next", "error", "next"]
    assert log.errors == ["CancelledError: "] * 2


def test_two_threads_that_write_at_once_do_not_mix_their_chunks():
    api = SlowRuntimeApi()

    @streamify_response
    def handler(event, response_stream, context):
        response_stream.write("begin")
        blocks = [bytes([65 + i]) * 3_000_000 for i in range(4)]
        writers = [
            threading.Thread(target=response_stream.write, args=(block,)) for block in blocks
        ]
        for writer in writers:
            writer.start()
        api.read.set()
        for writer in writers:
            writer.join()

    with pytest.raises((ConnectionError, OSError)):
        serve(handler, RuntimeApiClient(api.address, "test"), Quiet())
    api.wait()
    body = api.received.partition(b"begin\r\n")[2]
    chunks = sorted(body.split(b"\r\n")[1::2])
    assert [(len(chunk), len(set(chunk))) for chunk in chunks if chunk] == [(3_000_000, 1)] * 4
