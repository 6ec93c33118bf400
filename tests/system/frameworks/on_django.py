"""The routes of test_frameworks.py in Django, as an ASGI and as a WSGI app."""

import asyncio

import django
from app import pass_gate
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished
from django.http import (
    HttpResponse,
    HttpResponseNotModified,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.urls import path, reverse

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="of the test")
django.setup()
counts = {"later": 0}


async def stream(request):
    async def chunks():
        yield "one"
        await asyncio.to_thread(pass_gate, "1")
        yield "two"

    return StreamingHttpResponse(chunks(), "text/plain", 201, headers={"x-own": "header"})


def stream_blocking(request):
    def chunks():
        yield "one"
        pass_gate("1")
        yield "two"

    return StreamingHttpResponse(chunks(), "text/plain", 201, headers={"x-own": "header"})


async def breaks(request):
    async def chunks():
        yield "one"
        raise ValueError("secret")

    return StreamingHttpResponse(chunks(), "text/plain")


def breaks_blocking(request):
    def chunks():
        yield "one"
        raise ValueError("secret")

    return StreamingHttpResponse(chunks(), "text/plain")


def fails(request):
    raise ValueError("secret")


def echo(request, name):
    return JsonResponse(
        {
            "method": request.method,
            "name": name,
            "query": [(key, value) for key, values in request.GET.lists() for value in values],
            "body": request.body.hex(),
            "tags": [request.headers["x-tag"]],
        }
    )


def cookies(request):
    response = HttpResponse("two")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


def task(**signal):
    request_finished.disconnect(task)
    pass_gate("later")
    counts["later"] += 1
    print("LATER", flush=True)


def later(request):
    request_finished.connect(task)
    return HttpResponse("soon")


def count(request):
    return JsonResponse(counts)


def page(request):
    return HttpResponse("page")


def empty(request):
    return HttpResponse(status=204)


def unchanged(request):
    return HttpResponseNotModified(headers={"etag": '"1"'})


def away(request):
    return HttpResponseRedirect("/page")


def address(request):
    return HttpResponse(request.build_absolute_uri(reverse("page")))


VIEWS = (stream, stream_blocking, breaks, breaks_blocking, fails, cookies, later, page, empty)
urlpatterns = [
    *(path(view.__name__, view, name=view.__name__) for view in VIEWS),
    *(path(view.__name__, view) for view in (unchanged, away, address)),
    path("counts", count),
    path("echo/<name>", echo),
]
asgi_app = ASGIHandler()
wsgi_app = WSGIHandler()
