"""Real frameworks behind `adapt`, streaming through the emulator, proved by order."""

from __future__ import annotations

import sys

import httpx
import pytest

RUNTIMES = {
    "own": (sys.executable, "-m", "penstock.runtime", "app.handler"),
    "takeover": (sys.executable, "-m", "awslambdaric", "app.handler"),
}

FASTAPI = """
from contextlib import asynccontextmanager

from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import StreamingResponse

from penstock import adapt


@asynccontextmanager
async def lifespan(app):
    print("STARTED")
    yield {"greeting": "hello"}


app = FastAPI(lifespan=lifespan)


@app.get("/stream")
async def stream():
    async def chunks():
        yield "one"
        await asyncio.to_thread(pass_gate, "1")
        yield "two"

    return StreamingResponse(chunks(), 201, {"x-own": "header"}, "text/plain")


@app.post("/items/{name}")
async def item(name: str, request: Request, later: BackgroundTasks):
    later.add_task(print, "LATER")
    return {
        "name": name,
        "body": (await request.body()).decode(),
        "greeting": request.state.greeting,
        "id": request.scope["aws.context"].aws_request_id,
    }


@app.get("/fails")
async def fails():
    raise ValueError("secret")


handler = adapt(app)
"""

FLASK = """
from flask import Flask, Response, request

from penstock import adapt

print("STARTED")
app = Flask(__name__)


@app.get("/stream")
def stream():
    def chunks():
        yield "one"
        pass_gate("1")
        yield "two"

    return Response(chunks(), 201, {"x-own": "header"}, mimetype="text/plain")


@app.post("/items/<name>")
def item(name):
    print("LATER")
    return {
        "name": name,
        "body": request.get_data(as_text=True),
        "greeting": "hello",
        "id": request.environ["aws.context"].aws_request_id,
    }


@app.get("/fails")
def fails():
    raise ValueError("secret")


handler = adapt(app)
"""

APPS = {"FastAPI": FASTAPI, "Flask": FLASK}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("framework", APPS)
def test_a_streaming_response_streams(framework, runtime, serve, gate):
    function = serve(APPS[framework], command=RUNTIMES[runtime])
    with httpx.stream("GET", f"{function.url}/stream", timeout=15) as response:
        assert (response.status_code, response.headers["x-own"]) == (201, "header")
        chunks = response.iter_raw()
        assert next(chunks) == b"one"
        gate.open("1")
        assert b"".join(chunks) == b"two"


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("framework", APPS)
def test_one_environment_serves_all_kinds_of_requests(framework, runtime, serve):
    function = serve(APPS[framework], command=RUNTIMES[runtime], max_environments=1)
    for number in range(3):
        answer = httpx.post(f"{function.url}/items/a%20b?x={number}", content="bödy".encode())
        assert answer.status_code == 200
        found = answer.json()
        assert found.pop("id") == answer.headers["x-amzn-requestid"]
        assert found == {"name": "a b", "body": "bödy", "greeting": "hello"}
        failed = httpx.get(f"{function.url}/fails")
        assert failed.status_code == 500
        assert "secret" not in failed.text
        assert httpx.get(f"{function.url}/nowhere").status_code == 404
        assert httpx.head(f"{function.url}/nowhere").content == b""
    log = function.wait_for_log("secret")
    assert log.count("STARTED") == 1
    assert log.count("LATER") == 3


@pytest.mark.parametrize("framework", APPS)
def test_a_buffered_url_gets_a_proxy_response(framework, serve):
    function = serve(
        APPS[framework].replace("adapt(app)", "adapt(app, mode='buffer')"), invoke_mode="BUFFERED"
    )
    answer = httpx.post(f"{function.url}/items/a", content="b")
    assert answer.json()["body"] == "b"
    assert answer.headers["content-type"] == "application/json"
