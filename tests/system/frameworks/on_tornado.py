"""The routes of test_frameworks.py in Tornado, by the recipe of docs/reference/frameworks.md."""

import asyncio

from app import pass_gate
from tornado.web import Application
from tornado_asgi import Handler, asgi


class Stream(Handler):
    async def get(self):
        self.set_status(201)
        self.set_header("x-own", "header")
        self.set_header("content-type", "text/plain")
        self.write("one")
        await self.flush()
        await asyncio.to_thread(pass_gate, "1")
        self.write("two")


class Breaks(Handler):
    async def get(self):
        self.write("one")
        await self.flush()
        raise ValueError("secret")


class Fails(Handler):
    def get(self):
        raise ValueError("secret")


class Echo(Handler):
    def put(self, name):
        self.set_header("x-tag", self.request.headers["x-tag"])
        self.write(
            {
                "method": self.request.method,
                "name": name,
                "query": [
                    (key, value)
                    for key in self.request.query_arguments
                    for value in self.get_query_arguments(key)
                ],
                "body": self.request.body.hex(),
                "tags": self.request.headers.get_list("x-tag"),
            }
        )


class Cookies(Handler):
    def get(self):
        self.set_cookie("a", "1")
        self.set_cookie("b", "2")
        self.write("two")


class Page(Handler):
    def get(self):
        self.write("page")

    head = get


class Empty(Handler):
    def get(self):
        self.set_status(204)


class Unchanged(Handler):
    def get(self):
        self.set_status(304)
        self.set_header("etag", '"1"')


class Away(Handler):
    def get(self):
        self.redirect("/page")


handlers = (Stream, Breaks, Fails, Cookies, Page, Empty, Unchanged, Away)
app = asgi(
    Application([(f"/{each.__name__.lower()}", each) for each in handlers] + [("/echo/(.*)", Echo)])
)
