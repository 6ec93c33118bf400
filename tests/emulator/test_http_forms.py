"""Plain forms of HTTP, which are read and written without h11: as h11 does it, or not at all."""

from __future__ import annotations

import json
import socket

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from penstock.emulator.http import http_connection, http_forms
from penstock.emulator.http.http_connection import ClientGoneError, Connection
from penstock.emulator.http.http_forms import plain_answer, plain_request
from penstock.errors import RemoteProtocolError
from tests.tools import repeated

GET = b"GET /a?b=c HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"
SIZED = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n"
)
TRAILERS = (
    b"PUT /a HTTP/1.1\r\nhost: x\r\nConnection: keep-alive\r\nTrailer: T\r\n"
    b"transfer-encoding: chunked\r\n\r\n3\r\none\r\n0\r\nT: v\r\n\r\n"
)
OTHERS = (
    b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
    b"GET / HTTP/1.1\r\nHost: x\r\nX-Name: \xc3\xa4\xff\r\nX-Empty:\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n\r\n",
)
REQUESTS = (GET, SIZED, CHUNKED, TRAILERS, *OTHERS)

# What edits put in: what framing is made of, and what does not belong there.
SNIPPETS = (
    *(b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b": ", b",", b";x=y", b"\0", b"\xff", b"\x7f"),
    *(
        b"0",
        b"00",
        b"5",
        b"A",
        b"f" * 16,
        b"-1",
        b"+5",
        b"0x5",
        b"5 ",
        b"\r\n\r\n",
        b"\x0b",
        b"\xa0",
    ),
    *(b"Content-Length: 5\r\n", b"Content-Length: 4\r\n", b"content-length:5\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n", b"chunked, chunked"),
    *(b"Host: y\r\n", b" folded\r\n", b"Connection: close\r\n", b"HTTP/1.1", b"http://x/", b"/"),
)


