"""The runtime under AWS's own Runtime Interface Emulator, which buffers every response.

Its Runtime API is Lambda's own code, so what it takes from us, Lambda takes.
"""

from __future__ import annotations

import contextlib
import json
import platform
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.tools import missing, wait_for

ROOT = Path(__file__).parents[2]
MACHINES = {"x86_64": "x86_64", "aarch64": "arm64"}

HANDLERS = """
import os

from penstock import Prelude, streamify_response


def buffered(event, context):
    return {"name": event["name"], "id": context.aws_request_id, "pid": os.getpid()}


@streamify_response
async def streaming(event, response_stream, context):
    response_stream.content_type = "text/plain"
    await response_stream.write("one")
    await response_stream.write("two")


@streamify_response
def with_prelude(event, context):
    if event.get("fails") == "before the first byte":
        raise ValueError("too early")
    yield Prelude(201, {"x-pid": str(os.getpid())}, cookies=["a=b"])
    yield "one"
    if event.get("fails") == "after it":
        raise ValueError("no more" * event["times"])
    yield "two"
"""


class Rie:
    """The emulator with one function behind it."""

    def __init__(self, handler: str, folder: Path) -> None:
        (folder / "app.py").write_text(HANDLERS)
        self._address, runtime_api = free_addresses(2)
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    binary(),
                    *("--runtime-interface-emulator-address", self._address),
                    *("--runtime-api-address", runtime_api),
                    *(sys.executable, "-m", "penstock.runtime", f"app.{handler}"),
                ],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_until_it_listens(self) -> None:
        host, _, port = self._address.rpartition(":")

        def listens() -> bool:
            assert self._process.poll() is None, self.log.read_text()
            with socket.socket() as probe:
                return probe.connect_ex((host, int(port))) == 0

        wait_for(listens, f"the emulator at {self._address}")

    def invoke(self, **event: object) -> bytes:
        url = f"http://{self._address}/2015-03-31/functions/function/invocations"
        response = httpx.post(url, json=event, timeout=15)
        assert response.status_code == 200, response.text
        return response.content

    def stop(self) -> None:
        self._process.terminate()  # with which it kills the runtime
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def binary() -> Path:
    """The emulator's program, which SAM's command brings along."""
    name = f"aws-lambda-rie-{MACHINES.get(platform.machine())}"
    found = [*ROOT.glob(f".tools/deploy/venv/lib/*/site-packages/samcli/local/rapid/{name}")]
    if not found or sys.platform != "linux":
        missing(f"the Runtime Interface Emulator ({name}) is not installed")
    return found[0]


def free_addresses(number: int) -> list[str]:
    """Addresses that nobody listens on.

    Their ports are below those that systems hand out to whoever asks for any, so nobody
    is given one in the moment before the emulator takes it.
    """
    addresses: list[str] = []
    while len(addresses) < number:
        address = ("127.0.0.1", random.randrange(10_000, 32_000))
        with contextlib.suppress(OSError), socket.create_server(address):
            addresses.append("{}:{}".format(*address))
    return addresses


@pytest.fixture
def rie(request, tmp_path) -> Iterator[Rie]:
    """The emulator, with the handler that the test's parameter names."""
    started = Rie(request.param, tmp_path)
    try:
        started.wait_until_it_listens()
        yield started
    finally:
        started.stop()


def serving(handler: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("rie", [handler], indirect=True)


def split(answer: bytes) -> tuple[dict[str, object], bytes]:
    """Prelude and body."""
    prelude, nuls, body = answer.partition(bytes(8))
    assert nuls
    return json.loads(prelude), body


@serving("buffered")
def test_a_buffered_handler_answers_call_after_call(rie):
    answers = [json.loads(rie.invoke(name=name)) for name in ("Ann", "Bob", "Cleo")]
    assert [answer["name"] for answer in answers] == ["Ann", "Bob", "Cleo"]
    assert len({answer["id"] for answer in answers}) == 3
    assert len({answer["pid"] for answer in answers}) == 1


@serving("streaming")
def test_a_stream_without_a_prelude_is_its_bytes(rie):
    assert [rie.invoke() for _ in range(3)] == [b"onetwo"] * 3


@serving("with_prelude")
def test_a_stream_with_a_prelude_is_prelude_nuls_and_body(rie):
    prelude, body = split(rie.invoke())
    assert prelude.pop("headers").keys() == {"x-pid"}
    assert prelude == {"statusCode": 201, "cookies": ["a=b"]}
    assert body == b"onetwo"


@serving("with_prelude")
def test_an_error_before_the_first_byte_is_the_answer(rie):
    for _ in range(2):
        error = json.loads(rie.invoke(fails="before the first byte"))
        assert (error["errorType"], error["errorMessage"]) == ("ValueError", "too early")
        assert "in with_prelude" in error["stackTrace"][-1]
    assert split(rie.invoke())[1] == b"onetwo"


@serving("with_prelude")
@pytest.mark.parametrize("times", [1, 10_000], ids=["a short one", "one cut to fit the trailers"])
def test_an_error_after_the_first_byte_leaves_the_environment_alive(times, rie):
    answers = [
        split(rie.invoke()),
        split(rie.invoke(fails="after it", times=times)),
        split(rie.invoke(fails="after it", times=times)),
        split(rie.invoke()),
    ]
    assert [body for _, body in answers] == [b"onetwo", b"one", b"one", b"onetwo"]
    assert len({prelude["headers"]["x-pid"] for prelude, _ in answers}) == 1
    assert "unexpected EOF" not in rie.log.read_text()
