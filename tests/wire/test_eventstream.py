"""The frames of `InvokeWithResponseStream`, against captured bytes and botocore's decoder."""

from __future__ import annotations

import struct
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer

from penstock.errors import RemoteProtocolError
from penstock.wire.eventstream import (
    CONTENT_TYPE,
    EventStreamDecoder,
    invoke_complete,
    payload_chunk,
)

# As botocore decodes it.
PAYLOAD_CHUNK = bytes.fromhex(
    "000000750000005adfae083c"
    "0b3a6576656e742d7479706507000c5061796c6f61644368756e6b"
    "0d3a636f6e74656e742d747970650700186170706c69636174696f6e2f6f637465742d73747265616d"
    "0d3a6d6573736167652d747970650700056576656e74"
    "48656c6c6f20776f726c64"
    "db6bbc60"
)

# Byte for byte as captured on AWS by the tests of Kong's aws-lambda plugin.
INVOKE_COMPLETE = bytes.fromhex(
    "00000066000000541f56c869"
    "0b3a6576656e742d7479706507000e496e766f6b65436f6d706c657465"
    "0d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e"
    "0d3a6d6573736167652d747970650700056576656e74"
    "7b7d"
    "7006d467"
)

WHOLE = PAYLOAD_CHUNK + INVOKE_COMPLETE


def frame(headers, payload=b""):
    """A frame with right lengths and checksums around any headers."""
    lengths = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    start = lengths + struct.pack(">I", crc32(lengths)) + headers + payload
    return start + struct.pack(">I", crc32(start))


def decoded(*pieces):
    decoder = EventStreamDecoder()
    messages = [message for piece in pieces for message in decoder.receive(piece)]
    decoder.receive_eof()
    return [(message.headers, message.payload) for message in messages]


EXPECTED = [
    (
        {
            ":event-type": "PayloadChunk",
            ":content-type": "application/octet-stream",
            ":message-type": "event",
        },
        b"Hello world",
    ),
    (
        {
            ":event-type": "InvokeComplete",
            ":content-type": "application/json",
            ":message-type": "event",
        },
        b"{}",
    ),
]


def test_the_content_type_is_the_one_of_aws():
    assert CONTENT_TYPE == "application/vnd.amazon.eventstream"


def test_a_payload_chunk_is_the_known_bytes():
    data = b"Hello world"

    buffers = payload_chunk(data)

    assert b"".join(buffers) == PAYLOAD_CHUNK
    assert buffers[1] is data


def test_the_end_of_an_invocation_is_the_captured_bytes():
    assert b"".join(invoke_complete()) == INVOKE_COMPLETE
    assert b"".join(invoke_complete(b"{}")) == INVOKE_COMPLETE


@pytest.mark.parametrize("payload", [b"", b"\0", bytes(range(256)) * 1000])
def test_botocore_reads_what_is_written(payload):
    buffer = EventStreamBuffer()
    buffer.add_data(b"".join(payload_chunk(payload)) + b"".join(invoke_complete(b'{"a":1}')))

    chunk, end = (event.to_response_dict() for event in buffer)

    assert chunk["body"] == payload
    assert chunk["headers"] == EXPECTED[0][0]
    assert end["body"] == b'{"a":1}'
    assert end["headers"] == EXPECTED[1][0]


@pytest.mark.parametrize("cut", range(len(WHOLE) + 1))
def test_messages_come_out_the_same_wherever_the_bytes_are_cut(cut):
    assert decoded(WHOLE[:cut], WHOLE[cut:]) == EXPECTED


def test_messages_come_out_the_same_byte_by_byte():
    assert decoded(*(WHOLE[i : i + 1] for i in range(len(WHOLE)))) == EXPECTED


def test_a_message_is_given_with_its_last_byte_and_not_before():
    decoder = EventStreamDecoder()

    assert decoder.receive(PAYLOAD_CHUNK[:-1]) == []
    (message,) = decoder.receive(PAYLOAD_CHUNK[-1:] + INVOKE_COMPLETE[:50])

    assert message.event_type == "PayloadChunk"
    assert message.payload == b"Hello world"


def test_nothing_is_no_message():
    assert decoded() == []
    assert decoded(b"", b"") == []


def test_a_message_shows_its_headers_and_size():
    (message,) = EventStreamDecoder().receive(INVOKE_COMPLETE)

    assert repr(message) == f"<Message {EXPECTED[1][0]} 2 bytes>"
    assert message.event_type == "InvokeComplete"


