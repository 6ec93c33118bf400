"""A caller of `Invoke` keeps its connection, whatever becomes of the call."""

import json
import socket

import pytest

from tests.tools import RawClient, wait_for

PATH = "/2015-03-31/functions/function/invocations"

ECHO = """
def handler(event, context):
    if "gate" in event:
        pass_gate(event["gate"])
    time.sleep(event.get("sleep", 0))
    if "exit" in event:
        os._exit(event["exit"])
    if "raise" in event:
        raise ValueError(event["raise"])
    return event.get("size", 0) * "x" or event
"""


def request(event: object) -> bytes:
    body = json.dumps(event).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def answer(client: RawClient) -> tuple[str, object]:
    """The head of the next answer, and its JSON."""
    head = client.read_until(b"\r\n\r\n").decode()
    length = int(head.lower().split("content-length: ")[-1].split("\r\n")[0])
    while len(client.received) < length:
        data = client.socket.recv(1 << 20)
        assert data, f"closed after {client.received!r}"
        client.received += data
    body, client.received = client.received[:length], client.received[length:]
    return head, json.loads(body)


@pytest.fixture
def function(serve):
    return serve(ECHO, max_environments=1, timeout=2)


def test_requests_sent_ahead_are_answered_in_their_order(function, gate):
    with RawClient(function.port) as client:
        client.send(request({"n": 0, "gate": "a"}))
        wait_for(lambda: "START" in function.log, "the first to begin")
        for n in range(1, 20):
            client.send(request({"n": n}))
        gate.open("a")
        assert [answer(client)[1]["n"] for _ in range(20)] == list(range(20))


def test_who_says_that_no_more_will_come_is_answered(function, gate):
    with RawClient(function.port) as client:
        client.send(request({"gate": "a"}))
        wait_for(lambda: "START" in function.log, "the call to begin")
        client.socket.shutdown(socket.SHUT_WR)
        gate.open("a")
        assert answer(client)[1] == {"gate": "a"}
        assert client.read_all() == b""


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"raise": "no"}, "ValueError"),
        ({"exit": 3}, "exit status 3"),
        ({"sleep": 60}, "timed out"),
    ],
)
def test_the_connection_goes_on_after_a_failure(function, event, words):
    with RawClient(function.port) as client:
        for _ in range(2):
            client.send(request(event))
            head, body = answer(client)
            assert "X-Amz-Function-Error: Unhandled" in head
            assert words in json.dumps(body)
        client.send(request({"n": 1}))
        assert answer(client)[1] == {"n": 1}


def test_who_does_not_read_holds_up_nobody_else(function):
    with RawClient(function.port) as slow, RawClient(function.port) as other:
        for _ in range(4):
            slow.send(request({"size": 5_000_000}))
        wait_for(lambda: function.log.count("REPORT") >= 1, "an answer that is not read")

        def is_answered(n: int) -> bool:
            # It may come while the environment works for the other, and be refused.
            other.send(request({"n": n}))
            return answer(other)[1] == {"n": n}

        for n in range(3):
            wait_for(lambda n=n: is_answered(n), "an answer to somebody else")
        assert [len(answer(slow)[1]) for _ in range(4)] == [5_000_000] * 4


def test_who_goes_away_leaves_a_working_environment(function, gate):
    for n in range(3):
        with RawClient(function.port) as client:
            client.send(request({"gate": f"g{n}"}))
            wait_for(lambda n=n: function.log.count("START") == n + 1, "the call to begin")
        gate.open(f"g{n}")
        wait_for(lambda n=n: function.log.count("REPORT") == n + 1, "its end")
    assert len(function.emulator.environment_pids) == 1
    with RawClient(function.port) as client:
        client.send(request({"n": 1}))
        assert answer(client)[1] == {"n": 1}
