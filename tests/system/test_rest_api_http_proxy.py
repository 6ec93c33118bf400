"""REST APIs in front of HTTP servers: Function URLs of the emulator, and servers of any kind."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from penstock.emulator import limits
from penstock.emulator.rest_apis import Integration, Method, RestApi
from tests.emulator.api_server import ERROR, serving_apis
from tests.tools import PATIENCE, wait_for

URL = "http://app.lambda-url.localhost/{proxy}"
MAPPED = {"integration.request.path.proxy": "method.request.path.proxy"}

UNREACHED = b'{"message": "Network error communicating with endpoint"}'
TIMED_OUT = b'{"message": "Endpoint request timed out"}'


def in_front_of(uri: str, mode: str, *, seconds: float = 15, **options: Any) -> Callable[..., Any]:
    """An API all of whose requests go to this address."""
    integration = Integration(
        "HTTP_PROXY", uri, mode, round(seconds * 1000), request_parameters=MAPPED
    )
    method = Method("ANY", "/{proxy+}", integration)
    return lambda api: RestApi(api.id, (method,), **options)


@pytest.fixture
def serve_api(tmp_path: Path) -> Iterator[Any]:
    """Serve a handler, and a REST API in front of it or of another server."""
    with serving_apis(tmp_path) as serve:
        yield serve


# --- a Function URL of the emulator -------------------------------------------------------

STREAM = """
@streamify_response
def handler(event, context):
    yield Prelude(201, {"x-own": "header", "content-type": "text/plain"}, ["a=1", "b=2"])
    yield "one"
    pass_gate("1")
    yield "two"
"""


def test_a_stream_of_a_function_url_passes_through(serve_api, gate):
    api = serve_api(STREAM, change=in_front_of(URL, "STREAM"))
    with api.stream("/local/a") as response:
        chunks = response.iter_raw()
        assert next(chunks) == b"one"
        gate.open("1")
        assert b"".join(chunks) == b"two"
    assert (response.status_code, response.headers["x-own"]) == (201, "header")
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert response.headers["content-type"] == "text/plain"
    # API Gateway's own, and beside them the URL's under other names.
    ids = [
        response.headers[name] for name in ("x-amzn-requestid", "x-amzn-remapped-x-amzn-requestid")
    ]
    assert ids[0] != ids[1]


def test_buffered_there_is_no_earlier_first_byte(serve_api, gate):
    api = serve_api(STREAM, change=in_front_of(URL, "BUFFERED"))
    with api.raw("GET /local/a HTTP/1.1") as client:
        # The function has sent "one" when it comes to its gate. A head that tells the length
        # of the whole cannot have been sent before.
        gate.open("1")
        head = client.read_until(b"\r\n\r\n").lower()
        assert head.startswith(b"http/1.1 201 ")
        assert b"content-length: 6\r\n" in head
        assert client.read_all() == b"onetwo"


def test_buffered_in_front_of_a_url_gives_10_mb_where_lambda_gives_6(serve_api):
    source = """
    @streamify_response
    def handler(event, context):
        yield Prelude(200, {"content-type": "text/plain"})
        for _ in range(int(event["queryStringParameters"]["mb"])):
            yield b"x" * 1024 * 1024
    """
    api = serve_api(source, change=in_front_of(URL, "BUFFERED"))
    assert len(api.get("/local/a?mb=10").content) == 10 * 1024 * 1024
    answer = api.get("/local/a?mb=11")
    assert (answer.status_code, answer.content) == (500, ERROR)
    assert "the backend's answer is over 10485760 bytes" in api.log


EVENT = """
def handler(event, context):
    return {"body": json.dumps(event), "headers": {"content-type": "application/json"}}
