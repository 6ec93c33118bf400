"""The event loops that handlers run on, and are called on."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading

import pytest

from penstock import streamify_response
from tests.handlers import (
    OCTETS,
    ONE_TWO,
    SHAPES,
    Mishap,
    async_generator_function,
    failing_async_generator,
    invocation,
    moves_of,
)


def test_all_async_handlers_share_one_loop():
    loops = []

    @streamify_response
    async def one(event, response_stream, context):
        loops.append(asyncio.get_running_loop())

    @streamify_response
    async def other(event, context):
        loops.append(asyncio.get_running_loop())
        yield "other"

    for handler in (one, other, one):
        moves_of(handler)

    assert loops == [loops[0]] * 3


def test_a_task_that_was_begun_in_one_invocation_goes_on_in_the_next():
    tasks = []

    @streamify_response
    async def handler(event, response_stream, context):
        if not tasks:
            tasks.append(asyncio.create_task(work()))
        else:
            await response_stream.write(await tasks[0])

    async def work():
        await asyncio.sleep(0)
        return "done"

    moves_of(handler)
    assert not tasks[0].done()
    assert moves_of(handler) == [("begin", OCTETS, [b"done"]), ("end",)]


def test_a_loop_that_a_handler_closed_is_replaced():
    @streamify_response
    async def handler(event, context):
        yield "one"

    @streamify_response
    async def closes(event, response_stream, context):
        loops.append(asyncio.get_running_loop())

    loops = []
    moves_of(closes)
    loops[0].close()

    assert moves_of(handler) == [("begin", OCTETS, [b"one"]), ("end",)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_handler_can_be_called_by_code_that_runs_on_a_loop(shape):
    handler = streamify_response(shape)

    async def main():
        return moves_of(handler, ["one", "two"])

    assert asyncio.run(main()) == ONE_TWO


def test_a_handler_called_on_a_loop_sees_the_context_variables_of_its_caller():
    variable = contextvars.ContextVar("variable")

    @streamify_response
    async def handler(event, context):
        yield variable.get()

    async def main():
        variable.set("mine")
        return moves_of(handler)

    assert asyncio.run(main()) == [("begin", OCTETS, [b"mine"]), ("end",)]


def test_an_error_of_a_handler_called_on_a_loop_reaches_its_caller():
    async def main():
        with invocation() as moves, pytest.raises(Mishap):
            failing_async_generator({"first": ["one"], "then": error}, None)
        return moves

    error = Mishap("half-way")

    assert asyncio.run(main())[-1] == ("fail", error)


def test_each_thread_has_a_loop_of_its_own():
    handler = streamify_response(async_generator_function)
    results = []

    def work():
        async def main():
            results.append(moves_of(handler, ["one", "two"]))

        asyncio.run(main())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [ONE_TWO] * 4


def test_the_loop_of_a_thread_is_closed_when_the_thread_has_ended():
    program = """
import gc, threading
from penstock import streamify_response

@streamify_response
async def handler(event, context):
    yield "one"

thread = threading.Thread(target=handler, args=(None, None))
thread.start()
thread.join()
gc.collect()
"""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=30
    )

    # The loop of the main thread is not meant here.
    assert "ResourceWarning" not in ended.stderr
