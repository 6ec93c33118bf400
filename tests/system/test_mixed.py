"""Many invocations of every kind on one environment: one start, and nothing piles up."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import httpx
import pytest

from penstock.testing.event_samples import EVENTS
from tests.tools import lambda_client, repeated, wait_for

RUNTIMES = {
    "own": (sys.executable, "-m", "penstock.runtime", "app.handler"),
    "takeover": (sys.executable, "-m", "awslambdaric", "app.handler"),
}

INVOCATIONS = repeated(1_000, here=140)
WARM = repeated(200, here=70)

APP = """
import re
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import StreamingResponse

from penstock import adapt
from penstock.event_sources.sqs import Sqs

started = 0


@asynccontextmanager
async def lifespan(app):
    global started
    started += 1
    yield


app = FastAPI(lifespan=lifespan)
later = 0


@app.get("/state")
async def state():
    status = Path("/proc/self/status").read_text()
    return {
        "started": started,
        "later": later,
        "pid": os.getpid(),
        "tasks": sorted(task.get_name() for task in asyncio.all_tasks()),
        "memory": int(re.search(r"VmRSS:\\s+(\\d+)", status)[1]),
        "descriptors": len(os.listdir("/proc/self/fd")),
    }


@app.get("/fails")
async def fails():
    raise ValueError("before the first byte")


@app.get("/stream/{end}")
async def stream(end: str, tasks: BackgroundTasks):
    async def chunks():
        for number in range(20):
            yield b"x" * 10_000
            await asyncio.sleep(0)
        if end == "cut":
            raise ValueError("after the first byte")

    async def work():
        global later
        await asyncio.sleep(0)
        later += 1

    tasks.add_task(work)
    return StreamingResponse(chunks(), background=tasks)


@app.get("/blocking")
def blocking():
    return "in a thread"


@app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"])
async def anything(path: str, request: Request):
    body = await request.body()
    if b"poison" in body:
        raise ValueError("cannot do it")
    return {"source": request.scope["aws.source"], "state": {}}


handler = adapt(app, default_path="/invoke", sources=[Sqs(per_record=True)])
"""


def message(number, body):
    return {"messageId": f"m{number}", "body": body, "eventSource": "aws:sqs"}


class Caller:
    """Calls the function in each of its ways, and knows what has to come back."""

    def __init__(self, function):
        self.function = function
        self.http = httpx.Client(base_url=function.url, timeout=20)
        self.client = lambda_client(function.url)
        self.read_to_the_end = self.left = 0

    def ways(self):
        """For ever: one call after the other, of all kinds."""
        samples = [(name, sample) for name, events in EVENTS.items() for sample in events]
        others = [
            *(self.hello, self.stream, self.fails, self.cut, self.leave, self.blocking),
            *(self.batch, self.poison, self.malformed, self.nobody, self.refused),
        ]
        for sample, other in zip(itertools.cycle(samples), itertools.cycle(others), strict=False):
            yield lambda sample=sample: self.sample(*sample)
            yield other

    def invoke(self, event):
        answer = self.client.invoke(
            FunctionName=self.function.name, Payload=json.dumps(event).encode()
        )
        return answer.get("FunctionError"), json.load(answer["Payload"])

    def sample(self, name, event):
        # An invocation gets what the Function URL would, of which no front door makes a head.
        error, result = self.invoke(event) if name != "function_url" else (None, None)
        assert error is None, (name, result)

    def hello(self):
        assert self.http.get("/hello").json() == {"source": "function_url", "state": {}}

    def stream(self):
        assert len(self.http.get("/stream/whole").content) == 200_000
        self.read_to_the_end += 1

    def fails(self):
        assert self.http.get("/fails").status_code == 500

    def cut(self):
        assert len(self.http.get("/stream/cut").content) == 200_000

    def leave(self):
        with self.http.stream("GET", "/stream/whole") as response:
            assert next(response.iter_raw())
        self.left += 1
        # The function does not end with its caller; the one environment is busy until then.
        wait_for(lambda: self.http.get("/hello").status_code == 200, "the end of the stream")

    def blocking(self):
        assert self.http.get("/blocking").text == '"in a thread"'

    def batch(self):
        bodies = ["fine", "poison", "fine", "poison", "fine"]
        event = {"Records": [message(number, body) for number, body in enumerate(bodies)]}
        failures = [{"itemIdentifier": "m1"}, {"itemIdentifier": "m3"}]
        assert self.invoke(event) == (None, {"batchItemFailures": failures})

    def poison(self):
        error, result = self.invoke({"awslogs": {"data": "poison"}})
        assert (error, result["errorType"]) == ("Unhandled", "DeliveryError")

    def malformed(self):
        event = {"version": "2.0", "requestContext": {"http": {}}, "body": 5}
        error, result = self.invoke(event)
        assert (error, result["statusCode"]) == (None, 400)

    def nobody(self):
        assert self.invoke(["what", "is", "this"]) == (None, {"source": "direct", "state": {}})

    def refused(self):
        assert self.http.post("/sqs", json={}).status_code == 404

    def state(self):
        answer = self.http.get("/state")
        assert answer.status_code == 200, (answer.text, self.function.log[-3000:])
        return answer.json()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_nothing_is_left_of_many_invocations(runtime, serve):
    function = serve(APP, command=RUNTIMES[runtime], max_environments=1)
    caller = Caller(function)
    ways = caller.ways()
    for way in itertools.islice(ways, WARM):
        way()
    warm = caller.state()
    for way in itertools.islice(ways, INVOCATIONS - WARM):
        way()
    state = caller.state()
    caller.http.close()

    assert (state["pid"], state["started"]) == (warm["pid"], 1)
    assert state["tasks"] == warm["tasks"]
    assert len(state["tasks"]) == 2, "the lifespan's and the handler's"
    assert state["descriptors"] == warm["descriptors"]
    assert state["memory"] - warm["memory"] < 2048
    # Background work ran for each stream that came to its end. Whether one did that its reader
    # has left is up to how much of it was on its way.
    assert 0 <= state["later"] - caller.read_to_the_end <= caller.left
    assert caller.read_to_the_end > 0
