"""kill -9 of anything, at any moment, while several streams run.

The seed of a run is printed; PENSTOCK_KILL_SEED repeats it, PENSTOCK_KILLS says how many
processes are killed.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, HTTPClientError

from tests.system.test_dev import PENSTOCK
from tests.tools import PATIENCE, lambda_client, needs, repeated, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are read from /proc")

KILLS = int(os.environ.get("PENSTOCK_KILLS") or repeated(200, here=2))
SEED = int(os.environ.get("PENSTOCK_KILL_SEED") or random.SystemRandom().randrange(2**32))

STREAMS = 4
LINES = 40

# The pauses only spread the moments at which something can be killed.
HANDLER = f"""
import os, subprocess, time

from penstock import Prelude, streamify_response

loner = subprocess.Popen(["sleep", "600"], start_new_session=True)


@streamify_response
def handler(event, context):
    if "rawPath" in event or "httpMethod" in event:
        yield Prelude(200, {{"content-type": "text/plain"}})
    yield f"{{os.getpid()}}\\n"
    for number in range({LINES}):
        yield f"{{number}}\\n"
        time.sleep(0.005)
    yield "end\\n"
"""

WHOLE = "".join([*(f"{number}\n" for number in range(LINES)), "end\n"])


@dataclass
class Group:
    """The processes of one environment: its guardian, the runtime, and what that has started."""

    guardian: int | None = None
    runtime: int | None = None
    others: list[int] = field(default_factory=list)

    @property
    def pids(self) -> list[int]:
        return [pid for pid in (self.guardian, self.runtime, *self.others) if pid is not None]


class Processes:
    """Finds everything that inherits a variable which only this test sets."""

    def __init__(self) -> None:
        self.mark = f"PENSTOCK_TEST_KILL={os.getpid()}.{random.SystemRandom().random()}"

    def groups(self) -> dict[str, Group]:
        groups: dict[str, Group] = defaultdict(Group)
        for entry in Path("/proc").iterdir():
            # One that ends meanwhile is gone, as it would be a moment later.
            with contextlib.suppress(OSError):
                variables = (entry / "environ").read_bytes().split(b"\0") if is_pid(entry) else []
                if self.mark.encode() not in variables:
                    continue
                token = dict(each.partition(b"=")[::2] for each in variables).get(
                    b"PENSTOCK_ENVIRONMENT"
                )
                if token is not None:
                    self._add(groups[token.decode()], entry)
        return groups

    def orphans(self) -> list[Group]:
        """Groups whose guardian or runtime is no more."""
        groups = self.groups().values()
        return [group for group in groups if group.guardian is None or group.runtime is None]

    def _add(self, group: Group, entry: Path) -> None:
        command = (entry / "cmdline").read_bytes()
        pid = int(entry.name)
        if not command:
            return  # a zombie: it has ended
        if b"guardian.py" in command:
            group.guardian = pid
        elif b"penstock.runtime" in command:
            group.runtime = pid
        else:
            group.others.append(pid)


def is_pid(entry: Path) -> bool:
    return entry.name.isdecimal()


class Server:
    """`penstock dev` as a process, started anew when it was killed."""

    def __init__(self, folder: Path, processes: Processes) -> None:
        self._folder = folder
        self._processes = processes
        self._starts = 0
        (folder / "app.py").write_text(HANDLER)
        self.start()

    def start(self) -> None:
        self._starts += 1
        self.output = self._folder / f"output{self._starts}"
        name, _, value = self._processes.mark.partition("=")
        options = (
            *("--port", "0", "--max-environments", "30", "--rest-api", "STREAM"),
            *("--state", "state"),
        )
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [*PENSTOCK, "dev", "app.py:handler", *options],
                cwd=self._folder,
                env={**os.environ, name: value},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_for(lambda: "Ctrl-C" in self.text or self.process.poll() is not None, "the start")
        found = re.search(r"http://localhost:(\d+)", self.text)
        assert found, self.text
        self.port = int(found[1])
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def text(self) -> str:
        return self.output.read_text()


class Writer(threading.Thread):
    """Changes a function's description to one number after the other, until it is cut off."""

    def __init__(self, server: Server, start: int) -> None:
        super().__init__()
        self.acknowledged = start
        self._client = lambda_client(server.url)
        self.start()

    def run(self) -> None:
        while True:
            try:
                self._client.update_function_configuration(
                    FunctionName="kept", Description=str(self.acknowledged + 1)
                )
            except self._client.exceptions.ResourceConflictException:
                continue  # it is still busy with the last one
            except (ConnectionClosedError, EndpointConnectionError, HTTPClientError):
                return
            self.acknowledged += 1


