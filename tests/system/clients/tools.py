"""What tests of clients share: functions to call, programs that call them, and boto3."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.tools import PATIENCE

NODE = Path(__file__).parents[1] / "node"

THREE_CHUNKS = """
    @streamify_response
    def handler(event, context):
        yield Prelude(200, {"content-type": "text/plain", "x-from": "the handler"})
        yield "one"
        pass_gate("1")
        yield "two"
        pass_gate("2")
        yield "three"
"""

# Without a prelude, which InvokeWithResponseStream would show as a chunk.
BARE_CHUNKS = """
    @streamify_response
    def handler(event, response_stream, context):
        print("the handler prints")
        response_stream.content_type = "text/x-three"
        response_stream.write("one")
        pass_gate("1")
        response_stream.write("two")
        pass_gate("2")
        response_stream.write("three")
"""

# What a Function URL makes of a request; and, to invokers, what they have sent.
ECHO = """
    def handler(event, context):
        return event
"""

HELLO = """
    def handler(event, context):
        print("the handler prints")
        return {"hello": event["name"]}
"""

FAILING = """
    def handler(event, context):
        print("the handler prints")
        raise ValueError("out of cheese")
"""


class Program:
    """A client in a process of its own, whose output is read as it comes."""

    def __init__(self, *command: str | Path, cwd: Path) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            bufsize=0,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._output = b""

    def read_until(self, mark: str) -> str:
        """The output up to and with `mark`."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + PATIENCE
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while mark.encode() not in self._output:
                if not selector.select(deadline - time.monotonic()):
                    pytest.fail(f"no {mark!r} within {PATIENCE} seconds; read {self._output!r}")
                data = os.read(self.process.stdout.fileno(), 65536)
                if not data:
                    pytest.fail(f"ended before {mark!r}; read {self._output!r}{self._errors()}")
                self._output += data
        end = self._output.index(mark.encode()) + len(mark.encode())
        taken, self._output = self._output[:end], self._output[end:]
        return taken.decode()

    def read_all(self, status: int = 0) -> str:
        """The rest of the output, when the program has ended with this exit status."""
        rest, errors = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == status, errors.decode()
        return (self._output + rest).decode()

    def kill(self) -> None:
        """End it at once, if it has not ended; may be repeated."""
        self.process.kill()
        with self.process:
            pass

    def _errors(self) -> str:
        _, errors = self.process.communicate(timeout=PATIENCE)
        return f"; it said {errors.decode()!r}"


def boto3_client(function, **settings: Any):
    settings.setdefault("retries", {"max_attempts": 0})
    return boto3.client(
        "lambda",
        endpoint_url=function.url,
        region_name="us-east-1",
        config=Config(read_timeout=PATIENCE, **settings),
    )


def assert_platform_lines(log: str, request_id: str) -> None:
    """START, what the handler prints, END, REPORT: each of this request, in this order."""
    start, printed, end, report = log.splitlines()
    assert start == f"START RequestId: {request_id} Version: $LATEST"
    assert printed == "the handler prints"
    assert end == f"END RequestId: {request_id}"
    assert report.startswith(f"REPORT RequestId: {request_id}\tDuration: ")
