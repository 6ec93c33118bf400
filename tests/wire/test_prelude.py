"""The HTTP head of a streamed response, as bytes and back."""

from __future__ import annotations

import pytest

from penstock.errors import PreludeError, RemoteProtocolError
from penstock.messages import Prelude
from penstock.wire.prelude import CONTENT_TYPE, MAX_SIZE, PreludeDecoder, encode_prelude

HEAD = {"statusCode": 201, "headers": {"x-tag": "größe"}, "cookies": ["a=1"]}
# The body begins with NULs, and has eight of them in it.
BODY = b"\0\0body\0\0\0\0\0\0\0\0{}"
WHOLE = (
    b'{"statusCode":201,"headers":{"x-tag":"gr\xc3\xb6\xc3\x9fe"},"cookies":["a=1"]}'
    b"\0\0\0\0\0\0\0\0" + BODY
)


def test_a_prelude_is_compact_json_and_eight_nuls():
    prelude = Prelude(
        404,
        {"Content-Type": "text/plain", "x-tag": "größe"},
        ["a=1", "b=2"],
        {"vary": ["x", "y"]},
    )

    assert encode_prelude(prelude) == (
        b'{"statusCode":404,'
        b'"headers":{"Content-Type":"text/plain","x-tag":"gr\xc3\xb6\xc3\x9fe"},'
        b'"cookies":["a=1","b=2"],'
        b'"multiValueHeaders":{"vary":["x","y"]}}'
        b"\0\0\0\0\0\0\0\0"
    )


def test_a_response_says_by_its_content_type_that_it_has_a_prelude():
    assert CONTENT_TYPE == "application/vnd.awslambda.http-integration-response"


def test_a_prelude_that_says_nothing_says_200():
    assert encode_prelude(Prelude()) == b'{"statusCode":200}\0\0\0\0\0\0\0\0'


def test_what_frames_the_body_is_not_sent():
    prelude = Prelude(200, {"Content-Length": "5", "Transfer-Encoding": "gzip", "x": "y"})

    assert encode_prelude(prelude) == b'{"statusCode":200,"headers":{"x":"y"}}' + bytes(8)


def test_a_prelude_may_be_16_kib_with_its_delimiter_and_no_more():
    frame = len(encode_prelude(Prelude(200, {"x": ""})))
    fits = Prelude(200, {"x": "y" * (16384 - frame)})
    too_large = Prelude(200, {"x": "y" * (16384 - frame + 1)})

    assert len(encode_prelude(fits)) == 16384
    with pytest.raises(PreludeError) as caught:
        encode_prelude(too_large)
    assert str(caught.value) == (
        "the status, headers and cookies make a prelude of 16385 bytes; "
        "Lambda's front doors read at most 16384"
    )


@pytest.mark.parametrize("cut", range(len(WHOLE) + 1))
def test_head_and_body_come_out_the_same_wherever_the_bytes_are_cut(cut):
    decoder = PreludeDecoder()

    body = decoder.receive(WHOLE[:cut]) + decoder.receive(WHOLE[cut:])

    assert decoder.metadata == HEAD
    assert body == BODY


def test_head_and_body_come_out_the_same_byte_by_byte():
    decoder = PreludeDecoder()

    body = b"".join(decoder.receive(WHOLE[i : i + 1]) for i in range(len(WHOLE)))

    assert decoder.metadata == HEAD
    assert body == BODY


def test_the_head_is_known_with_its_last_byte_and_not_before():
    decoder = PreludeDecoder()

    assert decoder.receive(b'{"statusCode":204}\0\0\0\0\0\0\0') == b""
    assert decoder.metadata is None
    assert decoder.pending == b'{"statusCode":204}\0\0\0\0\0\0\0'
    assert decoder.receive(b"\0") == b""
    assert decoder.metadata == {"statusCode": 204}
    assert decoder.pending == b""


def test_the_body_is_passed_on_as_it_comes():
    decoder = PreludeDecoder()
    decoder.receive(b"{}" + bytes(8))
    data = b"one"

    assert decoder.receive(data) is data
    assert decoder.receive(bytes(8)) == bytes(8)
    assert decoder.receive(b"") == b""


def test_an_empty_object_is_a_head():
    decoder = PreludeDecoder()

    assert decoder.receive(b"{}\0\0\0\0\0\0\0\0body") == b"body"
    assert decoder.metadata == {}


def test_what_was_encoded_is_decoded():
    prelude = Prelude(418, {"x-tag": "\u2028"}, ["a=b; Path=/"], {"vary": ["x"]})
    decoder = PreludeDecoder()

    assert decoder.receive(encode_prelude(prelude) + b"body") == b"body"
    assert Prelude.from_metadata(decoder.metadata) == prelude


MALFORMED = {
    "nothing": b"" + bytes(8),
    "no JSON": b"HTTP/1.1 200 OK" + bytes(8),
    "half of an object": b'{"statusCode":2' + bytes(8),
    "no UTF-8": b'{"headers":{"a":"\xff"}}' + bytes(8),
    "too much": b"{}{}" + bytes(8),
    "a list": b"[200]" + bytes(8),
    "a number": b"200" + bytes(8),
    "null": b"null" + bytes(8),
    "nested without end": b"[" * 16000 + bytes(8),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_head_that_is_no_object_is_refused_wherever_it_is_cut(name):
    data = MALFORMED[name]

    for cut in {0, 1, len(data) // 2, len(data) - 8, len(data) - 4, len(data) - 1, len(data)}:
        decoder = PreludeDecoder()
        with pytest.raises(RemoteProtocolError):
            decoder.receive(data[:cut])
            decoder.receive(data[cut:])


def test_a_head_that_is_no_object_is_named():
    with pytest.raises(RemoteProtocolError) as caught:
        PreludeDecoder().receive(b"[200]" + bytes(8))

    assert str(caught.value) == "the prelude must be a JSON object, not list"


NO_DELIMITER = (
    "no eight NUL bytes within the first 16384 bytes of a response "
    "that says it starts with a prelude"
)


def head_of(size):
    """A head of `size` bytes, delimiter included."""
    return b"{" + b" " * (size - 10) + b"}" + bytes(8)


@pytest.mark.parametrize("piece", [1, 7, 1000, 16383, 100_000])
def test_the_delimiter_may_end_with_the_first_16_kib_and_not_after(piece):
    for size, fits in ((MAX_SIZE, True), (MAX_SIZE + 1, False)):
        data = head_of(size) + b"body"
        decoder = PreludeDecoder()
        pieces = (data[i : i + piece] for i in range(0, len(data), piece))
        if fits:
            assert b"".join(map(decoder.receive, pieces)) == b"body"
            assert decoder.metadata == {}
        else:
            with pytest.raises(RemoteProtocolError) as caught:
                b"".join(map(decoder.receive, pieces))
            assert str(caught.value) == NO_DELIMITER


def test_a_body_without_a_head_is_refused_after_16_kib_and_not_before():
    decoder = PreludeDecoder()

    assert decoder.receive(b"x" * 16383) == b""
    with pytest.raises(RemoteProtocolError):
        decoder.receive(b"x")


def test_seven_nuls_are_no_delimiter():
    decoder = PreludeDecoder()

    assert decoder.receive(b"{}" + bytes(7) + b"x" + bytes(7)) == b""
    assert decoder.metadata is None
