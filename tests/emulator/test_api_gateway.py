"""REST APIs: whole answers, addresses, and the events of real requests."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from penstock.emulator import limits
from penstock.emulator.quirks import STRICT
from penstock.emulator.rest_apis import Integration, Method, RestApi, Stage
from penstock.errors import EmulatorError
from tests.emulator.api_server import ERROR, STREAM, serving_apis, with_timeout
from tests.system.test_apps import FASTAPI, FLASK


@pytest.fixture
def serve_api(tmp_path: Path) -> Iterator[Any]:
    """Serve a handler behind a REST API."""
    with serving_apis(tmp_path) as serve:
        yield serve


# --- buffered -----------------------------------------------------------------------------


def test_a_buffered_api_makes_a_response_of_a_proxy_response(serve_api):
    api = serve_api(
        """
        def handler(event, context):
            return {
                "statusCode": 201,
                "headers": {"a": "b"},
                "multiValueHeaders": {"set-cookie": ["a=1", "b=2"]},
                "body": json.dumps({"path": event["path"], "id": event["pathParameters"]}),
            }
        """,
        "BUFFERED",
    )
    answer = api.get("/local/x/y")
    assert (answer.status_code, answer.headers["a"]) == (201, "b")
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert answer.json() == {"path": "/x/y", "id": {"proxy": "x/y"}}
    assert api.request("HEAD", "/local/").content == b""


@pytest.mark.parametrize("app", [FASTAPI, FLASK], ids=["FastAPI", "Flask"])
def test_an_app_is_buffered_unless_told_otherwise(app, serve_api):
    api = serve_api(app, "BUFFERED")
    answer = api.request("POST", "/local/items/a", content="b")
    assert answer.json()["body"] == "b"
    assert answer.headers["content-type"] == "application/json"


BUFFERED = {
    "text": ("return 'x'", "is JSON, but no object (str)"),
    "cookies": ("return {'cookies': []}", "the key 'cookies'"),
    "raises": (
        "raise ValueError('secret')",
        "the function failed (ValueError: secret); catch it and answer with a statusCode",
    ),
    "exits": (
        "os._exit(3)",
        "exited with error: exit status 3); the function's own lines in the log may tell more",
    ),
    "over 6 MB": ("return {'body': 'x' * 7_000_000}", "give the integration STREAM"),
    "status": ("return {'statusCode': 1000}", "statusCode is 1000"),
    "object": ("return {'body': {}}", "body is of type dict; write text"),
}


@pytest.mark.parametrize("which", BUFFERED)
def test_a_malformed_proxy_response_is_aws_502(which, serve_api):
    line, reason = BUFFERED[which]
    api = serve_api(f"def handler(event, context):\n    {line}", "BUFFERED", max_environments=1)
    for _ in range(2):
        answer = api.get()
        assert (answer.status_code, answer.content) == (502, ERROR)
    api.wait_for_log(reason)


def test_a_stream_in_front_of_a_buffered_api_loses_its_body_and_the_log_says_so(serve_api, gate):
    api = serve_api(STREAM.replace('pass_gate("1")', "pass"), "BUFFERED")
    answer = api.get()
    assert (answer.status_code, answer.headers["x-own"], answer.content) == (201, "header", b"")
    assert "drops the body; give the integration STREAM (--rest-api STREAM)" in api.log


def test_a_stream_that_fails_in_front_of_a_buffered_api_is_its_head_all_the_same(serve_api):
    source = STREAM.replace('pass_gate("1")', "raise ValueError('secret')")
    answer = serve_api(source, "BUFFERED").get()
    assert (answer.status_code, answer.headers["x-own"], answer.content) == (201, "header", b"")


def test_a_stream_is_as_slow_as_on_aws_if_that_is_asked_for(serve_api, monkeypatch):
    monkeypatch.setattr(limits, "API_BURST", 0)
    monkeypatch.setattr(limits, "API_RATE", 10)
    source = STREAM.replace('pass_gate("1")', "pass")
    api = serve_api(source, change=lambda api: dataclasses.replace(api, bandwidth=True))
    begun = time.monotonic()
    assert api.get().content == b"onetwo"
    # It cannot be faster; how much slower it is does not matter.
    assert time.monotonic() - begun > 0.5


def test_a_buffered_api_waits_29_seconds_and_no_longer(serve_api, gate):
    source = "def handler(event, context):\n    pass_gate('1')\n    return {}"
    api = serve_api(source, "BUFFERED", change=with_timeout(1.0))
    answer = api.get()
    assert answer.status_code == 504
    assert answer.content == b'{"message": "Endpoint request timed out"}'
    assert "the function runs on" in api.log
    gate.open("1")
    api.wait_for_log("END RequestId")


def test_bytes_in_both_directions_with_binary_media_types(serve_api):
    source = """
    import base64

    def handler(event, context):
        assert event["isBase64Encoded"], event
        return {"body": event["body"], "isBase64Encoded": True}
    """
    api = serve_api(
        source,
        "BUFFERED",
        change=lambda api: dataclasses.replace(api, binary_media_types=("image/png",)),
    )
    image = {"Content-Type": "image/png"}
    answer = api.request(
        "POST", "/local/", content=b"\xff\x00", headers={**image, "Accept": "image/png, */*"}
    )
    assert answer.content == b"\xff\x00"
    answer = api.request("POST", "/local/", content=b"\xff\x00", headers=image)
    assert answer.content == b"/wA="


# --- addresses and events -----------------------------------------------------------------

EVENT = """
def handler(event, context):
    return {"body": json.dumps({"event": event, "id": context.aws_request_id})}
