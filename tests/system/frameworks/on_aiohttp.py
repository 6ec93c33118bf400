"""The routes of test_frameworks.py in aiohttp, by the recipe of docs/reference/frameworks.md."""

import asyncio

from aiohttp import web
from aiohttp_asgi import asgi
from app import pass_gate

counts = {"started": 0}
routes = web.RouteTableDef()


@routes.get("/stream")
async def stream(request):
    response = web.StreamResponse(status=201, headers={"x-own": "header"})
    response.content_type = "text/plain"
    await response.prepare(request)
    await response.write(b"one")
    await asyncio.to_thread(pass_gate, "1")
    await response.write(b"two")
    return response


@routes.get("/breaks")
async def breaks(request):
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"one")
    # What has been written is with the other side.
    await asyncio.to_thread(pass_gate, "broken")
    raise ValueError("secret")


@routes.get("/fails")
async def fails(request):
    raise ValueError("secret")


@routes.put("/echo/{name}")
async def echo(request):
    return web.json_response(
        {
            "method": request.method,
            "name": request.match_info["name"],
            "query": list(request.query.items()),
            "body": (await request.read()).hex(),
            "tags": request.headers.getall("x-tag"),
        }
    )


@routes.get("/cookies")
async def cookies(request):
    response = web.Response(text="two")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


@routes.get("/counts")
async def count(request):
    return web.json_response(counts)


@routes.get("/page")
async def page(request):
    return web.Response(text="page")


@routes.get("/empty")
async def empty(request):
    return web.Response(status=204)


@routes.get("/unchanged")
async def unchanged(request):
    return web.Response(status=304, headers={"etag": '"1"'})


@routes.get("/away")
async def away(request):
    raise web.HTTPFound("/page")


async def start(app):
    counts["started"] += 1


async def end(app):
    print("CLEANED UP", flush=True)


aiohttp_app = web.Application()
aiohttp_app.add_routes(routes)
aiohttp_app.on_startup.append(start)
aiohttp_app.on_cleanup.append(end)
app = asgi(aiohttp_app)
