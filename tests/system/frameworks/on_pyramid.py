"""The routes of test_frameworks.py in Pyramid."""

from app import pass_gate
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound
from pyramid.response import Response


def stream(request):
    def chunks():
        yield b"one"
        pass_gate("1")
        yield b"two"

    response = Response(app_iter=chunks(), status=201, content_type="text/plain")
    response.headers["x-own"] = "header"
    return response


def breaks(request):
    def chunks():
        yield b"one"
        raise ValueError("secret")

    return Response(app_iter=chunks(), content_type="text/plain")


def fails(request):
    raise ValueError("secret")


def echo(request):
    return Response(
        json={
            "method": request.method,
            "name": request.matchdict["name"],
            "query": list(request.params.items()),
            "body": request.body.hex(),
            "tags": [request.headers["x-tag"]],
        }
    )


def cookies(request):
    response = Response("two")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


def page(request):
    return Response("page")


def empty(request):
    return Response(status=204)


def unchanged(request):
    return Response(status=304, etag="1")


def away(request):
    return HTTPFound("/page")


def address(request):
    return Response(request.route_url("page"))


config = Configurator()
for view in (stream, breaks, fails, cookies, page, empty, unchanged, away, address):
    config.add_route(view.__name__, f"/{view.__name__}")
    config.add_view(view, route_name=view.__name__)
config.add_route("echo", "/echo/{name}")
config.add_view(echo, route_name="echo", request_method="PUT")
app = config.make_wsgi_app()
