"""What tests are written with."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Sequence, Set
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

PATIENCE = 15.0


def wait_for(
    condition: Callable[[], object], what: str | Callable[[], str], seconds: float = PATIENCE
) -> None:
    """Wait until `condition` is true; fail with `what` if it does not come true.

    A `what` that tells how things stand is a function: it is called in the end.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            said = what if isinstance(what, str) else what()
            pytest.fail(f"waited {seconds} seconds in vain for {said}")
        time.sleep(0.005)


def is_running(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    if Path("/proc/self/stat").exists():
        try:
            # Behind the name, which may have any character, stands the state.
            stat = Path(f"/proc/{pid}/stat").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return False
        return stat.rpartition(b")")[2].split()[0] != b"Z"
    ended = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return bool(ended.stdout.strip()) and not ended.stdout.strip().startswith("Z")


class Gate:
    """Named gates in which handlers (other processes) wait for the test.

    A handler calls `pass_gate(name)`, which blocks; the test calls `open(name)`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, name: str) -> None:
        """Let the handler that waits at `name` go on; waits for it to come there."""
        path = self.folder / name
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
            except OSError as exc:
                if exc.errno not in (errno.ENXIO, errno.ENOENT):
                    raise
            else:
                return
            if time.monotonic() > deadline:
                pytest.fail(f"no handler came to the gate {name!r}")
            time.sleep(0.002)

    def open_for(self, call: Callable[[], object], name: str) -> None:
        """Make a call whose handler waits at `name`, and let it through."""
        thread = threading.Thread(target=call)
        thread.start()
        self.open(name)
        thread.join(PATIENCE)


def needs(tool: str) -> str:
    """The path of a program; without it the test is skipped, or fails in CI."""
    path = shutil.which(tool)
    if path is None:
        missing(f"{tool} is not installed")
    assert path is not None
    return path


def repeated(in_ci: int, here: int) -> int:
    """How often a test repeats what it does: all of it in CI, less where somebody waits."""
    return in_ci if os.environ.get("CI") else here


def only_in_ci(reason: str) -> None:
    """What takes long: skip it where somebody waits. `reason` says what shows the same there."""
    if not os.environ.get("CI"):
        pytest.skip(f"in CI only: {reason}")


# Options for a pytest that a test starts. Outside CI it goes without the other plugins of these
# tests, whose imports take five times as long as all else; in CI it has them, as users may.
PYTEST_OPTIONS = tuple(
    f"-pno:{plugin}"
    for plugin in ("randomly", "hypothesispytest", "timeout", "anyio")
    if not os.environ.get("CI")
)


# Outside CI a test with many parameters runs once with each value of each of them, and not
# with every combination; in CI it runs with all. The other combinations are skipped, so that
# the summary counts them. What is chosen is the same in every run.
each_value_once = pytest.mark.each_value_once()

# The same where one parameter (a case, a framework) goes through many tests: outside CI each
# value is in one of those tests of the module, and each test runs with one value at least.
each_value_in_one_test = pytest.mark.each_value_once(across_tests=True)


def few_with_every_value(cases: Sequence[Set[Hashable]]) -> set[int]:
    """The indices of few of `cases` that together have every value that one of them has.

    Which ones depends on nothing but `cases`. Each value is used about as often as others.
    """
    values = set().union(*cases)
    used = Counter[Hashable]()
    chosen: set[int] = set()
    while missed := values - used.keys():
        best = max(
            (each for each in range(len(cases)) if cases[each] & missed),
            key=lambda each: (len(cases[each] & missed), -sum(used[v] for v in cases[each]), -each),
        )
        chosen.add(best)
        used.update(cases[best])
    return chosen


def missing(reason: str) -> None:
    """Something that a test needs is not there: skip, or fail in CI, where it must be."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}; scripts/ci-tools installs it")
    pytest.skip(f"{reason}; scripts/ci-tools installs it")


def lambda_client(url: str) -> Any:
    """boto3's client for the Lambda API at `url`; it asks once and does not retry."""
    return boto3.client(
        "lambda",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"max_attempts": 0}, read_timeout=60),
    )


def line_of(function: Any, answer: Any) -> str:
    """The log's word on a call through a Function URL of a `LocalFunction`."""
    start = f"penstock: {answer.headers['x-amzn-requestid']} (Function URL): "
    wait_for(lambda: start in function.log, lambda: f"{start} in {function.log}")
    lines = [line for line in function.log.splitlines() if line.startswith(start)]
    assert len(lines) == 1, lines
    return lines[0].removeprefix(start)


class RawClient:
    """A plain socket to an HTTP server, for what no HTTP client would send or show."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.received = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read_until(self, mark: bytes) -> bytes:
        """Everything up to and with `mark`."""
        while mark not in self.received:
            data = self.socket.recv(65536)
            if not data:
                pytest.fail(f"closed before {mark!r}; received {self.received!r}")
            self.received += data
        end = self.received.index(mark) + len(mark)
        taken, self.received = self.received[:end], self.received[end:]
        return taken

    def read_all(self) -> bytes:
        """Everything until the other side closes."""
        while data := self.socket.recv(65536):
            self.received += data
        taken, self.received = self.received, b""
        return taken

    def has_got_nothing(self) -> bool:
        """Whether nothing has come up to now but what was read."""
        self.socket.setblocking(False)
        try:
            self.received += self.socket.recv(65536)
        except BlockingIOError:
            pass
        finally:
            self.socket.settimeout(PATIENCE)
        return not self.received

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
