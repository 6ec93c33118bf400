"""Where the app is mounted, and which paths outside callers may use."""

from __future__ import annotations

import functools

import pytest
from fastapi import FastAPI

from penstock import adapt
from penstock.errors import AppError
from penstock.testing import run
from tests.bridge.apps import KINDS, asgi, event, wsgi


@pytest.mark.parametrize(
    ("path", "root_path", "rest"),
    [
        ("/api/items", "/api", "/items"),
        ("/api", "/api", ""),
        ("/api/", "/api", "/"),
        ("/api/api/items", "/api", "/api/items"),
        ("/apiary", "", "/apiary"),
        ("/other", "", "/other"),
        ("/", "", "/"),
    ],
)
@pytest.mark.parametrize("base_path", ["/api", "/api/"])
def test_the_base_path_ends_at_the_border_of_a_segment(base_path, path, root_path, rest):
    app = asgi()
    run(adapt(app, base_path=base_path), event(path=path))
    assert (app.scope["root_path"], app.scope["path"]) == (root_path, path)
    assert app.scope["raw_path"] == path.encode()

    app = wsgi()
    run(adapt(app, base_path=base_path), event(path=path))
    assert (app.environ["SCRIPT_NAME"], app.environ["PATH_INFO"]) == (root_path, rest)


def test_the_base_path_comes_decoded_as_paths_do():
    app = asgi()
    run(adapt(app, base_path="/caf%C3%A9"), event(path="/caf%C3%A9/a%20b"))
    assert (app.scope["root_path"], app.scope["path"]) == ("/café", "/café/a b")

    app = wsgi()
    run(adapt(app, base_path="/caf%C3%A9"), event(path="/caf%C3%A9/a%20b"))
    found = app.environ["SCRIPT_NAME"], app.environ["PATH_INFO"]
    assert found == ("/café".encode().decode("latin-1"), "/a b")


@pytest.mark.parametrize("wrong", ["api", "//api", 5])
def test_a_base_path_that_is_none_is_refused(wrong):
    with pytest.raises(AppError, match="base_path is like '/api'"):
        adapt(wsgi(), base_path=wrong)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", ["/sqs", "/api/sqs", "/api//sqs", "/api/%73qs/"])
def test_paths_of_events_from_within_are_refused_below_the_base_path_as_well(kind, path):
    handler = adapt(KINDS[kind](), base_path="/api")

    assert run(handler, event("POST", path)).prelude.status_code == 404


@pytest.mark.parametrize("kind", KINDS)
def test_paths_can_be_opened_to_outside_callers(kind):
    handler = adapt(KINDS[kind](), open_paths=["logs", "s3"])

    assert run(handler, event("POST", "/logs")).text == "onetwo"
    assert run(handler, event("POST", "/s3")).text == "onetwo"
    assert run(handler, event("POST", "/sqs")).prelude.status_code == 404


def test_only_sources_that_have_a_path_can_be_opened():
    with pytest.raises(AppError, match=r"rest_api in open_paths: not one of .*kinesis"):
        adapt(wsgi(), open_paths=["rest_api"])


@pytest.mark.parametrize(
    ("host", "proto", "server"),
    [
        ("shop.example", "https", ("shop.example", 443)),
        ("shop.example", "http", ("shop.example", 80)),
        ("shop.example:8443", "https", ("shop.example", 8443)),
        ("[::1]:9000", "http", ("::1", 9000)),
        ("[::1]", "http", ("::1", 80)),
        ("shop.example:port", "https", ("shop.example:port", 443)),
    ],
)
def test_the_address_is_that_of_the_host_field(host, proto, server):
    given = event()
    given["headers"] |= {"host": host, "x-forwarded-proto": proto}
    app = asgi()
    run(adapt(app), given)
    assert (app.scope["server"], app.scope["scheme"]) == (server, proto)

    app = wsgi()
    run(adapt(app), given)
    found = app.environ["SERVER_NAME"], app.environ["SERVER_PORT"], app.environ["wsgi.url_scheme"]
    assert found == (server[0], str(server[1]), proto)


# What routers were seen to take for a closed path: case, a line break at the end, bytes that
# are no UTF-8 and dropped, dots that are resolved or are not.
TRICKS = [
    *("/sqs", "/sqs/", "//sqs", "/./sqs", "/a/../sqs", "/%73qs", "/sqs%2F", "/sqs%0A", "/sqs%20"),
    *("/SQS", "/Sqs", "/sq%FFs", "/%FFsqs", "/sqs%85", "/sqs%C2%A0", "/sqs%00", "/\\sqs"),
    *("/websocket", "/websocket/connect", "/WEBSOCKET/connect", "/websocket/%2e%2e"),
    *("/websocket/..", "/websocket/connect/../../x", "/websocket%2Fx", "/x/../websocket/y"),
]


@pytest.mark.parametrize("path", TRICKS)
@pytest.mark.parametrize("root", ["", "/prod"])
def test_no_spelling_of_a_closed_path_reaches_an_app(path, root):
    class Rooted:
        root_path = root

        async def __call__(self, scope, receive, send):
            raise AssertionError(scope)

    handler = adapt(Rooted())

    assert run(handler, event("POST", root + path)).prelude.status_code == 404


@pytest.mark.parametrize("path", ["/sqs%0A", "/%61pi/sqs", "/api%2Fsqs", "/API/sqs", "/api/Sqs%0a"])
def test_none_below_a_base_path_does_either(path):
    app = wsgi()
    assert run(adapt(app, base_path="/api"), event("POST", path)).prelude.status_code == 404
    assert not hasattr(app, "environ")


@pytest.mark.parametrize("path", ["/", "/sqsx", "/admin/logs", "/files/s3", "/websocketx", "/sq/s"])
def test_other_paths_are_open(path):
    assert run(adapt(wsgi()), event("POST", path)).text == "onetwo"


@pytest.mark.parametrize("root", ["", "/prod"])
@pytest.mark.parametrize("path", TRICKS)
def test_fastapi_below_a_root_of_its_own_is_not_reached(path, root):
    handler = fastapi_below(root)
    assert "reached" not in run(handler, event("POST", root + path)).text


@functools.cache
def fastapi_below(root):
    app = FastAPI()
    # As the argument of that name, which warns by now.
    app.root_path = root
    app.post("/sqs")(lambda: "reached")
    app.post("/websocket/{route:path}")(lambda route: "reached")
    return adapt(app)