def test_a_message_without_headers_has_no_event_type():
    (message,) = EventStreamDecoder().receive(frame(b"", b"payload"))

    assert message.headers == {}
    assert message.event_type == ""
    assert message.payload == b"payload"


def test_a_header_of_another_type_is_passed_over():
    others = (
        b"\x01a\x00"  # true
        b"\x01b\x01"  # false
        b"\x01c\x02\x7f"  # a byte
        b"\x01d\x03\x7f\xff"  # a short
        b"\x01e\x04\x7f\xff\xff\xff"  # an integer
        b"\x01f\x05\x7f\xff\xff\xff\xff\xff\xff\xff"  # a long
        b"\x01g\x06\x00\x02\xff\xfe"  # bytes
        b"\x01h\x08\x00\x00\x01\x99\x00\x00\x00\x00"  # a timestamp
        b"\x01i\x09\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"  # a UUID
    )
    data = frame(b"\x05first\x07\x00\x04gr\xc3\xbc" + others + b"\x04last\x07\x00\x00", b"payload")

    assert decoded(data) == [({"first": "grü", "last": ""}, b"payload")]
    # The same bytes are fine for botocore, too.
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    (event,) = buffer
    assert len(event.headers) == 11


def test_a_cut_in_the_middle_of_a_message_is_an_error():
    for cut in range(1, len(PAYLOAD_CHUNK)):
        decoder = EventStreamDecoder()
        assert decoder.receive(PAYLOAD_CHUNK[:cut]) == []

        with pytest.raises(RemoteProtocolError) as caught:
            decoder.receive_eof()

        assert str(caught.value) == f"the event stream was cut {cut} bytes into a message"


@pytest.mark.parametrize("position", range(len(PAYLOAD_CHUNK)))
def test_a_byte_that_is_damaged_is_noticed(position):
    damaged = bytearray(PAYLOAD_CHUNK)
    damaged[position] ^= 0x20

    with pytest.raises(RemoteProtocolError) as caught:
        decoded(damaged)

    assert str(caught.value) == (
        "the lengths of an event stream message are damaged"
        if position < 12
        else "an event stream message has a wrong checksum"
    )


def lengths(total, headers):
    """The start of a frame that claims these lengths, with a right checksum."""
    claim = struct.pack(">II", total, headers)
    return claim + struct.pack(">I", crc32(claim))


@pytest.mark.parametrize(
    ("total", "headers"),
    [
        (0, 0),
        (15, 0),
        (16, 1),
        (100, 85),
        (100, 2**32 - 1),
        (131073 + 16, 131073),
        (24 * 1024 * 1024 + 17, 0),
        (2**32 - 1, 0),
    ],
)
def test_lengths_that_cannot_be_are_refused_before_the_message_has_come(total, headers):
    with pytest.raises(RemoteProtocolError) as caught:
        EventStreamDecoder().receive(lengths(total, headers))

    assert str(caught.value) == (
        f"an event stream message claims {headers} bytes of headers "
        f"and {total - headers - 16} of payload"
    )


@pytest.mark.parametrize(
    ("total", "headers"), [(16, 0), (131072 + 16, 131072), (24 * 1024 * 1024 + 16, 0)]
)
def test_the_largest_lengths_are_waited_for(total, headers):
    assert EventStreamDecoder().receive(lengths(total, headers)) == []


MALFORMED_HEADERS = {
    "an unknown type": b"\x01a\x0a\x00\x00",
    "a name that is cut": b"\x05ab",
    "no type": b"\x02ab",
    "a length that is cut": b"\x01a\x07\x00",
    "a text that is cut": b"\x01a\x07\x00\x64abc",
    "a number that is cut": b"\x01a\x04\x00\x00",
    "bytes that are cut": b"\x01a\x06\x00\x02\xff",
    "a name that is no UTF-8": b"\x01\xff\x07\x00\x00",
    "a text that is no UTF-8": b"\x01a\x07\x00\x01\xff",
}


@pytest.mark.parametrize("name", MALFORMED_HEADERS)
def test_malformed_headers_are_refused(name):
    with pytest.raises(RemoteProtocolError) as caught:
        decoded(frame(MALFORMED_HEADERS[name], b"payload that must not be taken for a header"))

    assert str(caught.value) in {
        "unknown type 10 of an event stream header",
        "malformed headers in an event stream message",
        "the headers of an event stream message are cut",
    }
    assert ("unknown" in str(caught.value)) is (name == "an unknown type")
