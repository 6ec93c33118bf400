"""Where the app is mounted, and which paths outside callers may use."""

from __future__ import annotations

import functools
import subprocess
import sys

import pytest
from asgiref.wsgi import WsgiToAsgi
from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from penstock import adapt
from penstock.errors import AppError
from penstock.event_sources.sqs import Sqs
from penstock.testing import run
from penstock.testing.event_samples import EVENTS
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


@pytest.mark.parametrize(
    ("wrong", "right"), [("/é", "/%C3%A9"), ("/a?b", "/a%3Fb"), ("/a b", "/a%20b"), ("/#", "/%23")]
)
def test_a_base_path_that_no_url_has_is_refused(wrong, right):
    with pytest.raises(AppError, match="as it is in a URL") as caught:
        adapt(wsgi(), base_path=wrong)
    assert f"like {right!r}, and {wrong!r} never is" in str(caught.value)


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
    # The Kelvin sign, a long s and an i without its dot, or with one too many.
    *("/%C5%BFqs", "/web%C5%BFoc%E2%84%AAet/x", "/\N{LATIN SMALL LETTER LONG S}qs"),
    *("/k%C4%B1nesis", "/k%C4%B0nesis", "/%E2%84%AAafka"),
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


def rooted(root="/api"):
    app = FastAPI()
    app.root_path = root
    app.post("/sqs")(lambda: "reached")
    app.post("/other")(lambda: "reached")
    return app


def in_a_function(app):
    async def middleware(scope, receive, send):
        await app(scope, receive, send)

    return middleware


def in_a_decorator(app):
    @functools.wraps(app.__call__)
    async def middleware(*arguments):
        await app(*arguments)

    return middleware


class ByMethod:
    def __init__(self, app):
        self._app = app

    async def serve(self, scope, receive, send):
        await self._app(scope, receive, send)


WRAPPERS = {
    "middleware": lambda app: CORSMiddleware(CORSMiddleware(app)),
    "mount": lambda app: Starlette(routes=[Mount("/", app=app)]),
    "mount in a mount": lambda app: Mount("/", routes=[Mount("/", app=CORSMiddleware(app))]),
    "function": in_a_function,
    "decorator": in_a_decorator,
    "method": lambda app: ByMethod(app).serve,
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_root_is_seen_behind_what_is_around_the_app(wrapper):
    handler = adapt(WRAPPERS[wrapper](rooted()), interface="asgi")

    assert "reached" in run(handler, event("POST", "/api/other")).text
    for path in ("/api/sqs", "/api/sqs/", "/API/%73qs", "/sqs"):
        assert run(handler, event("POST", path)).text == "Not Found"


def test_an_app_that_is_mounted_twice_is_closed_below_both_paths():
    inner = rooted("")
    app = Starlette(routes=[Mount("/v1/", app=inner), Mount("/v2", app=in_a_function(inner))])
    handler = adapt(app, sources=[Sqs("/v1/sqs")])

    assert "reached" in run(handler, event("POST", "/v2/other")).text
    assert run(handler, event("POST", "/v2/sqs")).text == "Not Found"


def test_so_is_one_behind_a_dispatcher_of_werkzeug():
    inner = wsgi()
    app = Flask(__name__)
    app.wsgi_app = DispatcherMiddleware(inner, {"/api": inner})
    handler = adapt(app)

    assert run(handler, event("POST", "/api/other")).text == "onetwo"
    assert run(handler, event("POST", "/api/sqs")).text == "Not Found"


def test_the_folder_of_a_flask_app_is_no_path_of_its_requests():
    app = Flask(__name__, root_path="/app")
    app.post("/app/sqs")(lambda: "its own")

    assert run(adapt(app), event("POST", "/app/sqs")).text == "its own"


def test_apps_that_are_mounted_once_have_paths_of_their_own():
    app = Starlette(routes=[Mount("/one", app=rooted("")), Mount("/two", app=rooted(""))])

    assert "reached" in run(adapt(app), event("POST", "/one/sqs")).text


def test_a_source_s_path_below_the_app_s_own_root_is_closed_without_it():
    # FastAPI takes its root off a path that has it, and answers where it is missing, too.
    handler = adapt(rooted(), sources=[Sqs("/api/sqs")])

    assert run(handler, event("POST", "/sqs")).text == "Not Found"


DJANGO = """
from django.conf import settings
settings.configure(
    ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", FORCE_SCRIPT_NAME="/api",
)
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from penstock import adapt
from penstock.testing import run
from penstock.testing.event_samples import EVENTS
from tests.bridge.apps import event

answer = csrf_exempt(lambda request: HttpResponse("reached"))
urlpatterns = [path("sqs", answer), path("other", answer)]
django = get_asgi_application()

class Middleware:
    def __init__(self, inside):
        self.inside = inside
    async def __call__(self, scope, receive, send):
        await self.inside(scope, receive, send)

handler = adapt(Middleware(django))
print(*(run(handler, event("POST", path)).text for path in ("/api/other", "/api/sqs")), sep=",")
"""


def test_django_s_root_is_known_wherever_django_is():
    ended = subprocess.run(
        [sys.executable, "-c", DJANGO], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == "reached,Not Found\n"


def test_apps_that_mount_each_other_are_looked_at_once():
    first, second = rooted(""), Starlette()
    first.mount("/a", second)
    second.mount("/b", first)
    handler = adapt(first)

    assert "reached" in run(handler, event("POST", "/a/b/other")).text
    assert run(handler, event("POST", "/a/b/sqs")).text == "Not Found"


def test_what_raises_when_it_is_looked_at_is_let_be():
    class Proxy:
        def __getattr__(self, name):
            raise RuntimeError("outside of a request")

        async def __call__(self, scope, receive, send):
            await asgi()(scope, receive, send)

    assert run(adapt(Proxy(), interface="asgi"), event()).text == "onetwo"


@pytest.mark.parametrize("ending", ["/sqs", "/items"])
def test_a_root_can_be_repeated_as_often_as_a_path_has_room_for(ending):
    path = "/api" * 20_000 + ending
    answer = run(adapt(asgi(), base_path="/api"), event(path=path))
    assert answer.prelude.status_code == (404 if ending == "/sqs" else 200)


@pytest.mark.parametrize("name", ["X-Vhm-Root", "x-vhm-root", "X_Vhm_Root", "x-vhm_root"])
@pytest.mark.parametrize("within", [None, WsgiToAsgi], ids=["alone", "in an ASGI app"])
def test_a_client_cannot_put_a_path_in_front_of_that_which_was_checked(name, within):
    # Pyramid's traversal does that.
    app = wsgi()
    run(
        adapt(within(app) if within else app),
        event(headers=[(name, "/sqs"), ("X-Vhm-Host", "kept"), ("X-Vhm-Root-2", "kept")]),
    )
    assert "HTTP_X_VHM_ROOT" not in app.environ
    assert app.environ["HTTP_X_VHM_HOST"] == app.environ["HTTP_X_VHM_ROOT_2"] == "kept"


def test_what_is_mounted_at_a_closed_path_can_ask_who_has_called():
    """As the page on web apps has it."""

    def worker(environ, start_response):
        is_event = environ.get("aws.source") == "sqs"
        return wsgi("200 OK" if is_event else "404 Not Found", body=[])(environ, start_response)

    handler = adapt(DispatcherMiddleware(Flask("site"), {"/sqs": worker}))

    assert handler(EVENTS["sqs"][0], None) == {"batchItemFailures": []}
    for path in ("/sqs", "/sqs/x", "/sqs/x/y"):
        assert run(handler, event("POST", path)).prelude.status_code == 404
