"""The loop that async handlers share: tasks of the background, other loops, several threads."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import subprocess
import sys
import threading

import pytest
import uvloop

from penstock.event_loop import run
from penstock.transports.asyncio_streams import AsyncioConnection
from penstock.transports.blocking import BlockingConnection


async def nothing():
    return "done"


def test_a_task_of_the_background_goes_on_while_handlers_never_wait():
    ticks = []

    async def tick():
        while True:
            ticks.append(1)
            await asyncio.sleep(0)

    async def begin():
        return asyncio.create_task(tick())

    task = run(begin())
    before = len(ticks)
    for _ in range(10):
        assert run(nothing()) == "done"
    assert len(ticks) >= before + 10
    task.cancel()
    run(nothing())


def test_a_timer_of_the_background_rings_while_handlers_never_wait():
    rang = []

    async def begin():
        asyncio.get_running_loop().call_later(0, rang.append, True)

    run(begin())
    run(nothing())
    assert rang == [True]


def test_a_descriptor_that_is_watched_is_looked_at_while_handlers_never_wait():
    ours, theirs = socket.socketpair()
    seen = []

    async def watch():
        asyncio.get_running_loop().add_reader(ours, lambda: seen.append(ours.recv(10)))

    async def forget():
        asyncio.get_running_loop().remove_reader(ours)

    with ours, theirs:
        run(watch())
        theirs.send(b"news")
        run(nothing())
        assert seen == [b"news"]
        run(forget())


def test_an_abandoned_generator_is_closed_by_the_loop():
    closed = []

    async def items():
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    async def take_one():
        async for _ in items():
            break

    async def later():
        gc.collect()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    run(take_one())
    run(later())
    assert closed == [True]


def test_within_a_handler_that_never_waits_the_loop_runs():
    async def look():
        loop = asyncio.get_running_loop()
        return (
            loop.is_running(),
            asyncio.current_task() is not None,
            asyncio.get_running_loop() is loop,
        )

    assert run(look()) == (True, True, True)
    assert asyncio._get_running_loop() is None
    assert sys.get_asyncgen_hooks() == (None, None)


def test_what_ends_the_process_is_raised_and_nothing_else_is_said(recwarn, caplog):
    async def leave():
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        run(leave())
    gc.collect()
    assert run(nothing()) == "done"
    assert not caplog.records


@pytest.mark.parametrize("way", ["debug", "factory"])
def test_a_loop_that_somebody_has_changed_is_used_as_it_is(way):
    made = []

    async def change():
        loop = asyncio.get_running_loop()
        if way == "debug":
            loop.set_debug(True)
        else:
            loop.set_task_factory(
                lambda loop, coro, **more: (
                    made.append(coro) or asyncio.Task(coro, loop=loop, **more)
                )
            )

    async def restore():
        asyncio.get_running_loop().set_debug(False)
        asyncio.get_running_loop().set_task_factory(None)

    run(change())
    try:
        assert run(nothing()) == "done"
        assert bool(made) == (way == "factory")
    finally:
        run(restore())


def test_a_socket_that_uvloop_has_watched_blocks_again():
    listener = socket.create_server(("127.0.0.1", 0))
    connection = BlockingConnection(f"127.0.0.1:{listener.getsockname()[1]}")
    peer, _ = listener.accept()

    async def receive():
        peer_sends = asyncio.get_running_loop().call_later(0.01, peer.send, b"late")
        assert peer_sends is not None
        return await AsyncioConnection(connection).receive()

    loop = uvloop.new_event_loop()
    try:
        assert loop.run_until_complete(receive()) == b"late"
        assert os.get_blocking(connection.socket.fileno())
    finally:
        loop.close()
        connection.close()
        peer.close()
        listener.close()


SHARED = """
import asyncio, sys, threading
from penstock.event_loop import run, share

share()

async def leave():
    sys.exit(5)

async def wait_for_child():
    await asyncio.create_task(leave())

async def nothing():
    return asyncio.get_running_loop()

try:
    run(wait_for_child())
except SystemExit as exc:
    print("exit", exc.code)
loops = []
threads = [threading.Thread(target=lambda: loops.append(run(nothing()))) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(10)
print(len(loops), len(set(loops)))
"""


def test_a_task_that_exits_does_not_end_the_loop_that_threads_share():
    done = subprocess.run(
        [sys.executable, "-c", SHARED], capture_output=True, text=True, timeout=30
    )
    assert done.stdout.splitlines() == ["exit 5", "4 1"], done.stderr


def test_two_tasks_that_write_at_once_do_not_mix_their_chunks():
    listener = socket.create_server(("127.0.0.1", 0))
    connection = BlockingConnection(f"127.0.0.1:{listener.getsockname()[1]}")
    peer, _ = listener.accept()
    chunks = [bytes([letter]) * 4_000_000 for letter in b"ab"]

    async def write_both():
        stream = AsyncioConnection(connection)

        async def write(chunk):
            rest = stream.send_ready([chunk])
            if rest:
                await stream.send_rest(rest, [chunk])

        tasks = [asyncio.create_task(write(chunk)) for chunk in chunks]
        await asyncio.sleep(0)
        reader = threading.Thread(target=read)
        reader.start()
        await asyncio.gather(*tasks)
        connection.close()
        await asyncio.to_thread(reader.join)

    received = bytearray()

    def read():
        while data := peer.recv(1 << 20):
            received.extend(data)

    try:
        run(write_both())
        assert bytes(received) == b"".join(chunks)
    finally:
        connection.close()
        peer.close()
        listener.close()
