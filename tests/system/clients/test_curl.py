"""curl against the emulator: what it sends, gets, and when it gets it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re

import pytest

from tests.system.clients.tools import ECHO, THREE_CHUNKS


def headers_in(head: str) -> dict[str, str]:
    """The header fields of what `curl -i` prints before the body."""
    _, *lines = head.strip().split("\r\n")
    fields = (line.partition(": ") for line in lines)
    return {name.lower(): value for name, _, value in fields}


def test_curl_shows_each_chunk_before_the_next_is_written(serve, gate, curl):
    function = serve(THREE_CHUNKS)
    client = curl("-N", "-i", function.url)

    head = client.read_until("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    headers = headers_in(head)
    assert headers["content-type"] == "text/plain"
    assert headers["x-from"] == "the handler"
    assert headers["transfer-encoding"] == "chunked"
    assert re.fullmatch(r"[0-9a-f-]{36}", headers["x-amzn-requestid"])
    assert headers["x-amzn-trace-id"].startswith("Root=1-")
    assert "content-length" not in headers

    assert client.read_until("one") == "one"
    gate.open("1")
    assert client.read_until("two") == "two"
    gate.open("2")
    assert client.read_all() == "three"


def test_curl_with_http_1_0_streams_until_the_connection_closes(serve, gate, curl):
    function = serve(THREE_CHUNKS)
    client = curl("-N", "-i", "--http1.0", function.url)

    headers = headers_in(client.read_until("\r\n\r\n"))
    assert headers["connection"] == "close"
    assert "transfer-encoding" not in headers

    assert client.read_until("one") == "one"
    gate.open("1")
    assert client.read_until("two") == "two"
    gate.open("2")
    assert client.read_all() == "three"


def test_curl_that_asks_for_http_2_is_answered_with_1_1(serve, gate, curl):
    function = serve(THREE_CHUNKS)
    client = curl("-N", "-i", "--http2", function.url)
    assert client.read_until("one").startswith("HTTP/1.1 200 OK\r\n")
    gate.open("1")
    gate.open("2")
    assert client.read_all() == "twothree"


def test_curl_keeps_its_connection_for_the_next_url(serve, curl):
    function = serve("""
        @streamify_response
        def handler(event, response_stream, context):
            response_stream.write(event["rawPath"])
            response_stream.write(";")
    """)
    client = curl(
        *("--http1.1", "-N", "-w", "%{num_connects} connections\n"),
        *(f"{function.url}/first", f"{function.url}/second"),
    )
    assert client.read_all() == "/first;1 connections\n/second;0 connections\n"


@pytest.mark.parametrize("path", ["/", "/2015-03-31"])
def test_curl_finds_the_function_by_a_name_under_localhost(path, serve, curl):
    function = serve("""
        @streamify_response
        def handler(event, response_stream, context):
            response_stream.write(event["requestContext"]["domainName"] + event["rawPath"])
    """)
    client = curl("-N", f"http://app.lambda-url.localhost:{function.port}{path}")
    assert client.read_all() == f"app.lambda-url.localhost{path}"


def test_curl_gets_403_for_a_function_that_does_not_exist(serve, curl):
    function = serve(ECHO)
    client = curl("-i", f"http://other.lambda-url.localhost:{function.port}/")
    assert client.read_until("\r\n").startswith("HTTP/1.1 403 ")
    assert client.read_all().endswith('{"Message":null}')
    assert "START" not in function.log


@pytest.mark.parametrize(
    ("content_type", "text"),
    [("application/json", '{"to": "all"}'), ("text/plain", "é"), ("application/xml", "<a/>")],
)
def test_curl_posts_text_that_the_handler_gets_as_text(content_type, text, serve, curl):
    function = serve(ECHO)
    answer = curl("-H", f"Content-Type: {content_type}", "--data", text, function.url).read_all()
    event = json.loads(answer)
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["headers"]["content-type"] == content_type
    assert event["body"] == text
    assert event["isBase64Encoded"] is False


def test_curl_posts_a_form_that_the_handler_gets_in_base64(serve, curl):
    function = serve(ECHO)
    event = json.loads(curl("--data", "a=1&b=2", function.url).read_all())
    assert event["headers"]["content-type"] == "application/x-www-form-urlencoded"
    assert base64.b64decode(event["body"]) == b"a=1&b=2"
    assert event["isBase64Encoded"] is True


DIGEST = """
    import base64, hashlib

    @streamify_response
    def handler(event, response_stream, context):
        body = base64.b64decode(event["body"])
        digest = hashlib.sha256(body).hexdigest()
        response_stream.write(f"{len(body)} {digest} {event['headers']['content-length']}")
