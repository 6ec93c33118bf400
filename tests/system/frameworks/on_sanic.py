"""The routes of test_frameworks.py in Sanic."""

import asyncio

from app import pass_gate
from sanic import Sanic, response

counts = {"started": 0, "later": 0}
app = Sanic("frameworks")


@app.before_server_start
async def start(app):
    counts["started"] += 1


@app.get("/stream")
async def stream(request):
    answer = await request.respond(
        status=201, headers={"x-own": "header"}, content_type="text/plain"
    )
    await answer.send("one")
    await asyncio.to_thread(pass_gate, "1")
    await answer.send("two")


@app.get("/breaks")
async def breaks(request):
    answer = await request.respond(content_type="text/plain")
    await answer.send("one")
    raise ValueError("secret")


@app.get("/fails")
async def fails(request):
    raise ValueError("secret")


@app.put("/echo/<name>", unquote=True)
async def echo(request, name):
    return response.json(
        {
            "method": request.method,
            "name": name,
            "query": request.get_query_args(keep_blank_values=True),
            "body": request.body.hex(),
            "tags": request.headers.getall("x-tag"),
        }
    )


@app.get("/cookies")
async def cookies(request):
    answer = response.text("two")
    answer.add_cookie("a", "1")
    answer.add_cookie("b", "2")
    return answer


@app.get("/later")
async def later(request):
    async def task():
        await asyncio.to_thread(pass_gate, "later")
        counts["later"] += 1
        print("LATER", flush=True)

    request.app.add_task(task())
    return response.text("soon")


@app.get("/counts")
async def count(request):
    return response.json(counts)


@app.route("/page", methods=["GET", "HEAD"])
async def page(request):
    return response.text("page")


@app.get("/empty")
async def empty(request):
    return response.empty()


@app.get("/unchanged")
async def unchanged(request):
    return response.empty(304, {"etag": '"1"'})


@app.get("/away")
async def away(request):
    return response.redirect("/page")
