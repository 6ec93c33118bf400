"""Heads that a Function URL does not send as they are: refused, in part, or renamed."""

from __future__ import annotations

import httpx
import pytest

from tests.tools import line_of


@pytest.mark.parametrize("invoke_mode", ["RESPONSE_STREAM", "BUFFERED"])
def test_a_status_that_is_none_is_a_502_that_says_why(serve, invoke_mode):
    source = "def handler(event, context): return {'statusCode': 'abc'}"
    function = serve(source, invoke_mode=invoke_mode)

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == (502, b"Internal Server Error")
    assert line_of(function, answer) == (
        'Penstock answers 502 to this (what AWS does is not known), because statusCode is "abc"; '
        "write a number from 200 to 599 (one that is made of digits may be text)"
    )


PRELUDE = """
    @streamify_response
    def handler(event, response_stream, context):
        response_stream.content_type = "application/vnd.awslambda.http-integration-response"
"""


@pytest.mark.parametrize("invoke_mode", ["RESPONSE_STREAM", "BUFFERED"])
def test_a_prelude_with_a_status_that_is_none_is_a_502_and_nothing_behind_it(serve, invoke_mode):
    source = (
        PRELUDE
        + """
        response_stream.write(b'{"statusCode":700}' + bytes(8) + b"body")
    """
    )
    function = serve(source, invoke_mode=invoke_mode)

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == (502, b"Internal Server Error")
    line = line_of(function, answer)
    assert line.startswith("Penstock answers 502 to this (what AWS does is not known), because ")
    assert "drops" not in function.log


@pytest.mark.parametrize("invoke_mode", ["RESPONSE_STREAM", "BUFFERED"])
@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        (
            '{"statusCode":103}',
            (
                "the status is 103, after which another response would have to come; "
                "write a number from 200 to 599"
            ),
        ),
        (
            '{"headers":{"a":"b\\\\nc"}}',
            "the value of 'a' has '\\n' in it, which would start another header; remove it",
        ),
    ],
)
def test_a_head_that_http_cannot_carry_is_a_502_and_nobody_says_that_aws_does_so(
    serve, invoke_mode, metadata, reason
):
    source = (
        PRELUDE
        + f"""
        response_stream.write(b'{metadata}' + bytes(8))
    """
    )
    function = serve(source, invoke_mode=invoke_mode)

    answer = httpx.get(function.url)

    assert (answer.status_code, answer.content) == (502, b"Internal Server Error")
    assert line_of(function, answer) == (
        f"Penstock answers 502 to this (what AWS does is not known), because {reason}"
    )


def test_a_prelude_without_an_end_is_answered_once(serve, gate):
    source = (
        PRELUDE
        + """
        response_stream.write(b"x" * 20_000)
        pass_gate("refused")
        response_stream.write(b"x" * 20_000)
    """
    )
    function = serve(source, max_environments=1)

    with httpx.Client() as client:
        answer = client.get(function.url)
        gate.open("refused")

        assert (answer.status_code, answer.content) == (502, b"Internal Server Error")
        assert "no eight NUL bytes" in line_of(function, answer)
        function.wait_for_log("REPORT RequestId")
    assert function.log.count("no eight NUL bytes") == 1


LISTS = """
    def handler(event, context):
        return {"statusCode": 202, "multiValueHeaders": {"x-a": ["1"]}, "cookies": "a=1"}
"""


@pytest.mark.parametrize("invoke_mode", ["RESPONSE_STREAM", "BUFFERED"])
def test_what_is_not_heeded_in_an_answer_is_explained(serve, invoke_mode):
    function = serve(LISTS, invoke_mode=invoke_mode)

    answer = httpx.get(function.url)

    assert answer.status_code == 202
    assert not {"x-a", "set-cookie"} & set(answer.headers)
    function.wait_for_log(
        f"{answer.headers['x-amzn-requestid']} (Function URL): not heeded in the answer, for a "
        'Function URL is not known to take it: cookies is "a=1"; write a list; '
        'multiValueHeaders has ["x-a"], which is for REST APIs and load balancers; write headers, '
        "with commas between several values, and cookies, a list"
    )


@pytest.mark.parametrize("invoke_mode", ["RESPONSE_STREAM", "BUFFERED"])
def test_what_is_not_heeded_in_a_prelude_is_explained(serve, invoke_mode):
    function = serve(
        """
        @streamify_response
        def handler(event, context):
            yield Prelude(202, {"x-b": "1"}, (), {"x-a": ["1"], "x-b": ["1"]})
        """,
        invoke_mode=invoke_mode,
    )

    httpx.get(function.url)

    log = function.wait_for_log("not heeded in the answer")
    assert log.count("not heeded in the answer") == 1
    assert 'multiValueHeaders has ["x-a"], which' in log


def test_what_the_front_door_says_itself_is_renamed_in_the_functions_answer(serve):
    function = serve("""
        # A Prelude would leave some of them out.
        @streamify_response
        def handler(event, response_stream, context):
            headers = {"www-authenticate": "Basic", "date": "then", "server": "own",
                       "connection": "close", "content-length": "3", "x-own": "1"}
            metadata = json.dumps({"statusCode": 401, "headers": headers})
            response_stream.content_type = "application/vnd.awslambda.http-integration-response"
            response_stream.write(metadata.encode() + bytes(8) + b"one")
    """)

    answer = httpx.get(function.url)

    remapped = {
        name.removeprefix("x-amzn-remapped-"): value
        for name, value in answer.headers.items()
        if name.startswith("x-amzn-remapped-")
    }
    assert remapped == {
        "www-authenticate": "Basic",
        "date": "then",
        "server": "own",
        "connection": "close",
        "content-length": "3",
    }
    assert "www-authenticate" not in answer.headers
    assert answer.headers["date"] != "then"
    assert answer.headers["x-own"] == "1"
    assert answer.text == "one"
