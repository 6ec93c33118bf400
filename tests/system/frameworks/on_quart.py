"""The routes of test_frameworks.py in Quart."""

import asyncio

from app import pass_gate
from quart import Quart, Response, make_response, redirect, request, url_for

counts = {"started": 0, "later": 0}
app = Quart(__name__)


@app.before_serving
async def start():
    counts["started"] += 1


@app.get("/stream")
async def stream():
    async def chunks():
        yield "one"
        await asyncio.to_thread(pass_gate, "1")
        yield "two"

    return chunks(), 201, {"x-own": "header", "content-type": "text/plain"}


@app.get("/breaks")
async def breaks():
    async def chunks():
        yield "one"
        raise ValueError("secret")

    return chunks(), {"content-type": "text/plain"}


@app.get("/fails")
async def fails():
    raise ValueError("secret")


@app.put("/echo/<name>")
async def echo(name):
    return {
        "method": request.method,
        "name": name,
        "query": list(request.args.items(multi=True)),
        "body": (await request.get_data()).hex(),
        "tags": request.headers.getlist("x-tag"),
    }


@app.get("/cookies")
async def cookies():
    response = await make_response("two")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


@app.get("/later")
async def later():
    async def task():
        await asyncio.to_thread(pass_gate, "later")
        counts["later"] += 1
        print("LATER", flush=True)

    app.add_background_task(task)
    return "soon"


@app.get("/counts")
async def count():
    return counts


@app.get("/page")
async def page():
    return "page"


@app.get("/empty")
async def empty():
    return "", 204


@app.get("/unchanged")
async def unchanged():
    return Response("", 304, {"etag": '"1"'})


@app.get("/away")
async def away():
    return redirect("/page")


@app.get("/address")
async def address():
    return url_for("page", _external=True)