"""


def test_the_event_of_a_real_request(serve_api):
    api = serve_api(EVENT, "BUFFERED")
    answer = api.request(
        "POST",
        "/local/a%20b/?x=1&x=%2B+",
        content=b"body",
        headers={"x-forwarded-for": "8.8.8.8", "X-Forwarded-Proto": "https"},
    )
    event = answer.json()["event"]
    assert event["path"] == "/a%20b/"
    assert event["pathParameters"] == {"proxy": "a%20b"}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "+ "]}
    assert event["body"] == "body"
    assert event["multiValueHeaders"]["X-Forwarded-For"] == ["127.0.0.1"]
    assert event["headers"]["X-Forwarded-Proto"] == "http"
    assert event["headers"]["X-Forwarded-Port"] == str(api.port)
    assert event["headers"]["X-Amzn-Trace-Id"] == answer.headers["x-amzn-trace-id"]
    context = event["requestContext"]
    assert context["requestId"] == answer.headers["x-amzn-requestid"]
    assert context["extendedRequestId"] == answer.headers["x-amz-apigw-id"]
    assert context["requestId"] != answer.json()["id"]
    assert context["domainName"] == "app.execute-api.localhost"
    assert context["path"] == "/local/a%20b/"
    assert context["identity"]["sourceIp"] == "127.0.0.1"


@pytest.mark.parametrize("path", ["/", "/other/", "/localhost", "/LOCAL/"])
def test_a_stage_that_is_none_is_forbidden(path, serve_api):
    api = serve_api(EVENT)
    answer = api.get(path)
    assert (answer.status_code, answer.json()) == (403, {"message": "Forbidden"})
    assert answer.headers["x-amzn-errortype"] == "ForbiddenException"
    assert f"the address of this API is http://{api.host}/local/" in api.log
    assert "START" not in api.log


def test_an_api_that_is_none_is_forbidden(serve_api):
    api = serve_api(EVENT)
    headers = {"Host": f"other.execute-api.localhost:{api.port}"}
    answer = httpx.get(f"{api.url}/local/", headers=headers)
    assert (answer.status_code, answer.json()) == (403, {"message": "Forbidden"})
    assert (
        f"there is no such REST API (other), and AWS answers 403; there is http://{api.host}"
        in (api.log)
    )


def test_without_an_api_the_log_says_how_to_have_one(serve):
    function = serve("def handler(event, context): return 1")
    headers = {"Host": f"app.execute-api.localhost:{function.port}"}
    assert httpx.get(f"{function.url}/local/", headers=headers).status_code == 403
    assert "start with --rest-api STREAM" in function.log


def test_a_resource_that_an_api_does_not_have(serve_api):
    api = serve_api(EVENT, change=lambda api: dataclasses.replace(api, methods=api.methods[:1]))
    answer = api.get("/local/a")
    assert (answer.status_code, answer.json()) == (403, {"message": "Missing Authentication Token"})
    assert answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"


def test_no_web_page_of_another_origin_may_call_it(serve_api):
    api = serve_api(EVENT)
    answer = api.get(headers={"Origin": "https://example.org"})
    assert answer.status_code == 403
    assert "START" not in api.log


# --- what is refused ---------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["STREAM", "BUFFERED"])
def test_requests_that_are_too_large(mode, serve_api):
    api = serve_api("def handler(event, context): return {}", mode)
    answer = api.request("POST", "/local/", content=b"x" * (10 * 1024 * 1024 + 1))
    assert (answer.status_code, answer.text) == (
        413,
        "HTTP content length exceeded 10485760 bytes.",
    )
    answer = api.request("POST", "/local/", content=b"x" * 7_000_000)
    assert (answer.status_code, answer.json()) == (413, {"message": "Request Too Long"})
    mend = "AWS answers 413; have the client put it into S3, by a presigned URL, and send its key"
    assert f"an API takes 10485760 bytes, the body has more, and {mend}" in api.log
    assert "and Lambda takes 6291556" in api.log
    assert f"though an API takes 10 MB; {mend.partition('; ')[2]}" in api.log
    assert "START" not in api.log


@pytest.mark.parametrize("mode", ["STREAM", "BUFFERED"])
def test_too_many_requests_are_500(mode, serve_api, gate):
    api = serve_api(STREAM, mode, max_environments=1)

    def second() -> None:
        answer = api.get()
        assert (answer.status_code, answer.content) == (500, ERROR)
        assert "is busy: AWS answers 500 here, where a Function URL answers 429" in api.log

    with httpx.stream("GET", api.url, timeout=15) as response:
        next(response.iter_raw())
        second()
        gate.open("1")


FAILS_LATE = """
@streamify_response
def handler(event, context):
    yield Prelude(202)
    yield "partial"
    raise ValueError("late")
