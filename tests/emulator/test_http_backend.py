"""The client for backends: how long it waits, with a clock of the test's."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import h11
import pytest

from penstock.emulator.http.http_backend import (
    Backend,
    BackendError,
    BackendTimeoutError,
    UnknownBackendError,
    UnreachableBackendError,
)
from tests.tools import PATIENCE


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Server:
    """The other end of one connection."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE)
        self.port = self._listener.getsockname()[1]
        self._connected: socket.socket | None = None

    def send(self, data: bytes) -> None:
        if self._connected is None:
            self._connected, _ = self._listener.accept()
        self._connected.sendall(data)

    def received(self) -> bytes:
        assert self._connected is not None
        self._connected.settimeout(PATIENCE)
        return self._connected.recv(65536)

    def close(self) -> None:
        for each in (self._connected, self._listener):
            if each is not None:
                each.close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


OK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_what_is_sent_is_one_request_with_its_length(server):
    backend = Backend(f"http://127.0.0.1:{server.port}/a%20b?c=d", timeout=9, idle=9)
    server.send(OK + b"0\r\n\r\n")

    response = backend.ask("POST", [("X-Own", "ö")], b"body")

    assert response.status_code == 200
    assert list(backend.body()) == []
    assert server.received() == (
        b"POST /a%%20b?c=d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX-Own: \xc3\xb6\r\n"
        b"Content-Length: 4\r\n\r\nbody" % server.port
    )
    backend.close()


def test_a_mapped_host_is_the_only_one(server):
    backend = Backend(f"http://127.0.0.1:{server.port}/", timeout=9, idle=9)
    server.send(OK + b"0\r\n\r\n")
    backend.ask("GET", [("host", "shop.example")], b"")
    assert server.received().lower().count(b"host: ") == 1
    backend.close()


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_without_a_body_there_is_no_length(method, server):
    backend = Backend(f"http://127.0.0.1:{server.port}", timeout=9, idle=9)
    server.send(OK + b"0\r\n\r\n")
    backend.ask(method, [], b"")
    assert b"ength" not in server.received()
    backend.close()


@pytest.mark.parametrize(("method", "body"), [("POST", b""), ("GET", b"body")])
def test_otherwise_there_is(method, body, server):
    backend = Backend(f"http://127.0.0.1:{server.port}", timeout=9, idle=9)
    server.send(OK + b"0\r\n\r\n")
    backend.ask(method, [], body)
    assert server.received().endswith(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    backend.close()


@pytest.mark.parametrize("name", ["localhost", "app.lambda-url.localhost", "a.b.localhost"])
def test_names_under_localhost_are_this_machine(name, server):
    backend = Backend(f"http://{name}:{server.port}/", timeout=9, idle=9)
    server.send(OK)
    backend.ask("GET", [], b"")
    assert f"Host: {name}:{server.port}\r\n".encode() in server.received()
    backend.close()


def test_time_for_all_of_it_counts_from_the_start(server, clock):
    backend = Backend(f"http://127.0.0.1:{server.port}", timeout=29, idle=29, clock=clock)
    server.send(OK + b"1\r\na\r\n")
    backend.ask("GET", [], b"")
    body = backend.body()
    assert next(body) == b"a"

    clock.now += 29.1
    server.send(b"1\r\nb\r\n")

    with pytest.raises(BackendTimeoutError, match="integration's timeout, 29 seconds"):
        next(body)
    backend.close()


def test_bytes_all_the_time_keep_a_stream_alive_until_its_time_is_up(server, clock):
    backend = Backend(f"http://127.0.0.1:{server.port}", timeout=900, idle=300, clock=clock)
    server.send(OK)
    backend.ask("GET", [], b"")
    body = backend.body()
    for _ in range(4):
        clock.now += 200
        server.send(b"1\r\na\r\n")
        assert next(body) == b"a"
    clock.now += 200
    with pytest.raises(BackendTimeoutError, match="900 seconds"):
        next(body)
    backend.close()


def test_silence_is_told_from_slowness(server):
    backend = Backend(f"http://127.0.0.1:{server.port}", timeout=60, idle=0.05)
    server.send(b"")
    with pytest.raises(BackendTimeoutError, match=r"no byte came for 0\.05 seconds"):
        backend.ask("GET", [], b"")
    backend.close()


def test_an_informational_answer_is_not_the_answer(server):
    backend = Backend(f"http://127.0.0.1:{server.port}", timeout=9, idle=9)
    server.send(b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + OK)
    response = backend.ask("GET", [], b"")
    assert isinstance(response, h11.Response)
    assert response.status_code == 200
    backend.close()


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("ftp://127.0.0.1/", UnknownBackendError),
        ("http:///a", UnknownBackendError),
        ("http://127.0.0.1:port/", UnknownBackendError),
        ("http://nowhere.invalid/", UnknownBackendError),
        ("http://a..b/", UnknownBackendError),
        ("https://a..localhost/", UnknownBackendError),
        (f"http://{'a' * 64}.invalid/", UnknownBackendError),
        ("http://127.0.0.1:1/", UnreachableBackendError),
    ],
)
def test_addresses_that_lead_nowhere(url, error):
    with pytest.raises(error):
        Backend(url, timeout=9, idle=9)


def test_no_tls_where_tls_was_expected(server):
    import threading

    answering = threading.Thread(target=lambda: server.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    answering.start()
    with pytest.raises(UnreachableBackendError, match="no TLS with 127"):
        Backend(f"https://127.0.0.1:{server.port}/", timeout=9, idle=9)
    answering.join()


def test_silence_in_the_place_of_tls_is_silence(server):
    with pytest.raises(BackendTimeoutError, match=r"no byte came for 0\.05 seconds"):
        Backend(f"https://127.0.0.1:{server.port}/", timeout=60, idle=0.05)


@pytest.mark.parametrize("headers", [[("a", "b\r\nc: d")], [("a b", "c")], [("ä", "c")]])
def test_headers_that_cannot_be_sent_are_not(headers, server):
    backend = Backend(f"http://127.0.0.1:{server.port}", timeout=9, idle=9)
    with pytest.raises(BackendError, match="the request cannot be sent"):
        backend.ask("GET", headers, b"")
    backend.close()
