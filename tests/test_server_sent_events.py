"""One event as bytes, and the head of a stream of events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import Prelude, ServerSentEvent
from penstock.errors import PreludeError
from penstock.server_sent_events import (
    event_stream_fields,
    event_stream_prelude,
    is_event_stream,
    last_event_id,
)
from tests.event_stream_reader import Event, read_events

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))


@pytest.mark.parametrize(
    ("data", "encoded"),
    [
        ("one", b"data: one\n\n"),
        ("", b"data: \n\n"),
        (" one", b"data:  one\n\n"),
        ("a\nb\r\nc\rd\n", b"data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"),
        ("a\u2028b\x0bc", b"data: a\xe2\x80\xa8b\x0bc\n\n"),
        (b"caf\xc3\xa9", b"data: caf\xc3\xa9\n\n"),
        (bytearray(b"x"), b"data: x\n\n"),
        ({"text": "é\n"}, b'data: {"text":"\xc3\xa9\\n"}\n\n'),
        ([1, None], b"data: [1,null]\n\n"),
        (True, b"data: true\n\n"),
        (0, b"data: 0\n\n"),
    ],
)
def test_data_is_sent_line_by_line(data, encoded):
    assert ServerSentEvent(data).encode() == encoded


def test_an_event_has_all_its_fields():
    event = ServerSentEvent("x", event="token", id="7", retry=1500)

    assert event.encode() == b"event: token\nid: 7\nretry: 1500\ndata: x\n\n"
    assert event == ServerSentEvent("x", event="token", id="7", retry=1500)
    assert event != ServerSentEvent("x")
    assert len({event, ServerSentEvent("x", event="token", id="7", retry=1500)}) == 1
    assert repr(ServerSentEvent("x")) == "<ServerSentEvent b'data: x\\n\\n'>"


def test_an_event_without_data_sets_the_id_or_the_time_to_wait():
    assert ServerSentEvent(id="").encode() == b"id: \n\n"
    assert ServerSentEvent(retry=0).encode() == b"retry: 0\n\n"


@given(data=TEXT, name=LINE, number=LINE)
def test_a_client_reads_what_was_given(data, name, number):
    encoded = ServerSentEvent(data, event=name, id=number).encode()

    lines = data.replace("\r\n", "\n").replace("\r", "\n")
    assert read_events(encoded) == [Event(name or "message", lines, number)]


@pytest.mark.parametrize(
    ("fields", "kind", "message"),
    [
        ({}, ValueError, "an event has data, or at least an id or retry"),
        (
            {"event": "x"},
            ValueError,
            "the event 'x' has no data, so no client would hear of it; give it data=\"\" at least",
        ),
        (
            {"data": "x", "event": "a\nb"},
            ValueError,
            "event is one line: 'a\\nb' would begin another field",
        ),
        (
            {"data": "x", "id": "a\rb"},
            ValueError,
            "id is one line: 'a\\rb' would begin another field",
        ),
        (
            {"data": "x", "id": "a\0"},
            ValueError,
            "the id 'a\\x00' has NUL in it, so clients would ignore it",
        ),
        ({"data": "x", "id": 7}, TypeError, "id is a str, not int"),
        (
            {"data": "x", "retry": 1.5},
            TypeError,
            "retry is a whole number of milliseconds, not 1.5",
        ),
        (
            {"data": "x", "retry": True},
            TypeError,
            "retry is a whole number of milliseconds, not True",
        ),
        ({"data": "x", "retry": -1}, ValueError, "retry is 0 milliseconds or more, not -1"),
        (
            {"data": object()},
            TypeError,
            "a dict, list, number or bool for JSON, not object",
        ),
        ({"data": float("nan")}, ValueError, "Out of range float values"),
        ({"data": b"\xff"}, ValueError, "invalid start byte"),
        ({"data": "\ud800"}, ValueError, "surrogates not allowed"),
    ],
)
def test_what_no_client_could_read_is_refused(fields, kind, message):
    with pytest.raises(kind) as caught:
        ServerSentEvent(**fields)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "event",
    [
        {"headers": {"last-event-id": "7"}},
        {"headers": {"Last-Event-ID": "7"}},
        {"headers": None, "multiValueHeaders": {"Last-Event-ID": ["6", "7"]}},
    ],
)
def test_the_last_event_s_id_is_found_in_the_event(event):
    assert last_event_id(event) == "7"


@pytest.mark.parametrize("event", [{}, {"headers": {"x": "7"}}, {"headers": None}])
def test_a_client_that_comes_for_the_first_time_has_no_last_event(event):
    assert last_event_id(event) is None


def test_the_head_keeps_proxies_from_holding_the_stream_back():
    assert event_stream_prelude(Prelude(201, {"x-own": "a"}, ["b=c"])) == Prelude(
        201,
        {
            "x-own": "a",
            "cache-control": "no-cache, no-transform",
            "x-accel-buffering": "no",
            "content-type": "text/event-stream; charset=utf-8",
        },
        ["b=c"],
    )


@pytest.mark.parametrize(
    ("given_value", "sent"),
    [
        ("no-store", "no-store, no-transform"),
        ("No-Transform, private", "No-Transform, private"),
    ],
)
def test_a_cache_control_that_is_there_is_added_to(given_value, sent):
    fields = event_stream_fields([("Cache-Control", given_value), ("X-Accel-Buffering", "yes")])

    assert fields == [("Cache-Control", sent), ("X-Accel-Buffering", "yes")]


def test_another_content_type_is_refused():
    with pytest.raises(PreludeError) as caught:
        event_stream_prelude(Prelude(200, {"Content-Type": "text/plain"}))
    assert str(caught.value) == (
        "the content type of server-sent events is text/event-stream, not 'text/plain'; "
        "leave it out"
    )


@pytest.mark.parametrize(
    ("content_type", "is_one"),
    [
        ("text/event-stream", True),
        ("Text/Event-Stream ; charset=utf-8", True),
        ("text/event-streams", False),
        ("text/plain; x=text/event-stream", False),
    ],
)
def test_an_event_stream_is_known_by_its_content_type(content_type, is_one):
    assert is_event_stream(content_type) is is_one
