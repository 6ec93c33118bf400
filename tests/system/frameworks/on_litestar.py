"""The routes of test_frameworks.py in Litestar."""

import asyncio

from app import pass_gate
from litestar import Litestar, MediaType, Request, Response, get, head, put
from litestar.background_tasks import BackgroundTask
from litestar.response import Redirect, ServerSentEvent, Stream

counts = {"started": 0, "later": 0}


async def start():
    counts["started"] += 1


@get("/stream", status_code=201)
async def stream() -> Stream:
    async def chunks():
        yield "one"
        await asyncio.to_thread(pass_gate, "1")
        yield "two"

    return Stream(chunks(), headers={"x-own": "header"}, media_type="text/plain")


@get("/events")
async def events() -> ServerSentEvent:
    async def words():
        yield "one"
        await asyncio.to_thread(pass_gate, "1")
        yield "two"

    return ServerSentEvent(words())


@get("/breaks")
async def breaks() -> Stream:
    async def chunks():
        yield "one"
        raise ValueError("secret")

    return Stream(chunks(), media_type="text/plain")


@get("/fails")
async def fails() -> None:
    raise ValueError("secret")


@put("/echo/{name:str}")
async def echo(name: str, request: Request) -> dict:
    return {
        "method": request.method,
        "name": name,
        "query": [(key, value) for key in "xy" for value in request.query_params.getall(key)],
        "body": (await request.body()).hex(),
        "tags": request.headers.getall("x-tag"),
    }


@get("/cookies", media_type=MediaType.TEXT)
async def cookies() -> Response[str]:
    response = Response("two")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


@get("/later", media_type=MediaType.TEXT)
async def later() -> Response[str]:
    async def task():
        await asyncio.to_thread(pass_gate, "later")
        counts["later"] += 1
        print("LATER", flush=True)

    return Response("soon", background=BackgroundTask(task))


@get("/counts")
async def count() -> dict:
    return counts


@get("/page", media_type=MediaType.TEXT, name="page")
async def page() -> str:
    return "page"


@head("/page", media_type=MediaType.TEXT)
async def head_of_page() -> None:
    pass


@get("/empty", status_code=204)
async def empty() -> None:
    pass


@get("/unchanged", status_code=304)
async def unchanged() -> Response[None]:
    return Response(None, headers={"etag": '"1"'})


@get("/away", status_code=302)
async def away() -> Redirect:
    return Redirect("/page")


@get("/address", media_type=MediaType.TEXT)
async def address(request: Request) -> str:
    return request.url_for("page")


app = Litestar(
    [
        *(stream, events, breaks, fails, echo, cookies, later, count),
        *(page, head_of_page, empty, unchanged, away, address),
    ],
    on_startup=[start],
    openapi_config=None,
)
