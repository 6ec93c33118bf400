"""When which part of an answer is sent, with a clock that only sleeping moves."""

from __future__ import annotations

import threading

import pytest

from penstock.emulator.fault_values import NONE, Faults
from penstock.emulator.faults import HEADER, FaultInjector, injection_of_this_call
from penstock.emulator.http.http_server import ClientGoneError, HttpServer
from tests.tools import PATIENCE, RawClient, wait_for

HEAD = ("GET / HTTP/1.1", "Host: x")


class Clock:
    """Time passes while somebody sleeps, and not otherwise."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class HeldClock(Clock):
    """Here who sleeps is seen to, and woken by the test."""

    def __init__(self) -> None:
        super().__init__()
        self._asleep, self._woken = threading.Semaphore(0), threading.Semaphore(0)

    def sleep(self, seconds: float) -> None:
        self._asleep.release()
        assert self._woken.acquire(timeout=PATIENCE)
        super().sleep(seconds)

    def wait_for_sleep(self) -> None:
        assert self._asleep.acquire(timeout=PATIENCE)

    def wake(self) -> None:
        self._woken.release()


class Server:
    """Answers each request with the parts that `answer` sends, through an injector."""

    def __init__(self, answer, faults: Faults = NONE, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.log: list[str] = []
        self.gone = threading.Event()
        self.answer = answer
        self.injector = FaultInjector(
            self.log.append, faults=faults, clock=lambda: self.clock.now, sleep=self.clock.sleep
        )
        self.http = HttpServer(lambda exchange: self.injector.handle(exchange, self.handle))

    def handle(self, exchange) -> None:
        self.headers = exchange.headers
        injection_of_this_call()
        try:
            self.answer(exchange)
        except ClientGoneError:
            self.gone.set()
            raise

    def get(self, *headers: str) -> bytes:
        with self.ask(*headers) as client:
            return client.read_all()

    def ask(self, *headers: str) -> RawClient:
        client = RawClient(self.http.port)
        lines = [*HEAD, "Connection: close", *headers, "", ""]
        client.send("\r\n".join(lines).encode())
        return client


@pytest.fixture
def serve():
    servers: list[Server] = []

    def serve(answer, faults: Faults = NONE, clock: Clock | None = None) -> Server:
        servers.append(Server(answer, faults, clock))
        return servers[-1]

    yield serve
    for server in servers:
        server.http.stop()


def in_parts(*parts: bytes):
    def answer(exchange) -> None:
        exchange.begin(200, [])
        for part in parts:
            exchange.send(part)
        exchange.end()

    return answer


def whole(body: bytes):
    return lambda exchange: exchange.respond(200, [], body)


def test_without_faults_nothing_changes(serve):
    server = serve(in_parts(b"one", b"two"))
    assert server.get().endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    assert server.log == []


def test_a_stream_is_cut_at_its_byte_and_has_no_end(serve):
    server = serve(in_parts(b"one", b"two", b"three"), Faults(cut=5))
    assert server.get().endswith(b"\r\n\r\n3\r\none\r\n2\r\ntw\r\n")
    assert server.gone.wait(PATIENCE)
    assert server.log == ["GET /: injected fault: the answer is cut after 5 bytes of its body"]


def test_a_stream_is_cut_at_the_end_of_a_part(serve):
    server = serve(in_parts(b"one", b"two"), Faults(cut=6))
    assert server.get().endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n")


def test_a_stream_that_is_shorter_than_its_cut_arrives_whole(serve):
    server = serve(in_parts(b"one", b"two"), Faults(cut=7))
    assert server.get().endswith(b"3\r\ntwo\r\n0\r\n\r\n")
    assert server.log == []


def test_a_cut_at_0_leaves_the_head(serve):
    head, _, body = serve(in_parts(b"one"), Faults(cut=0)).get().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert body == b""


def test_a_whole_answer_is_shorter_than_its_length_says(serve):
    head, _, body = serve(whole(b"x" * 10), Faults(cut=4)).get().partition(b"\r\n\r\n")
    assert b"Content-Length: 10" in head
    assert body == b"xxxx"


def test_a_late_answer_sleeps_once_before_its_head(serve):
    def answer(exchange) -> None:
        begun_at.append(server.clock.now)
        in_parts(b"one", b"two")(exchange)

    begun_at: list[float] = []
    clock = HeldClock()
    server = serve(answer, Faults(delay=30), clock)
    with server.ask() as client:
        clock.wait_for_sleep()
        assert client.has_got_nothing()
        clock.wake()
        assert client.read_all().endswith(b"3\r\ntwo\r\n0\r\n\r\n")
    assert (begun_at, clock.now) == ([0], 30)
    assert server.log == ["GET /: injected fault: the answer is 30 s late"]


def test_late_parts_sleep_before_each(serve):
    clock = HeldClock()
    server = serve(in_parts(b"one", b"two"), Faults(chunk_delay=7), clock)
    with server.ask() as client:
        client.read_until(b"\r\n\r\n")
        for part in (b"3\r\none\r\n", b"3\r\ntwo\r\n"):
            clock.wait_for_sleep()
            assert client.has_got_nothing()
            clock.wake()
            assert client.read_until(part) == part
        assert client.read_all() == b"0\r\n\r\n"
    assert clock.now == 14
    assert server.log == ["GET /: injected fault: each part of the answer is 7 s late"]


def test_a_throttled_answer_takes_the_time_of_its_bytes_in_small_pieces(serve):
    server = serve(in_parts(b"x" * 100, b"y" * 50), Faults(throttle=20))
    body = server.get().partition(b"\r\n\r\n")[2]
    assert body == b"2\r\nxx\r\n" * 50 + b"2\r\nyy\r\n" * 25 + b"0\r\n\r\n"
    assert server.clock.now == pytest.approx(150 / 20)
    assert server.log == ["GET /: injected fault: the answer has 20 bytes a second"]


def test_a_throttle_of_less_than_a_byte_a_second_is_one(serve):
    server = serve(whole(b"abc"), Faults(throttle=0.5))
    assert server.get().endswith(b"abc")
    assert server.clock.now == pytest.approx(6)


def test_the_header_s_faults_are_the_call_s_and_the_header_is_gone(serve):
    server = serve(whole(b"x" * 10))
    assert server.get(f"{HEADER}: cut=4").endswith(b"xxxx")
    assert HEADER not in server.headers
    assert server.headers.get("host") == "x"
    assert server.get().endswith(b"x" * 10)


def test_several_headers_are_one(serve):
    server = serve(whole(b"x" * 10))
    answer = server.get(f"{HEADER}: cut=4", f"{HEADER.lower()}: delay=3")
    assert answer.partition(b"\r\n\r\n")[2] == b"xxxx"
    assert server.clock.now == 3


def test_the_header_counts_alone(serve):
    server = serve(whole(b"x" * 10), Faults(cut=4))
    assert server.get(f"{HEADER}: none").endswith(b"x" * 10)
    assert server.get(f"{HEADER}: delay=3").endswith(b"x" * 10)


def test_a_bad_header_is_400_with_what_is_right(serve):
    server = serve(whole(b"x"))
    head, _, body = server.get(f"{HEADER}: cut=much").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert body == b"X-Penstock-Fault: cut takes a whole number, not 'much'\n"
    assert not hasattr(server, "headers")


def test_one_call_has_no_every_third(serve):
    body = serve(whole(b"x")).get(f"{HEADER}: cut=1,every=3").partition(b"\r\n\r\n")[2]
    assert body == b"X-Penstock-Fault: every=CALLS is for --fault and tests, not for one call\n"


def test_a_stop_wakes_what_is_late_on_purpose():
    injector = FaultInjector([].append, faults=Faults(delay=80_000))
    done = threading.Event()

    def late(exchange) -> None:
        injection_of_this_call()
        exchange.respond(200, [])
        done.set()

    server = HttpServer(lambda exchange: injector.handle(exchange, late))
    with RawClient(server.port) as client:
        client.send("\r\n".join([*HEAD, "", ""]).encode())
        injector.stop()
        assert done.wait(PATIENCE)
    server.stop()


def test_every_third_call_has_them(serve):
    server = serve(whole(b"abc"), Faults(cut=1, every=3))
    bodies = [server.get().partition(b"\r\n\r\n")[2] for _ in range(6)]
    assert bodies == [b"abc", b"abc", b"a"] * 2


def test_they_can_be_had_for_a_while_and_for_a_number_of_calls(serve):
    server = serve(whole(b"abc"), Faults(cut=2))

    def body() -> bytes:
        return server.get().partition(b"\r\n\r\n")[2]

    assert body() == b"ab"
    with server.injector.injected(Faults(cut=1), times=1):
        assert [body(), body()] == [b"a", b"abc"]
        with server.injector.injected(NONE):
            assert body() == b"abc"
    assert body() == b"ab"


def test_what_calls_no_function_has_none(serve):
    server = serve(whole(b"abc"), Faults(cut=1))
    server.handle = server.answer
    assert server.get().endswith(b"abc")


def test_after_a_call_its_thread_knows_nothing_of_its_faults(serve):
    seen = []

    def answer(exchange) -> None:
        seen.append(injection_of_this_call().faults)
        exchange.respond(200, [], b"x")

    server = serve(answer)
    with RawClient(server.http.port) as client:
        client.send(f"GET / HTTP/1.1\r\nHost: x\r\n{HEADER}: delay=1\r\n\r\n".encode())
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: len(seen) == 2, "both calls")
    assert seen == [Faults(delay=1), NONE]
