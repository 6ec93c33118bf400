"""The routes of test_frameworks.py in Starlette."""

import asyncio
from contextlib import asynccontextmanager

from app import pass_gate
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.responses import StreamingResponse as Streaming
from starlette.routing import Route

counts = {"started": 0, "later": 0}


@asynccontextmanager
async def lifespan(app):
    counts["started"] += 1
    yield {"counts": counts}


async def stream(request):
    async def chunks():
        yield "one"
        await asyncio.to_thread(pass_gate, "1")
        yield "two"

    return Streaming(chunks(), 201, {"x-own": "header"}, "text/plain")


async def breaks(request):
    async def chunks():
        yield "one"
        raise ValueError("secret")

    return Streaming(chunks(), media_type="text/plain")


async def fails(request):
    raise ValueError("secret")


async def echo(request):
    return JSONResponse(
        {
            "method": request.method,
            "name": request.path_params["name"],
            "query": request.query_params.multi_items(),
            "body": (await request.body()).hex(),
            "tags": request.headers.getlist("x-tag"),
        }
    )


async def cookies(request):
    response = PlainTextResponse("two")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


async def later(request):
    async def task():
        await asyncio.to_thread(pass_gate, "later")
        counts["later"] += 1
        print("LATER", flush=True)

    return PlainTextResponse("soon", background=BackgroundTask(task))


async def count(request):
    return JSONResponse(request.state.counts)


async def page(request):
    return PlainTextResponse("page")


async def empty(request):
    return Response(status_code=204)


async def unchanged(request):
    return Response(status_code=304, headers={"etag": '"1"'})


async def away(request):
    return RedirectResponse("/page", 302)


async def address(request):
    return PlainTextResponse(str(request.url_for("page")))


app = Starlette(
    lifespan=lifespan,
    routes=[
        *(Route(f"/{view.__name__}", view) for view in (stream, breaks, fails, cookies, later)),
        *(Route(f"/{view.__name__}", view) for view in (page, empty, unchanged, away, address)),
        Route("/counts", count),
        Route("/echo/{name}", echo, methods=["PUT"]),
    ],
)
