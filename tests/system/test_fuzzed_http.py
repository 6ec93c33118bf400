"""Broken and hostile HTTP at every door of the emulator, and at the Runtime API.

Whatever comes, the answer is a 4xx, or one that the request deserves, or a closed connection;
afterwards a usual call works, in the same environment, and nothing is left of the others.
"""

from __future__ import annotations

import logging
import os
import random
import re
import socket
import sys
import threading
from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest

from penstock.emulator.rest_apis import api_of_function
from tests.tools import PATIENCE, RawClient, each_value_in_one_test, lambda_client, wait_for

pytestmark = each_value_in_one_test

HANDLER = """
@streamify_response
def handler(event, context):
    yield Prelude(200, {"content-type": "text/plain"})
    yield os.environ["AWS_LAMBDA_RUNTIME_API"]
    yield f" {os.getpid()}"
"""

# A status line, wherever the body before it has ended.
STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")


class Door(NamedTuple):
    """A way in: where it is, and what a request to it looks like."""

    name: str
    method: bytes
    target: bytes
    host: bytes
    body: bytes = b'{"a": 1}'
    fields: bytes = b""
    answers: str = "2"  # with what the status of a good request begins
    says: bytes = b""  # what only the answer to a good request says


SIGNED = b"Authorization: AWS4-HMAC-SHA256\r\n"

DOORS = (
    Door("Function URL", b"POST", b"/path?q=1", b"app.lambda-url.localhost"),
    Door("REST API", b"POST", b"/local/path?q=1", b"app.execute-api.localhost"),
    Door("Invoke", b"POST", b"/2015-03-31/functions/app/invocations", b"localhost", fields=SIGNED),
    Door(
        "InvokeWithResponseStream",
        *(b"POST", b"/2021-11-15/functions/app/response-streaming-invocations", b"localhost"),
        fields=SIGNED,
    ),
    Door(
        "control plane",
        *(b"PUT", b"/2019-09-25/functions/app/event-invoke-config", b"localhost"),
        body=b'{"MaximumRetryAttempts": 1}',
        fields=SIGNED,
    ),
    Door(
        "Runtime API",
        *(b"POST", b"/2018-06-01/runtime/invocation/none/response", b"localhost"),
        answers="4",  # there is no such invocation
        says=b"InvalidRequestID",
    ),
)


def request(door: Door, *fields: bytes, start: bytes = b"", body: bytes | None = None) -> bytes:
    """A request to `door`; without a `body` one of the right length."""
    line = start or b"%s %s HTTP/1.1" % (door.method, door.target)
    head = b"%s\r\nHost: %s\r\n%s" % (line, door.host, door.fields)
    if body is None:
        fields = (*fields, b"Content-Length: %d" % len(door.body))
        body = door.body
    return head + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked"
END = b"0\r\n\r\n"

# What they may get: a status, the first digit of one, or "", a closed connection.
REFUSED = ("4",)
GOOD = ("good",)
CUT = ("4", "")


