"""Heartbeats by themselves: when there is none any more, and what is left of them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from time import monotonic

import pytest

from penstock.errors import StreamBrokenError
from penstock.heartbeats import AsyncHeartbeats, Heartbeats
from tests.tools import wait_for

# How long a test waits for what must come; only a failure takes so long.
PATIENCE = 30


def on_a_loop(main):
    asyncio.run(asyncio.wait_for(main(), PATIENCE))


class Held:
    """A heartbeat that is under way until it may go."""

    def __init__(self, log):
        self._log = log
        self.begun = asyncio.Event()
        self.may_go = asyncio.Event()

    async def __call__(self):
        self.begun.set()
        await self.may_go.wait()
        self._log.append("a heartbeat")


def test_a_thread_that_cannot_begin_is_not_waited_for(monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    heartbeats = Heartbeats(lambda: None, 3600)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            heartbeats.start()

    heartbeats.stop()


def test_stop_waits_for_the_heartbeat_that_is_under_way():
    log = []

    async def main():
        beat = Held(log)
        heartbeats = AsyncHeartbeats(beat, 0.001)
        heartbeats.start()
        await beat.begun.wait()
        asyncio.get_running_loop().call_soon(beat.may_go.set)
        await heartbeats.stop()
        log.append("stopped")

    on_a_loop(main)
    assert log == ["a heartbeat", "stopped"]


def test_who_is_cancelled_while_it_waits_does_not_break_the_heartbeat_off():
    log = []

    async def main():
        beat = Held(log)
        heartbeats = AsyncHeartbeats(beat, 0.001)
        heartbeats.start()
        await beat.begun.wait()
        stopping = asyncio.create_task(heartbeats.stop())
        await asyncio.sleep(0)
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        beat.may_go.set()
        await heartbeats.stop()

    on_a_loop(main)
    assert log == ["a heartbeat"]


class NotedLock:
    """A lock that tells when the heartbeats' thread asks for it."""

    def __init__(self):
        self._lock = threading.Lock()
        self.acquire, self.release = self._lock.acquire, self._lock.release
        self.is_asked_for = threading.Event()

    def __enter__(self):
        self.is_asked_for.set()
        self.acquire()

    def __exit__(self, *exc_info):
        self.release()


def test_no_heartbeat_begins_after_stop():
    beats = []
    heartbeats = Heartbeats(lambda: beats.append("late"), 1e-9)
    lock = heartbeats._lock = NotedLock()
    stopping = threading.Thread(target=heartbeats.stop)
    # Held, so that the thread waits for its turn when it is stopped.
    with heartbeats:
        heartbeats.start()
        assert lock.is_asked_for.wait(PATIENCE)
        stopping.start()
        wait_for(heartbeats._stopped.is_set, "stop")
    stopping.join(PATIENCE)
    assert beats == []


def test_no_heartbeat_that_is_awaited_begins_after_stop():
    beats = []

    async def main():
        async def beat():
            beats.append("late")

        heartbeats = AsyncHeartbeats(beat, 0.001)
        # Its task waits for its turn while somebody writes.
        await heartbeats._lock.acquire()
        heartbeats.start()
        heartbeats._task = asyncio.ensure_future(heartbeats._beat_once())
        await asyncio.sleep(0)
        stopping = asyncio.create_task(heartbeats.stop())
        await asyncio.sleep(0)
        heartbeats._written_at -= 1
        heartbeats._lock.release()
        await stopping

    on_a_loop(main)
    assert beats == []


def test_after_stop_nothing_is_left_on_the_loop():
    async def main():
        beat = Held([])
        waiting, beating = AsyncHeartbeats(beat, 3600), AsyncHeartbeats(beat, 0.001)
        for heartbeats in (waiting, beating):
            heartbeats.start()
        await beat.begun.wait()
        asyncio.get_running_loop().call_soon(beat.may_go.set)
        for heartbeats in (waiting, beating):
            await heartbeats.stop()
            assert heartbeats._timer.cancelled()
        assert beating._task.done()

    on_a_loop(main)


def test_after_stop_there_is_no_start():
    heartbeats = Heartbeats(lambda: None, 3600)
    heartbeats.stop()
    heartbeats.start()
    assert heartbeats._thread is None


def test_after_stop_there_is_no_start_on_a_loop():
    async def main():
        heartbeats = AsyncHeartbeats(None, 3600)
        await heartbeats.stop()
        heartbeats.start()
        assert heartbeats._timer is None

    on_a_loop(main)


def test_a_write_that_comes_first_takes_the_heartbeat_s_place():
    beats = []

    async def main():
        async def beat():
            beats.append("superfluous")

        heartbeats = AsyncHeartbeats(beat, 3600)
        heartbeats.start()
        heartbeats._written_at -= 3600
        heartbeats._ring()
        async with heartbeats:
            pass
        await heartbeats._task
        await heartbeats.stop()

    on_a_loop(main)
    assert beats == []


def test_silence_is_counted_from_the_last_write():
    heartbeats = Heartbeats(lambda: None, 3600)
    before = monotonic()
    with heartbeats:
        pass
    assert before <= heartbeats._written_at <= monotonic()


def test_a_heartbeat_that_finds_the_stream_broken_is_the_last():
    beats = []

    async def main():
        async def beat():
            beats.append(heartbeats._timer)
            raise StreamBrokenError("the client is gone")

        heartbeats = AsyncHeartbeats(beat, 0.001)
        heartbeats.start()
        while heartbeats._task is None or not heartbeats._task.done():
            await asyncio.sleep(0.001)
        # It is for the owner's next write to tell.
        assert heartbeats._task.exception() is None
        assert beats == [heartbeats._timer]
        await heartbeats.stop()

    on_a_loop(main)
    assert len(beats) == 1


def test_a_process_ends_without_waiting_for_them():
    program = "from penstock.heartbeats import Heartbeats; Heartbeats(print, 3600).start()"
    subprocess.run([sys.executable, "-c", program], timeout=PATIENCE, check=True)
