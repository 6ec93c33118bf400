"""Handlers of all four shapes that send events, and the head of what they send."""

from __future__ import annotations

import asyncio

import pytest

END = b"event: end\ndata:\n\n"
HEAD = {
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
    "content-type": "text/event-stream; charset=utf-8",
}


def generator(work):
    def handler(event, context):
        for item in work():
            if callable(item):
                item()
            else:
                yield item

    return handler


def function(work):
    def handler(event, events, context):
        for item in work():
            if callable(item):
                item()
            else:
                events.send(item)

    return handler


def async_generator(work):
    async def handler(event, context):
        for item in work():
            if callable(item):
                await asyncio.to_thread(item)
            else:
                yield item

    return handler


def coroutine(work):
    async def handler(event, events, context):
        for item in work():
            if callable(item):
                await asyncio.to_thread(item)
            else:
                await events.send(item)

    return handler


# Each makes a handler that sends what `work` yields, and waits in the calls it yields.
SHAPES = [generator, function, async_generator, coroutine]
each_shape = pytest.mark.parametrize("shape", SHAPES)