class Socket:
    """A client's socket that gives these pieces, and then the end; keeps what is sent."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = [piece for piece in pieces if piece]
        self.sent = b""

    def recv(self, size: int) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    def sendmsg(self, parts: list[bytes]) -> int:
        sent = b"".join(parts)
        self.sent += sent
        return len(sent)

    def setsockopt(self, *_: object) -> None:
        """There is nothing to set."""


def conversation(pieces: list[bytes]) -> bytes:
    """What a server sends that reads every request to its end and says what it has read."""
    client = Socket(pieces)
    connection = Connection(client, "127.0.0.1", max_header_size=4096, patience=9)  # type: ignore[arg-type]
    try:
        while request := connection.next_request():
            body = b""
            while isinstance(part := connection.read(), bytes):
                assert part
                body += part
            said = [request.method, request.target, request.version, *request.headers, *part]
            answer(connection, request.method, json.dumps([said, body.decode("latin-1")]).encode())
            if not connection.ready_for_next():
                return client.sent + b"closed"
    except RemoteProtocolError as exc:
        before = client.sent
        connection.refuse(exc)
        refused = client.sent.removeprefix(before)
        assert refused.startswith(b"HTTP/1.1 4")
        return before + refused[:12]  # in their own words
    return client.sent + b"ended"


def answer(connection: Connection, method: str, body: bytes) -> None:
    """In one of three ways, as the method says."""
    if method == "POST":
        connection.begin_answer(200, [("Content-Length", str(len(body)))], body)
    elif method == "HEAD":
        connection.begin_answer(200, [("Content-Length", str(len(body)))])
    else:
        connection.begin_answer(201, [("X-A", "b")])
        connection.send(body[:7])
        connection.send(body[7:])
    connection.end_answer()


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def edited(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for place, removed, snippet in edits:
        at = place % (len(data) + 1)
        data = data[:at] + snippet + data[at + removed :]
    return data


@settings(max_examples=repeated(400, here=80), deadline=None)
@given(
    requests=st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=3),
    edits=st.lists(
        st.tuples(st.integers(0, 400), st.integers(0, 3), st.sampled_from((b"", *SNIPPETS))),
        max_size=3,
    ),
    cuts=st.lists(st.integers(0, 400), max_size=4),
    large=st.sampled_from([4, 8, http_forms.JOINED]),
)
@example([CHUNKED], [(len(CHUNKED) - 5, 0, b"0")], [], 4)
@example([CHUNKED], [(len(CHUNKED) - 5, 0, b"0")], [], http_forms.JOINED)
@example([CHUNKED, GET], [], [len(CHUNKED) - 2], 4)
@example([SIZED, SIZED], [], [1], 4)
def test_a_server_with_plain_forms_answers_as_one_that_leaves_all_to_h11(
    requests, edits, cuts, large
):
    pieces = pieces_of(edited(b"".join(requests), edits), cuts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_connection, "plain_request", lambda head: None)
        expected = conversation(pieces)
    with pytest.MonkeyPatch.context() as patch:
        # The chunks here are large enough to be joined.
        patch.setattr(http_forms, "JOINED", large)
        assert conversation(pieces) == expected


@pytest.mark.parametrize("request_bytes", [GET, SIZED, CHUNKED, TRAILERS])
def test_what_clients_send_every_day_is_plain(request_bytes):
    assert plain_request(request_bytes.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")


@pytest.mark.parametrize("request_bytes", OTHERS)
def test_what_changes_the_framing_or_the_connection_is_not_plain(request_bytes):
    assert plain_request(request_bytes.partition(b"\r\n\r\n")[0] + b"\r\n\r\n") is None


NAMES = st.text(st.sampled_from("aZ0-_~ :\r\n\0ä"), max_size=6)
VALUES = st.text(st.sampled_from("aZ0-, :\t\r\n\0\x7fä"), max_size=8)
FIELDS = st.tuples(
    NAMES | st.sampled_from(["Content-Length", "Transfer-Encoding", "Connection", "Date"]),
    VALUES | st.sampled_from(["5", "05", "chunked", "close", "keep-alive"]),
)


@settings(max_examples=repeated(300, here=60), deadline=None)
@given(status=st.integers(200, 599), headers=st.lists(FIELDS, max_size=3))
@example(200, [("X-A", "b\r\nX-C: d")])
@example(200, [("Content-Length", "5"), ("content-length", "5")])
def test_an_answer_of_a_plain_form_is_byte_for_byte_h11s(status, headers):
    plain = plain_answer(status, headers)
    if plain is None:
        return
    client = Socket([GET.replace(b"Accept: */*", b"Accept:")])
    connection = Connection(client, "127.0.0.1", max_header_size=4096, patience=9)  # type: ignore[arg-type]
    assert connection.next_request()
    connection.begin_answer(status, headers)
    assert plain[0] == client.sent


LARGE = b"x" * http_forms.JOINED


def parts_of_body(
    *chunks: bytes, rest: bytes = b"0\r\n\r\n", cut: int | None = None
) -> list[bytes]:
    """The parts of a body that is received in one piece, or in two; an error is not one."""
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + rest
    head = CHUNKED.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    client = Socket([head + framed[:cut], framed[cut:] if cut is not None else b""])
    connection = Connection(client, "127.0.0.1", max_header_size=4096, patience=9)  # type: ignore[arg-type]
    assert connection.next_request()
    parts = []
    try:
        while isinstance(part := connection.read(), bytes):
            parts.append(part)
    except RemoteProtocolError:
        parts.append(b"refused")
    return parts


def test_large_chunks_that_come_together_are_one_part():
    assert parts_of_body(LARGE, LARGE + b"y", LARGE) == [LARGE + LARGE + b"y" + LARGE]


def test_small_chunks_stay_apart_also_from_large_ones():
    assert parts_of_body(b"a", b"b") == [b"a", b"b"]
    assert parts_of_body(b"a", LARGE, LARGE, b"b", LARGE) == [b"a", LARGE * 2, b"b", LARGE]


def test_what_is_here_of_a_large_chunk_does_not_wait_for_the_rest():
    in_the_second = len(LARGE) + 20
    first, second = parts_of_body(LARGE, LARGE, cut=in_the_second)
    assert len(LARGE) < len(first) < in_the_second
    assert first + second == LARGE * 2


@pytest.mark.parametrize("cut", range(len(LARGE) + 4, len(LARGE) + 16))
def test_large_chunks_are_read_wherever_they_are_cut(cut):
    assert b"".join(parts_of_body(LARGE, LARGE, cut=cut)) == LARGE * 2


@pytest.mark.parametrize("rest", [b"4001;a=b\r\n", b"nonsense\r\n\r\n", b"-4001\r\n", b""])
def test_large_chunks_before_a_broken_one_are_not_lost(rest):
    assert parts_of_body(LARGE, LARGE, rest=rest) == [LARGE * 2, b"refused"]


def test_a_chunk_that_does_not_end_where_it_says_is_refused():
    wrong = CHUNKED.replace(b"hello\r\n", b"hello!\n")
    assert conversation([wrong]).endswith(b"HTTP/1.1 400")


def test_both_lengths_in_one_request_are_refused():
    smuggled = CHUNKED.replace(b"Host: x\r\n", b"Host: x\r\nContent-Length: 5\r\n")
    assert conversation([smuggled]) == b"HTTP/1.1 400"


def test_a_client_that_has_gone_is_an_error_of_its_own():
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, pytest.raises(ClientGoneError):
        http_connection.send_all(ours, b"hello")