def hostile(door: Door) -> dict[str, tuple[bytes, tuple[str, ...]]]:
    """Forms that are known from attacks and from broken clients."""
    size = len(door.body)
    whole = b"%x\r\n%s\r\n" % (size, door.body)
    post, target = door.method, door.target
    return {
        "a length and chunks": (
            request(door, b"Content-Length: 5", CHUNKED, body=whole + END),
            REFUSED,
        ),
        "chunks and a length": (
            request(door, CHUNKED, b"Content-Length: 5", body=whole + END),
            REFUSED,
        ),
        "two different lengths": (request(door, b"Content-Length: 1"), REFUSED),
        "two lengths in one": (request(door, b"Content-Length: 5, 6", body=b"hello!"), REFUSED),
        "the same length twice": (request(door, b"Content-Length: %d" % size), GOOD),
        "a negative length": (request(door, b"Content-Length: -1", body=b""), REFUSED),
        "a length with a sign": (request(door, b"Content-Length: +5", body=b"hello"), REFUSED),
        "a length in hex": (request(door, b"Content-Length: 0x5", body=b"hello"), REFUSED),
        "a length without end": (
            request(door, b"Content-Length: " + b"9" * 5000, body=b""),
            REFUSED,
        ),
        "an empty length": (request(door, b"Content-Length: ", body=b""), REFUSED),
        "an unknown encoding": (request(door, b"Transfer-Encoding: gzip", body=b""), REFUSED),
        "chunked behind another": (
            request(door, b"Transfer-Encoding: gzip, chunked", body=END),
            REFUSED,
        ),
        "chunked twice": (request(door, CHUNKED, CHUNKED, body=END), REFUSED),
        "chunked with a tail": (
            request(door, b"Transfer-Encoding: chunked\x0b", body=END),
            REFUSED,
        ),
        "chunked in capitals": (
            request(door, b"TRANSFER-ENCODING: CHUNKED", body=whole + END),
            GOOD,
        ),
        "a blank before the colon": (
            request(door, b"Transfer-Encoding : chunked", body=END),
            REFUSED,
        ),
        "a folded field": (request(door, b"X-Folded: a\r\n b"), GOOD),
        "a fold at the start": (
            request(door, start=b"%s %s HTTP/1.1\r\n X: y" % (post, target)),
            REFUSED,
        ),
        "a folded encoding": (
            request(door, b"Transfer-Encoding:\r\n chunked", body=whole + END),
            (*GOOD, "4"),
        ),
        "a NUL in a field": (request(door, b"X-Nul: a\0b"), REFUSED),
        "a NUL in a name": (request(door, b"X\0Nul: a"), REFUSED),
        "a lone CR in a field": (request(door, b"X-Cr: a\rb"), REFUSED),
        "bare line ends": (request(door).replace(b"\r\n", b"\n"), GOOD),
        "a field without a colon": (request(door, b"nonsense"), REFUSED),
        "a field without a name": (request(door, b": nameless"), REFUSED),
        "no host": (request(door).replace(b"Host: %s\r\n" % door.host, b""), REFUSED),
        "two hosts": (request(door, b"Host: evil.example"), REFUSED),
        "a host that is another's": (
            request(door._replace(host=b"evil.example")),
            REFUSED,
        ),
        "a host with a user": (request(door._replace(host=b"localhost@evil.example")), REFUSED),
        "the absolute form": (
            request(door, start=b"%s http://evil.example%s HTTP/1.1" % (post, target)),
            GOOD,  # RFC 9112 would have the URI's host; here none leads to anything but Host's
        ),
        "the authority form": (request(door, start=b"CONNECT evil.example:443 HTTP/1.1"), REFUSED),
        "a chunk extension": (
            request(door, CHUNKED, body=whole.replace(b"\r\n", b";a=b\r\n", 1) + END),
            GOOD,
        ),
        "a long chunk extension": (
            request(door, CHUNKED, body=b"5;" + b"x" * 3_000_000 + b"\r\nhello\r\n" + END),
            CUT,
        ),
        "a chunk size that is none": (request(door, CHUNKED, body=b"zz\r\n"), REFUSED),
        "a negative chunk size": (request(door, CHUNKED, body=b"-5\r\nhello\r\n" + END), REFUSED),
        "a chunk size of 65 bits": (
            request(door, CHUNKED, body=b"1" + b"0" * 16 + b"\r\nhello"),
            CUT,
        ),
        "a chunk size of 21 digits": (
            request(door, CHUNKED, body=b"0" * 20 + b"5\r\nhello\r\n" + END),
            REFUSED,
        ),
        "an empty chunk size": (request(door, CHUNKED, body=b"\r\nhello\r\n" + END), REFUSED),
        "a chunk longer than said": (
            request(door, CHUNKED, body=b"3\r\nhello\r\n" + END),
            REFUSED,
        ),
        "chunks without an end": (request(door, CHUNKED, body=whole), CUT),
        "a chunk cut short": (request(door, CHUNKED, body=b"ff\r\nhello"), CUT),
        "a body cut short": (request(door, b"Content-Length: 99", body=b"hello"), CUT),
        "a head cut short": (request(door).partition(b"\r\n\r\n")[0], CUT),
        "a trailer that is none": (
            request(door, CHUNKED, body=whole + b"0\r\nnone\r\n\r\n"),
            REFUSED,
        ),
        "a huge head": (request(door, b"X-Huge: " + b"x" * 3_000_000), CUT),
        "many fields": (request(door, *(b"X-%d: y" % number for number in range(300_000))), CUT),
        "a huge target": (request(door, start=b"GET /" + b"a" * 3_000_000 + b" HTTP/1.1"), CUT),
        "no version": (request(door, start=b"%s %s" % (post, target)), REFUSED),
        "another version": (
            request(door, start=b"%s %s HTTP/3.0" % (post, target)),
            ("505",),
        ),
        "blanks in the target": (request(door, start=b"%s /a b HTTP/1.1" % post), REFUSED),
        "control characters": (request(door, start=b"%s /\x01\x7f HTTP/1.1" % post), REFUSED),
        "a method that is none": (request(door, start=b"P(ST %s HTTP/1.1" % target), REFUSED),
        "HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ("505",)),
        "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)), CUT),
        "nothing but line ends": (b"\r\n" * 1000, CUT),
        "garbage": (bytes(range(256)) * 20, CUT),
    }


