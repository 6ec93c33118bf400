"""The `Cors` of a Function URL: preflights, appended headers, and who gets in by it."""

from __future__ import annotations

import dataclasses

import httpx
import pytest
from botocore.exceptions import ClientError

from penstock.emulator.function_urls import Cors, FunctionUrl
from penstock.emulator.rest_apis import api_of_function
from tests.tools import lambda_client, wait_for

PAGE = "https://allowed.example"
OTHER = "https://other.example"
CORS = Cors(
    allow_origins=(PAGE,),
    allow_methods=("GET", "PUT"),
    allow_headers=("x-own",),
    expose_headers=("x-seen",),
    allow_credentials=True,
    max_age=600,
)
MODES = pytest.mark.parametrize("invoke_mode", ["RESPONSE_STREAM", "BUFFERED"])

# Says that it ran, and has headers of CORS of its own.
PLAIN = """
    def handler(event, context):
        print("RAN", event["rawPath"])
        headers = {"x-ran": "1"}
        if event["rawPath"] == "/own":
            headers["access-control-allow-origin"] = "https://own.example"
            headers["access-control-expose-headers"] = "x-own"
        return {"statusCode": 200, "headers": headers, "body": "whole"}
"""


def cors_of(answer: httpx.Response) -> list[tuple[str, str]]:
    names = ("access-control-", "vary")
    return [(n, v) for n, v in answer.headers.multi_items() if n.startswith(names)]


@MODES
def test_a_preflight_is_answered_without_the_function(serve, invoke_mode):
    function = serve(PLAIN, cors=CORS, invoke_mode=invoke_mode)

    answer = httpx.options(
        function.url,
        headers={
            "Origin": PAGE,
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "X-Own",
        },
    )

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/json"
    assert cors_of(answer) == [
        ("access-control-allow-origin", PAGE),
        ("access-control-allow-headers", "x-own"),
        ("vary", "Origin"),
        ("access-control-allow-methods", "GET,PUT"),
        ("access-control-max-age", "600"),
        ("access-control-allow-credentials", "true"),
    ]
    assert "START" not in function.log


@pytest.mark.parametrize(
    "asked",
    [
        {"Origin": OTHER, "Access-Control-Request-Method": "GET"},
        {"Origin": PAGE, "Access-Control-Request-Method": "DELETE"},
        {
            "Origin": PAGE,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "x-other",
        },
    ],
    ids=["origin", "method", "header"],
)
def test_a_preflight_that_asks_for_too_much_gets_no_header_and_a_line_in_the_log(serve, asked):
    function = serve(PLAIN, cors=CORS)

    answer = httpx.options(function.url, headers=asked)

    assert (answer.status_code, answer.content, cors_of(answer)) == (200, b"", [])
    assert "START" not in function.log
    assert f"a page of {asked['Origin']} asks for more than the URL's Cors allows" in function.log


@pytest.mark.parametrize("missing", ["Origin", "Access-Control-Request-Method"])
def test_options_that_are_no_preflight_are_the_functions(serve, missing):
    function = serve(PLAIN, cors=CORS)
    headers = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
    del headers[missing]

    answer = httpx.options(function.url, headers=headers)

    assert answer.headers["x-ran"] == "1"


@MODES
def test_an_answer_to_a_page_has_the_headers_appended(serve, invoke_mode):
    function = serve(PLAIN, cors=CORS, invoke_mode=invoke_mode)

    answer = httpx.get(function.url, headers={"Origin": PAGE})

    assert answer.headers["x-ran"] == "1"
    assert cors_of(answer) == [
        ("access-control-allow-origin", PAGE),
        ("vary", "Origin"),
        ("access-control-expose-headers", "x-seen"),
        ("access-control-allow-credentials", "true"),
    ]


@pytest.mark.parametrize(
    ("invoke_mode", "exposed"),
    [("RESPONSE_STREAM", ["x-own", "x-seen"]), ("BUFFERED", ["x-own,x-seen"])],
)
def test_a_handlers_own_headers_come_besides_and_the_log_says_so(serve, invoke_mode, exposed):
    function = serve(PLAIN, cors=CORS, invoke_mode=invoke_mode)

    answer = httpx.get(f"{function.url}/own", headers={"Origin": PAGE})

    assert answer.headers.get_list("access-control-allow-origin") == ["https://own.example", PAGE]
    # Each line by itself: httpx would split them at commas.
    lines = [v for n, v in answer.headers.multi_items() if n == "access-control-expose-headers"]
    assert lines == exposed
    request_id = answer.headers["x-amzn-requestid"]
    assert f"{request_id} (Function URL): the function sends Access-Control" in function.log


def test_without_an_origin_there_is_nothing_to_append(serve):
    function = serve(PLAIN, cors=CORS)

    assert cors_of(httpx.get(function.url)) == []


def test_an_answer_of_awss_own_has_the_headers_as_well(serve):
    function = serve("def handler(event, context): return 1", cors=CORS, invoke_mode="BUFFERED")

    answer = httpx.post(function.url, headers={"Origin": PAGE}, content=b"x" * 6_291_557)

    assert answer.status_code == 413
    assert answer.headers["access-control-allow-origin"] == PAGE


# Who gets in by it.


def test_a_page_that_the_cors_does_not_allow_stays_out(serve):
    function = serve(PLAIN, cors=CORS)

    answer = httpx.get(function.url, headers={"Origin": OTHER})

    assert answer.status_code == 403
    assert "may not use this emulator" in answer.text
    assert "START" not in function.log


