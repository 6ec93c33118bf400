"""Many slow streams through the emulator at once: are they whole, and how late is each chunk?

Every chunk tells when it was written, so what the way from the handler to the caller takes is
known: runtime, Runtime API, emulator, Function URL and the reading of it here. Memory, threads
and descriptors are those of the emulator's process, before, at the height, and afterwards.
A stream that is not whole or not in order is an error; nothing else is judged. Linux only.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import cpu_use
import fronts
import machine
import stopping
from clients import BENCHMARKS
from neutral_server import RunFailed

BUILD: Final = BENCHMARKS / ".build"
# How long the emulator has to be as it was.
SETTLE_SECONDS: Final = 15
WARM_UPS: Final = 8


class Cost(NamedTuple):
    """What the emulator's process has."""

    memory_mib: float
    threads: int
    descriptors: int

    def __str__(self) -> str:
        return f"{self.memory_mib:.1f} MiB, {self.threads} threads, {self.descriptors} descriptors"


class Seen(NamedTuple):
    """What one run showed; delays in seconds."""

    seconds: float
    delays: list[float]
    before: Cost
    most: Cost
    after: list[Cost]  # each time


def main() -> int:
    """Run the command line. Returns the exit status."""
    options = _parse(sys.argv[1:])
    if sys.platform != "linux":
        print("skipped: processes can be looked into on Linux only")
        return 0
    BUILD.mkdir(exist_ok=True)
    before = cpu_use.read()
    try:
        seen = run(
            streams=options.streams,
            chunks=options.chunks,
            pause=options.pause,
            environments=options.environments,
            concurrency=options.concurrency,
            spread=options.spread,
            times=options.times,
        )
    except (RunFailed, OSError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    facts = machine.facts() | {
        "taken by others": cpu_use.disturbance(before, cpu_use.read()),
        "streams": f"{options.streams} of {options.chunks} chunks, {options.pause:g} s apart, "
        f"begun within {options.spread:g} s, {options.times} times",
        "environments": f"{options.environments}, with {options.concurrency} at once in each",
    }
    print("\n".join(f"- {name}: {value}" for name, value in facts.items()))
    print()
    print(text(seen))
    if options.json:
        everything = {"facts": facts, **seen._asdict()}
        options.json.write_text(json.dumps(everything, indent=1) + "\n")
    return 0


def text(seen: Seen) -> str:
    """The figures, for people."""
    delays = sorted(seen.delays)
    shares = {"median": 0.5, "p99": 0.99, "p99.9": 0.999, "longest": 1.0}
    told = ", ".join(
        f"{name} {delays[round((len(delays) - 1) * share)] * 1000:.2f} ms"
        for name, share in shares.items()
    )
    memory = ", ".join(f"{cost.memory_mib:.1f}" for cost in seen.after)
    each = f" (memory after each time: {memory} MiB)" if len(seen.after) > 1 else ""
    return (
        f"{len(delays)} chunks arrived, every stream whole and in order, in {seen.seconds:.1f} s\n"
        f"from written to received: {told}\n"
        f"the emulator before: {seen.before}\n"
        f"at the height: {seen.most}\n"
        f"afterwards: {seen.after[-1]}{each}"
    )


def run(
    *,
    streams: int,
    chunks: int,
    pause: float,
    environments: int,
    concurrency: int,
    spread: float = 0,
    times: int = 1,
) -> Seen:
    """Have so many streams at once, begun within `spread` seconds, so often. Raises RunFailed."""
    runtime = [sys.executable, "-m", "penstock.runtime", "stream_handlers.handler"]
    installed = fronts.Installed(
        {fronts.EMULATOR: [sys.executable, str(fronts.FRONT / "emulator_front.py"), "{port}"]},
        {"streams": runtime},
        BUILD / "caller",
        BUILD,
    )
    work = fronts.Work(fronts.FUNCTION_URL, chunks, 0, streams, 0, runtime="streams")
    more = {
        "_HANDLER": "stream_handlers.handler",
        "BENCHMARK_ENVIRONMENTS": str(environments),
        "BENCHMARK_CONCURRENCY": str(concurrency),
        "LAMBDA_TASK_ROOT": str(fronts.FRONT),
    }
    with fronts.Running(installed, fronts.EMULATOR, work, environment=more) as running:
        pid = running.process.pid
        try:
            before = _warmed_up(running.port, streams, pid)
            began = time.monotonic()
            delays: list[float] = []
            heights, after = [before], []
            for _ in range(times):
                seen, height = asyncio.run(
                    _streams(
                        running.port, streams, chunks=chunks, pause=pause, pid=pid, spread=spread
                    )
                )
                delays += seen
                heights.append(height)
                after.append(_settled(pid, before))
            seconds = time.monotonic() - began
        except RunFailed as exc:
            raise RunFailed(f"{exc}\n{running.said()}") from exc
    return Seen(seconds, delays, before, Cost(*map(max, *heights)), after)


def _warmed_up(port: int, streams: int, pid: int) -> Cost:
    """Start every environment, and have each ask for as much work as it can take."""
    last = None
    for _ in range(WARM_UPS):
        asyncio.run(_streams(port, streams, chunks=2, pause=2, pid=pid))
        before = _settled(pid, None)
        if last is not None and before[1:] == last[1:]:
            return before
        last = before
    raise RunFailed(f"{WARM_UPS} times as many streams were not enough to start everything")


async def _streams(
    port: int, streams: int, *, chunks: int, pause: float, pid: int, spread: float = 0
) -> tuple[list[float], Cost]:
    """Read so many at once: the delays of their chunks, and what it took at the height."""
    body = json.dumps({"chunks": chunks, "pause": pause})
    height: list[Cost] = []

    async def look() -> None:
        while True:
            height.append(cost(pid))
            await asyncio.sleep(0.5)

    looking = asyncio.create_task(look())
    readings = [
        _read(port, number, body, chunks, number / streams * spread) for number in range(streams)
    ]
    found = await asyncio.gather(*readings)
    looking.cancel()
    most = Cost(*(max(values) for values in zip(*height, strict=True)))
    return [delay for delays in found for delay in delays], most


async def _read(port: int, number: int, body: str, chunks: int, after: float) -> list[float]:
    """One stream; how long each of its chunks took. Raises RunFailed."""
    await asyncio.sleep(after)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise RunFailed(f"stream {number} was answered {head[:100]!r}")
    delays = []
    for index in range(chunks):
        size = int(await reader.readline(), 16)
        data = await reader.readexactly(size + 2)
        arrived = time.monotonic_ns()
        told, _, moment = data.decode().partition(" ")
        if int(told) != index:
            raise RunFailed(f"stream {number} has chunk {told} where {index} should be")
        delays.append((arrived - int(moment)) / 1e9)
    if (rest := await reader.read()) != b"0\r\n\r\n":
        raise RunFailed(f"stream {number} ends with {rest!r}")
    writer.close()
    return delays


def cost(pid: int) -> Cost:
    """What the process has now."""
    status = Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return Cost(
        int(fields["VmRSS"].split()[0]) / 1024,
        int(fields["Threads"]),
        len(os.listdir(f"/proc/{pid}/fd")),
    )


def _settled(pid: int, wanted: Cost | None) -> Cost:
    """What it has when it is at rest: as before, if there is a before. Raises RunFailed."""
    deadline = time.monotonic() + SETTLE_SECONDS
    last = cost(pid)
    while time.monotonic() < deadline:
        time.sleep(0.5)
        now = cost(pid)
        at_rest = now[1:] == (wanted or last)[1:]
        if at_rest:
            return now
        last = now
    raise RunFailed(f"the emulator does not come to rest: {last}; it was {wanted}")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--chunks", type=int, default=10)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between chunks")
    parser.add_argument("--spread", type=float, default=0.0, help="seconds in which all begin")
    parser.add_argument("--times", type=int, default=1, help="how often all of it is done")
    parser.add_argument("--environments", type=int, default=8)
    parser.add_argument("--concurrency", type=int, default=64, help="in each environment")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every delay here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    stopping.run(main)
