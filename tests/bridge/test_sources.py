"""Whose an event is, whether its source is streamed to, and sources of one's own."""

from __future__ import annotations

import pytest

from penstock import adapt
from penstock.errors import AppError, EventError
from penstock.event_sources.sqs import Sqs
from penstock.messages import Request
from penstock.testing import run
from tests.bridge.apps import KINDS, event, wsgi


def test_an_event_that_nobody_knows_is_an_error_that_says_what_was_looked_for():
    with pytest.raises(EventError, match=r"keys \['Records'\].*function_url: version \"2.0\""):
        adapt(wsgi())({"Records": []}, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"body": "???", "isBase64Encoded": True},
        {"body": 5},
        {"headers": ["a"]},
        {"cookies": "a=b"},
        {"rawPath": 5},
        {"requestContext": {"domainName": "abc.lambda-url.us-east-1.on.aws"}},
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_malformed_event_is_answered_400_and_the_app_is_not_called(kind, wrong, caplog):
    handler = adapt(KINDS[kind]())

    assert run(handler, event() | wrong).prelude.status_code == 400
    assert "the event cannot be made a request" in caplog.text
    assert run(handler, event()).text == "onetwo"


def test_a_request_that_came_in_part_is_answered_413():
    cloudfront = {
        "config": {"eventType": "viewer-request"},
        "request": {
            "clientIp": "203.0.113.178",
            "method": "POST",
            "uri": "/",
            "querystring": "",
            "headers": {"host": [{"key": "Host", "value": "d111111abcdef8.cloudfront.net"}]},
            "body": {"inputTruncated": True, "encoding": "base64", "data": "aGVsbG8="},
        },
    }
    assert adapt(wsgi())({"Records": [{"cf": cloudfront}]}, None)["status"] == "413"


class Told:
    """An event source of somebody's own: plain text is an event."""

    name = "told"
    looks_for = "text"
    can_stream = False
    is_internal = True
    path = "/told"

    def matches(self, event):
        return isinstance(event, str)

    def request(self, event):
        return Request(method="POST", path=self.path, body=event.encode())

    def result(self, response, event):
        return [response.status, response.body.decode(), event]


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_of_one_s_own_is_asked_and_marked(kind):
    app = KINDS[kind]()

    assert run(adapt(app, sources=[Told()]), "news").result == [200, "onetwo", "news"]
    found = app.scope if kind == "asgi" else app.environ
    assert found["aws.source"] == "told"


@pytest.mark.parametrize(
    "path", ["/told", "/told/", "//told", "/%74old", "/./told", "/a/../told", "/told%2F"]
)
def test_an_outside_caller_is_refused_the_path_of_events_from_within(path):
    app = wsgi()
    handler = adapt(app, sources=[Told()])

    assert run(handler, event(path=path)).prelude.status_code == 404
    assert not hasattr(app, "environ")
    assert run(handler, event(path="/told/more")).text == "onetwo"


class Asked(Told):
    """The same, of somebody outside who can take a stream."""

    name = "asked"
    can_stream = True
    is_internal = False
    path = ""

    def request(self, event):
        return Request(method="POST", path="/asked", body=event.encode())


def test_which_sources_are_streamed_to_can_be_said(monkeypatch):
    app = wsgi()

    def answer(given, **options):
        return run(adapt(app, sources=[Asked()], **options), given)

    assert answer("news", stream=["asked"]).chunks == [b"one", b"two"]
    assert not answer(event(), stream=["asked"]).is_streamed
    assert answer("news", mode="stream").is_streamed
    assert answer(event(), mode="stream").is_streamed
    monkeypatch.setenv("PENSTOCK_STREAM", "asked, function_url,")
    assert answer("news").is_streamed
    for nothing in ("", " ", " , "):
        monkeypatch.setenv("PENSTOCK_STREAM", nothing)
        assert not answer(event()).is_streamed


@pytest.mark.parametrize(
    ("stream", "complaint"),
    [
        (["function_url", "alb"], "names 'alb', which is no source and .*: function_url, rest"),
        (["rest_api", "sqs"], "stream names sqs, which cannot be streamed to; .*function_url"),
        ([" "], "names '', which is no source"),
        ("function_url", r"a list of names, as in \['rest_api'\], not 'function_url'"),
        (True, "a list of names"),
        ([5], "a list of names"),
    ],
)
@pytest.mark.parametrize("mode", ["auto", "stream", "buffer"])
def test_what_cannot_be_streamed_to_is_refused(stream, complaint, mode):
    with pytest.raises(AppError, match=complaint):
        adapt(wsgi(), stream=stream, mode=mode)


@pytest.mark.parametrize(
    ("sources", "complaint"),
    [
        ([Sqs], r"the class Sqs; make an object of it: Sqs\(\)"),
        (Sqs("/x"), r"sources is a list, as in \[Sqs"),
        (["sqs"], "'sqs' in sources is no event source, for want of name, looks_for"),
        ({"sqs": Sqs()}, "sources is a list"),
    ],
)
def test_what_is_no_source_is_refused(sources, complaint):
    with pytest.raises(AppError, match=complaint):
        adapt(wsgi(), sources=sources)


def test_who_streams_cannot_be_from_within_aws():
    class Both(Told):
        can_stream = True

    with pytest.raises(AppError, match="has both can_stream and is_internal"):
        adapt(wsgi(), sources=[Both()])


def test_open_paths_is_a_list():
    with pytest.raises(AppError, match="open_paths is a list of names"):
        adapt(wsgi(), open_paths="logs")


def test_a_refusal_is_logged_with_what_opens_the_path(caplog):
    run(adapt(wsgi()), event("POST", "/logs"))

    assert "of events of logs; adapt(open_paths=['logs']) opens it" in caplog.text


def test_an_event_that_two_sources_claim_is_an_error():
    class Heard(Told):
        name = "heard"
        path = "/heard"

    with pytest.raises(EventError, match="several sources take this event for theirs: told, heard"):
        adapt(wsgi(), sources=[Told(), Heard()])("news", None)


def test_a_source_takes_the_place_of_a_known_one_of_its_name():
    app = wsgi()
    handler = adapt(app, sources=[Sqs("/orders")])
    messages = {"Records": [{"messageId": "1", "eventSource": "aws:sqs", "body": "{}"}]}

    assert run(handler, messages).result == {"batchItemFailures": []}
    assert app.environ["PATH_INFO"] == "/orders"
    assert run(handler, event("POST", "/sqs")).text == "onetwo"
    assert run(handler, event("POST", "/orders")).prelude.status_code == 404
