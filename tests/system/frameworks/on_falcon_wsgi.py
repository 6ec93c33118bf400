"""The routes of test_frameworks.py in Falcon's WSGI application."""

import falcon
from app import pass_gate


class Routes:
    def on_get_stream(self, request, response):
        def chunks():
            yield b"one"
            pass_gate("1")
            yield b"two"

        response.status = 201
        response.set_header("x-own", "header")
        response.content_type = "text/plain"
        response.stream = chunks()

    def on_get_breaks(self, request, response):
        def chunks():
            yield b"one"
            raise ValueError("secret")

        response.content_type = "text/plain"
        response.stream = chunks()

    def on_get_fails(self, request, response):
        raise ValueError("secret")

    def on_put_echo(self, request, response, name):
        response.media = {
            "method": request.method,
            "name": name,
            "query": [
                (key, value) for key in request.params for value in request.get_param_as_list(key)
            ],
            "body": request.bounded_stream.read().hex(),
            "tags": [request.get_header("x-tag")],
        }

    def on_get_cookies(self, request, response):
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        response.text = "two"

    def on_get_page(self, request, response):
        response.text = "page"

    on_head_page = on_get_page

    def on_get_address(self, request, response):
        response.text = f"{request.prefix}/page"

    def on_get_empty(self, request, response):
        response.status = 204

    def on_get_unchanged(self, request, response):
        response.status = 304
        response.etag = "1"

    def on_get_away(self, request, response):
        raise falcon.HTTPFound("/page")


app = falcon.App()
routes = Routes()
for name in (
    "stream",
    "breaks",
    "fails",
    "cookies",
    "page",
    "empty",
    "unchanged",
    "away",
    "address",
):
    app.add_route(f"/{name}", routes, suffix=name)
app.add_route("/echo/{name}", routes, suffix="echo")
