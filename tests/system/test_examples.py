"""The examples do what their first lines say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from penstock import testing
from penstock.emulator.emulator import Emulator
from penstock.emulator.function_urls import FunctionUrl
from penstock.emulator.functions import function_from_target
from tests.tools import RawClient, lambda_client

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example() -> Iterator[object]:
    emulators: list[Emulator] = []

    def start(name: str, invoke_mode: str = "RESPONSE_STREAM") -> str:
        function = function_from_target(f"{EXAMPLES / name}:handler")
        emulators.append(
            Emulator(
                function,
                function_url=FunctionUrl(function.name, invoke_mode=invoke_mode),
                host="127.0.0.1",
                write_log=lambda text: None,
            )
        )
        return f"http://127.0.0.1:{emulators[-1].port}"

    yield start
    for emulator in emulators:
        emulator.stop()


def test_two_chunks(example):
    with httpx.stream("GET", example("two_chunks.py")) as response:
        chunks = list(response.iter_raw())
    assert chunks == [
        b"The first chunk is here already.\n",
        b"The second one came a second later.\n",
    ]
    assert response.headers["content-type"] == "text/plain"


def test_the_event_through_gzip(example):
    response = httpx.post(f"{example('gzip_echo.py')}/a?b=c", json={"some": "text"})
    assert response.headers["content-encoding"] == "gzip"
    event = response.json()
    assert event["rawPath"] == "/a"
    assert json.loads(event["body"]) == {"some": "text"}


def test_the_photograph_streams_whole_and_fails_buffered(example):
    photograph = (EXAMPLES / "photograph/mountains.jpg").read_bytes()
    assert len(photograph) > 6_291_556
    url = example("photograph/photograph.py")
    response = httpx.get(url)
    assert response.headers["content-type"] == "image/jpeg"
    assert response.content == photograph

    client = lambda_client(url)
    answer = client.invoke(FunctionName="photograph")
    assert answer["FunctionError"] == "Unhandled"
    assert json.load(answer["Payload"]) == {
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        "(6291556 bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }
    assert httpx.get(url).content == photograph


def test_the_photograph_at_a_buffered_url(example):
    response = httpx.get(example("photograph/photograph.py", invoke_mode="BUFFERED"))
    assert (response.status_code, response.text) == (502, "Internal Server Error")


def test_hello_0_to_hello_100(example):
    url = example("hello_100.py")
    with RawClient(int(url.rpartition(":")[2])) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        whole = client.read_all().decode()
    head, _, body = whole.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert "\r\nset-cookie: greeted=yes; Path=/" in head
    assert "\r\nx-greetings: 101" in head
    # One HTTP chunk for each write.
    chunks = [f"{len(text):x}\r\n{text}\r\n" for text in (f"Hello {i}\n" for i in range(101))]
    assert body == "".join(chunks) + "0\r\n\r\n"


def test_a_million_cars(example):
    response = httpx.get(example("million_cars.py"))
    assert response.text == "\N{AUTOMOBILE}" * 1_000_000
    assert len(response.content) == 4_000_000


def test_examples_run_without_a_server_too():
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("million_cars", EXAMPLES / "million_cars.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    answer = testing.run(module.handler)
    assert answer.prelude.headers == {"content-type": "text/plain; charset=utf-8"}
    assert len(answer.chunks) == 1000
