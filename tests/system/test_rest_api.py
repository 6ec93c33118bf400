"""REST APIs that stream, with real functions behind them and real clients in front."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from penstock.emulator import limits
from tests.emulator.api_server import ERROR, STREAM, serving_apis, with_timeout
from tests.system.test_apps import FASTAPI, FLASK
from tests.system.test_dev import PENSTOCK, Dev
from tests.tools import needs, wait_for

NULS = bytes(8)


@pytest.fixture
def serve_api(tmp_path: Path) -> Iterator[Any]:
    """Serve a handler behind a REST API."""
    with serving_apis(tmp_path) as serve:
        yield serve


# --- a stream -----------------------------------------------------------------------------


def test_a_response_streams(serve_api, gate):
    api = serve_api(STREAM)
    with api.stream() as response:
        chunks = response.iter_raw()
        assert next(chunks) == b"one"
        gate.open("1")
        assert b"".join(chunks) == b"two"
    assert response.status_code == 201
    assert response.headers["x-own"] == "header"
    assert response.headers.get_list("x-list") == ["1", "2"]
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert response.headers["content-type"] == "application/json"
    assert {"x-amzn-requestid", "x-amz-apigw-id", "x-amzn-trace-id"} <= set(response.headers)


def test_the_bytes_on_the_wire_are_one_chunk_for_each_write(serve_api, gate):
    api = serve_api(STREAM)
    with api.raw() as client:
        head = client.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 201 Created\r\n")
        assert b"transfer-encoding: chunked\r\n" in head.lower()
        assert client.read_until(b"one\r\n") == b"3\r\none\r\n"
        gate.open("1")
        assert client.read_all() == b"3\r\ntwo\r\n0\r\n\r\n"


@pytest.mark.parametrize("app", [FASTAPI, FLASK], ids=["FastAPI", "Flask"])
def test_an_app_streams_and_gets_its_requests_whole(app, serve_api, gate):
    api = serve_api(
        app.replace("adapt(app)", 'adapt(app, stream=["function_url", "rest_api"])'),
        max_environments=1,
    )
    with api.stream("/local/stream") as response:
        assert (response.status_code, response.headers["x-own"]) == (201, "header")
        chunks = response.iter_raw()
        assert next(chunks) == b"one"
        gate.open("1")
        assert b"".join(chunks) == b"two"
    answer = api.request("POST", "/local/items/a%20b?x=1", content="bödy".encode())
    assert answer.status_code == 200
    found = answer.json()
    assert (found["name"], found["body"]) == ("a b", "bödy")
    assert api.get("/local/fails").status_code == 500
    assert api.get("/local/nowhere").status_code == 404
    assert api.request("HEAD", "/local/nowhere").content == b""
    # The answer to HEAD is whole before the function is through with it.
    wait_for(lambda: not api.emulator.is_busy, "the environment to be free")
    # The function's URL is there as well.
    assert httpx.get(f"{api.url}/nowhere").status_code == 404


def test_nothing_reaches_the_client_before_the_metadata_are_whole(serve_api, gate):
    api = serve_api(
        """
        @streamify_response
        def handler(event, context):
            yield b'{"statusCode":202}' + bytes(7)
            pass_gate("7")
            yield bytes(1)
            pass_gate("8")
            yield "body"
        """
    )
    with api.raw() as client:
        wait_for((gate.folder / "7").exists, "the handler at its gate")
        assert client.has_got_nothing()
        gate.open("7")
        assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 202 ")
        gate.open("8")
        assert client.read_all() == b"4\r\nbody\r\n0\r\n\r\n"


def test_the_type_of_the_response_does_not_matter_to_a_rest_api(serve_api):
    api = serve_api(
        """
        @streamify_response
        def handler(event, response_stream, context):
            response_stream.content_type = "text/plain"
            response_stream.write(b"{}" + bytes(8))
            response_stream.write(b"body " + bytes(8))
        """
    )
    answer = api.get()
    assert (answer.status_code, answer.content) == (200, b"body " + NULS)


@pytest.mark.parametrize("status", [200, 204, 304])
def test_an_empty_body_ends_and_the_connection_is_good_for_more(status, serve_api):
    api = serve_api(
        f"""
        @streamify_response
        def handler(event, context):
            yield Prelude({status}, {{"a": "b"}})
        """
    )
    with httpx.Client(**api.options()) as client:
        for method in ("GET", "HEAD", "GET"):
            answer = client.request(method, f"{api.url}/local/")
            assert (answer.status_code, answer.content) == (status, b"")
            assert answer.headers["a"] == "b"


def test_a_head_request_gets_the_head_and_the_connection_stays(serve_api):
    api = serve_api(STREAM.replace('pass_gate("1")', "pass"))
    with httpx.Client(**api.options()) as client:
        first = client.head(f"{api.url}/local/")
        assert (first.status_code, first.content) == (201, b"")
        assert client.get(f"{api.url}/local/").content == b"onetwo"


def test_many_calls_on_one_connection_and_the_environment_is_kept(serve_api):
    api = serve_api(STREAM.replace('pass_gate("1")', "pass"), max_environments=1)
    with httpx.Client(**api.options()) as client:
        for _ in range(20):
            assert client.get(f"{api.url}/local/").content == b"onetwo"
    assert len(api.emulator.environment_pids) == 1


def test_a_client_that_goes_away_harms_nobody(serve_api, gate):
    api = serve_api(STREAM, max_environments=1)
    with api.raw() as client:
        client.read_until(b"one\r\n")
    gate.open("1")
    api.wait_for_log("END RequestId")
    with api.stream() as response:
        gate.open("1")
        assert response.read() == b"onetwo"


# --- hostile streams ----------------------------------------------------------------------


def yields(*parts: bytes, then: str = "pass") -> str:
    lines = "\n".join(f"    yield {part!r}" for part in parts)
    return (
        f"@streamify_response\ndef handler(event, context):\n{lines}\n    {then}\n    yield b''\n"
    )


HUGE = b'{"headers":{"a":"' + b"x" * 17_000 + b'"}}' + NULS + b"body"

CATCH_IT = "to answer with something better, catch it and send a Prelude with status_code=500"

MALFORMED = {
    "no delimiter": (yields(b'{"statusCode":200}'), "18 bytes came and no eight NUL bytes"),
    "seven NULs": (yields(b"{}" + bytes(7)), "no eight NUL bytes among them"),
    "nothing": (yields(), "not a byte came"),
    "text": (yields(b"hello"), "5 bytes came and no eight NUL bytes"),
    "no JSON": (yields(b"{no" + NULS + b"body"), "the prelude is no JSON"),
    "a list": (yields(b"[]" + NULS + b"body"), "must be a JSON object, not list"),
    "huge metadata": (yields(HUGE), "no eight NUL bytes within the first 16384 bytes"),
    "endless text": (yields(b"x" * 100_000), "no eight NUL bytes within the first 16384 bytes"),
    "body in metadata": (yields(b'{"body":"x"}' + NULS), "the key 'body'"),
    "list in headers": (yields(b'{"headers":{"a":["b"]}}' + NULS + b"x"), "multiValueHeaders"),
    "a plain proxy response": (
        "def handler(event, context):\n    return {'statusCode': 200, 'body': 'x'}\n",
        "a handler that does not stream needs BUFFERED",
    ),
    "raised before": (
        "def handler(event, context):\n    raise ValueError('secret')\n",
        "the function failed before its metadata (ValueError: secret); " + CATCH_IT,
    ),
    "raised within": (
        yields(b'{"statusCode"', then="raise ValueError('secret')"),
        "the response ended within its metadata (ValueError: secret); " + CATCH_IT,
    ),
    "gone within": (
        yields(b'{"statusCode"', then="os._exit(3)"),
        "exit status 3); the function's own lines in the log may tell more",
    ),
    "gone before": (
        "def handler(event, context):\n    os._exit(3)\n",
        "the function failed before its metadata (Runtime.ExitError",
    ),
    "no handler": ("handle = 1\n", "the function failed before its metadata (Runtime.Handler"),
}


@pytest.mark.parametrize("which", MALFORMED)
def test_a_malformed_stream_is_aws_502_and_the_log_says_what_to_do(which, serve_api):
    source, reason = MALFORMED[which]
    api = serve_api(source, max_environments=1)
    for _ in range(2):
        answer = api.get()
        assert (answer.status_code, answer.content) == (502, ERROR)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-amzn-errortype"] == "InternalServerErrorException"
        # The answer does not wait for the end of the function.
        wait_for(lambda: not api.emulator.is_busy, "the environment to be free")
    log = api.wait_for_log(reason)
    request_id = answer.headers["x-amzn-requestid"]
    assert f"{request_id}: GET /local/ (REST API): AWS answers 502" in log


@pytest.mark.parametrize("status", [b"99", b"101", b'"203"', b"null"])
def test_a_status_that_is_none_is_502_and_nobody_says_that_aws_does_so(status, serve_api):
    api = serve_api(yields(b'{"statusCode":' + status + b"}" + NULS + b"x"))
    answer = api.get()
    assert (answer.status_code, answer.content) == (502, ERROR)
    line = "Penstock answers 502 to this (what AWS does is not known), because"
    log = api.wait_for_log(f"{answer.headers['x-amzn-requestid']}: GET /local/ (REST API): {line}")
    assert "write a number from 200 to 599" in log


def test_a_header_that_is_none_is_502_and_nobody_says_that_aws_does_so(serve_api):
    api = serve_api(yields(b'{"headers":{"a":"b\\r\\nc: d"}}' + NULS + b"x"))
    answer = api.get()
    assert (answer.status_code, answer.content) == (502, ERROR)
    assert (
        "Penstock answers 502 to this (what AWS does is not known), because the value of 'a' has "
        "'\\r' in it, which would start another header; remove it\n"
    ) in api.wait_for_log(answer.headers["x-amzn-requestid"])


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        ("os._exit(3)", "Runtime.ExitError"),
        ("raise ValueError('secret')", "ValueError: secret"),
    ],
)
def test_what_ends_badly_after_its_head_never_looks_whole(then, reason, serve_api, gate):
    api = serve_api(
        yields(b"{}" + NULS, b"partial", then=f"pass_gate('1'); {then}"), max_environments=1
    )
    with api.raw() as client:
        client.read_until(b"\r\n\r\n")
        client.read_until(b"partial\r\n")
        gate.open("1")
        assert client.read_all() == b""
    log = api.wait_for_log("the connection is cut in the middle of the body")
    assert reason in log
    with api.stream() as response, pytest.raises(httpx.RemoteProtocolError):
        gate.open("1")
        response.read()


def test_a_content_length_of_the_functions_is_the_bodys(serve_api):
    metadata = b'{"headers":{"Content-Length":"4"}}' + NULS
    whole = serve_api(yields(metadata, b"body")).get()
    assert (whole.headers["content-length"], whole.content) == ("4", b"body")
    assert "transfer-encoding" not in whole.headers
    for body, reason in ((b"bod", "1 bytes shorter"), (b"bodyy", "longer than its")):
        api = serve_api(yields(metadata, body))
        with pytest.raises(httpx.RemoteProtocolError):
            api.get()
        api.wait_for_log(reason)


# --- limits -------------------------------------------------------------------------------

SILENT = """
@streamify_response
def handler(event, context):
    if event["path"] == "/warm":
        yield Prelude(200)
        return
    if event["path"] == "/body":
        yield Prelude(200)
        yield "one"
    pass_gate("1")
    yield "two"