"""


@pytest.mark.parametrize("mode", ["STREAM", "BUFFERED"])
def test_the_function_gets_the_request_as_the_api_did(mode, serve_api):
    function = serve_api(EVENT)
    uri = f"http://app.lambda-url.localhost:{function.port}/{{proxy}}"
    api = serve_api(EVENT, change=in_front_of(uri, mode))
    answer = api.request(
        "POST",
        "/local/a%20b/c?x=1&x=2",
        content="bödy".encode(),
        headers={"Content-Type": "text/plain", "X-Own": "1", "Cookie": "a=b"},
    )
    event = answer.json()
    event = json.loads(event["body"]) if "body" in event and "rawPath" not in event else event
    assert event["rawPath"] == "/a%20b/c"
    assert event["rawQueryString"] == "x=1&x=2"
    assert event["body"] == "bödy"
    assert event["headers"]["host"] == f"app.lambda-url.localhost:{function.port}"
    assert event["headers"]["x-own"] == "1"
    assert event["cookies"] == ["a=b"]
    assert event["headers"]["x-amzn-apigateway-api-id"] == "app"
    assert not [name for name in event["headers"] if name.startswith("x-penstock")]
    assert event["requestContext"]["http"]["method"] == "POST"


def test_a_page_of_the_api_may_post_to_it_though_the_url_is_another_origin(serve_api):
    api = serve_api(EVENT, change=in_front_of(URL, "BUFFERED"))
    origin = f"http://{api.host}"
    assert api.request("POST", "/local/a", headers={"Origin": origin}).status_code == 200
    foreign = {"Origin": "http://example.org"}
    assert api.request("POST", "/local/a", headers=foreign).status_code == 403
    # Nobody else may say that they are the emulator.
    foreign["x-penstock-own"] = "guessed"
    assert api.request("POST", "/local/a", headers=foreign).status_code == 403


def test_a_head_request_and_many_on_one_connection(serve_api):
    api = serve_api(STREAM.replace('pass_gate("1")', "pass"), change=in_front_of(URL, "STREAM"))
    with httpx.Client(**api.options()) as client:
        for method, body in (("HEAD", b""), ("GET", b"onetwo"), ("GET", b"onetwo")):
            answer = client.request(method, f"{api.url}/local/a")
            assert (answer.status_code, answer.content) == (201, body)


# --- servers of any kind ------------------------------------------------------------------


class Backend:
    """A server that reads each request's head, and then does what the test says."""

    def __init__(self, answer: Callable[[socket.socket, bytes], object]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._answer = answer
        self.uri = f"http://localhost:{self._listener.getsockname()[1]}/{{proxy}}"
        self.requests: list[bytes] = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connected, _ = self._listener.accept()
            except OSError:
                return
            with connected:
                received = b""
                while b"\r\n\r\n" not in received and (data := connected.recv(65536)):
                    received += data
                self.requests.append(received)
                self._answer(connected, received)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def backend() -> Iterator[Callable[..., Backend]]:
    """A server; bytes are sent as they are, `None` waits for the test's `go`."""
    made: list[Backend] = []

    def make(*parts: bytes | threading.Event) -> Backend:
        def answer(connected: socket.socket, _: bytes) -> None:
            for part in parts:
                if isinstance(part, threading.Event):
                    part.wait(PATIENCE)
                else:
                    connected.sendall(part)

        made.append(Backend(answer))
        return made[-1]

    yield make
    for each in made:
        each.close()


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nServer: own\r\n\r\n"


def test_nothing_reaches_the_client_before_the_whole_head(serve_api, backend):
    rest, end = threading.Event(), threading.Event()
    server = backend(
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 202 Accepted\r\nX-A: b\r\n",
        rest,
        b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n",
        end,
        b"3\r\ntwo\r\n0\r\n\r\n",
    )
    api = serve_api(EVENT, change=in_front_of(server.uri, "STREAM"))
    with api.raw("GET /local/a HTTP/1.1") as client:
        wait_for(lambda: server.requests, "the request at the backend")
        assert client.has_got_nothing()
        rest.set()
        head = client.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 202 Accepted\r\n")
        assert client.read_until(b"one\r\n") == b"3\r\none\r\n"
        end.set()
        assert client.read_all() == b"3\r\ntwo\r\n0\r\n\r\n"


def test_what_api_gateway_says_itself_it_renames_in_the_answer(serve_api, backend):
    server = backend(
        b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nServer: own\r\nDate: now\r\n"
        b"Connection: close\r\nWWW-Authenticate: Basic\r\n\r\nno"
    )
    answer = serve_api(EVENT, change=in_front_of(server.uri, "BUFFERED")).get("/local/a")
    assert (answer.status_code, answer.content) == (401, b"no")
    remapped = {
        name.removeprefix("x-amzn-remapped-"): value
        for name, value in answer.headers.items()
        if name.startswith("x-amzn-remapped-")
    }
    assert remapped == {
        "content-length": "2",
        "server": "own",
        "date": "now",
        "connection": "close",
        "www-authenticate": "Basic",
    }
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("mode", ["STREAM", "BUFFERED"])
def test_a_length_beside_chunks_goes_no_further(mode, serve_api, backend):
    server = backend(
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nwhole\r\n0\r\n\r\n"
    )
    answer = serve_api(EVENT, change=in_front_of(server.uri, mode)).get("/local/a")
    assert (answer.status_code, answer.content) == (200, b"whole")
    assert "x-amzn-remapped-content-length" not in answer.headers


def test_a_body_without_a_length_ends_with_the_connection(serve_api, backend):
    server = backend(b"HTTP/1.0 200 OK\r\n\r\nall of it")
    api = serve_api(EVENT, change=in_front_of(server.uri, "STREAM"))
    assert api.get("/local/a").content == b"all of it"


FAILURES = {
    "no answer": ([b""], 504, UNREACHED, "it closed the connection before its answer was whole"),
    "half a head": (
        [b"HTTP/1.1 200 OK\r\nA: b"],
        504,
        UNREACHED,
        "it closed the connection before its answer was whole",
    ),
    "no HTTP": ([b"SSH-2.0-OpenSSH_9.2\r\n\r\n"], 502, ERROR, "what it answers is no HTTP"),
    "endless head": (
        [b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000],
        502,
        ERROR,
        "what it answers is no HTTP",
    ),
}


@pytest.mark.parametrize("mode", ["STREAM", "BUFFERED"])
@pytest.mark.parametrize("which", FAILURES)
def test_a_backend_that_fails_before_its_head(which, mode, serve_api, backend):
    parts, status, body, reason = FAILURES[which]
    api = serve_api(EVENT, change=in_front_of(backend(*parts).uri, mode))
    for _ in range(2):
        answer = api.get("/local/a")
        assert (answer.status_code, answer.content) == (status, body)
    assert reason in api.log


@pytest.mark.parametrize("mode", ["STREAM", "BUFFERED"])
def test_a_backend_that_is_not_there(mode, serve_api):
    with socket.socket() as taken:
        # Nobody listens on it, and nobody else is given it.
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        api = serve_api(EVENT, change=in_front_of(f"http://127.0.0.1:{port}/", mode))
        answer = api.get("/local/a")
    assert (answer.status_code, answer.content) == (504, UNREACHED)
    api = serve_api(EVENT, change=in_front_of("http://nowhere.invalid/", mode))
    answer = api.get("/local/a")
    assert (answer.status_code, answer.content) == (500, ERROR)
    assert "there is no host nowhere.invalid" in api.log


CUT = {
    "chunks": [CHUNKED, b"7\r\npartial\r\n"],
    "half a chunk": [CHUNKED, b"a\r\npartial"],
    "length": [b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npartial"],
}


@pytest.mark.parametrize("which", CUT)
def test_a_body_that_is_cut_is_cut_for_the_client_too(which, serve_api, backend):
    api = serve_api(EVENT, change=in_front_of(backend(*CUT[which]).uri, "STREAM"))
    with pytest.raises(httpx.RemoteProtocolError), api.stream("/local/a") as response:
        assert response.status_code == 200
        response.read()
    api.wait_for_log("the connection is cut in the middle of the body")


@pytest.mark.parametrize("which", CUT)
def test_a_body_that_is_cut_is_504_when_it_is_buffered(which, serve_api, backend):
    api = serve_api(EVENT, change=in_front_of(backend(*CUT[which]).uri, "BUFFERED"))
    answer = api.get("/local/a")
    assert (answer.status_code, answer.content) == (504, UNREACHED)


@pytest.mark.parametrize("mode", ["STREAM", "BUFFERED"])
def test_a_backend_that_is_silent_before_its_head_is_504(mode, serve_api, backend):
    go = threading.Event()
    api = serve_api(EVENT, change=in_front_of(backend(go).uri, mode, seconds=0.5))
    answer = api.get("/local/a")
    go.set()
    assert (answer.status_code, answer.content) == (504, TIMED_OUT)
    assert "longer than the integration's timeout, 0.5 seconds" in api.log


def test_a_stream_that_is_silent_for_too_long_is_cut(serve_api, backend, monkeypatch):
    monkeypatch.setattr(limits, "API_IDLE_EDGE", 0.5)
    go = threading.Event()
    server = backend(CHUNKED, b"3\r\none\r\n", go)
    api = serve_api(EVENT, change=in_front_of(server.uri, "STREAM", endpoint_type="EDGE"))
    with api.raw("GET /local/a HTTP/1.1") as client:
        client.read_until(b"\r\n\r\n")
        assert client.read_all() == b"3\r\none\r\n"
    go.set()
    assert "no byte came for 0.5 seconds" in api.wait_for_log("the connection is cut")


def test_the_end_of_the_emulator_waits_for_no_backend(serve_api, backend):
    before = set(threading.enumerate())
    go = threading.Event()
    # It stays for longer than the test is patient.
    server = backend(CHUNKED, b"3\r\none\r\n", go, go)
    api = serve_api(EVENT, change=in_front_of(server.uri, "STREAM", seconds=600))
    with api.raw("GET /local/a HTTP/1.1") as client:
        client.read_until(b"one\r\n")
        new = {each for each in threading.enumerate() if each.name == "front"} - before
        assert new
        api.emulator.stop()
        wait_for(lambda: not any(each.is_alive() for each in new), "the end of its thread")
    go.set()


def test_a_client_that_goes_away_lets_the_backend_go(serve_api, backend):
    closed = threading.Event()

    def endless(connected: socket.socket, _: bytes) -> None:
        connected.sendall(CHUNKED)
        try:
            while True:
                connected.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")
        except OSError:
            closed.set()

    server = Backend(endless)
    api = serve_api(EVENT, change=in_front_of(server.uri, "STREAM"))
    with api.raw("GET /local/a HTTP/1.1") as client:
        client.read_until(b"\r\n\r\n")
    assert closed.wait(PATIENCE)
    server.close()


def test_a_slow_client_holds_the_backend_back(serve_api):
    sent, stopped = [0], threading.Event()

    def endless(connected: socket.socket, _: bytes) -> None:
        connected.sendall(CHUNKED)
        connected.settimeout(1.0)
        try:
            while True:
                connected.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                sent[0] += 65536
        except TimeoutError:
            stopped.set()

    server = Backend(endless)
    api = serve_api(EVENT, change=in_front_of(server.uri, "STREAM"))
    with api.raw("GET /local/a HTTP/1.1") as client:
        client.read_until(b"\r\n\r\n")
        # What the kernel keeps on the way is all that there is; nothing is kept in memory.
        assert stopped.wait(PATIENCE)
        assert sent[0] < 64 * 1024 * 1024
    server.close()


def test_a_client_that_does_not_read_is_cut_when_the_time_is_up(serve_api):
    closed = threading.Event()

    def endless(connected: socket.socket, _: bytes) -> None:
        connected.sendall(CHUNKED)
        with contextlib.suppress(OSError):
            while True:
                connected.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        closed.set()

    server = Backend(endless)
    api = serve_api(EVENT, change=in_front_of(server.uri, "STREAM", seconds=1.0))
    with api.raw("GET /local/a HTTP/1.1") as client:
        api.wait_for_log("the integration's timeout has passed")
        # Without a read: it is not its end that the stream waits for.
        assert closed.wait(PATIENCE)
        assert not client.read_all().endswith(b"\r\n0\r\n\r\n")
    server.close()


def test_a_stream_is_as_slow_as_on_aws_if_that_is_asked_for(serve_api, backend, monkeypatch):
    monkeypatch.setattr(limits, "API_BURST", 0)
    monkeypatch.setattr(limits, "API_RATE", 10)
    server = backend(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nonetwo")
    api = serve_api(EVENT, change=in_front_of(server.uri, "STREAM", bandwidth=True))
    begun = time.monotonic()
    assert api.get("/local/a").content == b"onetwo"
    # It cannot be faster; how much slower it is does not matter.
    assert time.monotonic() - begun > 0.5


BYTES = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 2\r\n\r\n\xff\x00"


@pytest.mark.parametrize(
    ("mode", "types", "body"),
    [
        ("STREAM", (), b"\xff\x00"),
        ("BUFFERED", ("image/png",), b"\xff\x00"),
        ("BUFFERED", (), "\ufffd\0".encode()),
    ],
)
def test_bytes_arrive_whole_in_a_stream_or_if_their_type_is_binary(
    mode, types, body, serve_api, backend
):
    change = in_front_of(backend(BYTES).uri, mode)
    api = serve_api(
        EVENT, change=lambda api: dataclasses.replace(change(api), binary_media_types=types)
    )
    assert api.get("/local/a").content == body
    assert ("arrives damaged, as on AWS" in api.log) is (body != b"\xff\x00")


@pytest.mark.parametrize(
    ("types", "body"), [((), "\ufffd\0".encode()), (("image/*",), b"\xff\x00")]
)
def test_a_requests_bytes_get_on_whole_if_their_type_is_binary(types, body, serve_api, backend):
    server = backend(BYTES)
    change = in_front_of(server.uri, "STREAM", binary_media_types=types)
    api = serve_api(EVENT, change=change)
    headers = {"Content-Type": "image/png"}
    api.request("POST", "/local/a", content=b"\xff\x00", headers=headers)
    assert server.requests[0].endswith(b"\r\n\r\n" + body)
    assert ("gets on damaged, as on AWS" in api.log) is (types == ())


def test_a_redirect_is_the_clients_affair(serve_api, backend):
    server = backend(b"HTTP/1.1 302 Found\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n")
    answer = serve_api(EVENT, change=in_front_of(server.uri, "STREAM")).get("/local/a")
    assert (answer.status_code, answer.headers["location"]) == (302, "/else")
