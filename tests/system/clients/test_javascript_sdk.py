"""AWS's SDK for JavaScript against the emulator: both ways to invoke, chunks as they come."""

from __future__ import annotations

import json

import pytest

from tests.system.clients.tools import BARE_CHUNKS, FAILING, HELLO, assert_platform_lines


@pytest.mark.node
def test_the_javascript_sdk_invokes(serve, node):
    function = serve(HELLO)
    line = node("invoke.mjs", function, "app", '{"name": "world"}').read_all()
    answer = json.loads(line.removeprefix("answer "))
    assert answer["status"] == 200
    assert answer["version"] == "$LATEST"
    assert "functionError" not in answer
    assert json.loads(answer["payload"]) == {"hello": "world"}
    assert_platform_lines(answer["log"], answer["requestId"])


@pytest.mark.node
def test_the_javascript_sdk_learns_of_a_function_that_failed(serve, node):
    function = serve(FAILING)
    answer = json.loads(node("invoke.mjs", function).read_all().removeprefix("answer "))
    assert answer["functionError"] == "Unhandled"
    assert json.loads(answer["payload"])["errorMessage"] == "out of cheese"


@pytest.mark.node
def test_the_javascript_sdk_gets_each_event_before_the_next_is_written(serve, gate, node):
    function = serve(BARE_CHUNKS)
    client = node("stream.mjs", function)
    head = json.loads(client.read_until("\n").removeprefix("head "))
    assert head == {
        "status": 200,
        "version": "$LATEST",
        "contentType": "application/vnd.amazon.eventstream",
    }
    assert client.read_until("\n") == 'chunk "one"\n'
    gate.open("1")
    assert client.read_until("\n") == 'chunk "two"\n'
    gate.open("2")
    assert client.read_until("\n") == 'chunk "three"\n'
    complete = json.loads(client.read_until("\n").removeprefix("complete "))
    assert list(complete) == ["log"]
    request_id = complete["log"].partition("START RequestId: ")[2].partition(" ")[0]
    assert_platform_lines(complete["log"], request_id)
    assert client.read_all() == "end null\n"


@pytest.mark.node
@pytest.mark.parametrize("script", ["invoke.mjs", "stream.mjs"])
def test_the_javascript_sdk_does_not_find_a_function_that_does_not_exist(script, serve, node):
    function = serve(HELLO)
    line = node(script, function, "nobody").read_all()
    assert json.loads(line.removeprefix("error ")) == {
        "name": "ResourceNotFoundException",
        "message": "Function not found: "
        "arn:aws:lambda:us-east-1:123456789012:function:nobody:$LATEST",
        "fault": "client",
        "status": 404,
    }


@pytest.mark.node
def test_the_javascript_sdk_is_told_to_wait_when_every_environment_is_busy(serve, gate, node):
    function = serve(BARE_CHUNKS, max_environments=1)
    busy = node("stream.mjs", function)
    busy.read_until('chunk "one"\n')
    refused = json.loads(node("stream.mjs", function).read_all().removeprefix("error "))
    assert refused["name"] == "TooManyRequestsException"
    assert refused["reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert refused["status"] == 429
    gate.open("1")
    gate.open("2")
    assert busy.read_all().endswith("end null\n")
