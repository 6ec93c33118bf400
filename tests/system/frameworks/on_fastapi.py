"""The routes of test_frameworks.py in FastAPI."""

import asyncio
from contextlib import asynccontextmanager

from app import pass_gate
from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from fastapi.responses import StreamingResponse as Streaming
from fastapi.sse import EventSourceResponse

counts = {"started": 0, "later": 0}


@asynccontextmanager
async def lifespan(app):
    counts["started"] += 1
    yield {"counts": counts}


app = FastAPI(lifespan=lifespan)


@app.get("/stream")
async def stream():
    async def chunks():
        yield "one"
        await asyncio.to_thread(pass_gate, "1")
        yield "two"

    return Streaming(chunks(), 201, {"x-own": "header"}, "text/plain")


@app.get("/stream_blocking")
def stream_blocking():
    def chunks():
        yield "one"
        pass_gate("1")
        yield "two"

    return Streaming(chunks(), media_type="text/plain")


@app.get("/events", response_class=EventSourceResponse)
async def events():
    yield {"word": "one"}
    await asyncio.to_thread(pass_gate, "1")
    yield {"word": "two"}


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
async def echo(name: str, request: Request):
    return {
        "method": request.method,
        "name": name,
        "query": request.query_params.multi_items(),
        "body": (await request.body()).hex(),
        "tags": request.headers.getlist("x-tag"),
    }


@app.get("/cookies")
async def cookies(response: Response):
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return "two"


@app.get("/later")
async def later(tasks: BackgroundTasks):
    async def task():
        await asyncio.to_thread(pass_gate, "later")
        counts["later"] += 1
        print("LATER", flush=True)

    tasks.add_task(task)
    return PlainTextResponse("soon", background=tasks)


@app.get("/counts")
async def count(request: Request):
    return request.state.counts


@app.api_route("/page", methods=["GET", "HEAD"], response_class=PlainTextResponse)
async def page():
    return "page"


@app.get("/empty", status_code=204)
async def empty():
    pass


@app.get("/unchanged")
async def unchanged():
    return Response(status_code=304, headers={"etag": '"1"'})


@app.get("/away")
async def away():
    return RedirectResponse("/page", 302)


@app.get("/address", response_class=PlainTextResponse)
async def address(request: Request):
    return str(request.url_for("page"))