def answers_of(data: bytes) -> list[bytes]:
    """The statuses of what came back, in order."""
    return STATUS.findall(data)


def send(port: int, *pieces: bytes) -> bytes:
    """Send them and nothing more; everything that comes back, until the server closes."""
    with RawClient(port) as client:
        try:
            for piece in pieces:
                client.send(piece)
            client.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before it was all sent
        try:
            while data := client.socket.recv(65536):
                client.received += data
        except ConnectionError:
            pass
        return client.received


class Target:
    """The emulator under fire, with one environment that must survive."""

    def __init__(self, function) -> None:
        self.function = function
        self.runtime_api, self.pid = self.usual_call()
        self.left = self.what_is_there()

    def port(self, door: Door) -> int:
        return self.runtime_api if door.name == "Runtime API" else self.function.port

    def usual_call(self) -> tuple[int, str]:
        """Call the function; its Runtime API's port and its process."""
        response = httpx.get(self.function.url, timeout=PATIENCE)
        assert response.status_code == 200, response.text
        api, _, pid = response.text.partition(" ")
        return int(api.rpartition(":")[2]), pid

    def what_is_there(self) -> tuple[int, int]:
        """Open descriptors and threads."""
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    def check(self) -> None:
        """It is as before."""
        assert self.usual_call() == (self.runtime_api, self.pid)
        wait_for(
            lambda: all(a <= b for a, b in zip(self.what_is_there(), self.left, strict=True)),
            lambda: f"{self.left} descriptors and threads; there are {self.what_is_there()}",
        )


@pytest.fixture
def target(serve, caplog) -> Iterator[Target]:
    if sys.platform != "linux":
        pytest.skip("descriptors are counted in /proc")
    api = api_of_function("app", "STREAM")
    found = Target(serve(HANDLER, rest_apis=[api], max_environments=1))
    with caplog.at_level(logging.ERROR, "penstock.emulator"):
        yield found
    assert not caplog.records, "the emulator itself has failed"


def doors() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)


@doors()
def test_a_good_request_is_answered(target, door):
    received = send(target.port(door), request(door))
    status, *others = answers_of(received)
    assert status.decode().startswith(door.answers)
    assert door.says in received
    assert not others
    target.check()