def test_a_page_that_it_allows_reaches_the_url_and_never_the_lambda_api(serve):
    function = serve(PLAIN, cors=CORS)
    paths = [
        "/2015-03-31/functions/app/invocations",
        "/2015-03-31/functions/function/invocations",
        "/2021-11-15/functions/app/response-streaming-invocations",
        "/2015-03-31/functions/",
        "/_penstock/health",
    ]
    signed = {"Origin": PAGE, "Authorization": "AWS4-HMAC-SHA256 x"}

    for path in paths:
        answer = httpx.post(f"{function.url}{path}", headers=signed, content=b"{}")
        # It is the function that answers, as for any path of its URL.
        assert answer.headers["x-ran"] == "1", path
    function.wait_for_log(f"RAN {paths[-1]}\n")
    assert [line for line in function.log.splitlines() if "RAN" in line] == [
        f"RAN {path}" for path in paths
    ]


def test_a_page_that_it_allows_reaches_no_other_host(serve):
    function = serve(
        """
        @streamify_response
        def handler(event, context):
            yield Prelude(200, {"x-ran": "1"})
        """,
        cors=CORS,
        rest_apis=[api_of_function("app", "STREAM")],
    )
    registry = function.emulator.registry
    registry.put(dataclasses.replace(function.emulator.function, name="other"))
    registry.put_url(FunctionUrl("other"))

    for host in ("other.lambda-url.localhost", "app.execute-api.localhost"):
        url, headers = f"{function.url}/local/", {"Host": f"{host}:{function.port}"}
        # A function answers there, but not to the page.
        assert httpx.get(url, headers=headers).headers["x-ran"] == "1"
        answer = httpx.get(url, headers={**headers, "Origin": PAGE})
        assert answer.status_code == 403
        assert "may not use this emulator" in answer.text
    wait_for(lambda: function.log.count("START") == 2, "the two calls in the log")


def test_a_trusted_page_needs_no_cors_and_still_reaches_the_api(serve):
    function = serve(PLAIN, cors=CORS, origins=[OTHER])

    answer = httpx.get(function.url, headers={"Origin": OTHER})

    assert cors_of(answer)[0] == ("access-control-allow-origin", OTHER)
    invoked = httpx.post(
        f"{function.url}/2015-03-31/functions/app/invocations",
        headers={"Origin": OTHER, "Authorization": "AWS4-HMAC-SHA256 x"},
        content=b'{"rawPath": "/"}',
    )
    assert invoked.headers["x-amz-executed-version"] == "$LATEST"


# Its configuration, through the Lambda API.


def test_a_cors_that_the_api_was_given_holds_at_once(serve):
    function = serve(PLAIN)
    client = lambda_client(function.url)
    cors = {"AllowOrigins": [PAGE], "AllowMethods": ["GET"], "ExposeHeaders": ["x-seen"]}

    client.create_function_url_config(FunctionName="app", AuthType="NONE", Cors=cors)

    answer = httpx.get(function.url, headers={"Origin": PAGE})
    assert cors_of(answer) == [
        ("access-control-allow-origin", PAGE),
        ("vary", "Origin"),
        ("access-control-expose-headers", "x-seen"),
    ]
    client.update_function_url_config(FunctionName="app", Cors={"AllowOrigins": [OTHER]})
    assert httpx.get(function.url, headers={"Origin": PAGE}).status_code == 403
    assert httpx.get(function.url, headers={"Origin": OTHER}).headers["x-ran"] == "1"


@pytest.mark.parametrize(
    ("cors", "member", "constraint"),
    [
        ({"AllowMethods": ["GET"] * 7}, "allowMethods", "length less than or equal to 6"),
        # It has a letter too many to be a method.
        ({"AllowMethods": ["OPTIONS"]}, "allowMethods", "length less than or equal to 6"),
        ({"AllowOrigins": ["o"] * 101}, "allowOrigins", "length less than or equal to 100"),
        ({"AllowOrigins": ["o" * 254]}, "allowOrigins", "length less than or equal to 253"),
        ({"AllowHeaders": ["h"] * 101}, "allowHeaders", "length less than or equal to 100"),
        ({"AllowHeaders": ["h" * 1025]}, "allowHeaders", "length less than or equal to 1024"),
        ({"ExposeHeaders": ["h"] * 101}, "exposeHeaders", "length less than or equal to 100"),
        ({"MaxAge": 86_401}, "maxAge", "value less than or equal to 86400"),
    ],
)
def test_what_passes_a_limit_is_refused_in_the_words_of_aws(serve, cors, member, constraint):
    client = lambda_client(serve(PLAIN).url)

    with pytest.raises(ClientError) as caught:
        client.create_function_url_config(FunctionName="app", AuthType="NONE", Cors=cors)

    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert error["Message"].startswith("1 validation error detected: Value '")
    assert f"at 'cors.{member}' failed to satisfy constraint: Member must " in error["Message"]
    assert f"Member must have {constraint}" in error["Message"]


def test_what_is_at_its_limit_is_taken(serve):
    client = lambda_client(serve(PLAIN).url)
    cors = {
        "AllowMethods": ["GET", "PUT", "POST", "HEAD", "PATCH", "DELETE"],
        "AllowOrigins": ["o" * 253] * 100,
        "AllowHeaders": ["h" * 1024] * 100,
        "MaxAge": 86_400,
    }

    answer = client.create_function_url_config(FunctionName="app", AuthType="NONE", Cors=cors)

    assert answer["Cors"] == cors


def test_a_page_that_cors_lets_in_has_no_faults(serve):
    function = serve(PLAIN, cors=Cors(allow_origins=("*",), allow_headers=("*",)))
    answer = httpx.get(function.url, headers={"Origin": OTHER, "X-Penstock-Fault": "429"})
    assert answer.status_code == 200
    assert "injected fault" not in function.log