def create_kept(server: Server) -> None:
    """Create a function through the API."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as file:
        file.writestr("kept.py", "def handler(event, context):\n    return 'kept'\n")
    lambda_client(server.url).create_function(
        FunctionName="kept",
        Runtime=f"python3.{sys.version_info[1]}",
        Handler="kept.handler",
        Role="arn:aws:iam::123456789012:role/any",
        Description="0",
        Code={"ZipFile": code.getvalue()},
    )
    lambda_client(server.url).get_waiter("function_active_v2").wait(FunctionName="kept")
    check_kept(server, 0)


def check_kept(server: Server, acknowledged: int) -> int:
    """What was acknowledged is there, or what was sent after it; the function runs."""
    client = lambda_client(server.url)
    found = int(client.get_function_configuration(FunctionName="kept")["Description"])
    assert found - acknowledged in (0, 1), (found, acknowledged)
    assert json.load(client.invoke(FunctionName="kept")["Payload"]) == "kept"
    return found


class Client:
    """curl, which reads one stream into a file."""

    def __init__(self, front: str, server: Server, output: Path) -> None:
        self.front = front
        self.output = output
        output.write_bytes(b"")
        host = f"app.execute-api.localhost:{server.port}" if front == "REST API" else "localhost"
        path = {
            "URL": "/",
            "REST API": "/local/",
            "Invoke": "/2015-03-31/functions/function/invocations",
        }[front]
        self.process = subprocess.Popen(
            [
                *("curl", "-sS", "-N", "--noproxy", "*", "-m", "30", "-H", f"Host: {host}"),
                *(("-d", "{}") if front == "Invoke" else ()),
                *("-o", output, f"http://127.0.0.1:{server.port}{path}"),
            ],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @property
    def text(self) -> str:
        return self.output.read_text()

    @property
    def is_whole(self) -> bool:
        pid, _, rest = self.text.partition("\n")
        return self.process.wait() == 0 and pid.isdecimal() and rest == WHOLE

    @property
    def tells_the_truth(self) -> bool:
        """Whether what is not whole does not look so: it begins well, or is an error."""
        pid, _, rest = self.text.partition("\n")
        begins_well = WHOLE.startswith(rest) and (pid.isdecimal() or not pid)
        is_error = "Runtime.ExitError" in self.text or "Internal server error" in self.text
        return is_error or (begins_well and self.process.wait() != 0)

    def has_lines(self, number: int) -> bool:
        return self.text.count("\n") >= number or self.process.poll() is not None


@pytest.fixture
def processes() -> Processes:
    return Processes()


@pytest.fixture
def server(tmp_path: Path, processes: Processes) -> Iterator[Server]:
    needs("curl")
    running = Server(tmp_path, processes)
    yield running
    running.process.kill()
    running.process.wait()
    wait_for(lambda: not processes.groups(), "the end of every process")


VICTIMS = ("emulator", "client", "runtime", "guardian", "child")


@pytest.mark.timeout(900)
def test_whatever_is_killed_leaves_no_process_and_harms_no_other_stream(
    server, processes, tmp_path
):
    print(f"PENSTOCK_KILL_SEED={SEED} PENSTOCK_KILLS={KILLS}")
    chance = random.Random(SEED)
    create_kept(server)
    description = 0
    for number in range(KILLS):
        victim = chance.choice(VICTIMS)
        fronts = chance.choices(("URL", "REST API", "Invoke"), weights=(3, 2, 1), k=STREAMS)
        what = f"kill {number} of {victim} among {fronts}"
        clients = [
            Client(front, server, tmp_path / f"answer{index}") for index, front in enumerate(fronts)
        ]
        writer = Writer(server, description) if victim == "emulator" else None
        wait_for_moment(chance, clients)
        killed = kill(victim, chance, server, processes, clients)
        for client in clients:
            client.process.wait(PATIENCE * 2)
        harmed = [client for client in clients if not client.is_whole]

        assert len(harmed) <= (STREAMS if victim == "emulator" else 1), (what, texts(harmed))
        if victim == "client":
            assert [client.process.pid for client in harmed] in ([], [killed]), what
        elif victim == "child":
            assert harmed == [], (what, texts(harmed))
        for client in harmed:
            assert client.tells_the_truth or victim == "client", (what, texts([client]))
        if victim == "emulator":
            wait_for(lambda: not processes.groups(), f"the end of every process after {what}")
            server.start()
        if writer is not None:
            writer.join(PATIENCE)
            description = check_kept(server, writer.acknowledged)
        wait_for(lambda: not processes.orphans(), f"the end of what is left after {what}")
        answer = httpx.get(server.url, timeout=PATIENCE)
        assert answer.text.endswith(WHOLE), (what, answer.text)
        assert "Traceback" not in server.text, (what, server.text)


def wait_for_moment(chance: random.Random, clients: list[Client]) -> None:
    """Wait until one of them has so many lines; sometimes for nothing, so that all start."""
    client, lines = chance.choice(clients), chance.randrange(LINES)
    if client.front == "Invoke":
        client = next((each for each in clients if each.front != "Invoke"), client)
    wait_for(lambda: client.has_lines(lines), f"line {lines} of {client.text!r}")


def kill(
    victim: str,
    chance: random.Random,
    server: Server,
    processes: Processes,
    clients: list[Client],
) -> int | None:
    """Kill a process of this kind, if there is one; which it was."""
    groups = sorted(processes.groups().values(), key=lambda group: group.pids)
    group = chance.choice(groups) if groups else Group()
    pid = {
        "emulator": server.process.pid,
        "client": chance.choice(clients).process.pid,
        "runtime": group.runtime,
        "guardian": group.guardian,
        "child": chance.choice(group.others) if group.others else None,
    }[victim]
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if victim == "emulator":
        server.process.wait()
    return pid


def texts(clients: list[Client]) -> list[tuple[str, int, str]]:
    return [(client.front, client.process.returncode, client.text) for client in clients]
