"""What all fronts do with the whole answer of a function."""

from __future__ import annotations

import logging

import pytest

from tests.tools import RawClient

from .api_server import serving_apis

NO_PLACE = """
    def handler(event, context):
        return {{"statusCode": {status}, "body": "has no place"}}
"""


def answered_twice(port: int, host: str, path: str) -> bytes:
    """The second answer on a connection, whose first may have no body."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n".encode()
    with RawClient(port) as client:
        client.send(request + b"\r\n")
        client.read_until(b"\r\n\r\n")
        client.send(request + b"Connection: close\r\n\r\n")
        return client.read_all()


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("invoke_mode", ["RESPONSE_STREAM", "BUFFERED"])
def test_a_url_leaves_out_a_body_that_has_no_place(status, invoke_mode, serve, caplog):
    function = serve(NO_PLACE.format(status=status), invoke_mode=invoke_mode)

    answer = answered_twice(function.port, "localhost", "/")

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.endswith(b"\r\n\r\n")
    # Nothing became of the oddity that the body is the whole object.
    assert "(Function URL)" not in function.log
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("status", [204, 304])
def test_a_rest_api_leaves_out_a_body_that_has_no_place(status, tmp_path, caplog):
    with serving_apis(tmp_path) as serve:
        api = serve(NO_PLACE.format(status=status), "BUFFERED")

        answer = answered_twice(api.port, api.host, "/local/")

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.endswith(b"\r\n\r\n")
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []
