"""The routes of test_frameworks.py in BlackSheep."""

import asyncio

from app import pass_gate
from blacksheep import Application, Content, Cookie, Request, Response, StreamedContent
from blacksheep.server.responses import json, redirect, status_code, text
from blacksheep.server.sse import ServerSentEvent, ServerSentEventsResponse

counts = {"started": 0, "later": 0}
app = Application()


@app.on_start
async def start(app):
    counts["started"] += 1


@app.router.get("/stream")
async def stream():
    async def chunks():
        yield b"one"
        await asyncio.to_thread(pass_gate, "1")
        yield b"two"

    return Response(201, [(b"x-own", b"header")], StreamedContent(b"text/plain", chunks))


@app.router.get("/events")
async def events():
    async def words():
        yield ServerSentEvent({"word": "one"})
        await asyncio.to_thread(pass_gate, "1")
        yield ServerSentEvent({"word": "two"})

    return ServerSentEventsResponse(words)


@app.router.get("/breaks")
async def breaks():
    async def chunks():
        yield b"one"
        raise ValueError("secret")

    return Response(200, content=StreamedContent(b"text/plain", chunks))


@app.router.get("/fails")
async def fails():
    raise ValueError("secret")


@app.router.put("/echo/:name")
async def echo(name: str, request: Request):
    return json(
        {
            "method": request.method,
            "name": name,
            "query": [(key, value) for key in request.query for value in request.query[key]],
            "body": (await request.read()).hex(),
            "tags": [value.decode() for value in request.headers.get(b"x-tag")],
        }
    )


@app.router.get("/cookies")
async def cookies():
    response = text("two")
    response.set_cookie(Cookie("a", "1"))
    response.set_cookie(Cookie("b", "2"))
    return response


@app.router.get("/counts")
async def count():
    return json(counts)


@app.router.get("/page")
async def page():
    return text("page")


@app.router.head("/page")
async def head_of_page():
    return Response(200, content=Content(b"text/plain", b""))


@app.router.get("/empty")
async def empty():
    return status_code(204)


@app.router.get("/unchanged")
async def unchanged():
    return Response(304, [(b"etag", b'"1"')])


@app.router.get("/away")
async def away():
    return redirect("/page")
