"""Hints for errors that are easy to make."""

from __future__ import annotations

import httpx
import pytest

from penstock.emulator.hints import hint_for

MISTAKES = {
    "a generator without the decorator": (
        "def handler(event, context):\n    yield 'x'",
        "the handler is a generator; to stream, decorate it: @streamify_response",
    ),
    "an async def without the decorator": (
        "async def handler(event, context):\n    pass",
        "the handler is an async def; to stream, decorate it: @streamify_response",
    ),
    "a stream without the decorator": (
        "def handler(event, response_stream, context):\n    pass",
        "the handler takes a response stream; to stream, decorate it: @streamify_response",
    ),
    "the arguments in another order": (
        (
            "@streamify_response\n"
            "def handler(event, ctx, response_stream):\n    response_stream.write('x')"
        ),
        "the second argument of a handler is the stream, the third the context",
    ),
    "an ASGI app": (
        "from fastapi import FastAPI\nhandler = FastAPI()",
        "this is an ASGI app; to serve a web app: handler = penstock.adapt(app)",
    ),
    "a WSGI app": (
        "from flask import Flask\nhandler = Flask('app')",
        "this is a WSGI app; to serve a web app: handler = penstock.adapt(app)",
    ),
    "a status on the stream": (
        (
            "@streamify_response\n"
            "def handler(event, response_stream, context):\n    response_stream.status_code = 404"
        ),
        "set status, headers and cookies with HttpResponseStream.from_(response_stream, {...})",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.filterwarnings("ignore")
def test_a_mistake_that_is_easy_to_make_gets_a_hint(mistake, serve):
    source, hint = MISTAKES[mistake]
    function = serve(source)
    httpx.get(function.url)
    function.wait_for_log(f"penstock: {hint}")


@pytest.mark.parametrize(
    ("module", "missing", "hint"),
    [
        ("shop.pages", "shop", "the module of the handler itself is not in the function's folder"),
        ("app", "numpy", "install the module there"),
        ("app", "application", "install the module there"),
    ],
)
def test_a_handlers_module_that_is_not_there_is_not_to_be_installed(module, missing, hint):
    text = f"Unable to import module '{module}': No module named '{missing}'"
    assert hint in hint_for(f"Runtime.ImportModuleError: {text}")


def test_what_is_not_emulated_says_so_and_does_not_run_the_function(serve):
    function = serve("def handler(event, context): return 1")
    answer = httpx.get(
        f"{function.url}/2015-03-31/event-source-mappings/", headers={"Authorization": "any"}
    )
    assert answer.status_code == 501
    assert "ListEventSourceMappings is not emulated" in answer.json()["Message"]
    assert "START" not in function.log


def test_a_trusted_origin_gets_its_preflights_answered_and_may_read(serve):
    page = "http://localhost:5173"
    function = serve("def handler(event, context): return 1", origins=[page])
    preflight = httpx.options(
        function.url,
        headers={
            "Origin": page,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == page
    assert preflight.headers["access-control-allow-methods"] == "POST"
    assert preflight.headers["access-control-allow-headers"] == "content-type"
    assert "START" not in function.log

    answer = httpx.post(function.url, json={}, headers={"Origin": page})
    assert (answer.text, answer.headers["access-control-allow-origin"]) == ("1", page)

    other = httpx.post(function.url, json={}, headers={"Origin": "http://localhost:8000"})
    assert other.status_code == 403
    assert "access-control-allow-origin" not in other.headers
    assert "penstock: refused POST /: a page of http://localhost:8000" in function.log
