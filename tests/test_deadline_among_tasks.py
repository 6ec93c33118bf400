"""The deadline of an async handler that has tasks, waits with a timeout or is cancelled."""

from __future__ import annotations

import asyncio

import pytest

from penstock.errors import DeadlineApproaching
from penstock.testing import run
from tests.hurried import Hurried, guarded

# The other method of pytest-timeout uses the signal that the guard wants.
pytestmark = pytest.mark.timeout(60, method="thread")


def test_the_handler_of_someone_cancelling_is_cancelled():
    @guarded
    async def handler(event, response_stream, context):
        asyncio.current_task().cancel("by hand")
        await asyncio.sleep(3600)

    with pytest.raises(asyncio.CancelledError, match="by hand"):
        run(handler, context=Hurried(60_000))


def test_a_group_of_tasks_is_cleaned_up():
    ends = []

    async def child():
        try:
            await asyncio.sleep(3600)
        finally:
            ends.append("child")

    @guarded
    async def handler(event, response_stream, context):
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(child())
        except DeadlineApproaching:
            ends.append("handler")
            await response_stream.write("out of time")

    assert run(handler, context=Hurried()).text == "out of time"
    assert ends == ["child", "handler"]


def test_what_is_waited_for_is_cancelled_with_it():
    cancelled = []

    async def slow():
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    @guarded
    async def handler(event, response_stream, context):
        try:
            await asyncio.wait_for(slow(), 3600)
        except DeadlineApproaching:
            await response_stream.write("out of time")

    assert run(handler, context=Hurried()).text == "out of time"
    assert cancelled == [True]


def test_a_task_that_swallows_it_does_not_keep_it_from_the_handler():
    async def stubborn():
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return "never mind"

    @guarded
    async def handler(event, response_stream, context):
        text = await asyncio.create_task(stubborn())
        assert not asyncio.current_task().cancelling()
        try:
            await asyncio.sleep(3600)
        except DeadlineApproaching:
            await response_stream.write(f"{text}, but now")

    assert run(handler, context=Hurried()).text == "never mind, but now"


def test_a_timeout_of_the_same_moment_is_a_timeout_and_then_it_is_heard():
    @guarded
    async def handler(event, response_stream, context):
        heard = []
        for _ in range(2):
            try:
                async with asyncio.timeout(0):
                    await asyncio.sleep(3600)
            except TimeoutError:
                heard.append("timeout")
            except DeadlineApproaching:
                heard.append("deadline")
        try:
            await asyncio.sleep(3600)
        except DeadlineApproaching:
            heard.append("deadline")
        await response_stream.write(" ".join(heard))

    assert run(handler, context=Hurried(-1)).text.count("deadline") == 1
