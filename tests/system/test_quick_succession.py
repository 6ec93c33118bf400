"""One call after the other, as quickly as can be: nothing gets mixed up."""

import re
import threading

import httpx
import pytest

PRINTS_AT_ONCE = """
import os

def handler(event, context):
    os.write(1, f"BODY {context.aws_request_id}\\n".encode())
    return os.getpid()
"""

ROUTE = "/2015-03-31/functions/function/invocations"
CALLS = 150


def calls(function, count: int = CALLS) -> list[int]:
    with httpx.Client(base_url=function.url, timeout=30) as client:
        return [client.post(ROUTE).json() for _ in range(count)]


@pytest.mark.parametrize("log_format", ["Text", "JSON"])
def test_the_log_tells_of_calls_in_their_order(serve, log_format):
    variables = {"AWS_LAMBDA_LOG_FORMAT": log_format}
    function = serve(PRINTS_AT_ONCE, max_environments=1, environment=variables)
    assert len(set(calls(function))) == 1
    function.emulator.stop()

    # JSON has them as values, text behind a word.
    pattern = r"(START|BODY|platform\.start|platform\.report|REPORT)\b.*?([0-9a-f-]{36})"
    found = re.findall(pattern, function.log)
    words = {"platform.start": "START", "platform.report": "REPORT"}
    told = [(words.get(word, word), request_id) for word, request_id in found]
    ids = [request_id for word, request_id in told if word == "START"]
    # The report of the last call may be cut off by the end.
    wanted = [(word, each) for each in ids for word in ("START", "BODY", "REPORT")]
    assert len(ids) == CALLS
    assert told[: 3 * CALLS - 1] == wanted[: 3 * CALLS - 1]


def test_two_callers_at_once_get_their_own_answers(serve):
    echo = "def handler(event, context): return event"
    function = serve(echo, max_environments=2)
    wrong: list[object] = []

    def call(caller: int) -> None:
        with httpx.Client(base_url=function.url, timeout=30) as client:
            for number in range(CALLS):
                sent = {"caller": caller, "number": number}
                got = client.post(ROUTE, json=sent).json()
                if got != sent:
                    wrong.append((sent, got))

    callers = [threading.Thread(target=call, args=(each,)) for each in range(2)]
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    assert not wrong
