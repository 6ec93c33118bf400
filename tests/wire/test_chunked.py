"""The chunked transfer coding: literal bytes out, and the same values whatever the cuts."""

from __future__ import annotations

import pytest

from penstock.errors import RemoteProtocolError
from penstock.wire.chunked import MAX_SIZE_LINE, MAX_TRAILERS, SMALL, ChunkedDecoder, chunk

# Sizes in both cases, with zeros in front and with an extension; data that looks like frames;
# trailers; and the beginning of what comes behind.
WHOLE = (
    b"5\r\nhello\r\n"
    b"00007;name=value\r\n world!\r\n"
    b"a\r\n0\r\n\r\n5\r\nXY\r\n"
    b"B \r\nABCDEFGHIJK\r\n"
    b"0\r\nName: value\r\nOther: 5\r\n\r\n"
    b"HTTP/1.1 200 OK\r\n\r\n"
)
BODY = b"hello world!0\r\n\r\n5\r\nXYABCDEFGHIJK"
REST = b"HTTP/1.1 200 OK\r\n\r\n"


def decoded(*pieces):
    """The body, and the decoder after all pieces."""
    decoder = ChunkedDecoder()
    return b"".join(decoder.receive(piece) for piece in pieces), decoder


def single_bytes(data):
    return [data[index : index + 1] for index in range(len(data))]


def test_a_chunk_is_its_size_in_hex_and_the_data():
    assert chunk(b"hello") == (b"5\r\nhello\r\n",)


def test_data_that_is_not_small_is_not_copied():
    data = bytes(SMALL + 1)

    head, body, end = chunk(data)

    assert (head, end) == (b"801\r\n", b"\r\n")
    assert body is data


@pytest.mark.parametrize(
    ("size", "head"), [(1, b"1\r\n"), (26, b"1a\r\n"), (65536, b"10000\r\n"), (255, b"ff\r\n")]
)
def test_the_size_is_in_hex(size, head):
    assert b"".join(chunk(bytes(size))) == head + bytes(size) + b"\r\n"


@pytest.mark.parametrize("empty", [b"", bytearray(), memoryview(b"")])
def test_an_empty_chunk_is_refused_for_it_would_end_the_body(empty):
    with pytest.raises(ValueError, match="empty") as caught:
        chunk(empty)

    assert str(caught.value) == "an empty chunk would end the body"


@pytest.mark.parametrize("cut", range(len(WHOLE) + 1))
def test_the_body_comes_out_the_same_wherever_the_bytes_are_cut(cut):
    body, decoder = decoded(WHOLE[:cut], WHOLE[cut:])

    assert body == BODY
    assert decoder.complete
    assert decoder.rest == REST


def test_the_body_comes_out_the_same_byte_by_byte():
    body, decoder = decoded(*single_bytes(WHOLE))

    assert body == BODY
    assert decoder.complete
    assert decoder.rest == REST


def test_empty_pieces_change_nothing():
    body, decoder = decoded(b"", b"5\r\n", b"", b"hello", b"", b"\r\n0\r\n\r\n", b"")

    assert (body, decoder.complete, decoder.rest) == (b"hello", True, b"")


def test_the_body_is_given_as_soon_as_it_is_there():
    decoder = ChunkedDecoder()

    assert decoder.receive(b"5\r\nhe") == b"he"
    assert decoder.receive(b"l") == b"l"
    assert decoder.receive(b"lo\r\n3\r\n!") == b"lo!"
    assert not decoder.complete


def test_the_body_is_complete_with_the_last_byte_and_not_before():
    body, decoder = decoded(b"1\r\nx\r\n0\r\nName: value\r\n\r")
    assert (body, decoder.complete) == (b"x", False)

    assert decoder.receive(b"\n") == b""
    assert decoder.complete
    assert decoder.rest == b""


def test_what_was_encoded_is_decoded():
    pieces = [b"a", b"\r\n", b"0\r\n\r\n", bytes(range(256)) * 300]
    wire = b"".join(b"".join(chunk(piece)) for piece in pieces) + b"0\r\n\r\n"

    body, decoder = decoded(wire)

    assert body == b"".join(pieces)
    assert decoder.complete


MALFORMED = {
    "no size": b"\r\n",
    "only an extension": b";name=value\r\n",
    "a minus": b"-5\r\nhello\r\n",
    "a plus": b"+5\r\nhello\r\n",
    "an underscore": b"1_0\r\n0123456789abcdef\r\n",
    "a prefix": b"0x5\r\nhello\r\n",
    "a blank inside": b"1 0\r\n0123456789abcdef\r\n",
    "no hex": b"g\r\n",
    "digits of another script": "\u0665\r\n".encode(),
    "a NUL": b"5\0\r\nhello\r\n",
    "too long a chunk": b"5\r\nhello!\r\n0\r\n\r\n",
    "too short a chunk": b"5\r\nhell\r\n0\r\n\r\n",
    "no line end behind a chunk": b"5\r\nhello0\r\n\r\n",
    "a second chunk that is wrong": b"5\r\nhello\r\nX\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed_is_refused_wherever_it_is_cut(name):
    data = MALFORMED[name]

    for cut in range(len(data) + 1):
        with pytest.raises(RemoteProtocolError):
            decoded(data[:cut], data[cut:])
    with pytest.raises(RemoteProtocolError):
        decoded(*single_bytes(data))


def test_what_is_malformed_is_shown():
    with pytest.raises(RemoteProtocolError) as caught:
        decoded(b"GET / HTTP/1.1\r\n")
    assert str(caught.value) == "expected a chunk size in hex, found b'GET / HTTP/1.1'"

    with pytest.raises(RemoteProtocolError, match="expected the end of a chunk, found b'!"):
        decoded(b"5\r\nhello!\r\n")


def test_what_stands_where_a_chunk_must_end_is_refused_without_waiting_for_more():
    # The other side may be waiting, too.
    with pytest.raises(RemoteProtocolError):
        decoded(b"5\r\nhelloXY")


def test_a_size_line_without_end_is_refused():
    for pieces in ([b"0" * (MAX_SIZE_LINE + 2)], [b"0"] * (MAX_SIZE_LINE + 2)):
        with pytest.raises(RemoteProtocolError, match="over 256 bytes long"):
            decoded(*pieces)


@pytest.mark.parametrize("length", [10, 200, *range(250, 262), 300, 1000])
def test_a_size_line_is_too_long_or_not_wherever_it_is_cut(length):
    data = b"5;" + b"x" * (length - 2) + b"\r\nhello\r\n0\r\n\r\n"
    outcomes = set()

    for pieces in ([data], single_bytes(data), [data[:length], data[length:]]):
        try:
            outcomes.add(decoded(*pieces)[0])
        except RemoteProtocolError:
            outcomes.add(None)

    assert len(outcomes) == 1
    if abs(length - MAX_SIZE_LINE) > 2:
        assert outcomes == {b"hello" if length < MAX_SIZE_LINE else None}


@pytest.mark.parametrize(
    "line", [b"x" * 1000, b"Name: value\r\n" * 100], ids=["one long trailer", "many trailers"]
)
def test_trailers_without_end_are_refused(line):
    with pytest.raises(RemoteProtocolError):
        decoded(b"0\r\n", *[line] * (2 * MAX_TRAILERS // len(line)))


def test_trailers_of_some_kib_are_passed_over():
    body, decoder = decoded(b"0\r\n", b"Name: " + b"x" * 60000 + b"\r\n", b"\r\nREST")

    assert (body, decoder.complete, decoder.rest) == (b"", True, b"REST")
