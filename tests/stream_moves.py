"""Streams of both kinds over sinks that write down the moves that were made."""

from __future__ import annotations

import asyncio
from inspect import iscoroutine

import pytest

from penstock.errors import StreamBrokenError
from penstock.stream import AsyncResponseStream, ResponseStream


class Moves(list):
    """A sink that writes down what it is asked for, and may break at one of the moves."""

    breaks_at = None
    breaks_with = StreamBrokenError

    def begin(self, content_type, chunks):
        self._make("begin", content_type, chunks)

    def send(self, data):
        self._make("send", data)

    def end(self):
        self._make("end")

    def fail(self, error):
        self._make("fail", error)

    def _make(self, name, *what):
        self.append((name, *what))
        if self.breaks_at == name:
            raise self.breaks_with("the caller is gone")


class AwaitedMoves(Moves):
    """The same, awaited."""

    async def begin(self, content_type, chunks):
        self._make("begin", content_type, chunks)

    async def send(self, data):
        self._make("send", data)

    async def end(self):
        self._make("end")

    async def fail(self, error):
        self._make("fail", error)


@pytest.fixture(params=["blocking", "awaited"])
def kind(request):
    return request.param


@pytest.fixture
def moves(kind):
    return Moves() if kind == "blocking" else AwaitedMoves()


@pytest.fixture
def stream(kind, moves):
    return ResponseStream(moves) if kind == "blocking" else AsyncResponseStream(moves)


def done(call):
    """The result of a call that may have to be awaited."""
    if not iscoroutine(call):
        return call

    async def main():
        return await call

    return asyncio.run(main())
