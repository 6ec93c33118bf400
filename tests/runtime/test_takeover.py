"""The takeover's own connection, which is idle while the environment is frozen."""

from __future__ import annotations

import socket
import threading
from contextvars import copy_context
from types import SimpleNamespace

from penstock import streamify_response
from penstock.runtime.takeover import Takeover


@streamify_response
def handler(event, context):
    yield "one"


def test_a_connection_that_died_meanwhile_is_not_used_for_a_stream():
    # In a context of its own: the takeover sets the responder and leaves it set.
    copy_context().run(stream_three_times)


def stream_three_times() -> None:
    bodies: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

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
    takeover = Takeover(f"127.0.0.1:{listener.getsockname()[1]}")
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
    listener.close()
    assert bodies == [b"3\r\none\r\n0\r\n\r\n"] * 3
    takeover._api.drop_stale()
