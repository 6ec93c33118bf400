"""The POST of a streamed response, byte for byte, and in no other order."""

from __future__ import annotations

import json
from base64 import b64decode

import pytest

from penstock.errors import LocalProtocolError
from penstock.wire.response_states import State
from penstock.wire.runtime_api import RuntimeApiRequests
from penstock.wire.streamed_response import StreamedResponseWriter

REQUESTS = RuntimeApiRequests("127.0.0.1:9001", "penstock/test")

HEAD = (
    b"POST /2018-06-01/runtime/invocation/8476a536/response HTTP/1.1\r\n"
    b"Host: 127.0.0.1:9001\r\n"
    b"User-Agent: penstock/test\r\n"
    b"Content-Type: text/plain\r\n"
    b"Lambda-Runtime-Function-Response-Mode: streaming\r\n"
    b"Transfer-Encoding: chunked\r\n"
    b"Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n"
)


@pytest.fixture
def writer():
    return StreamedResponseWriter(REQUESTS, "8476a536")


def test_a_whole_response_is_head_chunks_and_end(writer):
    wire = b"".join(
        [
            *writer.head("text/plain", [b"one", b"two"]),
            *writer.body(b"a longer chunk, 26 bytes ..."[:26]),
            *writer.end(),
        ]
    )

    assert wire == (
        HEAD + b"\r\n3\r\none\r\n3\r\ntwo\r\n1a\r\na longer chunk, 26 bytes .\r\n0\r\n\r\n"
    )


def test_a_response_without_a_body_is_head_and_end(writer):
    wire = b"".join([*writer.head("text/plain"), *writer.end()])

    assert wire == HEAD + b"\r\n0\r\n\r\n"


def test_the_invocation_id_goes_back_when_there_is_one():
    writer = StreamedResponseWriter(REQUESTS, "8476a536", "attempt-2")

    assert b"".join(writer.head("text/plain")) == (
        HEAD + b"Lambda-Runtime-Invocation-Id: attempt-2\r\n\r\n"
    )


def test_a_failure_is_the_last_chunk_and_two_trailers(writer):
    writer.head("text/plain")
    wire = b"".join(writer.failure("ValueError", "half-way", ["frame"]))

    last_chunk, error_type, error_body, *ends = wire.split(b"\r\n")
    assert last_chunk == b"0"
    assert error_type == b"Lambda-Runtime-Function-Error-Type: ValueError"
    name, _, value = error_body.partition(b": ")
    assert name == b"Lambda-Runtime-Function-Error-Body"
    assert json.loads(b64decode(value)) == {
        "errorType": "ValueError",
        "errorMessage": "half-way",
        "stackTrace": ["frame"],
    }
    assert ends == [b"", b""]


def test_chunks_are_not_copied(writer):
    first, second = bytes(100_000), bytes(200_000)

    assert any(buffer is first for buffer in writer.head("text/plain", [first]))
    assert any(buffer is second for buffer in writer.body(second))


def test_an_empty_chunk_is_refused_for_it_would_end_the_body(writer):
    writer.head("text/plain")

    with pytest.raises(ValueError, match="an empty chunk would end the body"):
        writer.body(b"")


def test_the_state_follows_the_moves(writer):
    assert writer.state is State.WAITING
    writer.head("text/plain")
    assert writer.state is State.STREAMING
    writer.body(b"one")
    assert writer.state is State.STREAMING
    writer.end()
    assert writer.state is State.ENDED


MOVES = {
    "head": lambda writer: writer.head("text/plain"),
    "body": lambda writer: writer.body(b"one"),
    "end": lambda writer: writer.end(),
    "failure": lambda writer: writer.failure("ValueError", "", []),
}

REFUSED = [
    ([], ["body", "end"]),
    (["head"], ["head"]),
    (["head", "body"], ["head"]),
    (["head", "end"], ["head", "body", "end", "failure"]),
    (["head", "failure"], ["head", "body", "end", "failure"]),
]


@pytest.mark.parametrize(
    ("made", "move"), [(made, move) for made, moves in REFUSED for move in moves]
)
def test_a_move_out_of_order_is_refused_and_changes_nothing(writer, made, move):
    for name in made:
        MOVES[name](writer)
    state = writer.state

    with pytest.raises(LocalProtocolError):
        MOVES[move](writer)

    assert writer.state is state


def test_a_failure_before_the_head_is_none_of_this_post(writer):
    with pytest.raises((ValueError, LocalProtocolError)) as caught:
        writer.failure("ValueError", "early", [])

    assert str(caught.value) == "before the head a failure is a POST to /error"
    assert writer.state is State.WAITING
