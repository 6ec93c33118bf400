"""Every odd end of a response, in every front: the table of docs/reference/what-happens-when.md.

Each case is a handler and what every front makes of it. Everything is asked twice of a
function that may have one environment only: so nothing hangs and no environment is lost.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest

from penstock.emulator.environments import environment
from penstock.emulator.rest_apis import api_of_function
from tests.system.odd_ends import CASES, Case, Invoked, Streamed, Url, error
from tests.tools import PATIENCE, each_value_in_one_test, lambda_client, wait_for

pytestmark = each_value_in_one_test


@pytest.fixture(params=CASES, ids=lambda case: case.when)
def case(request, monkeypatch) -> Case:
    if request.param.when.startswith("the process"):
        # Its end explains the cut, and is seen late on a busy machine.
        monkeypatch.setattr(environment, "_EXIT_GRACE", PATIENCE)
    return request.param


def test_url_in_response_stream_mode(case, serve):
    function = serve(case.source, timeout=case.timeout, max_environments=1)
    for _ in range(2):
        assert ask_url(function, case.method) == case.url_stream
        wait_until_free(function)


def test_url_in_buffered_mode(case, serve):
    function = serve(case.source, timeout=case.timeout, max_environments=1, invoke_mode="BUFFERED")
    for _ in range(2):
        assert ask_url(function, case.method) == case.url_buffered
        wait_until_free(function)


@pytest.mark.parametrize("mode", ["STREAM", "BUFFERED"])
def test_rest_api(mode, case, serve):
    apis = [api_of_function("app", mode)]
    function = serve(case.source, timeout=case.timeout, max_environments=1, rest_apis=apis)
    expected = case.rest_stream if mode == "STREAM" else case.rest_buffered
    host = f"app.execute-api.localhost:{function.port}"
    for _ in range(2):
        assert ask_url(function, case.method, path="/local/", headers={"Host": host}) == expected
        wait_until_free(function)


def test_invoke(case, serve):
    function = serve(case.source, timeout=case.timeout, max_environments=1)
    for _ in range(2):
        answer = lambda_client(function.url).invoke(FunctionName="app")
        payload = simplified(answer["Payload"].read())
        assert answer["StatusCode"] == 200
        assert Invoked(payload, answer.get("FunctionError")) == case.invoke
        wait_until_free(function)


def test_invoke_with_response_stream(case, serve):
    function = serve(case.source, timeout=case.timeout, max_environments=1)
    for _ in range(2):
        answer = lambda_client(function.url).invoke_with_response_stream(FunctionName="app")
        events = list(answer["EventStream"])
        chunks = [e["PayloadChunk"]["Payload"] for e in events if "PayloadChunk" in e]
        assert events[-1] == {"InvokeComplete": {}}
        assert Streamed(simplified(b"".join(chunks))) == case.stream
        wait_until_free(function)


def test_the_table_in_the_docs_says_the_same():
    page = Path(__file__).parents[2] / "docs/reference/what-happens-when.md"
    assert table() in page.read_text()


# What its last rows say takes more than a handler to show, and is shown elsewhere.
SHOWN_ELSEWHERE = {
    "the runtime's connection closes before the head is known (another runtime's)": [
        (
            "system/test_lifecycle.py",
            "test_a_runtime_that_cuts_its_response_before_the_head_gets_no_empty_200",
        )
    ],
    "the event is no JSON": [
        ("system/test_limits.py", "test_an_event_that_is_no_json_is_invalid_request_content")
    ],
    "the event is no JSON, by the path of AWS's own emulator": [
        (
            "system/test_limits.py",
            "test_an_event_that_is_no_json_reaches_the_runtime_by_the_path_of_aws_emulator",
        )
    ],
    "the request's body is over 6 MB": [
        ("system/test_limits.py", "test_a_request_over_6_mb_is_413_at_a_url"),
        ("system/test_limits.py", "test_an_event_over_6_mb_is_request_too_large"),
        ("emulator/test_api_gateway.py", "test_requests_that_are_too_large"),
    ],
    "the response's body is over 6 MB": [
        ("system/test_limits.py", "test_buffered_url_answers_502_to_a_response_over_the_limit"),
        ("system/test_limits.py", "test_one_byte_more_is_aws_error_and_the_next_call_works"),
        ("emulator/test_api_gateway.py", "test_a_malformed_proxy_response_is_aws_502"),
        ("system/test_rest_api.py", "test_a_response_over_10_mb_passes"),
    ],
    "the response's body is over 200 MiB": [
        ("system/test_limits.py", "test_a_stream_ends_after_200_mib_and_one_byte"),
        ("system/test_rest_api.py", "test_a_response_over_the_limit_of_streams_is_cut_after_it"),
    ],
    "there is no such function": [
        ("system/test_limits.py", "test_an_unknown_function_is_not_found"),
        ("system/test_limits.py", "test_a_url_that_does_not_exist_is_forbidden"),
        ("emulator/test_api_gateway.py", "test_a_function_that_is_not_there_is_500"),
    ],
    "all environments are busy": [
        ("system/test_throttling.py", "test_every_front_says_which_limit_it_was"),
        ("emulator/test_api_gateway.py", "test_too_many_requests_are_500"),
    ],
    "the client goes away in mid-stream": [
        ("system/clients/test_curl.py", "test_a_function_goes_on_when_curl_leaves_in_the_middle"),
        (
            "system/clients/test_boto3.py",
            "test_boto3_that_leaves_in_the_middle_of_a_stream_harms_nobody",
        ),
        ("system/test_rest_api.py", "test_a_client_that_goes_away_harms_nobody"),
    ],
}


def test_the_rows_below_are_shown_by_other_tests():
    tests = Path(__file__).parents[1]
    page = tests.parent / "docs/reference/what-happens-when.md"
    below = page.read_text().partition(table())[2].partition("\n\n")[0]
    assert [row.split(" | ")[0] for row in below.splitlines() if row] == [
        f"| {what}" for what in SHOWN_ELSEWHERE
    ]
    for shown_by in SHOWN_ELSEWHERE.values():
        for file, name in shown_by:
            assert f"\ndef {name}(" in (tests / file).read_text(), name


def table() -> str:
    """The cases as a table in Markdown."""
    heads = (
        "what happens",
        "Function URL, RESPONSE_STREAM",
        "Function URL, BUFFERED",
        "REST API, STREAM",
        "REST API, BUFFERED",
        "Invoke",
        "InvokeWithResponseStream",
    )
    rows = [heads, ("---",) * len(heads)]
    rows += [
        (
            *(c.when, str(c.url_stream), str(c.url_buffered)),
            *(str(c.rest_stream), str(c.rest_buffered)),
            *(str(c.invoke), str(c.stream)),
        )
        for c in CASES
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows).replace("\\0" * 8, "␀×8 ")


def ask_url(function, method: str, path: str = "/", **options) -> Url:
    whole = True
    body = b""
    with httpx.stream(method, f"{function.url}{path}", timeout=15, **options) as response:
        try:
            for data in response.iter_raw():
                body += data
        except httpx.RemoteProtocolError:
            whole = False
    content_type = response.headers.get("content-type", "")
    return Url(response.status_code, simplified(body), content_type, whole)


def wait_until_free(function) -> None:
    """Wait until the environment is free, or gone."""
    wait_for(lambda: not function.emulator.is_busy, "the environment to be free")


def simplified(payload: bytes) -> str:
    """The payload as text; an error JSON becomes `type: message`, ids become `<id>`."""
    text = payload.decode().replace("\0", "\\0")
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, dict) and "errorType" in value:
        text = error(value["errorType"], value["errorMessage"])
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "<id>", text)


if __name__ == "__main__":
    print(table())
