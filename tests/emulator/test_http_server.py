"""The small HTTP server, spoken to byte by byte."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from penstock.emulator.http.http_server import ClientGoneError, Exchange, HttpServer
from penstock.errors import RemoteProtocolError
from tests.tools import PATIENCE, RawClient, wait_for


@pytest.fixture
def listen() -> Iterator[Callable[[Callable[[Exchange], None]], RawClient]]:
    opened: list[HttpServer | RawClient] = []

    def listen(handle: Callable[[Exchange], None]) -> RawClient:
        server = HttpServer(handle)
        client = RawClient(server.port)
        opened.extend([client, server])
        return client

    yield listen
    for each in opened:
        each.close() if isinstance(each, RawClient) else each.stop()


def echo(exchange: Exchange) -> None:
    exchange.respond(
        200, [("X-Target", f"{exchange.path}?{exchange.query}")], exchange.read_body(99)
    )


def test_requests_follow_each_other_on_one_connection(listen):
    client = listen(echo)
    for _ in range(3):
        client.send(b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
        head = client.read_until(b"\r\n\r\nhi")
        assert head.startswith(b"HTTP/1.1 200 OK\r\nX-Target: /a?b=c\r\nContent-Length: 2\r\n")


def test_a_request_of_the_absolute_form(listen):
    client = listen(echo)
    client.send(b"GET http://x/a?b HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"X-Target: /a?b\r\n" in client.read_until(b"\r\n\r\n")


def test_expect_100_continue_is_answered_when_the_body_is_wanted(listen):
    client = listen(echo)
    client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100")
    client.send(b"hi")
    client.read_until(b"\r\n\r\nhi")


def test_a_body_without_a_length_is_chunked_to_1_1_and_ends_with_the_connection_to_1_0(listen):
    def stream(exchange: Exchange) -> None:
        exchange.begin(200, [])
        exchange.send(b"one")
        exchange.send(b"two")
        exchange.end()

    client = listen(stream)
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert client.read_until(b"0\r\n\r\n").endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    assert client.read_all().endswith(b"\r\n\r\nonetwo")


def test_an_aborted_answer_has_no_last_chunk(listen):
    def cut(exchange: Exchange) -> None:
        exchange.begin(200, [])
        exchange.send(b"one")
        exchange.abort()

    client = listen(cut)
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert client.read_all().endswith(b"3\r\none\r\n")


def test_an_aborted_answer_to_http_1_0_is_reset(listen):
    may_abort = threading.Event()

    def cut(exchange: Exchange) -> None:
        exchange.begin(200, [])
        exchange.send(b"one")
        may_abort.wait(10)
        exchange.abort()

    client = listen(cut)
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    client.read_until(b"one")
    may_abort.set()
    with pytest.raises(ConnectionResetError):
        client.read_all()


@pytest.mark.parametrize("error", [LookupError, RemoteProtocolError])
def test_an_answer_that_fails_in_its_middle_does_not_look_whole_to_http_1_0(listen, error):
    may_fail = threading.Event()

    def fail(exchange: Exchange) -> None:
        exchange.begin(200, [])
        exchange.send(b"one")
        may_fail.wait(10)
        raise error("no more")

    client = listen(fail)
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    client.read_until(b"one")
    may_fail.set()
    with pytest.raises(ConnectionResetError):
        client.read_all()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"no http\r\n\r\n",
        b"GET ?a=b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET a HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET a?b=http://c/d HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_no_http_is_a_bad_request(request_bytes, listen):
    client = listen(echo)
    client.send(request_bytes)
    answer = client.read_all()
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"bytearray" not in answer


@pytest.mark.parametrize(
    ("begun", "says"),
    [
        (b"GET / HT", b"the head of the request took more than 0.05 seconds"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA", b"the head of the request took more than"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel", b"nothing of the body"),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
            b"nothing of the body came for 0.05 seconds",
        ),
    ],
)
def test_a_request_that_is_not_finished_in_time_is_timed_out(begun, says):
    server = HttpServer(echo, patience=0.05)
    try:
        with RawClient(server.port) as client:
            client.send(begun)
            answer = client.read_all()
    finally:
        server.stop()
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert says in answer


def test_the_rest_of_a_body_that_nobody_wanted_is_not_waited_for_much_longer():
    server = HttpServer(lambda exchange: exchange.respond(413, []), patience=0.05)
    try:
        with RawClient(server.port) as client:
            client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nhel")
            assert client.read_all().startswith(b"HTTP/1.1 413 ")
    finally:
        server.stop()


def test_a_head_may_come_byte_by_byte(listen):
    client = listen(echo)
    for byte in b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi":
        client.send(bytes([byte]))
    client.read_until(b"\r\n\r\nhi")
    client.send(b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"X-Target: /b?" in client.read_until(b"\r\n\r\n")


def test_a_head_that_is_too_large_says_so(listen):
    client = listen(echo)
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 70_000)
    answer = client.read_all()
    assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert b"the head of the request has " in answer
    assert answer.endswith(b" bytes or more; at most 65536 are taken\n")


@pytest.mark.parametrize("separator", [b": ", b":"], ids=["plain", "unusual"])
@pytest.mark.parametrize("pieces", [1, 9])
def test_a_head_has_its_limit_to_the_byte(listen, separator, pieces):
    start, end = b"GET /a HTTP/1.1\r\nHost: x\r\nX" + separator, b"\r\n\r\n"
    for size in (65_536, 65_537):
        client = listen(echo)
        head = start + b"x" * (size - len(start) - len(end)) + end
        step = -(-len(head) // pieces)
        for at in range(0, len(head), step):
            client.send(head[at : at + step])
        if size == 65_536:
            assert b"X-Target: /a?" in client.read_until(b"\r\n\r\n")
        else:
            assert client.read_all().startswith(b"HTTP/1.1 431 ")


def test_another_version_of_http_is_not_spoken(listen):
    client = listen(echo)
    client.send(b"GET / HTTP/2.0\r\nHost: x\r\n\r\n")
    assert client.read_all().startswith(b"HTTP/1.1 505 HTTP Version Not Supported\r\n")


def test_a_client_that_has_gone_is_noticed_by_a_write(listen):
    noticed = threading.Event()

    def stream(exchange: Exchange) -> None:
        exchange.begin(200, [])
        try:
            while True:
                exchange.send(b"x" * 100_000)
        except ClientGoneError:
            noticed.set()
            raise

    client = listen(stream)
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    client.read_until(b"xxx")
    client.close()
    assert noticed.wait(10)


def test_a_header_that_cannot_be_sent_is_a_value_error_and_nothing_was_sent(listen):
    def answer(exchange: Exchange) -> None:
        with pytest.raises(ValueError, match="cannot be sent"):
            exchange.respond(200, [("X-A", "b\r\nX-C: d")])
        exchange.respond(502, [])

    client = listen(answer)
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 502 ")


def test_an_unread_body_does_not_become_the_next_request(listen):
    client = listen(lambda exchange: exchange.respond(200, []))
    body = b"GET /smuggled HTTP/1.1\r\n\r\n"
    client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    client.read_until(b"\r\n\r\n")
    client.send(b"GET /second HTTP/1.1\r\nHost: x\r\n\r\n")
    client.read_until(b"\r\n\r\n")
    assert client.received == b""


def test_a_port_taken_on_one_of_the_loopback_addresses_is_taken():
    try:
        taken = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with taken, pytest.raises(OSError, match="in use") as raised:
        HttpServer(echo, host="localhost", port=taken.getsockname()[1])
    assert raised.value.errno == errno.EADDRINUSE


def test_stopping_closes_connections_and_frees_the_port():
    server = HttpServer(echo)
    with RawClient(server.port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        client.read_until(b"\r\n\r\n")
        server.stop()
        assert client.read_all() == b""
    assert server.wait_until_unused(10)
    again: list[HttpServer] = []

    def can_listen() -> bool:
        try:
            again.append(HttpServer(echo, port=server.port))
        except OSError:
            return False
        return True

    wait_for(can_listen, "the port to be free")
    again[0].stop()


def test_a_connection_for_which_there_is_no_thread_is_closed_and_forgotten():
    server = HttpServer(echo)
    # More than there are addresses for.
    before = threading.stack_size(1 << 50)
    try:
        with RawClient(server.port) as client:
            assert client.read_all() == b""
    finally:
        threading.stack_size(before)
    assert server.wait_until_unused(PATIENCE)
    with RawClient(server.port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.read_until(b"\r\n").startswith(b"HTTP/1.1 200")
    server.stop()
