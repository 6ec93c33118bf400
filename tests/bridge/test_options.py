"""What `adapt` refuses, because it could not mean what it says."""

from __future__ import annotations

import pytest

from penstock import adapt, streamify_response
from penstock.errors import AppError
from penstock.event_sources.sns import Sns
from penstock.event_sources.sqs import Sqs
from penstock.event_sources.websocket import WebSocket
from penstock.mangum import Mangum
from penstock.testing import run
from tests.bridge.apps import KINDS, asgi, event, wsgi

# Ways to stream.


@pytest.mark.parametrize("stream", [["function_url"], []])
@pytest.mark.parametrize(
    ("mode", "complaint"), [("buffer", "streams to nobody"), ("stream", "to all that can take it")]
)
def test_a_mode_that_says_it_all_leaves_nothing_to_stream(mode, complaint, stream):
    with pytest.raises(AppError, match=f"mode='{mode}' .*{complaint}, so stream has nothing"):
        adapt(wsgi(), mode=mode, stream=stream)


@pytest.mark.parametrize(("mode", "is_streamed"), [("buffer", False), ("stream", True)])
def test_a_mode_in_the_code_comes_before_the_variable(mode, is_streamed, monkeypatch):
    monkeypatch.setenv("PENSTOCK_STREAM", "rest_api")

    assert run(adapt(wsgi(), mode=mode), event()).is_streamed is is_streamed


# Sources and their paths.


def test_two_sources_of_one_name_are_refused():
    with pytest.raises(AppError, match="sources has two of the name sqs"):
        adapt(wsgi(), sources=[Sqs("/one"), Sns(), Sqs("/two")])


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"sources": [Sqs("/events"), Sns("/events/")]}, "sqs and sns"),
        ({"sources": [Sqs("/sns")]}, "sqs and sns"),
        ({"sources": [Sqs("/websocket/connect")]}, "websocket and sqs"),
        ({"sources": [WebSocket("/events"), Sqs("/events")]}, "websocket and sqs"),
        ({"default_path": "/sqs"}, "sqs and direct"),
        ({"default_path": "/websocket/default"}, "websocket and direct"),
    ],
)
def test_two_sources_cannot_have_one_path(options, names):
    with pytest.raises(AppError, match="where nobody could tell their events apart") as caught:
        adapt(wsgi(), **options)
    assert f"the sources {names} both deliver to" in str(caught.value)


def test_sources_may_change_places():
    handler = adapt(wsgi(), sources=[Sqs("/sns"), Sns("/sqs"), WebSocket("/sqsx")])

    assert run(handler, event("POST", "/sns")).prelude.status_code == 404


def test_no_source_has_every_path():
    class Everywhere(WebSocket):
        path = "/"

    with pytest.raises(AppError, match="so every path would be its own"):
        adapt(asgi(), sources=[Everywhere()])


# The deadline.


def test_a_margin_that_is_longer_than_any_invocation_is_refused():
    adapt(wsgi(), deadline_margin_ms=900_000)
    with pytest.raises(AppError, match="no invocation has more than 900000 of them: 900001"):
        adapt(wsgi(), deadline_margin_ms=900_001)


# The app.


def lambda_handler(event, context): ...


def with_underscores(_event, _context): ...


def with_a_stream(event, response_stream, context): ...


class Handler:
    def __call__(self, event, ctx): ...


@pytest.mark.parametrize(
    "handler",
    [
        *(lambda_handler, with_underscores, with_a_stream, Handler(), Handler().__call__),
        *(streamify_response(with_a_stream), Mangum(asgi())),
    ],
)
def test_a_handler_is_no_app(handler):
    with pytest.raises(AppError, match="so it is a Lambda handler already"):
        adapt(handler)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("interface", [None, "asgi", "wsgi"])
def test_what_adapt_has_made_is_no_app(kind, interface):
    with pytest.raises(AppError, match="what adapt has made of one already"):
        adapt(adapt(KINDS[kind]()), interface=interface)


class StaticAsgi:
    @staticmethod
    async def __call__(scope, receive, send):
        await asgi()(scope, receive, send)


class StaticWsgi:
    @staticmethod
    def __call__(environ, start_response):
        return wsgi()(environ, start_response)


class OfItsClass(StaticWsgi):
    @classmethod
    def __call__(cls, environ, start_response):
        return wsgi()(environ, start_response)


@pytest.mark.parametrize("app", [StaticAsgi(), StaticWsgi(), OfItsClass()])
def test_an_app_may_do_without_itself(app):
    assert run(adapt(app), event()).text == "onetwo"
