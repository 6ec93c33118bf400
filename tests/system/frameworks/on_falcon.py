"""The routes of test_frameworks.py in Falcon's ASGI application."""

import asyncio

import falcon
import falcon.asgi
from app import pass_gate
from falcon.asgi import SSEvent

counts = {"started": 0, "later": 0}


class Start:
    async def process_startup(self, scope, event):
        counts["started"] += 1


class Routes:
    async def on_get_stream(self, request, response):
        async def chunks():
            yield b"one"
            await asyncio.to_thread(pass_gate, "1")
            yield b"two"

        response.status = 201
        response.set_header("x-own", "header")
        response.content_type = "text/plain"
        response.stream = chunks()

    async def on_get_events(self, request, response):
        async def words():
            yield SSEvent(text="one")
            await asyncio.to_thread(pass_gate, "1")
            yield SSEvent(text="two")

        response.sse = words()

    async def on_get_breaks(self, request, response):
        async def chunks():
            yield b"one"
            raise ValueError("secret")

        response.content_type = "text/plain"
        response.stream = chunks()

    async def on_get_fails(self, request, response):
        raise ValueError("secret")

    async def on_put_echo(self, request, response, name):
        response.media = {
            "method": request.method,
            "name": name,
            "query": [
                (key, value) for key in request.params for value in request.get_param_as_list(key)
            ],
            "body": (await request.stream.read()).hex(),
            "tags": [request.get_header("x-tag")],
        }

    async def on_get_cookies(self, request, response):
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        response.text = "two"

    async def on_get_later(self, request, response):
        async def task():
            await asyncio.to_thread(pass_gate, "later")
            counts["later"] += 1
            print("LATER", flush=True)

        response.schedule(task)
        response.text = "soon"

    async def on_get_counts(self, request, response):
        response.media = counts

    async def on_get_page(self, request, response):
        response.text = "page"

    on_head_page = on_get_page

    async def on_get_address(self, request, response):
        response.text = f"{request.prefix}/page"

    async def on_get_empty(self, request, response):
        response.status = 204

    async def on_get_unchanged(self, request, response):
        response.status = 304
        response.etag = "1"

    async def on_get_away(self, request, response):
        raise falcon.HTTPFound("/page")


app = falcon.asgi.App(middleware=[Start()])
routes = Routes()
for name in ("stream", "events", "breaks", "fails", "cookies", "later", "counts"):
    app.add_route(f"/{name}", routes, suffix=name)
for name in ("page", "empty", "unchanged", "away", "address"):
    app.add_route(f"/{name}", routes, suffix=name)
app.add_route("/echo/{name}", routes, suffix="echo")
