"""Real web frameworks behind `adapt`: the same routes in each, streaming and everything else.

The routes are in tests/system/frameworks. What is not in pyproject.toml's group dev is
installed by scripts/frameworks.
"""

from __future__ import annotations

import json
import os
import re
import signal
from typing import Any

import httpx
import pytest

from tests.event_sources.http_events import REST_API
from tests.system.frameworks.table import (
    FRAMEWORKS,
    GRAPHQL,
    LIST,
    PAGE,
    ROUTES,
    Framework,
    installed,
)
from tests.tools import each_value_in_one_test, lambda_client, wait_for

pytestmark = each_value_in_one_test

every_framework = pytest.mark.parametrize("framework", FRAMEWORKS, ids=str)
some_frameworks = pytest.mark.parametrize(
    "framework",
    [each for each in FRAMEWORKS if each.name in ("FastAPI", "Flask", "Django")],
    ids=str,
)


def those_with(feature: str) -> Any:
    chosen = [framework for framework in FRAMEWORKS if framework.has(feature)]
    return pytest.mark.parametrize("framework", chosen, ids=str)


@pytest.fixture
def recipes(tmp_path):
    """A folder with the modules that the page shows."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    for code in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S):
        name = code.partition("\n")[0].removeprefix("# ")
        (folder / name).write_text(code)
    return folder


@pytest.fixture
def serve_framework(serve, recipes):
    def serve_framework(framework, made="adapt(app)", **options):
        folders = [str(ROUTES), str(recipes), *([installed()] if framework.package else [])]
        environment = {"PYTHONPATH": os.pathsep.join(folders), **options.pop("environment", {})}
        return serve(
            f"""
            from below import below
            from finishing import finishing
            from penstock import adapt
            from {framework.module} import {framework.app} as app
            handler = {made}
            """,
            environment=environment,
            max_environments=1,
            **options,
        )

    return serve_framework


def when_free(url: str, method: str = "GET") -> httpx.Response:
    """The answer of the one environment, after what it is still busy with."""
    answers: list[httpx.Response] = []

    def is_answered() -> bool:
        answers.append(httpx.request(method, url))
        return answers[-1].status_code != 429

    wait_for(is_answered, f"an environment for {url}")
    return answers[-1]


@every_framework
def test_a_response_streams_also_when_the_client_before_has_gone_away(
    framework, serve_framework, gate
):
    function = serve_framework(framework)
    url = f"{function.url}/stream{framework.suffix}"
    for _ in range(2):
        with httpx.stream("GET", url) as response:
            assert (response.status_code, response.headers["x-own"]) == (201, "header")
            assert response.headers["content-type"].startswith("text/plain")
            chunks = response.iter_raw()
            assert next(chunks) == b"one"
            gate.open("1")
            assert b"".join(chunks) == b"two"
        with httpx.stream("GET", url) as response:
            assert next(response.iter_raw()) == b"one"
        gate.open("1")
        assert when_free(f"{function.url}/page").text == "page"
    assert function.log.count("Init Duration") == 1


def test_a_plain_generator_streams_from_fastapi_too(serve_framework, gate):
    [fastapi] = [framework for framework in FRAMEWORKS if framework.name == "FastAPI"]
    function = serve_framework(fastapi)
    with httpx.stream("GET", f"{function.url}/stream_blocking") as response:
        chunks = response.iter_raw()
        assert next(chunks) == b"one"
        gate.open("1")
        assert b"".join(chunks) == b"two"


@those_with("events")
def test_server_sent_events_stream(framework, serve_framework, gate):
    function = serve_framework(framework)
    with httpx.stream("GET", f"{function.url}/events") as response:
        assert response.headers["content-type"].partition(";")[0] == "text/event-stream"
        chunks, text = response.iter_text(), ""
        while "one" not in text:
            text += next(chunks)
        assert "two" not in text
        gate.open("1")
        assert "two" in "".join(chunks)


@every_framework
def test_requests_and_responses_arrive_as_they_were_sent(framework, serve_framework):
    function = serve_framework(framework)
    body = b"\x00\xff\r\n\xe9"
    answer = httpx.put(
        f"{function.url}/echo/caf%C3%A9%20%2B%25%3F?x=1&x=2&y=a+b%26",
        content=body,
        headers=[("x-tag", "one"), ("x-tag", "two"), ("content-type", "application/x-own")],
    )
    assert answer.json() == {
        "method": "PUT",
        "name": "café +%?",
        "query": [["x", "1"], ["x", "2"], ["y", "a b&"]],
        "body": body.hex(),
        # A Function URL has joined them.
        "tags": ["one,two"],
    }
    cookies = httpx.get(f"{function.url}/cookies").headers.get_list("set-cookie")
    assert [cookie.partition(";")[0] for cookie in cookies] == ["a=1", "b=2"]


@every_framework
def test_responses_without_a_body_end(framework, serve_framework):
    function = serve_framework(framework)
    # Such an answer is whole with its head, before the function is through with it.
    for _ in range(2):
        empty = when_free(f"{function.url}/empty")
        assert (empty.status_code, empty.content) == (204, b"")
        unchanged = when_free(f"{function.url}/unchanged")
        assert (unchanged.status_code, unchanged.headers["etag"]) == (304, '"1"')
        away = when_free(f"{function.url}/away")
        assert (away.status_code, away.next_request.url.path) == (302, "/page")
        head = when_free(f"{function.url}/page", "HEAD")
        assert (head.status_code, head.content) == (200, b"")
        assert when_free(f"{function.url}/page").text == "page"


@every_framework
def test_an_error_is_a_page_before_the_first_byte_and_a_failure_after_it(
    framework, serve_framework, gate
):
    function = serve_framework(framework)
    for _ in range(2):
        failed = httpx.get(f"{function.url}/fails")
        assert failed.status_code == 500
        assert "secret" not in failed.text
    for count in (1, 2):
        with httpx.stream("GET", f"{function.url}/breaks{framework.suffix}") as broken:
            assert broken.status_code == 200
            chunks = broken.iter_raw()
            assert next(chunks) == b"one"
            if framework.name == "aiohttp":
                gate.open("broken")
            # What a Function URL makes of the trailers: nobody can see that it is cut.
            assert b"".join(chunks) == b""
        assert httpx.get(f"{function.url}/page").text == "page"
        wait_for(
            lambda count=count: function.log.count("failed after its first byte") == count,
            f"{count} failures in the log",
        )
    made_by_adapt = "the app failed before the first byte" in function.log
    assert made_by_adapt is not framework.has("error_page")


@pytest.mark.parametrize("framework", [each for each in FRAMEWORKS if each.background], ids=str)
def test_background_work_holds_up_the_next_invocation_only(framework, serve_framework, gate):
    is_beside = framework.background == "beside"
    function = serve_framework(framework, "adapt(finishing(app))" if is_beside else "adapt(app)")
    for count in (1, 2):
        # The whole response is here while the work has not begun, or waits.
        assert httpx.get(f"{function.url}/later").text == "soon"
        gate.open("later")
        wait_for(
            lambda count=count: function.log.count("LATER\n") == count,
            "the end of the work, without another invocation",
        )
        assert when_free(f"{function.url}/counts").json()["later"] == count


@those_with("start")
def test_an_app_starts_once(framework, serve_framework):
    function = serve_framework(framework)
    for _ in range(3):
        assert httpx.get(f"{function.url}/counts").json()["started"] == 1


@pytest.mark.parametrize(
    "framework", [each for each in FRAMEWORKS if each.name == "aiohttp"], ids=str
)
def test_an_aiohttp_application_is_cleaned_up(framework, serve_framework):
    function = serve_framework(framework)
    assert httpx.get(f"{function.url}/page").text == "page"
    # Between two invocations, as on Lambda.
    function.wait_for_log("END RequestId")
    [process] = function.emulator.environment_pids
    os.kill(process, signal.SIGTERM)
    function.wait_for_log("CLEANED UP")


@some_frameworks
def test_a_rest_api_that_streams_gets_a_stream(framework, serve_framework, gate):
    function = serve_framework(framework, environment={"PENSTOCK_STREAM": "rest_api"})
    event = {**REST_API, "httpMethod": "GET", "path": f"/stream{framework.suffix}", "body": None}
    answer = lambda_client(function.url).invoke_with_response_stream(
        FunctionName=function.name, Payload=json.dumps(event).encode()
    )
    events = iter(answer["EventStream"])
    received = b""
    while not received.endswith(b"one"):
        received += next(events)["PayloadChunk"]["Payload"]
    prelude, _, body = received.partition(bytes(8))
    assert json.loads(prelude)["statusCode"] == 201
    assert json.loads(prelude)["headers"]["x-own"] == "header"
    assert body == b"one"
    gate.open("1")
    assert next(events)["PayloadChunk"]["Payload"] == b"two"
    assert [list(event) for event in events] == [["InvokeComplete"]]


@every_framework
def test_below_a_path_routes_are_found_and_addresses_have_it(framework, serve_framework):
    app = "below(app)" if framework.interface == "neither" else "app"
    function = serve_framework(framework, f"adapt({app}, base_path='/live')")
    assert httpx.get(f"{function.url}/live/page").text == "page"
    assert httpx.get(f"{function.url}/page").text == "page"
    if framework.has("addresses"):
        assert httpx.get(f"{function.url}/live/address").text == f"{function.url}/live/page"
        assert httpx.get(f"{function.url}/address").text == f"{function.url}/page"


@some_frameworks
def test_below_the_stage_of_an_api_it_is_the_same(framework, serve_framework):
    function = serve_framework(framework)
    client = lambda_client(function.url)
    host = REST_API["multiValueHeaders"]["Host"][0]

    def get(path):
        context = {**REST_API["requestContext"], "path": f"/live{path}", "domainName": host}
        event = {**REST_API, "httpMethod": "GET", "path": path, "requestContext": context}
        event["body"] = None
        answer = client.invoke(FunctionName=function.name, Payload=json.dumps(event).encode())
        return json.load(answer["Payload"])["body"]

    assert get("/page") == "page"
    assert get("/address") == f"https://{host}/live/page"


@pytest.mark.parametrize("framework", GRAPHQL, ids=str)
def test_a_graphql_query_is_answered(framework, serve_framework):
    function = serve_framework(framework)
    for name in ("Zoë", "you"):
        query = {"query": f'{{ greeting(name: "{name}") }}'}
        assert httpx.post(function.url, json=query).json()["data"] == {"greeting": f"Hello, {name}"}
    assert httpx.post(function.url, json={"query": "{ nothing }"}).json()["errors"]


@pytest.mark.parametrize(
    ("framework", "accept"),
    [
        (GRAPHQL[0], "text/event-stream"),
        (GRAPHQL[1], "text/event-stream"),
        (GRAPHQL[0], "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json"),
    ],
    ids=["Strawberry, server-sent events", "Ariadne, server-sent events", "Strawberry, multipart"],
)
def test_a_graphql_subscription_streams(framework, accept, serve_framework, gate):
    function = serve_framework(framework)
    query = {"query": "subscription { words }"}
    with httpx.stream("POST", function.url, json=query, headers={"accept": accept}) as response:
        assert response.headers["content-type"].partition(";")[0] == accept.partition(";")[0]
        chunks, text = response.iter_text(), ""
        while '"one"' not in text:
            text += next(chunks)
        assert '"two"' not in text
        gate.open("1")
        assert '"two"' in "".join(chunks)


def test_the_page_has_every_framework_and_the_version_that_is_tested():
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")][:3]
        for line in PAGE.read_text().splitlines()
        if line.startswith("| ")
    ]
    listed = dict(line.split("==") for line in LIST.read_text().splitlines() if "==" in line)
    assert rows[1:] == [
        [each.name, each.interface, listed[each.package] if each.package else "newest"]
        for each in FRAMEWORKS + GRAPHQL + [Framework("MCP's SDK", "ASGI", "on_mcp", "mcp")]
    ]
    tested = {each.package for each in FRAMEWORKS + GRAPHQL} - {""} | {"mcp"}
    assert set(listed) == tested
