"""What meets a limit, or names nobody: the log tells it beside the call, with what to do."""

from __future__ import annotations

import re

import httpx
import pytest
from botocore.exceptions import ClientError

from penstock.emulator import limits
from tests.system.oddities import EMPTY, WITH_PRELUDE, invoke, said_nothing, stream
from tests.tools import lambda_client, line_of


def test_a_body_over_the_limit_is_explained(serve):
    function = serve('def handler(event, context): return "x" * 6291555', invoke_mode="BUFFERED")

    answer = httpx.get(function.url)

    assert answer.status_code == 502
    assert line_of(function, answer) == (
        "the response is over 6291556 bytes, and AWS answers 502; make the URL RESPONSE_STREAM, "
        "which takes 200 MiB, and stream it"
    )


def test_a_request_over_the_limit_is_explained(serve):
    function = serve(EMPTY)

    answer = httpx.post(function.url, content=b"x" * 6_291_557)

    assert answer.status_code == 413
    assert line_of(function, answer) == (
        "the request's body is over the 6 MB that Lambda takes, and AWS answers 413; "
        "have the client put it into S3, by a presigned URL, and send its key"
    )


def test_an_event_over_the_limit_is_explained(serve):
    """In base64 a body grows by a third."""
    function = serve(EMPTY)

    answer = httpx.post(function.url, content=b"x" * 5_000_000)

    assert answer.status_code == 413
    assert re.fullmatch(
        r"the event, of \d{7} bytes with its body in base64, is over the 6 MB that Lambda takes, "
        "and AWS answers 413; have the client put it into S3, by a presigned URL, and send its key",
        line_of(function, answer),
    )


@pytest.mark.parametrize("call", ["Invoke", "InvokeWithResponseStream"])
def test_an_event_over_the_limit_of_the_api_is_explained(call, serve):
    function = serve(EMPTY)
    paths = {
        "Invoke": "/2015-03-31/functions/app/invocations",
        "InvokeWithResponseStream": "/2021-11-15/functions/app/response-streaming-invocations",
    }

    answer = httpx.post(
        function.url + paths[call],
        content=b'"' + b"x" * 6_291_557 + b'"',
        headers={"Authorization": "AWS4-HMAC-SHA256 x"},
    )

    assert answer.status_code == 413
    assert (
        f"penstock: {answer.headers['x-amzn-requestid']} (Lambda API): an event may have 6291556 "
        "bytes, this one has more, and AWS answers 413; put it into S3, and send its key\n"
    ) in function.log


def test_an_asynchronous_event_over_the_limit_is_explained(serve):
    function = serve(EMPTY)

    with pytest.raises(ClientError) as raised:
        lambda_client(function.url).invoke(
            FunctionName="app", InvocationType="Event", Payload=b'"' + b"x" * 1_048_577 + b'"'
        )

    metadata = raised.value.response["ResponseMetadata"]
    assert metadata["HTTPStatusCode"] == 413
    assert (
        f"penstock: {metadata['RequestId']} (Lambda API): an asynchronous event may have 1048576 "
        "bytes, this one has more, and AWS answers 413; put it into S3, and send its key\n"
    ) in function.log


def test_a_response_of_invoke_over_the_limit_is_explained(serve):
    function = serve('def handler(event, context): return "x" * 6291555')

    assert invoke(function)["FunctionError"] == "Unhandled"

    log = function.wait_for_log("is larger than Lambda allows")
    assert (
        "(6291556 bytes).): AWS gives whoever invokes this error instead; stream it, up to 200 "
        "MiB, to InvokeWithResponseStream, a Function URL with RESPONSE_STREAM or an integration "
        "with STREAM, or put it into S3, and answer with a link to it\n"
    ) in log


def test_a_stream_over_the_limit_is_explained(serve, monkeypatch):
    monkeypatch.setattr(limits, "STREAMED_RESPONSE", 4)
    function = serve(WITH_PRELUDE)

    assert stream(function)[0] == b'{"sta'

    assert (
        "(4 bytes).): AWS sends one byte more, and ends the stream; put it into S3, and answer "
        "with a link to it\n"
    ) in function.wait_for_log("is larger than Lambda allows")


def test_a_proxy_response_over_the_limit_whose_head_is_lost_is_explained(serve):
    function = serve("""
        def handler(event, context):
            return {"statusCode": 202, "body": "x" * 6_500_000}
    """)

    answer = httpx.get(function.url)

    assert (answer.status_code, len(answer.content)) == (200, 6_500_031)
    assert line_of(function, answer) == (
        "the handler returns an object of more than 6291556 bytes, which is passed on as it "
        "comes: of a proxy response status and headers are lost so, and what AWS does with one "
        "of this size is not known; stream the body after a Prelude"
    )


def test_json_over_the_limit_that_loses_nothing_is_not_spoken_of(serve):
    function = serve('def handler(event, context): return "x" * 6_500_000')

    assert len(httpx.get(function.url).content) == 6_500_002

    assert said_nothing(function)


def test_an_unknown_url_is_told_which_there_are(serve):
    function = serve(EMPTY)
    headers = {"Host": f"other.lambda-url.localhost:{function.port}"}

    answer = httpx.get(function.url, headers=headers)

    assert (answer.status_code, answer.json()) == (403, {"Message": None})
    assert (
        "penstock: there is no Function URL at 'other.lambda-url.localhost', and AWS answers "
        f"403; there is http://app.lambda-url.localhost:{function.port}/\n"
    ) in function.wait_for_log("there is http")


def test_a_call_too_many_is_explained(serve, gate):
    function = serve(
        """
        @streamify_response
        def handler(event, context):
            yield "first"
            pass_gate("end")
        """,
        max_environments=1,
    )
    with httpx.stream("GET", function.url) as running:
        chunks = running.iter_raw()
        assert next(chunks) == b"first"

        answer = httpx.get(function.url)

        assert (answer.status_code, answer.json()["Type"]) == (429, "User")
        assert line_of(function, answer).startswith("AWS answers 429 to this: ")
        gate.open("end")
        assert list(chunks) == []