"""


@pytest.mark.parametrize("limit", ["timeout", "idle"])
def test_before_the_head_a_limit_is_504_and_the_function_runs_on(
    limit, serve_api, gate, monkeypatch
):
    if limit == "idle":
        monkeypatch.setattr(limits, "API_IDLE", 1.0)
    change = with_timeout(1.0) if limit == "timeout" else None
    api = serve_api(SILENT, change=change, max_environments=1)
    answer = api.get("/local/head")
    assert answer.status_code == 504
    assert answer.content == b'{"message": "Endpoint request timed out"}'
    gate.open("1")
    api.wait_for_log("END RequestId")
    assert "AWS answers 504, because" in api.log


@pytest.mark.parametrize(
    ("limit", "endpoint_type"), [("API_IDLE", "REGIONAL"), ("API_IDLE_EDGE", "EDGE")]
)
def test_after_the_head_silence_cuts_the_connection(
    limit, endpoint_type, serve_api, gate, monkeypatch
):
    monkeypatch.setattr(limits, limit, 2.0)
    api = serve_api(
        SILENT,
        change=lambda api: dataclasses.replace(api, endpoint_type=endpoint_type),
        max_environments=1,
    )
    api.get("/local/warm")
    with api.raw("GET /local/body HTTP/1.1") as client:
        client.read_until(b"\r\n\r\n")
        assert client.read_all() == b"3\r\none\r\n"
    log = api.wait_for_log("no byte came for 2 seconds")
    assert "send heartbeats" in log
    gate.open("1")
    wait_for(lambda: not api.emulator.is_busy, "the environment to be free")
    assert api.get("/local/warm").status_code == 200


def test_a_function_that_is_out_of_time_is_cut(serve_api):
    api = serve_api(
        yields(b"{}" + NULS, b"partial", then="time.sleep(60)"), timeout=1.0, max_environments=1
    )
    with api.raw() as client:
        client.read_until(b"\r\n\r\n")
        assert client.read_all() == b"7\r\npartial\r\n"
    assert "Sandbox.Timedout" in api.wait_for_log("the connection is cut")


def test_a_response_over_10_mb_passes(serve_api):
    api = serve_api(yields(b"{}" + NULS, then="yield from [b'x' * 1_000_000] * 12"))
    assert len(api.get().content) == 12_000_000


def test_a_response_over_the_limit_of_streams_is_cut_after_it(serve_api, monkeypatch):
    monkeypatch.setattr(limits, "STREAMED_RESPONSE", 1000)
    api = serve_api(yields(b"{}" + NULS, then="yield from [b'x' * 100] * 20"))
    received = b""
    with api.stream() as response, pytest.raises(httpx.RemoteProtocolError):
        for data in response.iter_raw():
            received += data
    # What comes before the body counts as well.
    assert len(b"{}" + NULS + received) == 1001


# --- penstock dev -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "is_whole"),
    [(["STREAM"], True), (["STREAM", "--bandwidth", "aws"], True), (["BUFFERED"], False)],
)
def test_penstock_dev_has_an_api_on_request(options, is_whole, tmp_path):
    running = Dev(
        tmp_path,
        "@streamify_response\ndef handler(event, context):\n    yield from (Prelude(201), 'x')\n",
        *("--function", "Orders", "--rest-api", *options),
    )
    try:
        address = f"http://Orders.execute-api.localhost:{running.port}/local/"
        assert f"curl -N {address}     (REST API, {options[0]})" in running.text
        answer = httpx.get(f"{running.url}/local/", headers={"Host": address.split("/")[2]})
        assert (answer.status_code, answer.content) == (201, b"x" if is_whole else b"")
        # And without a name that the system may not know.
        own = re.search(r"curl -N (http://localhost:\d+/local/)     \(the same", running.text)[1]
        assert httpx.URL(own).port not in (running.port, None)
        assert httpx.get(own).content == (b"x" if is_whole else b"")
        assert httpx.get(running.url).status_code == 201
    finally:
        running.end()


def test_curl_finds_the_api_by_its_name(serve_api):
    curl = needs("curl")
    api = serve_api(STREAM.replace('pass_gate("1")', "pass"))
    command = [curl, "-sSN", "--max-time", "15", f"http://{api.host}/local/"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"onetwo"


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--rest-api", "RESPONSE_STREAM"], 2, "invalid choice: 'RESPONSE_STREAM'"),
        (["--rest-api-port", "soon"], 2, "to 65535, not 'soon'"),
        (
            ["--rest-api", "STREAM", "--rest-api-port", "99999"],
            2,
            "--rest-api-port: it is a number from 0 (any free one) to 65535, not '99999'",
        ),
    ],
)
def test_options_that_make_no_sense(options, status, message, tmp_path):
    (tmp_path / "app.py").write_text("def handler(event, context): return 1\n")
    ended = subprocess.run(
        [*PENSTOCK, "dev", "app.py:handler", "--port", "0", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.returncode == status
    assert message in ended.stderr
