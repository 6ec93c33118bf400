"""Whatever an event holds and an app answers, a source gives a request, a result, or its error.

The valid events are changed in places that hypothesis chooses, into JSON that it makes.
"""

from __future__ import annotations

import contextlib
import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import DeliveryError, EventError
from penstock.event_sources.batches import Batched
from penstock.event_sources.detect import all_sources
from penstock.event_sources.direct import Direct
from penstock.messages import Request, Response
from penstock.testing.event_samples import EVENTS
from tests.tools import repeated

OTHERS = {"function_url", "http_api", "http_api_v1", "rest_api", "load_balancer"}
SOURCES = [
    *(source for source in all_sources() if source.name not in OTHERS),
    Direct("/invoke"),
]
SAMPLES = {**EVENTS, "direct": [{"order": 17, "lines": [{"n": 1}]}, [1, "2"], "text"]}

each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
bounded = settings(
    derandomize=True, deadline=None, max_examples=repeated(50, here=15), database=None
)

texts = st.text(max_size=12) | st.sampled_from(
    ["\ud83d", "a\r\nb: c", "\0", "../..", "%2e%2e", "//sqs", "aws:sqs", "$connect", "base64"]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
responses = st.builds(
    Response,
    st.integers(100, 599),
    st.lists(
        st.tuples(st.sampled_from(["content-type", "set-cookie", "Via", "x-a"]), texts), max_size=5
    ),
    st.binary(max_size=30) | json_values.map(lambda value: json.dumps(value).encode()),
)
reports = st.builds(
    lambda answer: Response(
        200, [("content-type", "application/json")], json.dumps(answer).encode()
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "batchItemFailures": json_values
            | st.lists(st.fixed_dictionaries({"itemIdentifier": json_values}), max_size=3),
            "state": json_values,
        },
    ),
)


def places_in(value, above=()):
    """The path of every value in a value."""
    yield above
    if isinstance(value, (dict, list)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places_in(inner, (*above, key))


@st.composite
def changed_events(draw, name):
    """An event of the source with up to three of its values replaced, removed or added."""
    event = copy.deepcopy(draw(st.sampled_from(SAMPLES[name])))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(list(places_in(event))))
        if not place:
            continue
        inner = event
        for key in place[:-1]:
            inner = inner[key]
        how = draw(st.sampled_from(["replace", "remove", "add"]))
        if how == "remove":
            del inner[place[-1]]
        elif how == "add" and isinstance(inner, dict):
            inner[draw(texts)] = draw(json_values)
        else:
            inner[place[-1]] = draw(json_values)
    return event


@each_source
def test_any_event_is_a_request_or_an_event_error(source):
    @bounded
    @given(changed_events(source.name))
    def check(event):
        before = copy.deepcopy(event)
        if source.matches(event):
            try:
                request = source.request(event)
            except EventError:
                pass
            else:
                assert isinstance(request, Request)
                assert request.path.startswith("/")
                assert request.path.isascii()
                assert isinstance(request.body, bytes)
                for line in (request.path, request.query, *(it for it, _ in request.headers)):
                    assert not set("\r\n\0") & set(line)
                for _, value in request.headers:
                    assert not set("\r\n\0") & set(value)
        assert event == before

    check()


@each_source
def test_any_response_is_a_result_in_json_or_a_delivery_error(source):
    @bounded
    @given(changed_events(source.name), responses | reports)
    def check(event, response):
        if not source.matches(event):
            return
        before = copy.deepcopy(event)
        try:
            json.dumps(source.result(response, event), allow_nan=False)
        except DeliveryError:
            assert source.is_internal
        assert event == before

    check()


@pytest.mark.parametrize(
    "source", [it for it in SOURCES if isinstance(it, Batched)], ids=lambda source: source.name
)
def test_any_batch_is_delivered_one_by_one_or_not_at_all(source):
    @bounded
    @given(changed_events(source.name), st.lists(responses | reports | st.none(), max_size=4))
    def check(event, answers):
        if not source.matches(event):
            return
        left = list(answers)
        delivered = []

        def deliver(part):
            delivered.append(part)
            assert source.matches(part)
            return left.pop() if left else None

        try:
            report = source.result_by_record(event, deliver)
        except EventError:
            assert delivered == []
        except DeliveryError:
            # Of a window, which is delivered whole.
            assert delivered == [event]
        else:
            json.dumps(report, allow_nan=False)
            assert source.result(_as_response(report), event) == report

    check()


def _as_response(report):
    return Response(200, [("content-type", "application/json")], json.dumps(report).encode())


WRONG = [None, True, 0, 1.5, "", "\ud83d", "a\r\nb: c", [], [None], {}, {"a": None}]


@each_source
def test_wrong_types_at_every_key_and_missing_keys_are_the_sources_errors(source):
    for sample in SAMPLES[source.name]:
        for place in places_in(sample):
            for value in (..., *WRONG):
                event = changed_at(sample, place, value)
                if not source.matches(event):
                    continue
                try:
                    source.request(event)
                except EventError:
                    continue
                try:
                    json.dumps(source.result(Response(200, [], b"OK"), event))
                except DeliveryError:
                    assert source.is_internal


def changed_at(sample, place, value):
    if not place:
        return {} if value is ... else value
    event = copy.deepcopy(sample)
    inner = event
    for key in place[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return event


@each_source
def test_an_event_that_is_nested_too_deeply_is_an_event_error_or_a_request(source):
    deep = []
    for _ in range(50_000):
        deep = [deep]
    for sample in SAMPLES[source.name]:
        event = {**sample, "deep": deep} if isinstance(sample, dict) else deep
        if source.matches(event):
            with contextlib.suppress(EventError):
                assert isinstance(source.request(event), Request)
