"""CodePipeline, Step Functions, and plain JSON that nobody else knows."""

from __future__ import annotations

import json

import pytest

from penstock.errors import DeliveryError
from penstock.event_sources.codepipeline import CodePipeline
from penstock.event_sources.direct import Direct
from penstock.event_sources.step_functions import StepFunctions
from penstock.messages import Response
from penstock.testing.event_samples import EVENTS

from .delivered_events import answer

JOB = EVENTS["codepipeline"][0]
CONTEXT = EVENTS["step_functions"][0]["Context"]
EXPRESS = "arn:aws:states:eu-west-1:111122223333:express:orders:17:0b9e2c61"


def test_a_job_of_a_pipeline_is_posted_whole_and_any_2xx_is_enough():
    request = CodePipeline().request(JOB)

    assert (request.method, request.path) == ("POST", "/codepipeline")
    assert json.loads(request.body) == JOB
    assert CodePipeline().result(answer(b"OK", "text/plain"), JOB) == {}
    with pytest.raises(
        DeliveryError, match=r"^the app answered POST /codepipeline with status 404"
    ):
        CodePipeline().result(Response(404, []), JOB)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"CodePipeline.job": None},
        {"CodePipeline.job": {}},
        {"CodePipeline.job": {"id": "1"}},
        {"CodePipeline.job": {"id": 1, "data": {}}},
        {"CodePipeline.job": {"id": "1", "data": []}},
        {"CodePipeline": {"job": JOB["CodePipeline.job"]}},
    ],
)
def test_what_is_no_job_is_not_taken(event):
    assert not CodePipeline().matches(event)


@pytest.mark.parametrize(
    "event",
    [
        CONTEXT,
        {**CONTEXT, "order": 17},
        {"context": CONTEXT},
        {"Context": CONTEXT, "Input": {"order": 17}},
        {"Context": {**CONTEXT, "Execution": {"Id": EXPRESS}}},
        {"Context": {**CONTEXT, "Task": {"Token": "h7XRiCdLtd"}}},
    ],
)
def test_a_task_is_known_by_the_context_object(event):
    request = StepFunctions().request(event)

    assert StepFunctions().matches(event)
    assert (request.method, request.path) == ("POST", "/stepfunctions")
    assert json.loads(request.body) == event


@pytest.mark.parametrize(
    "event",
    [
        {"order": 17},
        {"Execution": CONTEXT["Execution"]},
        {"Context": {key: CONTEXT[key] for key in ("Execution", "State")}},
        {"Context": {**CONTEXT, "Execution": {"Id": "arn:aws:s3:::x"}}},
        {"Context": {**CONTEXT, "Execution": {"Id": ["arn:aws:states:"]}}},
        {"Context": {**CONTEXT, "State": "Pay"}},
        # What clients can write into: EventBridge's detail, say.
        {"detail": CONTEXT},
        {"a": {"Context": CONTEXT}},
        {5: CONTEXT},
    ],
)
def test_other_json_is_no_task(event):
    assert not StepFunctions().matches(event)


@pytest.mark.parametrize("value", [{"paid": True}, [1, 2], "paid", 17, 1.5, False, None])
def test_the_json_of_the_app_is_the_output_of_the_task(value):
    event = EVENTS["step_functions"][0]

    assert StepFunctions().result(answer(value), event) == value
    assert StepFunctions().result(answer(value, "text/html"), event) == value


def test_an_empty_answer_is_null():
    assert StepFunctions().result(Response(204, []), CONTEXT) is None
    assert Direct("/invoke").result(Response(204, []), {}) is None


@pytest.mark.parametrize("body", [b"OK", b"{", b"NaN", b"[-Infinity]", b"\xff", b"[" * 100_000])
def test_an_output_that_is_not_json_fails_the_task(body):
    with pytest.raises(DeliveryError) as caught:
        StepFunctions().result(answer(body), CONTEXT)

    assert str(caught.value) == (
        "the app's answer to POST /stepfunctions is not JSON, which a task's output has to be"
    )


@pytest.mark.parametrize("source", [StepFunctions(), Direct("/invoke")], ids=lambda it: it.name)
@pytest.mark.parametrize("status", [100, 302, 400, 404, 500])
def test_a_status_outside_2xx_fails_the_invocation(source, status):
    with pytest.raises(DeliveryError, match=f"POST {source.path} with status {status}$"):
        source.result(Response(status, [], b"{}"), CONTEXT)


@pytest.mark.parametrize("event", [None, 5, "text", [], {}, {"order": 17}, JOB])
def test_any_json_is_posted_to_the_path_that_was_named(event):
    request = Direct("/invoke").request(event)

    assert Direct("/invoke").matches(event)
    assert (request.method, request.path) == ("POST", "/invoke")
    assert json.loads(request.body) == event
    assert Direct.is_fallback


@pytest.mark.parametrize(
    ("response", "result"),
    [
        (answer({"paid": True}), {"paid": True}),
        (answer({"paid": True}, "application/problem+json; charset=utf-8"), {"paid": True}),
        (answer(b"17", "text/plain"), "17"),
        (answer("<p>Zoë</p>".encode(), "text/html; charset=utf-8"), "<p>Zoë</p>"),
        (answer(b"", "text/plain"), None),
        (Response(200, [], b"17"), 17),
        (Response(200, [], b"paid"), "paid"),
    ],
)
def test_the_answer_to_plain_json_is_json_or_text_by_its_content_type(response, result):
    assert Direct("/invoke").result(response, {}) == result


@pytest.mark.parametrize(
    ("response", "complaint"),
    [
        (answer(b"{"), "is called JSON and is none"),
        (answer(b"NaN"), "is called JSON and is none"),
        (answer(b"\xff", "image/png"), "is neither JSON nor text in UTF-8"),
        (Response(200, [], b"\xff"), "is neither JSON nor text in UTF-8"),
    ],
)
def test_an_answer_that_is_neither_fails_the_invocation(response, complaint):
    with pytest.raises(DeliveryError, match=f"^the app's answer to POST /invoke {complaint}$"):
        Direct("/invoke").result(response, {})


@pytest.mark.parametrize("path", ["", "invoke", "//invoke", "/a?b"])
def test_a_fallback_needs_a_path(path):
    with pytest.raises(ValueError, match="path of an event source"):
        Direct(path)
