"""Which apps are known for what they are, where they start, and which paths are closed."""

from __future__ import annotations

import asyncio
import functools
import signal
import subprocess
import sys
import threading

import pytest

from penstock import adapt
from penstock.bridge.lifespan import Lifespan
from penstock.testing import run
from penstock.testing.event_samples import EVENTS
from tests.bridge.apps import KINDS, asgi, event, wsgi

# How long a test waits for what must come; only a failure takes so long.
PATIENCE = 10


# Closed paths.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("base_path", "path"),
    [("/logs", "/logs"), ("/websocket", "/websocket/connect"), ("/websocket", "/websocket/rooms")],
)
def test_the_whole_path_is_closed_also_where_it_is_the_app_s_root(base_path, path, kind):
    """Frameworks that do not know of root paths match it whole."""
    app = KINDS[kind]()

    answer = run(adapt(app, base_path=base_path), event("POST", path))

    assert answer.prelude.status_code == 404
    assert not hasattr(app, "scope")
    assert not hasattr(app, "environ")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", ["/sqs", "/websocket/connect"])
def test_so_is_what_is_left_below_a_stage(path, kind):
    """API Gateway puts the stage in front, and the app is below it."""
    given = EVENTS["http_api"][0]
    stage = {"requestContext": {**given["requestContext"], "stage": "live"}}
    handler = adapt(KINDS[kind]())

    assert handler({**given, **stage, "rawPath": "/live" + path}, None)["statusCode"] == 404
    assert handler({**given, **stage, "rawPath": "/live/rooms"}, None)["statusCode"] == 200


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", ["/websocket/connect", "/websocket/message", "/websocket/a/b"])
def test_what_is_below_a_path_is_closed_and_opened_with_it(path, kind):
    given = event("POST", path)
    closed, opened = adapt(KINDS[kind]()), adapt(KINDS[kind](), open_paths=["websocket"])

    assert run(closed, given).prelude.status_code == 404
    assert run(opened, given).text == "onetwo"
    # And nothing but that.
    assert run(opened, event("POST", "/sqs")).prelude.status_code == 404


@pytest.mark.parametrize("path", ["/sqs/orders", "/logs/x", "/s3/a/b"])
def test_what_is_below_a_path_that_has_nothing_below_it_is_open(path):
    assert run(adapt(wsgi()), event("POST", path)).text == "onetwo"


# What an app is known by.


def any_arguments(app):
    @functools.wraps(app)
    def inner(*args):
        return app(*args)

    return inner


async def asgi_app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"hello"})


def wsgi_app(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]


def wsgi_with_options(options, environ, start_response):
    return wsgi_app(environ, start_response)


async def asgi_with_options(options, scope, receive, send):
    await asgi_app(scope, receive, send)


class Decorated:
    """An object whose method has a decorator."""

    @any_arguments
    def __call__(self, environ, start_response):
        return wsgi_app(environ, start_response)


@pytest.mark.parametrize(
    "app",
    [
        any_arguments(wsgi_app),
        any_arguments(any_arguments(wsgi_app)),
        any_arguments(asgi_app),
        Decorated(),
        functools.partial(wsgi_with_options, {}),
        functools.partial(asgi_with_options, {}),
        functools.partial(any_arguments(wsgi_app)),
    ],
    ids=["wsgi", "twice", "asgi", "method", "partial of wsgi", "partial of asgi", "partial of it"],
)
def test_an_app_is_known_through_what_wraps_it(app):
    assert run(adapt(app), event()).text == "hello"


# The lifespan on Lambda.


@pytest.fixture
def on_lambda(monkeypatch):
    """As in an environment of Lambda; what listens for SIGTERM is put back afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")
    monkeypatch.delenv("AWS_LAMBDA_MAX_CONCURRENCY", raising=False)
    yield monkeypatch
    signal.signal(signal.SIGTERM, before)


class Started:
    """An app that notes how often it is started."""

    def __init__(self):
        self.starts = 0

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            self.starts += 1
            await send({"type": "lifespan.startup.complete"})
            await receive()
        else:
            await asgi()(scope, receive, send)


def test_an_app_starts_with_the_environment_and_not_with_the_first_event(on_lambda):
    app = Started()
    handler = adapt(app)
    assert app.starts == 1

    assert run(handler, event()).text == "onetwo"
    assert app.starts == 1


def test_where_many_events_come_at_once_it_starts_with_the_first(on_lambda):
    """Their loop is not there before."""
    on_lambda.setenv("AWS_LAMBDA_MAX_CONCURRENCY", "10")
    app = Started()
    handler = adapt(app)
    assert app.starts == 0

    assert [run(handler, event()).text for _ in range(2)] == ["onetwo"] * 2
    assert app.starts == 1


def test_elsewhere_it_starts_with_the_first_event(monkeypatch):
    monkeypatch.delenv("AWS_LAMBDA_RUNTIME_API", raising=False)
    app = Started()
    handler = adapt(app)
    assert app.starts == 0

    run(handler, event())
    assert app.starts == 1


def test_an_app_can_be_adapted_on_another_thread(on_lambda):
    """Signals are the main thread's; the app is not told of its end then."""
    before = signal.getsignal(signal.SIGTERM)
    texts = []
    thread = threading.Thread(
        target=lambda: texts.append(run(adapt(Started()), event()).text), daemon=True
    )
    thread.start()
    thread.join(PATIENCE)

    assert texts == ["onetwo"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_after_its_end_an_app_that_listens_on_hears_nothing_more(monkeypatch, caplog):
    heard = []

    async def app(scope, receive, send):
        while True:
            message = await receive()
            heard.append(message["type"])
            await send({"type": message["type"] + ".complete"})

    async def main():
        lifespan = Lifespan(app)
        await lifespan.start()
        await lifespan.end()

    monkeypatch.setattr("penstock.bridge.lifespan._END_SECONDS", 0.01)
    asyncio.run(main())

    assert heard == ["lifespan.startup", "lifespan.shutdown"]
    assert "penstock" not in {record.name for record in caplog.records}


ENDED = """
import os, signal, sys

os.environ["AWS_LAMBDA_RUNTIME_API"] = "127.0.0.1:1"

from penstock import adapt


def mine(number, frame):
    print("mine:", signal.Signals(number).name, flush=True)


if sys.argv[1] == "mine":
    signal.signal(signal.SIGTERM, mine)
elif sys.argv[1] == "ignored":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


async def app(scope, receive, send):
    assert scope["type"] == "lifespan"
    for _ in range(2):
        message = await receive()
        print(message["type"], flush=True)
        await send({"type": message["type"] + ".complete"})


handler = adapt(app)
signal.raise_signal(signal.SIGTERM)
print("goes on", flush=True)
"""


def ended(before):
    """What a process says that is told to end, and how it ended."""
    command = (sys.executable, "-c", ENDED, before)
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    return done.stdout.splitlines(), done.returncode, done.stderr


TOLD = ["lifespan.startup", "lifespan.shutdown"]


def test_the_app_is_told_of_its_end_before_the_process_ends_as_sigterm_ends_it():
    assert ended("default") == (TOLD, -signal.SIGTERM, "")


def test_a_handler_of_the_signal_that_was_there_before_has_the_last_word():
    assert ended("mine") == ([*TOLD, "mine: SIGTERM", "goes on"], 0, "")