@doors()
def test_hostile_forms_are_refused_and_leave_nothing_behind(target, door):
    wrong = {}
    # Of an invocation that there is not, the Runtime API says so without a look at the body.
    unread = (CHUNKED, b"Content-Length: 99") if door.says else ()
    good_heads = tuple(request(door, field, body=b"") for field in unread)
    for name, (sent, allowed) in hostile(door).items():
        if sent.startswith(good_heads):
            allowed = (*allowed, "good")
        received = send(target.port(door), sent)
        statuses = [status.decode() for status in answers_of(received)]
        kind = statuses[0] if statuses else ""
        is_good = kind.startswith(door.answers) and door.says in received
        kinds = {"good"} if is_good else {kind, kind[:1]}
        if kinds.isdisjoint(allowed) or len(statuses) > 1:
            wrong[name] = statuses
    assert not wrong
    target.check()


@doors()
def test_what_follows_a_refused_request_is_not_another(target, door):
    smuggled = request(door, b"Content-Length: 5", CHUNKED, body=END) + request(door)
    assert answers_of(send(target.port(door), smuggled)) == [b"400"]
    target.check()


@doors()
def test_garbage_behind_a_good_request_is_refused_after_its_answer(target, door):
    statuses = answers_of(send(target.port(door), request(door) + b"\0garbage\r\n\r\n"))
    assert statuses[0].decode().startswith(door.answers)
    assert statuses[1:] == [b"400"]
    target.check()


@doors()
def test_pipelined_requests_are_answered_in_order(target, door):
    statuses = answers_of(send(target.port(door), request(door) * 5))
    assert len(statuses) == 5
    assert all(status.decode().startswith(door.answers) for status in statuses)
    target.check()


@doors()
@pytest.mark.parametrize("seed", range(3))
def test_requests_with_random_mistakes_leave_nothing_behind(target, door, seed):
    chance = random.Random(f"{door.name} {seed}")
    bases = [request(door), request(door, CHUNKED, body=b"3\r\n{  \r\n1\r\n}\r\n" + END)]
    for _ in range(60):
        sent = mangled(chance.choice(bases), chance)
        cut = chance.randrange(len(sent) + 1)
        for status in answers_of(send(target.port(door), sent[:cut], sent[cut:])):
            assert status[:1] in (b"1", b"2", b"4") or status in NOT_HERE, (status, sent)
    target.check()


# What is not emulated of the Lambda API, and other versions of HTTP.
NOT_HERE = (b"501", b"505")

SNIPPETS = (
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b";", b",", b"\xff", b"\r\n\r\n", b"0"),
    *(b"Content-Length: 3\r\n", CHUNKED + b"\r\n", b"Host: x\r\n", b" folded\r\n", b"ffff\r\n"),
    *(b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"HTTP/1.0", b"%00", b"//", b"?"),
)


def mangled(data: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(data))
        kind = chance.randrange(4)
        if kind == 0:
            data = data[:at] + chance.choice(SNIPPETS) + data[at:]
        elif kind == 1:
            data = data[:at] + data[at + chance.randrange(1, 8) :]
        elif kind == 2:
            data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        else:
            data = data[: at + 1] * 2 + data[at + 1 :]
    return data


@doors()
def test_senders_that_never_finish_hold_nobody_up(target, door):
    head = request(door, b"Content-Length: 50", body=b"")
    slow = [RawClient(target.port(door)) for _ in range(60)]
    for number, client in enumerate(slow):
        client.send(head[: len(head) - number % 2 * 20])
    assert target.usual_call() == (target.runtime_api, target.pid)
    for client in slow:
        client.close()
    target.check()


def test_a_client_of_aws_that_leaves_in_mid_request_leaves_nothing_behind(target):
    for _ in range(20):
        with RawClient(target.function.port) as client:
            client.send(request(DOORS[2], b"Content-Length: 500", body=b"{"))
    answer = lambda_client(target.function.url).invoke(FunctionName="app", Payload=b"{}")
    assert target.pid.encode() in answer["Payload"].read()
    wait_for(lambda: target.what_is_there()[1] <= target.left[1] + 1, "the end of the threads")
