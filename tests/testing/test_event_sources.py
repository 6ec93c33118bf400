"""`check_event_source`: right sources pass, wrong ones are told what is wrong and right."""

from __future__ import annotations

import copy
import json

import pytest

from penstock.errors import DeliveryError, EventError
from penstock.event_sources.detect import all_sources
from penstock.event_sources.direct import Direct
from penstock.event_sources.kafka import Kafka
from penstock.event_sources.sqs import Sqs
from penstock.event_sources.step_functions import StepFunctions
from penstock.messages import Headers, Request
from penstock.testing import check_event_source
from penstock.testing.event_samples import EVENTS

EVENT = {"alarm": {"name": "disk of rack 17", "level": 3}}


class Alarms:
    """A right source of an internal service; wrong ones differ from it in one thing."""

    name = "alarms"
    looks_for = "alarm with a name"
    can_stream = False
    is_internal = True
    path = "/alarms"

    def matches(self, event):
        alarm = event.get("alarm") if isinstance(event, dict) else None
        return isinstance(alarm, dict) and "name" in alarm

    def request(self, event):
        name = event["alarm"]["name"]
        if not isinstance(name, str):
            raise EventError("alarm.name should be text")
        return Request(
            method="POST",
            path=self.path,
            headers=Headers([("content-type", "text/plain")]),
            body=name.encode("utf-8", "replace"),
        )

    def result(self, response, event):
        if response.status != 200:
            raise DeliveryError(f"status {response.status}")
        return {}


class Pages(Alarms):
    """A right source of requests from outside."""

    is_internal = False
    path = ""

    def request(self, event):
        if not isinstance(event["alarm"]["name"], str):
            raise EventError("alarm.name should be text")
        return Request(method="GET", path="/pages")

    def result(self, response, event):
        return {"code": response.status, "text": response.body.decode("latin-1")}


def request_with(**values):
    def request(self, event):
        if not isinstance(event["alarm"]["name"], str):
            raise EventError("alarm.name should be text")
        return Request(**{"method": "POST", "path": "/alarms", **values})

    return request


def raising(exc):
    def method(self, *arguments):
        raise exc

    return method


def takes_all_that_is_not_empty(self, event):
    return bool(event)


def takes_sqs(self, event):
    return isinstance(event, dict) and ("alarm" in event or "Records" in event)


def changes_the_event(self, event):
    event["alarm"].pop("level", None)
    return request_with()(self, event)


def looks_without_asking(self, event):
    return "alarm" in event


def reads_without_looking(self, event):
    return Request(method="POST", path="/alarms", body=event["alarm"]["name"].encode())


def passes_a_header_on(self, event):
    name = event["alarm"]["name"]
    if not isinstance(name, str):
        raise EventError("alarm.name should be text")
    return Request(method="POST", path="/alarms", headers=Headers([("x-name", name)]))


def tells_the_event(self, event):
    raise EventError(f"what is {event!r}?")


def tells_an_event_that_is_wrong(self, event):
    if not isinstance(event["alarm"]["name"], str):
        raise EventError(f"what is {json.dumps(event)}?")
    return Request(method="POST", path="/alarms")


def tells_a_text_that_is_wrong(self, event):
    if event["alarm"].get("level") != 3:
        raise EventError(f"what is {event['alarm']['name']!r}?")
    return Request(method="POST", path="/alarms")


class Alarm(Alarms):
    """A right source whose events are delivered in parts; wrong ones differ in one thing."""

    per_record = True

    def result_by_record(self, event, deliver):
        response = deliver(event)
        if response is None:
            raise DeliveryError("there was no time")
        return self.result(response, event)


def by_record(answer):
    def result_by_record(self, event, deliver):
        return answer(deliver(event))

    return result_by_record


def raises_if_late(self, event, deliver):
    return {"status": deliver(event).status}


def makes_a_wrong_part(self, event, deliver):
    return Alarm.result_by_record(self, event, lambda part: deliver(part["alarm"]))


def changes_the_batch(self, event, deliver):
    event["alarm"]["level"] = 0
    return Alarm.result_by_record(self, event, deliver)


WRONG_BY_RECORD = [
    (lambda self, event: {}, "result_by_record.. raised TypeError.*EventError or DeliveryError"),
    (lambda self, event, deliver: {}, "has delivered nothing"),
    (by_record(lambda response: object()), "result_by_record.. for an event is no JSON"),
    (by_record(lambda response: {}), "gave {} with status 500 for each record, as if"),
    (raises_if_late, "result_by_record.. raised AttributeError"),
    (
        by_record(lambda response: {"ok": response is None or response.status < 300}),
        'gave {"ok": true} with no time for any, as if',
    ),
    (makes_a_wrong_part, "request.. raised KeyError"),
    (changes_the_batch, "result_by_record.. has changed the event"),
    (raising(EventError("no")), "result_by_record.. raised EventError for an event that is right"),
    (raising(DeliveryError("no")), "no record could ever be handled"),
    (raising(DeliveryError("disk of rack 17")), "has 'disk of rack 17' of the event"),
]


