"""The routes of test_frameworks.py in FastHTML."""

import asyncio

from app import pass_gate
from fasthtml.common import (
    EventStream,
    FastHTML,
    JSONResponse,
    RedirectResponse,
    Request,
    Response,
    sse_message,
)
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse
from starlette.responses import StreamingResponse as Streaming

counts = {"started": 0, "later": 0}


# FastHTML makes a context manager of it.
async def lifespan(app):
    counts["started"] += 1
    yield


app = FastHTML(lifespan=lifespan, secret_key="of the test")


@app.get("/stream")
async def stream():
    async def chunks():
        yield "one"
        await asyncio.to_thread(pass_gate, "1")
        yield "two"

    return Streaming(chunks(), 201, {"x-own": "header"}, "text/plain")


@app.get("/events")
async def events():
    async def words():
        yield sse_message("one")
        await asyncio.to_thread(pass_gate, "1")
        yield sse_message("two")

    return EventStream(words())


@app.get("/breaks")
async def breaks():
    async def chunks():
        yield "one"
        raise ValueError("secret")

    return Streaming(chunks(), media_type="text/plain")


@app.get("/fails")
async def fails():
    raise ValueError("secret")


@app.put("/echo/{name}")
async def echo(request: Request, name: str):
    return JSONResponse(
        {
            "method": request.method,
            "name": name,
            "query": request.query_params.multi_items(),
            "body": (await request.body()).hex(),
            "tags": request.headers.getlist("x-tag"),
        }
    )


@app.get("/cookies")
async def cookies():
    response = PlainTextResponse("two")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


@app.get("/later")
async def later():
    async def task():
        await asyncio.to_thread(pass_gate, "later")
        counts["later"] += 1
        print("LATER", flush=True)

    return PlainTextResponse("soon", background=BackgroundTask(task))


@app.get("/counts")
async def count():
    return JSONResponse(counts)


@app.route("/page", methods=["GET", "HEAD"], name="page")
async def page():
    return PlainTextResponse("page")


@app.get("/empty")
async def empty():
    return Response(status_code=204)


@app.get("/unchanged")
async def unchanged():
    return Response(status_code=304, headers={"etag": '"1"'})


@app.get("/away")
async def away():
    return RedirectResponse("/page", 302)


@app.get("/address")
async def address(request: Request):
    return PlainTextResponse(str(request.url_for("page")))
