"""Batches that are delivered record by record, and events that no source knows."""

from __future__ import annotations

import json

import pytest

from penstock import adapt
from penstock.errors import EventError
from penstock.event_sources.sqs import Sqs
from penstock.testing import run
from tests.bridge.apps import event

EVENT = {
    "Records": [
        {"messageId": str(number), "eventSource": "aws:sqs", "body": f"message {number}"}
        for number in range(5)
    ]
}


def flaky(delivered):
    """Apps of both kinds that fail for messages 1 and 3, one of them with an exception."""

    def handle(body):
        for record in json.loads(body)["Records"]:
            delivered.append(record["messageId"])
            if record["messageId"] == "1":
                raise ValueError("cannot do it")
            if record["messageId"] == "3":
                return 503
        return 200

    async def asgi(scope, receive, send):
        assert scope["type"] == "http"
        status = handle((await receive())["body"])
        await send({"type": "http.response.start", "status": status})
        await send({"type": "http.response.body"})

    def wsgi(environ, start_response):
        start_response(f"{handle(environ['wsgi.input'].read())} Status", [])
        return []

    return {"asgi": asgi, "wsgi": wsgi}


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_record_by_record_those_that_fail_are_reported(kind, caplog):
    delivered = []
    handler = adapt(flaky(delivered)[kind], sources=[Sqs(per_record=True)])

    answer = run(handler, EVENT)

    assert not answer.is_streamed
    assert answer.result == {
        "batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "3"}]
    }
    assert delivered == ["0", "1", "2", "3", "4"]
    # The invocation has succeeded, so the log alone tells why.
    for status in (500, 503):
        assert f"a record was not handled: the app answered POST /sqs with status {status}" in (
            caplog.text
        )


def test_what_there_is_no_time_for_has_failed():
    class Context:
        def get_remaining_time_in_millis(self):
            return 1000

    delivered = []
    app = flaky(delivered)["wsgi"]
    handler = adapt(app, sources=[Sqs(per_record=True)], deadline_margin_ms=1000)

    failures = run(handler, EVENT, Context()).result["batchItemFailures"]
    assert [failure["itemIdentifier"] for failure in failures] == list("01234")
    assert delivered == []


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_an_event_that_nobody_knows_goes_to_the_default_path(kind):
    async def asgi(scope, receive, send):
        assert scope["type"] == "http"
        assert (scope["method"], scope["path"]) == ("POST", "/invoke")
        assert scope["aws.source"] == "direct"
        given = json.loads((await receive())["body"])
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": json.dumps({"sum": sum(given)}).encode()})

    def wsgi(environ, start_response):
        assert environ["PATH_INFO"] == "/invoke"
        assert environ["aws.source"] == "direct"
        start_response("200 OK", [])
        return [json.dumps({"sum": sum(json.load(environ["wsgi.input"]))}).encode()]

    handler = adapt({"asgi": asgi, "wsgi": wsgi}[kind], default_path="/invoke")

    assert run(handler, [1, 2]).result == {"sum": 3}
    assert run(handler, event("POST", "/invoke")).prelude.status_code == 404


def test_without_a_default_path_it_is_an_error():
    with pytest.raises(EventError, match=r"no source knows this event \(list\)"):
        adapt(flaky([])["wsgi"])([1, 2], None)


def test_a_default_path_that_is_none_is_refused():
    with pytest.raises(ValueError, match="not 'invoke'"):
        adapt(flaky([])["wsgi"], default_path="invoke")