"""
IS_A_SUCCESS = (
    "AWS's Invoke, which a BUFFERED integration uses, calls it a success, so that what there was "
    "of it is the answer; return a proxy response, or leave rest_api out of what adapt streams, "
    "and a failure is AWS's 502\n"
)


def test_a_buffered_stream_that_fails_late_is_a_success_and_the_log_tells(serve_api):
    api = serve_api(FAILS_LATE, "BUFFERED")
    answer = api.get()
    assert (answer.status_code, answer.content) == (202, b"")
    assert (
        "GET /local/ (REST API): the response failed after its first byte (ValueError: late); "
        + IS_A_SUCCESS
    ) in api.log


def test_a_buffered_stream_that_fails_late_does_not_look_whole_when_strict(serve_api):
    api = serve_api(FAILS_LATE, "BUFFERED", quirks=STRICT)
    answer = api.get()
    assert (answer.status_code, answer.content) == (502, ERROR)
    assert (
        "the response failed after its first byte (ValueError: late), and without "
        "failed-stream-succeeds this is a 502; " + IS_A_SUCCESS
    ) in api.log


@pytest.mark.parametrize("quirks", [None, STRICT])
def test_a_buffered_stream_that_fails_before_its_first_byte_has_one_line(quirks, serve_api):
    source = """
        @streamify_response
        def handler(event, response_stream, context):
            response_stream.write("")
            raise ValueError("early")
    """
    api = serve_api(source, "BUFFERED", quirks=quirks)
    answer = api.get()
    assert (answer.status_code, answer.content) == (502, ERROR)
    (line,) = [line for line in api.log.splitlines() if "(REST API)" in line]
    assert line.endswith(
        "AWS answers 502, because the response failed before its first byte (ValueError: early); "
        "catch it and answer with a statusCode that tells it"
    )


# --- resources, stages and functions ------------------------------------------------------

ECHO = """
def handler(event, context):
    return {"body": json.dumps({"event": event, "arn": context.invoked_function_arn})}


def other(event, context):
    return {"body": '"other"'}
