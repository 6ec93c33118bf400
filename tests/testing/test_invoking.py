"""`invoke` and what is at the address that is no emulator, or a broken one."""

from __future__ import annotations

import socket
import threading

import pytest

from penstock.testing.invoking import FunctionError, InvokeError, invoke


@pytest.fixture
def server():
    """Answers one request with given bytes and closes; gives the address and the request."""
    threads = []

    def serve(answer):
        listening = socket.create_server(("127.0.0.1", 0))
        listening.settimeout(15)
        received = []

        def run():
            with listening, listening.accept()[0] as connection:
                connection.settimeout(15)
                data = b""
                while not data.endswith(b"{}"):
                    data += connection.recv(65536)
                received.append(data)
                connection.sendall(answer)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}", received

    yield serve
    for thread in threads:
        thread.join(15)


def answer(head, body=b""):
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (head, len(body), body)


def test_it_is_called_as_aws_clients_call_it(server):
    url, received = server(answer(b"200 OK\r\nX-Amz-Log-Result: b25lCg==", b"[1]"))

    answered = invoke(url, "a/b", {}, timeout=15)

    assert (answered.json(), answered.log) == ([1], "one\n")
    assert received[0].startswith(b"POST /2015-03-31/functions/a%2Fb/invocations HTTP/1.1\r\n")
    assert b"\r\nAuthorization: AWS4-HMAC-SHA256 " in received[0]


@pytest.mark.parametrize(
    ("body", "told"), [(b"Not here", ": Not here"), (b"\n<html>Not here</html>", "")]
)
def test_another_server_is_told_without_its_pages(server, body, told):
    url, _ = server(answer(b"404 Not Found", body))

    with pytest.raises(InvokeError, match=f"with status 404, as no emulator does{told}$"):
        invoke(url, "app", {}, timeout=15)


def test_what_is_no_http_is_told(server):
    url, _ = server(b"SSH-2.0-OpenSSH_9.2\r\n")

    with pytest.raises(InvokeError, match=r"cannot invoke app at http.*BadStatusLine"):
        invoke(url, "app", {}, timeout=15)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "told"), [(HEAD + b"half", " after 4 bytes"), (HEAD, ""), (b"", "")]
)
def test_an_answer_that_is_cut_is_no_answer(server, sent, told):
    url, _ = server(sent)

    with pytest.raises(InvokeError, match=f"^the answer of app at {url} broke off{told}; the func"):
        invoke(url, "app", {}, timeout=15)


def test_an_answer_that_does_not_come_is_not_waited_for_any_longer():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"

        with pytest.raises(InvokeError, match=r"has not answered within 0\.05 seconds"):
            invoke(url, "app", {}, timeout=0.05)


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (b'{"errorType": "E", "errorMessage": "m", "stackTrace": ["a"]}', "app failed: E: m"),
        (b'{"errorMessage": "m"}', "app failed: Error: m"),
        (b'{"errorType": "E", "errorMessage": null, "stackTrace": {}}', "app failed: E"),
        (b"[1]", "app failed: Error: [1]"),
        (b"\xff", "app failed: Error: \ufffd"),
    ],
)
def test_an_error_is_told_whatever_the_runtime_has_reported(server, payload, told):
    url, _ = server(answer(b"200 OK\r\nX-Amz-Function-Error: Unhandled", payload))

    with pytest.raises(FunctionError) as caught:
        invoke(url, "app", {}, timeout=15)

    assert str(caught.value) == told
    assert caught.value.payload == payload
