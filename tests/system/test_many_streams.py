"""Many streams at once through one emulator: each whole, in order, and none before its time."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from penstock.emulator.environments import environments
from tests.tools import PATIENCE, RawClient, wait_for

STREAMS = 40
CHUNKS = 5

# Every stream waits before each of its chunks until all streams have come so far: no chunk of
# any can have been held back until its stream had ended.
HANDLER = """
@streamify_response
async def handler(event, context):
    name = event["queryStringParameters"]["name"]
    yield Prelude(200, {"content-type": "text/plain", "x-pid": str(os.getpid())})
    for index in range(5):
        while not os.path.exists(os.path.join(os.environ["GATES"], f"chunk{index}")):
            await asyncio.sleep(0.005)
        yield f"{name}:{index}\\n"
"""


def test_forty_streams_in_two_environments_pass_chunk_by_chunk(serve, gate):
    function = serve(HANDLER, max_environments=2, max_concurrency=20)
    received = [[] for _ in range(STREAMS)]
    pids = set()

    def read(number: int) -> None:
        url = f"{function.url}?name={number}"
        with httpx.stream("GET", url, timeout=PATIENCE) as response:
            assert response.status_code == 200
            pids.add(response.headers["x-pid"])
            received[number].extend(response.iter_lines())

    def all_have(count: int) -> bool:
        return all(len(lines) == count for lines in received)

    with ThreadPoolExecutor(STREAMS) as pool:
        readings = [pool.submit(read, number) for number in range(STREAMS)]
        for index in range(CHUNKS):
            assert all(len(lines) <= index for lines in received)
            (gate.folder / f"chunk{index}").touch()
            wait_for(
                lambda index=index: all_have(index + 1),
                lambda index=index: f"chunk {index}: {received}",
            )
        for reading in readings:
            reading.result(PATIENCE)
    assert received == [[f"{number}:{i}" for i in range(CHUNKS)] for number in range(STREAMS)]
    assert len(pids) == 2


def test_one_caller_after_the_other_is_one_environment(serve, monkeypatch):
    # How soon an environment is free again depends on how busy the machine is.
    monkeypatch.setattr(environments, "_REUSE_GRACE", PATIENCE)
    function = serve("def handler(event, context): return os.getpid()")
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with RawClient(function.port) as client:
        client.send(request * 20)  # each is read when the one before it has been answered
        for _ in range(20):
            assert b"HTTP/1.1 200 " in client.read_until(b"\r\n\r\n")
    assert len(function.emulator.environment_pids) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are counted in /proc")
def test_after_many_streams_nothing_is_left_of_them(serve, gate):
    function = serve(HANDLER, max_environments=2, max_concurrency=20)
    for index in range(CHUNKS):
        (gate.folder / f"chunk{index}").touch()

    def what_is_there() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    def call(number: int) -> None:
        with httpx.Client(timeout=PATIENCE) as client:
            answer = client.get(f"{function.url}?name={number}")
            assert answer.text.splitlines() == [f"{number}:{i}" for i in range(CHUNKS)]

    def call_them_all() -> None:
        with ThreadPoolExecutor(STREAMS) as pool:
            list(pool.map(call, range(STREAMS)))

    before = what_is_there()
    call_them_all()
    # What stays are the environments: for each its process, and the connections of its runtime.
    environments = 2 * (20 + 8)
    for _ in range(3):
        call_them_all()
    most = tuple(count + environments for count in before)
    wait_for(
        lambda: all(count <= limit for count, limit in zip(what_is_there(), most, strict=True)),
        lambda: f"{most}; there are {what_is_there()}",
    )
