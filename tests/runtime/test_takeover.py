"""The takeover's own connection, beside that of AWS's client."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from functools import wraps
from types import SimpleNamespace

import pytest

from penstock import streamify_response
from penstock.runtime.takeover import Takeover
from penstock.stream import current_responder


def in_a_context_of_its_own(test: Callable[..., None]) -> Callable[..., None]:
    """The takeover sets the responder and leaves it set."""

    @wraps(test)
    def run(**fixtures: object) -> None:
        copy_context().run(test, **fixtures)

    return run


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)
    yield listener
    listener.close()


def takeover_to(listener: socket.socket) -> Takeover:
    return Takeover(f"127.0.0.1:{listener.getsockname()[1]}")


@streamify_response
def handler(event, context):
    yield "one"


@in_a_context_of_its_own
def test_a_connection_that_died_meanwhile_is_not_used_for_a_stream(listener):
    """It is idle while the environment is frozen."""
    bodies: list[bytes] = []

    def serve_one_response_on_each_connection() -> None:
        for _ in range(3):
            connected = listener.accept()[0]
            with connected:
                body = b""
                while not body.endswith(b"\r\n0\r\n\r\n"):
                    body += connected.recv(65536)
                bodies.append(body.partition(b"\r\n\r\n")[2])
                connected.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")

    server = threading.Thread(target=serve_one_response_on_each_connection, daemon=True)
    server.start()
    takeover = takeover_to(listener)
    for number in range(3):
        takeover.begin(SimpleNamespace(invoke_id=str(number)))
        handler({}, None)
        assert takeover.has_answered(str(number))
        takeover.finish()
        # The end of the connection has arrived before the next invocation does.
        kept = takeover._api._kept
        if kept is not None:
            assert kept.socket.recv(1, socket.MSG_PEEK) == b""
    server.join(10)
    assert bodies == [b"3\r\none\r\n0\r\n\r\n"] * 3
    takeover._api.drop_stale()


@in_a_context_of_its_own
def test_a_stream_that_was_never_ended_is_cut_off_when_the_client_goes_on(listener):
    takeover = takeover_to(listener)
    takeover.begin(SimpleNamespace(invoke_id="1"))
    current_responder.get().blocking_sink().begin("text/plain", [b"one"])
    takeover.finish()
    with listener.accept()[0] as connected:
        received = b""
        while data := connected.recv(65536):
            received += data
    assert received.endswith(b"\r\n\r\n3\r\none\r\n")


@in_a_context_of_its_own
def test_only_the_invocation_at_hand_counts_as_answered_and_only_once_it_has_begun(listener):
    takeover = takeover_to(listener)
    takeover.begin(SimpleNamespace(invoke_id="1"))
    sink = current_responder.get().blocking_sink()
    assert not takeover.has_answered("1")
    sink.begin("text/plain", [b"one"])
    assert takeover.has_answered("1")
    assert not takeover.has_answered("2")
    takeover.finish()
    assert not takeover.has_answered("1")


@in_a_context_of_its_own
def test_the_id_of_the_attempt_goes_back_with_the_stream(listener):
    """AWS's client has it since 4.0.2; before, its invocations have no such attribute."""
    takeover = takeover_to(listener)
    for attempt, is_sent in (({"invocation_id": "a1"}, True), ({}, False)):
        takeover.begin(SimpleNamespace(invoke_id="1", **attempt))
        current_responder.get().blocking_sink().begin("text/plain", [])
        takeover.finish()
        with listener.accept()[0] as connected:
            received = b""
            while data := connected.recv(65536):
                received += data
        assert (b"\r\nLambda-Runtime-Invocation-Id: a1\r\n" in received) is is_sent