"""


def shop(uri: str = "app", **options: Any) -> Any:
    """An API with resources of its own."""
    to_app, to_other = Integration("AWS_PROXY", uri), Integration("AWS_PROXY", "other")
    methods = (
        Method("GET", "/pets/{id}", to_app),
        Method("ANY", "/pets/{id}/{rest+}", to_app),
        Method("GET", "/pets/new", to_other),
        Method("POST", "/keyed", to_app, api_key_required=True),
    )
    return lambda api: RestApi(api.id, methods, **options)


def test_resources_with_path_parameters_in_the_event(serve_api):
    api = serve_api(ECHO, change=shop(), functions={"other": "other"})
    event = api.get("/local/pets/a%2Fb").json()["event"]
    assert (event["resource"], event["pathParameters"]) == ("/pets/{id}", {"id": "a%2Fb"})
    first = event["requestContext"]
    assert first["resourcePath"] == "/pets/{id}"
    event = api.request("PUT", "/local/pets/7/toys/1/").json()["event"]
    assert event["pathParameters"] == {"id": "7", "rest": "toys/1"}
    assert event["requestContext"]["resourcePath"] == "/pets/{id}/{rest+}"
    assert event["requestContext"]["resourceId"] != first["resourceId"]
    assert api.get("/local/pets/new").json() == "other"


@pytest.mark.parametrize(
    "line", ["POST /local/pets/7", "HEAD /local/pets/7", "OPTIONS /local/pets/7", "GET /local/"]
)
def test_a_method_that_is_not_there_asks_for_a_token_as_on_aws(line, serve_api):
    api = serve_api(ECHO, change=shop())
    answer = api.request(*line.split())
    assert answer.status_code == 403
    assert answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"
    expected = b"" if line.startswith("HEAD") else b'{"message":"Missing Authentication Token"}'
    assert answer.content == expected


def test_stages_have_variables_and_may_lead_to_other_versions(serve_api):
    stages = (Stage("live", {"alias": "live", "a": "b"}), Stage("bare"))
    api = serve_api(ECHO, change=shop("app:${stageVariables.alias}", stages=stages))
    api.emulator.registry.put_alias("app", "live", "$LATEST")
    answer = api.get("/live/pets/7").json()
    assert answer["event"]["stageVariables"] == {"alias": "live", "a": "b"}
    assert answer["event"]["requestContext"]["stage"] == "live"
    assert answer["arn"].endswith(":function:app:live")
    missing = api.get("/bare/pets/7")
    assert (missing.status_code, missing.content) == (500, ERROR)
    assert "there is no function" in api.log


def test_api_keys_are_not_asked_for_and_the_log_says_so_at_the_start(serve_api):
    api = serve_api(ECHO, change=shop())
    assert "asks for an API key at POST /keyed; API keys are not emulated" in api.log
    assert api.request("POST", "/local/keyed").status_code == 200


def test_a_function_that_is_not_there_is_500(serve_api):
    api = serve_api(ECHO, change=shop())
    answer = api.get("/local/pets/new")
    assert (answer.status_code, answer.content) == (500, ERROR)
    assert "there is no function other" in api.log


def test_an_api_has_a_port_of_its_own_on_request(serve_api):
    api = serve_api(ECHO, "BUFFERED")
    port = api.emulator.open_port("app")
    assert port != api.port
    for host in ("127.0.0.1", "localhost"):
        event = httpx.get(f"http://{host}:{port}/local/a").json()["event"]
        assert event["headers"]["X-Forwarded-Port"] == str(port)
        assert event["requestContext"]["domainName"] == "app.execute-api.localhost"
    assert httpx.get(f"http://127.0.0.1:{port}/else/").status_code == 403
    foreign = httpx.get(f"http://127.0.0.1:{port}/local/", headers={"Host": "example.org"})
    assert foreign.status_code == 403
    assert "is not one of this emulator's" in foreign.text
    with pytest.raises(EmulatorError, match="there is no REST API 'b'; there are: app"):
        api.emulator.open_port("b")
    with pytest.raises(EmulatorError, match=f"cannot listen on 127.0.0.1:{port}"):
        api.emulator.open_port("app", port)
    with pytest.raises(EmulatorError, match=r"a port is a number from 0 .* to 65535, not 65536"):
        api.emulator.open_port("app", 65536)
    api.emulator.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/local/")
