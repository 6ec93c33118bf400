"""Real frameworks behind `adapt`, streaming through the emulator, proved by order."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from penstock.emulator.environments import processes
from tests.event_sources.http_events import LOAD_BALANCER, REST_API
from tests.tools import each_value_in_one_test, is_running, lambda_client, wait_for

from .test_extensions import LISTENS, extensions  # noqa: F401  (a fixture)

pytestmark = each_value_in_one_test

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
        # The answer to HEAD is whole before the function is through with it.
        wait_for(lambda: not function.emulator.is_busy, "the environment to be free")
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


ALL_SOURCES = """
from flask import Flask, request

from penstock import adapt

app = Flask(__name__)


@app.route("/", defaults={"path": ""})
@app.route("/<path:path>")
def page(path):
    return f"{request.environ['aws.source']} /{path}"


@app.post("/sqs")
def queue():
    failed = [
        {"itemIdentifier": record["messageId"]}
        for record in request.json["Records"]
        if record["body"] == "bad"
    ]
    return {"batchItemFailures": failed}


@app.post("/sns")
def topic():
    raise ValueError("not handled")


handler = adapt(app)
"""


def message(number):
    return {
        "messageId": f"m{number}",
        "receiptHandle": "r",
        "body": "bad" if number in (1, 3) else "good",
        "attributes": {},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:orders",
        "awsRegion": "us-east-1",
    }


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_one_function_serves_urls_apis_balancers_and_queues(runtime, serve):
    function = serve(ALL_SOURCES, command=RUNTIMES[runtime], max_environments=1)
    client = lambda_client(function.url)

    def invoke(event):
        answer = client.invoke(FunctionName=function.name, Payload=json.dumps(event).encode())
        return answer.get("FunctionError"), json.load(answer["Payload"])

    for _ in range(2):
        assert httpx.get(f"{function.url}/a").text == "function_url /a"
        for event, source in ((REST_API, "rest_api"), (LOAD_BALANCER, "load_balancer")):
            error, result = invoke({**event, "httpMethod": "GET", "path": "/b"})
            assert (error, result["statusCode"]) == (None, 200)
            assert result["body"] == f"{source} /b"
        assert invoke({"Records": [message(number) for number in range(5)]}) == (
            None,
            {"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m3"}]},
        )
        error, result = invoke({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "x"}}]})
        assert (error, result["errorType"]) == ("Unhandled", "DeliveryError")
        assert result["errorMessage"] == "the app answered POST /sns with status 500"
        assert httpx.post(f"{function.url}/sqs", json={"Records": []}).status_code == 404
        error, result = invoke({"what": "is this"})
        assert (error, result["errorType"]) == ("Unhandled", "EventError")


ENDS = """
from contextlib import asynccontextmanager

from fastapi import FastAPI

from penstock import adapt


@asynccontextmanager
async def lifespan(app):
    print("STARTED", flush=True)
    yield
    await asyncio.sleep(0)
    print("ENDED", flush=True)


app = FastAPI(lifespan=lifespan)


@app.get("/{name}")
async def hello(name: str):
    if name == "busy":
        print("BUSY", flush=True)
        await asyncio.Event().wait()
    return "hello"


handler = adapt(app)
"""


@pytest.mark.parametrize("is_busy", [False, True])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_app_is_told_when_its_environment_ends(
    runtime,
    is_busy,
    serve,
    extensions,  # noqa: F811
    monkeypatch,
):
    # Lambda says SIGTERM only where there is an extension, and gives it little time.
    monkeypatch.setattr(processes, "RUNTIME_SECONDS", 3.0)
    # Only from 3.12 on AWS's client hears of signals while it waits for an event.
    environment = {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.12"}
    function = serve(
        ENDS,
        command=RUNTIMES[runtime],
        environment=environment,
        extensions_folder=extensions(listens=LISTENS),
    )
    assert httpx.get(f"{function.url}/idle", timeout=15).text == '"hello"'
    if is_busy:
        stream = httpx.Client(timeout=15)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(stream.get, f"{function.url}/busy")
            function.wait_for_log("BUSY")
            function.emulator.stop()
            waiting.exception()
        stream.close()
    else:
        function.wait_for_log("END RequestId")
        function.emulator.stop()
    assert "ENDED" in function.wait_for_log("ENDED")


HELD = """
from penstock import adapt


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("ENDED", flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"whole"})
    print("HELD", flush=True)
    os.kill(os.getpid(), 15)


handler = adapt(app)
"""


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_signal_just_before_the_end_of_a_request_is_not_lost(runtime, serve):
    function = serve(HELD, command=RUNTIMES[runtime])
    assert httpx.get(function.url, timeout=15).text == "whole"
    assert "ENDED" in function.wait_for_log("ENDED")
    wait_for(
        lambda: not any(map(is_running, function.emulator.environment_pids)),
        "the end of the process",
    )


def test_a_stream_that_a_buffered_url_drops_is_logged_with_what_to_do(serve):
    function = serve(FLASK, invoke_mode="BUFFERED")
    answer = httpx.post(f"{function.url}/items/a", content="b")

    assert (answer.status_code, answer.content) == (200, b"")
    log = function.wait_for_log("AWS takes its head and drops its")
    assert "adapt(app, mode='buffer')" in log
