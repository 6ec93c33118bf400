"""All sources together: each event is exactly one's."""

from __future__ import annotations

import subprocess
import sys

import pytest

from penstock.errors import EventError
from penstock.event_sources.detect import all_sources, source_of
from penstock.event_sources.direct import Direct
from penstock.testing.event_samples import EVENTS as SAMPLES

from .delivered_events import ALL as DELIVERED_EVENTS
from .http_events import EVENTS as HTTP_EVENTS
from .http_events import owner_of


@pytest.mark.parametrize("which", HTTP_EVENTS)
def test_an_event_of_http_is_its_source_s_or_nobody_s(which):
    names = [source.name for source in all_sources() if source.matches(HTTP_EVENTS[which])]
    # The events' names begin with their source's; two are no HTTP, but somebody's. Of
    # "EventBridge" there is too little.
    owner = owner_of(which)
    known = {source.name: source.name for source in all_sources()}
    known |= {"SQS": "sqs", "a WebSocket API": "websocket"}

    assert names == ([known[owner]] if owner in known else [])


@pytest.mark.parametrize(("name", "event"), DELIVERED_EVENTS)
def test_a_delivered_event_is_its_source_s(name, event):
    assert source_of(event, all_sources()).name == name


@pytest.mark.parametrize("event", [None, 5, "text", [], {}, {"Records": []}, {"version": "3.0"}])
def test_what_is_nobody_s_is_an_error_that_names_all_sources(event):
    with pytest.raises(EventError) as caught:
        source_of(event, all_sources())

    for source in all_sources():
        assert f"{source.name}: {source.looks_for}" in str(caught.value)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_event_is_its_source_s(name):
    for event in SAMPLES[name]:
        assert source_of(event, all_sources()).name == name


def test_there_are_samples_of_every_source():
    assert set(SAMPLES) == {source.name for source in all_sources()}


@pytest.mark.parametrize("event", [None, 5, "text", [], {}, {"order": 17}, {"Records": []}])
def test_a_fallback_takes_what_nobody_else_knows_and_nothing_else(event):
    sources = [Direct("/invoke"), *all_sources()]

    assert source_of(event, sources).name == "direct"
    for name, events in SAMPLES.items():
        assert {source_of(event, sources).name for event in events} == {name}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_task_merged_with_an_event_of_another_source_is_a_task(name):
    (context,) = [event["Context"] for event in SAMPLES["step_functions"] if "Context" in event]
    for event in SAMPLES[name]:
        for merged in ({**event, **context}, {**event, "Context": context}):
            assert source_of(merged, [*all_sources(), Direct("/invoke")]).name == "step_functions"


def test_other_sources_that_take_one_event_are_an_error():
    event = {**SAMPLES["sqs"][0], **SAMPLES["eventbridge"][0]}

    with pytest.raises(EventError, match="take this event for theirs: sqs, eventbridge"):
        source_of(event, all_sources())


def test_two_fallbacks_are_one_too_many():
    with pytest.raises(EventError, match="several sources take this event for theirs"):
        source_of({}, [Direct("/a"), Direct("/b")])


def test_names_and_paths_are_each_one_s():
    names = [source.name for source in all_sources()]
    paths = [source.path for source in all_sources() if source.is_internal]

    assert len(set(names)) == len(names)
    assert len(set(paths)) == len(paths)
    assert all(source.path == "" for source in all_sources() if not source.is_internal)


def test_what_stands_in_front_of_a_function_is_not_loaded_in_it():
    program = "import sys, penstock.event_sources.detect; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()

    assert "penstock.event_sources.function_url" in loaded
    ours = [name for name in loaded if name.startswith("penstock")]
    assert [name for name in ours if name.endswith("_events")] == []