@pytest.mark.parametrize(
    ("method", "complaint"), WRONG_BY_RECORD, ids=[it[1][:40] for it in WRONG_BY_RECORD]
)
def test_a_source_that_delivers_wrong_parts_is_told_so(method, complaint):
    source = type("Wrong", (Alarm,), {"result_by_record": method})()

    with pytest.raises(AssertionError, match=complaint):
        check_event_source(source, [copy.deepcopy(EVENT)])


@pytest.mark.parametrize("source", [*all_sources(), Direct("/invoke")], ids=lambda it: it.name)
def test_every_known_source_is_right(source):
    check_event_source(source, EVENTS.get(source.name, [EVENT, None, 5, "text", []]))


@pytest.mark.parametrize("source", [Sqs("/queue", per_record=True), Kafka(per_record=True)])
def test_a_source_with_options_is_right(source):
    check_event_source(source, EVENTS[source.name])


@pytest.mark.parametrize("source", [Alarms(), Alarm(), Pages()])
def test_a_right_source_passes(source):
    check_event_source(source, [EVENT])
    check_event_source(source, [EVENT], others=[Direct("/invoke"), Sqs("/queue")])


WRONG = [
    ("name", None, "name is None; it should be a str"),
    ("name", "", "name is ''; it should be usable in PENSTOCK_STREAM"),
    ("name", "a,b", "name is 'a,b'; it should be usable"),
    ("name", " a", "name is ' a'; it should be usable"),
    ("looks_for", "", "looks_for is empty"),
    ("can_stream", "no", "can_stream is 'no'; it should be a bool"),
    ("is_internal", None, "is_internal is None; it should be a bool"),
    ("can_stream", True, "can_stream and is_internal are both true"),
    ("path", "/sqs", "path is '/sqs', which is that of the source sqs; it should differ"),
    ("result", raising(DeliveryError("no")), "no event could ever be handled"),
    ("path", "alarms", "path is 'alarms'; of an internal source it should be like '/queue'"),
    ("path", "//a", "path is '//a'"),
    ("path", "/a?b", r"path is '/a\?b'"),
    ("has_paths_below", "yes", "has_paths_below is 'yes'; it should be a bool"),
    ("per_record", True, "no method result_by_record"),
    ("result", None, "no method result"),
    ("matches", lambda self, event: 1, "matches.. is 1 for .*; it should be True or False"),
    ("matches", lambda self, event: False, r"matches\(events\[0\]\) is false"),
    ("matches", lambda self, event: True, "matches.None. is true; that is no event"),
    ("matches", takes_all_that_is_not_empty, "is true; that is no event of any source"),
    ("matches", takes_sqs, "is true"),
    ("matches", looks_without_asking, "matches.. raised TypeError.*should raise nothing"),
    ("request", raising(EventError("no")), "request.. raised EventError for an event that it"),
    ("request", raising(KeyError("a")), "request.. raised KeyError.*should raise EventError"),
    ("request", reads_without_looking, "request.. raised .* for an event with alarm.name = "),
    ("request", passes_a_header_on, "it has the header 'x-name'.*value without line breaks"),
    ("request", changes_the_event, "request.. has changed the event"),
    ("request", lambda self, event: {"path": "/"}, "it should be a penstock Request"),
    ("request", request_with(path="/other"), "path is '/other'; it should be '/alarms'"),
    ("request", request_with(path="/alarms/1"), "or below it with has_paths_below"),
    ("request", request_with(method="GO TO"), "its method is 'GO TO'; it should be like 'GET'"),
    ("request", request_with(body="text"), "its body is a str; it should be bytes"),
    ("request", request_with(headers={"a": "b"}), "its headers are a dict; .* be Headers"),
    ("request", request_with(headers=Headers([("a b", "c")])), "a name should be a token"),
    ("request", request_with(query="a\nb"), "its query is .*text without line breaks"),
    ("request", request_with(query=b"a"), "its query is b'a'; it should be text"),
    ("request", request_with(root_path="/live"), "its root_path is '/live'"),
    ("request", request_with(query="x y"), "its query is 'x y'; it should be as in a URL"),
    ("request", request_with(query="x#y"), "its query is 'x#y'; it should be as in a URL"),
    ("request", request_with(query="\xe9"), "its query is '\xe9'; it should be as in a URL"),
    ("request", tells_the_event, "the EventError for an event has .* of the event in its text"),
    ("request", tells_an_event_that_is_wrong, "EventError for an event with.*event in its text"),
    ("request", tells_a_text_that_is_wrong, "EventError for an event with.*'disk of rack 17' of"),
    ("path", "/a b", "path is '/a b'; of an internal source it should be like '/queue'"),
    ("path", "/\xe9", "path is '/\xe9'; of an internal source it should be like '/queue'"),
    ("path", "/sqs/", "path is '/sqs/', and adapt would say: the sources sqs and alarms both"),
    ("path", "/websocket/x", "adapt would say: the sources websocket and alarms both deliver"),
    ("result", lambda self, response, event: {}, "result.. gave {} .* should raise DeliveryError"),
    ("result", lambda self, response, event: response, "of an internal source|is no JSON"),
    ("result", raising(DeliveryError("disk of rack 17")), "has 'disk of rack 17' of the event"),
    ("result", raising(ValueError("no")), "result.. raised ValueError.*should raise DeliveryErr"),
]


