"""Events from within AWS: whose they are, the request they become, and what answers count."""

from __future__ import annotations

import copy
import json

import pytest

from penstock.errors import DeliveryError, EventError
from penstock.event_sources.eventbridge import EventBridge
from penstock.event_sources.function_url import FunctionUrl
from penstock.event_sources.sqs import Sqs
from penstock.messages import Response
from tests.event_sources.delivered_events import (
    ALL,
    BY_NAME,
    EVENTS,
    FUNCTION_URL_EVENT,
    PATHS_AND_HOSTS,
    SOURCES,
    change,
    message,
)

NOBODYS = [
    None,
    True,
    0,
    1.5,
    "",
    "aws:sqs",
    [],
    [message("m-1")],
    {},
    {"Records": None},
    {"Records": []},
    {"Records": {}},
    {"Records": "aws:sqs"},
    {"Records": [None]},
    {"Records": [[]]},
    {"Records": [{}]},
    {"Records": [{"eventSource": None}]},
    {"Records": [{"eventSource": ["aws:sqs"]}]},
    {"Records": [{"eventSource": {"aws:sqs": 1}}]},
    {"Records": [{"eventSource": "aws:unheard-of"}]},
    # Not alike: whose they are as a whole nobody can say.
    {"Records": [message("m-1"), change("111")]},
    {"Records": [message("m-1"), None]},
    {"records": [message("m-1")]},
    {"eventSource": "aws:sqs"},
    {"eventSource": "aws:kafka"},
    {"eventSource": "aws:kafka", "records": []},
    {"eventSource": ["aws:kafka"], "records": {}},
    {"eventSource": {}, "records": {}, "messages": []},
    {"eventSource": "aws:amq", "messages": {}},
    {"eventSource": "aws:amq", "rmqMessagesByQueue": {}},
    {"eventSource": "aws:rmq", "messages": []},
    {"eventSource": [], "messages": []},
    {"awslogs": None},
    {"awslogs": {"data": None}},
    {"awslogs": ["data"]},
    {"awslogs": "data"},
    {"version": "0"},
    {"version": 0, "detail-type": "a", "source": "b", "detail": {}},
    {"version": "0", "detail-type": None, "source": "b", "detail": {}},
    {"version": "0", "detail-type": "a", "source": [], "detail": {}},
    {"version": "0", "detail-type": "a", "source": "b"},
    FUNCTION_URL_EVENT,
]


@pytest.mark.parametrize(("name", "event"), ALL)
def test_exactly_one_source_takes_an_event_for_its_own(name, event):
    takers = [source.name for source in [FunctionUrl(), *SOURCES] if source.matches(event)]

    assert takers == [name]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
@pytest.mark.parametrize("event", NOBODYS, ids=lambda event: json.dumps(event)[:60])
def test_what_no_service_makes_is_nobodys_and_raises_nothing(source, event):
    assert source.matches(event) is False


def test_a_function_url_keeps_a_request_that_looks_like_a_delivered_event():
    assert FunctionUrl().matches(FUNCTION_URL_EVENT)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_sources_are_internal_and_cannot_stream(source):
    assert source.is_internal
    assert not source.can_stream
    assert source.looks_for
    assert (source.path, source.host) == PATHS_AND_HOSTS[source.name]


@pytest.mark.parametrize(("name", "event"), ALL)
def test_an_event_becomes_one_post_with_all_of_it_in_the_body(name, event):
    path, host = PATHS_AND_HOSTS[name]

    request = BY_NAME[name].request(event)

    assert (request.method, request.path, request.query) == ("POST", path, "")
    assert list(request.headers) == [
        ("host", host),
        ("content-type", "application/json"),
        ("content-length", str(len(request.body))),
    ]
    assert json.loads(request.body) == event
    assert request.source_ip == ""


def test_the_body_is_compact_and_has_non_ascii_as_it_is():
    request = Sqs().request({"Records": [{"eventSource": "aws:sqs", "body": "Zürich 京都"}]})

    assert request.body == '{"Records":[{"eventSource":"aws:sqs","body":"Zürich 京都"}]}'.encode()
    assert request.headers.get("content-length") == str(len(request.body))


def test_half_of_a_character_arrives_as_the_event_had_it():
    event = json.loads(r'{"Records":[{"eventSource":"aws:sqs","body":"\ud83d ü"}]}')

    body = Sqs().request(event).body

    assert body == rb'{"Records":[{"eventSource":"aws:sqs","body":"\ud83d \u00fc"}]}'
    assert json.loads(body) == event


def test_an_event_that_is_not_json_is_an_event_error():
    event = {"Records": [{"eventSource": "aws:sqs", "body": b"bytes"}]}

    with pytest.raises(EventError, match="cannot be written as JSON: Object of type bytes"):
        Sqs().request(event)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_path_can_be_chosen(source):
    chosen = type(source)("/internal/queue")
    event = EVENTS[source.name][0]

    assert chosen.path == "/internal/queue"
    assert chosen.request(event).path == "/internal/queue"
    with pytest.raises(DeliveryError, match="POST /internal/queue with status 500"):
        chosen.result(Response(500, []), event)
    assert type(source)().path == PATHS_AND_HOSTS[source.name][0]


@pytest.mark.parametrize(
    "path", ["", "sqs", "//sqs", "/a?b", "/a#b", "/a b", "/a\n", "/ü", 7, b"/sqs"]
)
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match="path of an event source is like '/queue'"):
        Sqs(path)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
@pytest.mark.parametrize(("name", "event"), ALL)
def test_a_status_from_200_to_299_is_success(name, event, status):
    result = BY_NAME[name].result(Response(status, []), event)

    takes_reports = name in ("sqs", "kinesis", "dynamodb", "kafka")
    assert result == ({"batchItemFailures": []} if takes_reports else {})


@pytest.mark.parametrize("status", [100, 199, 400, 404, 500, 503])
@pytest.mark.parametrize(("name", "event"), ALL)
def test_any_other_status_fails_the_invocation_and_tells_nothing_of_the_event(name, event, status):
    path, _ = PATHS_AND_HOSTS[name]
    response = Response(status, [], b'{"batchItemFailures": []}')

    with pytest.raises(DeliveryError) as caught:
        BY_NAME[name].result(response, event)

    assert str(caught.value) == f"the app answered POST {path} with status {status}"


@pytest.mark.parametrize(("name", "event"), ALL)
def test_the_event_is_never_changed(name, event):
    before = copy.deepcopy(event)

    BY_NAME[name].matches(event)
    BY_NAME[name].request(event)
    BY_NAME[name].result(Response(200, []), event)

    assert event == before


def test_a_scheduled_event_as_sam_makes_it_has_no_version():
    event = {
        "id": "cdc73f9d-aea9-11e3-9d5a-835b769c0d9c",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "1970-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/ExampleRule"],
        "detail": {},
    }
    assert EventBridge().matches(event)
    for key in event:
        assert not EventBridge().matches({name: event[name] for name in event if name != key})
