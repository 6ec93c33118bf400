"""The emulator's Runtime API, spoken to byte by byte, well and badly."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.emulator.environments.runtime_api import RuntimeApi
from penstock.emulator.functions import Function
from penstock.emulator.http.http_server import HttpServer
from penstock.emulator.invocations import Invocation
from penstock.emulator.relay import BufferedReceiver, Ending, Outcome
from tests.tools import RawClient, wait_for

FUNCTION = Function(name="app", handler="app.handler", folder=Path("/"), command=("true",))


class OneInvocation:
    """An environment with one invocation to hand out."""

    def __init__(self, *, is_streaming: bool = True) -> None:
        self.receiver = BufferedReceiver()
        self.invocation = Invocation(
            FUNCTION, b'{"a": 1}', self.receiver, is_streaming=is_streaming
        )
        self.init_error: Outcome | None = None
        self.lost = 0
        self.timed_out: set[str] = set()

    def next_invocation(self, is_connected, deliver) -> bool:
        deliver(self.invocation)
        return True

    def restore_next(self, is_connected) -> bool:
        return True

    def init_failed(self, outcome: Outcome) -> None:
        self.init_error = outcome

    def find_invocation(self, request_id: str) -> Invocation | None:
        return self.invocation if request_id == self.invocation.request_id else None

    def has_timed_out(self, request_id: str) -> bool:
        return request_id in self.timed_out

    def answered(self, invocation: Invocation) -> None:
        self.outcome_when_answered = invocation.relay.outcome

    def connection_lost(self, invocation: Invocation) -> None:
        self.lost += 1

    @property
    def path(self) -> str:
        return f"/2018-06-01/runtime/invocation/{self.invocation.request_id}"

    @property
    def outcome(self) -> Outcome:
        outcome = self.invocation.relay.wait(5)
        assert outcome is not None
        return outcome


@pytest.fixture
def environment() -> OneInvocation:
    return OneInvocation()


@pytest.fixture
def client(environment) -> Iterator[RawClient]:
    server = HttpServer(RuntimeApi(environment).handle, max_header_size=2_000_000)
    with RawClient(server.port) as client:
        yield client
    server.stop()


def post(path: str, headers: str, body: bytes) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n".encode() + body


def answer(client: RawClient) -> tuple[int, dict[str, str]]:
    head = client.read_until(b"\r\n\r\n").decode()
    length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
    while len(client.received) < length:
        client.received += client.socket.recv(65536)
    body, client.received = client.received[:length], client.received[length:]
    return int(head.split(" ")[1]), json.loads(body)


CHUNKED = "Transfer-Encoding: chunked\r\n"
DECLARED = (
    CHUNKED + "Trailer: Lambda-Runtime-Function-Error-Type\r\n"
    "Trailer: Lambda-Runtime-Function-Error-Body\r\n"
)


def trailers(error_type: str, error: object) -> bytes:
    body = b64encode(json.dumps(error).encode()).decode()
    return (
        f"Lambda-Runtime-Function-Error-Type: {error_type}\r\n"
        f"Lambda-Runtime-Function-Error-Body: {body}\r\n\r\n"
    ).encode()


def test_next_has_the_event_and_what_a_runtime_is_told(client, environment):
    client.send(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    head = client.read_until(b"\r\n\r\n").decode()
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    for line in (
        "Content-Type: application/json",
        f"Lambda-Runtime-Aws-Request-Id: {environment.invocation.request_id}",
        "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:app",
        f"Lambda-Runtime-Trace-Id: {environment.invocation.trace_id}",
    ):
        assert f"\r\n{line}\r\n" in head
    assert "Lambda-Runtime-Deadline-Ms: " in head
    client.read_until(b'{"a": 1}')


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("Content-Length: 4\r\n", b"body"),
        (CHUNKED, b"4\r\nbody\r\n0\r\n\r\n"),
        (CHUNKED, b"2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n"),
        (DECLARED, b"4\r\nbody\r\n0\r\n\r\n"),
        (
            DECLARED + "Lambda-Runtime-Function-Response-Mode: streaming\r\n",
            b"4\r\nbody\r\n0\r\n\r\n",
        ),
    ],
)
def test_a_response_of_any_framing_is_taken(headers, body, client, environment):
    client.send(post(f"{environment.path}/response", headers, body))
    assert answer(client) == (202, {"status": "OK"})
    assert environment.outcome.ending is Ending.WHOLE
    assert environment.receiver.content == b"body"


def test_a_chunk_is_passed_on_before_the_next_has_come(client, environment):
    client.send(post(f"{environment.path}/response", CHUNKED, b"4\r\nbody\r\n"))
    wait_for(lambda: environment.receiver.content == b"body", "the first chunk")
    assert environment.invocation.relay.outcome is None
    client.send(b"0\r\n\r\n")
    assert answer(client)[0] == 202


def test_declared_trailers_fail_the_response(client, environment):
    error = {"errorType": "ValueError", "errorMessage": "no"}
    body = b"4\r\nbody\r\n0\r\n" + trailers("ValueError", error)
    client.send(post(f"{environment.path}/response", DECLARED, body))
    assert answer(client)[0] == 202
    assert environment.outcome.ending is Ending.FAILED
    assert environment.outcome.error_type == "ValueError"
    assert json.loads(environment.outcome.payload) == error


def test_undeclared_trailers_are_lost(client, environment):
    body = b"4\r\nbody\r\n0\r\n" + trailers("ValueError", {})
    client.send(post(f"{environment.path}/response", CHUNKED, body))
    assert answer(client)[0] == 202
    assert environment.outcome.ending is Ending.WHOLE


@pytest.mark.parametrize(("size", "ending"), [(4096, Ending.FAILED), (4097, Ending.CUT)])
def test_trailers_may_have_4096_bytes_with_their_empty_line(size, ending, client, environment):
    name = b"Lambda-Runtime-Function-Error-Type: "
    block = name + b"x" * (size - len(name) - 4) + b"\r\n\r\n"
    assert len(block) == size
    client.send(post(f"{environment.path}/response", DECLARED, b"1\r\nx\r\n0\r\n" + block))
    status, body = answer(client)
    assert environment.outcome.ending is ending
    if ending is Ending.CUT:
        assert (status, body["errorType"]) == (400, "TruncatedHTTPRequest")


def test_who_sends_longer_trailers_is_told_of_them(client, environment):
    error = {"errorType": "errorString", "errorMessage": "long " * 1000}
    block = trailers("errorString", error)
    client.send(post(f"{environment.path}/response", DECLARED, b"1\r\nx\r\n0\r\n" + block))
    assert answer(client)[0] == 400
    assert f"have {len(block)} bytes, and Lambda reads 4096" in environment.outcome.detail
    # The process is not waited for: its connection is there.
    assert environment.lost == 0


def test_a_body_that_is_cut_is_a_cut_response(client, environment):
    client.send(post(f"{environment.path}/response", CHUNKED, b"4\r\nbody\r\n"))
    client.close()
    assert environment.outcome.ending is Ending.CUT
    assert json.loads(environment.outcome.payload)["errorType"] == "Runtime.TruncatedResponse"
    assert environment.lost == 1


def test_a_malformed_chunk_is_a_cut_response(client, environment):
    client.send(post(f"{environment.path}/response", CHUNKED, b"4\r\nbody\r\nzz\r\n"))
    assert environment.outcome.ending is Ending.CUT


def test_a_mode_that_is_not_streaming_is_refused(client, environment):
    headers = "Content-Length: 1\r\nLambda-Runtime-Function-Response-Mode: Streaming\r\n"
    client.send(post(f"{environment.path}/response", headers, b"x"))
    assert answer(client) == (
        400,
        {
            "errorMessage": "Invalid function response mode",
            "errorType": "InvalidFunctionResponseMode",
        },
    )
    assert environment.outcome.error_type == "Runtime.InvalidResponseModeHeader"


@pytest.mark.parametrize("action", ["response", "error"])
def test_an_unknown_id_is_refused(action, client):
    path = f"/2018-06-01/runtime/invocation/other/{action}"
    client.send(post(path, "Content-Length: 1\r\n", b"x"))
    assert answer(client) == (
        400,
        {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"},
    )


def test_a_second_response_is_refused(client, environment):
    for expected in (202, 400):
        client.send(post(f"{environment.path}/response", "Content-Length: 1\r\n", b"x"))
        assert answer(client)[0] == expected
    assert environment.receiver.content == b"x"


def test_an_error_has_its_type_from_the_header_or_the_json(client, environment):
    body = b'{"errorType": "E", "errorMessage": "m"}'
    client.send(post(f"{environment.path}/error", f"Content-Length: {len(body)}\r\n", body))
    assert answer(client)[0] == 202
    assert environment.outcome == Outcome(Ending.ERROR, "E", body)


def test_an_error_may_come_with_an_x_ray_cause_of_a_megabyte(client, environment):
    cause = "x" * 1_000_000
    headers = f"Content-Length: 2\r\nLambda-Runtime-Function-XRay-Error-Cause: {cause}\r\n"
    client.send(post(f"{environment.path}/error", headers, b"{}"))
    assert answer(client)[0] == 202


def test_an_error_in_mid_response_makes_it_a_cut_one(client, environment):
    other = RawClient(int(client.socket.getpeername()[1]))
    with other:
        other.send(post(f"{environment.path}/response", CHUNKED, b"4\r\nbody\r\n"))
        wait_for(lambda: environment.receiver.content == b"body", "the first chunk")
        body = b'{"errorType": "E"}'
        client.send(post(f"{environment.path}/error", f"Content-Length: {len(body)}\r\n", body))
        assert answer(client)[0] == 202
        assert environment.invocation.relay.outcome is None
    assert environment.outcome == Outcome(Ending.CUT, "E", body)


def test_an_init_error_is_told_to_the_environment(client, environment):
    body = b'{"errorType": "E"}'
    headers = f"Content-Length: {len(body)}\r\nLambda-Runtime-Function-Error-Type: Runtime.X\r\n"
    client.send(post("/2018-06-01/runtime/init/error", headers, body))
    assert answer(client) == (202, {"status": "OK"})
    assert environment.init_error == Outcome(Ending.ERROR, "Runtime.X", body)


def test_an_unknown_path_is_not_found(client):
    client.send(b"GET /2018-06-01/runtime/other HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    status, body = answer(client)
    assert status == 404
    assert "no such path: GET /2018-06-01/runtime/other" in body["errorMessage"]


def test_a_buffered_response_over_the_limit_is_413(client):
    environment = OneInvocation(is_streaming=False)
    server = HttpServer(RuntimeApi(environment).handle)
    try:
        with RawClient(server.port) as runtime:
            size = 6_291_557
            runtime.send(post(f"{environment.path}/response", f"Content-Length: {size}\r\n", b""))
            runtime.send(b"x" * size)
            assert answer(runtime) == (
                413,
                {
                    "errorMessage": "Exceeded maximum allowed payload size (6291556 bytes).",
                    "errorType": "RequestEntityTooLarge",
                },
            )
    finally:
        server.stop()
    assert environment.outcome.ending is Ending.TOO_LARGE


def test_an_error_in_mid_response_keeps_it_from_being_whole(client, environment):
    with RawClient(int(client.socket.getpeername()[1])) as other:
        other.send(post(f"{environment.path}/response", CHUNKED, b"4\r\nbody\r\n"))
        wait_for(lambda: environment.receiver.content == b"body", "the first chunk")
        body = b'{"errorType": "E"}'
        client.send(post(f"{environment.path}/error", f"Content-Length: {len(body)}\r\n", body))
        assert answer(client)[0] == 202
        other.send(b"0\r\n\r\n")
        assert answer(other)[0] == 202
    assert environment.outcome == Outcome(Ending.FAILED, "E", body)


def test_an_error_after_the_response_is_refused(client, environment):
    client.send(post(f"{environment.path}/response", "Content-Length: 1\r\n", b"x"))
    assert answer(client)[0] == 202
    client.send(post(f"{environment.path}/error", "Content-Length: 2\r\n", b"{}"))
    assert answer(client)[0] == 400


@pytest.mark.parametrize(
    "header",
    ["Origin: http://evil.example", "Sec-Fetch-Site: cross-site", "Host: evil.example:80"],
)
def test_a_web_page_is_refused(header, client, environment):
    lines = header if header.startswith("Host") else f"Host: 127.0.0.1\r\n{header}"
    client.send(f"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n{lines}\r\n\r\n".encode())
    assert answer(client)[0] == 403


def test_who_names_another_host_is_told_which_is_right(client):
    client.send(b"GET /2018-06-01/runtime/invocation/next HTTP/1.0\r\nHost: lambda\r\n\r\n")
    status, error = answer(client)
    assert status == 403
    assert "the host 'lambda' is not the environment's" in error["errorMessage"]


def test_a_runtime_of_http_1_0_need_not_name_the_host(client):
    client.send(b"GET /2018-06-01/runtime/invocation/next HTTP/1.0\r\n\r\n")
    client.read_until(b'{"a": 1}')


def test_an_answer_that_comes_too_late_is_gone_and_others_are_unknown(client, environment):
    environment.timed_out.add("late")
    for request_id, status, error_type in [
        ("late", 410, "InvokeTimeout"),
        ("unknown", 400, "InvalidRequestID"),
    ]:
        for action in ("response", "error"):
            path = f"/2018-06-01/runtime/invocation/{request_id}/{action}"
            client.send(post(path, "Content-Length: 2\r\n", b"{}"))
            assert (answer(client)[0]) == status
            client.send(post(path, "Content-Length: 2\r\n", b"{}"))
            assert answer(client)[1]["errorType"] == error_type