@pytest.mark.parametrize(("key", "value", "complaint"), WRONG, ids=[it[2][:40] for it in WRONG])
def test_a_wrong_source_is_told_what_is_wrong_and_what_would_be_right(key, value, complaint):
    source = type("Wrong", (Alarms,), {key: value})()

    with pytest.raises(AssertionError, match=complaint):
        check_event_source(source, [copy.deepcopy(EVENT)])


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("path", "/pages", 'of a source that is not internal it should be ""'),
        ("request", request_with(path="pages"), "its path is 'pages'; it should begin with /"),
        *(
            ("request", request_with(path=path), "its path is .*; it should be as in a URL")
            for path in ("/a b", "/a?b", "/a#b", "/\xe9", "/\ud83d", "/a\x7f")
        ),
        ("result", raising(DeliveryError("no")), "that is for internal sources"),
        (
            "result",
            lambda self, response, event: {"code": response.status, "text": ""},
            'gave {"code": 200, "text": ""} for answers with status 200, whatever their body',
        ),
        ("result", lambda self, response, event: {"body": response.body}, "is no JSON"),
        ("result", lambda self, response, event: float("nan"), "is no JSON"),
    ],
)
def test_a_wrong_source_of_requests_from_outside_is_told_so(key, value, complaint):
    source = type("Wrong", (Pages,), {key: value})()

    with pytest.raises(AssertionError, match=complaint):
        check_event_source(source, [copy.deepcopy(EVENT)])


def test_a_source_without_an_attribute_is_told_which():
    class Nothing:
        pass

    with pytest.raises(AssertionError, match="the source has no name; it should be a str"):
        check_event_source(Nothing(), [EVENT])


def test_there_must_be_events():
    with pytest.raises(AssertionError, match="there are no events"):
        check_event_source(Alarms(), [])


def test_an_event_that_another_source_takes_is_told_with_its_name():
    event = {**EVENT, **EVENTS["sqs"][0]}

    with pytest.raises(AssertionError, match=r"the source sqs takes events\[0\] as well, by event"):
        check_event_source(Alarms(), [event])


def test_another_of_the_users_sources_may_not_take_the_event_either():
    class Bells(Alarms):
        name = "bells"

    with pytest.raises(AssertionError, match=r"the source bells takes events\[0\] as well"):
        check_event_source(Alarms(), [EVENT], others=[Bells()])


def test_a_source_beside_it_may_stand_in_a_known_one_s_place():
    """As in `adapt`; the known one's events and path are then nobody's."""
    check_event_source(Alarms(), [EVENT], others=[Sqs("/sqs", per_record=True)])
    source = type("Queue", (Alarms,), {"path": "/sqs/"})()
    check_event_source(source, [EVENT], others=[Sqs("/queue")])


def test_a_path_beside_another_of_the_user_s_is_told_with_its_name():
    with pytest.raises(AssertionError, match="adapt would say: the sources direct and alarms"):
        check_event_source(Alarms(), [EVENT], others=[Direct("/alarms")])


def test_a_task_may_be_merged_with_another_event():
    tasks = EVENTS["step_functions"]
    check_event_source(StepFunctions(), [{**EVENTS["eventbridge"][0], **task} for task in tasks])


def test_a_source_cannot_have_every_path():
    source = type("Wrong", (Alarms,), {"path": "/", "has_paths_below": True})()

    with pytest.raises(AssertionError, match="should not be that of every request"):
        check_event_source(source, [EVENT])
