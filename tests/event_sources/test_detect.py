"""All sources together: each event is exactly one's."""

from __future__ import annotations

import pytest

from penstock.errors import EventError
from penstock.event_sources.detect import all_sources, source_of

from .http_events import EVENTS as HTTP_EVENTS
from .http_events import owner_of
from .test_delivered import ALL as DELIVERED_EVENTS


@pytest.mark.parametrize("which", HTTP_EVENTS)
def test_an_event_of_http_is_its_source_s_or_nobody_s(which):
    names = [source.name for source in all_sources() if source.matches(HTTP_EVENTS[which])]
    # The events' names begin with their source's; "SQS" is no HTTP, but somebody's. Of
    # "EventBridge" there is too little.
    owner = owner_of(which)
    known = {source.name: source.name for source in all_sources()} | {"SQS": "sqs"}

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


def test_names_and_paths_are_each_one_s():
    names = [source.name for source in all_sources()]
    paths = [source.path for source in all_sources() if source.is_internal]

    assert len(set(names)) == len(names)
    assert len(set(paths)) == len(paths)
    assert all(source.path == "" for source in all_sources() if not source.is_internal)