"""


@pytest.mark.parametrize(
    "upload",
    [
        ["--data-binary", "@body", "-H", "Content-Type: image/png"],
        ["--data-binary", "@body", "-H", "Content-Type: image/png", "-H", "Expect: 100-continue"],
        ["--upload-file", "body"],
        ["--upload-file", "body", "-H", "Transfer-Encoding: chunked"],
    ],
    ids=["post", "after 100 Continue", "put", "put in chunks"],
)
def test_curl_uploads_two_megabytes(upload, serve, curl, tmp_path):
    function = serve(DIGEST)
    body = os.urandom(2_000_000)
    (tmp_path / "body").write_bytes(body)
    digest = hashlib.sha256(body).hexdigest()
    assert curl(*upload, function.url).read_all() == f"2000000 {digest} 2000000"


@pytest.mark.parametrize("framing", ["with its length", "in chunks"])
def test_curl_that_uploads_more_than_six_megabytes_gets_413(framing, serve, curl, tmp_path):
    function = serve(DIGEST)
    (tmp_path / "body").write_bytes(bytes(8_000_000))
    chunked = ["-H", "Transfer-Encoding: chunked"] if framing == "in chunks" else []
    client = curl(
        *("--upload-file", "body", *chunked, "--output", "answer"),
        *("-w", "%{http_code}\n", function.url),
    )
    assert client.read_all() == "413\n"
    assert json.loads((tmp_path / "answer").read_text())["Message"]
    assert "START" not in function.log


def test_curl_that_asks_for_the_head_only_does_not_wait_for_the_body(serve, gate, curl):
    function = serve(THREE_CHUNKS)
    answer = curl("-I", function.url).read_all()
    assert answer.startswith("HTTP/1.1 200 OK\r\n")
    assert answer.endswith("\r\n\r\n")
    assert headers_in(answer)["x-from"] == "the handler"
    assert "END RequestId" not in function.log
    gate.open("1")
    gate.open("2")
    function.wait_for_log("REPORT RequestId")


def test_a_function_goes_on_when_curl_leaves_in_the_middle(serve, gate, curl):
    function = serve(THREE_CHUNKS, max_environments=1)
    client = curl("-N", function.url)
    client.read_until("one")
    client.kill()
    gate.open("1")
    gate.open("2")
    function.wait_for_log("REPORT RequestId")

    again = curl("-N", function.url)
    again.read_until("one")
    gate.open("1")
    gate.open("2")
    assert again.read_all() == "twothree"
    assert function.log.count("Init Duration") == 1


def test_a_function_that_fills_every_buffer_goes_on_when_curl_leaves(serve, curl):
    function = serve(
        """
        @streamify_response
        def handler(event, response_stream, context):
            for _ in range(50):
                response_stream.write(bytes(1_000_000))
        """,
        max_environments=1,
    )
    # At 1000 bytes a second curl is still reading when the handler can write no more.
    client = curl("-N", "--limit-rate", "1000", function.url)
    client.read_until("\0")
    client.kill()
    function.wait_for_log("REPORT RequestId")
    assert len(curl("-N", function.url).read_all()) == 50_000_000


CUT = """
    @streamify_response
    def handler(event, response_stream, context):
        response_stream.write("half")
        if event["rawPath"] == "/cut":
            os._exit(3)
"""


def test_curl_notices_that_a_stream_was_cut(serve, curl):
    function = serve(CUT)
    assert curl("-N", f"{function.url}/cut").read_all(status=18) == "half"


def test_curl_with_http_1_0_notices_that_a_stream_was_cut(serve, curl):
    """Such an answer ends with its connection: only a reset can tell that it is not whole."""
    function = serve(CUT)
    assert curl("-N", "--http1.0", f"{function.url}/cut").read_all(status=56) == "half"


def test_curl_that_asks_for_a_tunnel_is_refused(serve, curl):
    function = serve(CUT, max_environments=1)
    client = curl("--max-time", "2", "-X", "CONNECT", "-w", "%{http_code}", function.url)
    assert client.read_all()[-3:] in ("400", "405", "501")
    assert curl(function.url).read_all() == "half"
