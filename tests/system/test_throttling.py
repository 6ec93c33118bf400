"""Reserved and account concurrency, as callers meet them at every front."""

from __future__ import annotations

import dataclasses

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.tools import lambda_client

AT_GATE = """
@streamify_response
def handler(event, context):
    yield "begun"
    pass_gate("1")
"""

RESERVED = "ReservedFunctionConcurrentInvocationLimitExceeded"
ACCOUNT = "ConcurrentInvocationLimitExceeded"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"reserved_concurrency": 1}, RESERVED),
        ({"account_concurrency": 1}, ACCOUNT),
        ({"max_environments": 1}, RESERVED),
    ],
    ids=["reserved", "account", "environments"],
)
def test_every_front_says_which_limit_it_was(serve, gate, options, reason):
    function = serve(AT_GATE, **options)
    events = []
    function.emulator.subscribe(events.append)
    client = lambda_client(function.url)
    with httpx.stream("GET", function.url) as running:
        next(running.iter_raw())
        refused = httpx.get(function.url)
        assert (refused.status_code, refused.json()["Reason"]) == (429, reason)
        for call in (client.invoke, client.invoke_with_response_stream):
            with pytest.raises(ClientError) as caught:
                call(FunctionName="app")
            error = caught.value.response
            assert error["ResponseMetadata"]["HTTPStatusCode"] == 429
            assert error["Error"]["Code"] == "TooManyRequestsException"
            assert error["Reason"] == reason
        gate.open("1")
    told = [event.record["reason"] for event in events if event.type == "penstock.throttled"]
    assert told == [reason] * 3


def test_versions_share_a_reservation(serve, gate):
    function = serve(AT_GATE, reserved_concurrency=1)
    registry = function.emulator.registry
    registry.put(dataclasses.replace(function.emulator.function, version="1"))
    with httpx.stream("GET", function.url) as running:
        next(running.iter_raw())
        with pytest.raises(ClientError) as caught:
            lambda_client(function.url).invoke(FunctionName="app", Qualifier="1")
        assert caught.value.response["Reason"] == RESERVED
        gate.open("1")


def test_one_call_after_the_other_is_never_too_many(serve):
    function = serve("def handler(event, context): return 1", reserved_concurrency=1)
    with httpx.Client() as client:
        assert {client.get(function.url).status_code for _ in range(30)} == {200}


def test_nothing_runs_with_a_reservation_of_none(serve):
    function = serve("def handler(event, context): return 1", reserved_concurrency=0)
    assert httpx.get(function.url).json()["Reason"] == RESERVED
    assert "START" not in function.log
