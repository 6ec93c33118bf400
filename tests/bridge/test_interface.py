"""What `adapt` takes for an app, and what it refuses."""

from __future__ import annotations

import pytest

from penstock import adapt
from penstock.errors import AppError
from penstock.testing import run
from tests.bridge.apps import event, wsgi


class Site:
    """An object whose methods are apps, as Flask's `wsgi_app` is."""

    def __call__(self, environ, start_response):
        return self.wsgi(environ, start_response)

    def wsgi(self, environ, start_response, spare=None):
        start_response("200 OK", [])
        return [b"of a method"]

    async def asgi(self, scope, receive, send):
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"of a method"})

    def asgi_too(self, scope, receive, send):
        return self.asgi(scope, receive, send)


@pytest.mark.parametrize("app", [Site(), Site().wsgi, Site().asgi, Site().asgi_too])
def test_bound_methods_are_apps_as_well(app):
    assert run(adapt(app), event()).text == "of a method"


async def handler_of_lambda(event, context): ...


@pytest.mark.parametrize(
    ("app", "complaint"),
    [
        (None, "the app is None, which is neither an ASGI nor"),
        ("app", "the app is 'app', which is neither an ASGI nor"),
        (Site, r"the class Site, neither an ASGI nor a WSGI app; hand in an object of it, Site\("),
        (lambda one: None, "called with 1 arguments, so it is neither an ASGI"),
        (lambda a, b, c, d: None, "called with 4 arguments, so it is neither an ASGI"),
        (lambda *a: None, "called with any number of arguments, so it is neither an ASGI"),
        (handler_of_lambda, "awaited with 2 arguments, so it is neither an ASGI"),
    ],
)
def test_what_is_no_app_is_refused(app, complaint):
    with pytest.raises(AppError, match=complaint):
        adapt(app)


def test_what_cannot_be_called_is_no_app_whatever_is_said():
    with pytest.raises(AppError, match="the app is None, which cannot be called"):
        adapt(None, interface="wsgi")


@pytest.mark.parametrize("options", [{"mode": "fast"}, {"interface": "cgi"}])
def test_unknown_options_are_refused(options):
    with pytest.raises(AppError, match="not '"):
        adapt(wsgi(), **options)
