"""The fronts that are compared: how each is started with a runtime behind it, and called.

A front takes a caller's request, hands the event to a runtime through the Runtime API, and
passes on what that posts. One call of `measure` is one front process, one runtime, one caller.
"""

import contextlib
import json
import os
import platform
import random
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import c_programs
from clients import BENCHMARKS, HANDLERS, LAMBDA_ENVIRONMENT, SOURCE
from installing import ClientMissing
from neutral_server import RunFailed

FRONT: Final = BENCHMARKS / "front"
EMULATOR: Final = "emulator"
RIE: Final = "RIE"
C: Final = "C"
PYTHON: Final = "Python"
UVICORN: Final = "uvicorn"
UVLOOP: Final = "uvicorn with uvloop"
FRONTS: Final = (EMULATOR, RIE, C, PYTHON, UVICORN, UVLOOP)

INVOKE: Final = "POST /2015-03-31/functions/function/invocations HTTP/1.1"
INVOKE_STREAM: Final = "POST /2021-11-15/functions/function/response-streaming-invocations HTTP/1.1"
FUNCTION_URL: Final = "GET / HTTP/1.1"

_START_SECONDS: Final = 20
_LIMIT_SECONDS: Final = 90
# The second is how the C library keeps memory, which is looked at.
_INHERITED: Final = ("PATH", "GLIBC_TUNABLES")
_MACHINES: Final = {"x86_64": "x86_64", "aarch64": "arm64"}


class Work(NamedTuple):
    """What the runtime answers, and how often it is called."""

    request: str
    chunks: int
    chunk_size: int
    calls: int
    warmup: int
    runtime: str = C  # or "awslambdaric", whose handler returns a small JSON object


class Measured(NamedTuple):
    """What one caller saw; times are medians."""

    calls: int
    seconds: float
    bytes: int
    first_byte_us: float
    first_byte_p99_us: float
    total_us: float


class Installed(NamedTuple):
    """Everything that can be compared here, and with what."""

    fronts: dict[str, list[str]]  # the command of each
    runtimes: dict[str, list[str]]
    caller: Path
    folder: Path


def install(folder: Path, wanted: Sequence[str]) -> Installed:
    """Build and find; what is not there is named and left out.

    Raises:
        ClientMissing: the emulator itself, or AWS's Python client; any of them in CI.
        DoesNotCompile: a program in C.
    """
    import aws_python

    def build(name: str, sources: Sequence[Path]) -> Path:
        return c_programs.build(["-I", BENCHMARKS / "server", *sources], folder / name)

    http = BENCHMARKS / "server" / "http.c"
    caller = build("caller", [FRONT / "caller.c", http])
    reference = c_programs.build([HANDLERS / "reference_client.c"], folder / "reference_client")
    runtimes = {C: [str(reference)]}
    runtimes["awslambdaric"] = [
        aws_python.install(folder),
        "-m",
        "awslambdaric",
        "buffered_handlers.handler",
    ]
    runtimes["penstock"] = [sys.executable, "-m", "penstock.runtime", "penstock_handlers.handler"]
    fronts = {EMULATOR: [sys.executable, str(FRONT / "emulator_front.py"), "{port}"]}
    if C in wanted:
        fronts[C] = [str(build("c_front", [FRONT / "c_front.c", http])), "{port}"]
    if PYTHON in wanted:
        fronts[PYTHON] = [sys.executable, str(FRONT / "python_front.py"), "{port}"]
    if RIE in wanted:
        with _left_out(RIE):
            fronts[RIE] = [
                str(_rie()),
                *("--runtime-interface-emulator-address", "127.0.0.1:{port}"),
                *("--runtime-api-address", "127.0.0.1:{other}"),
            ]
    for name, how in ((UVICORN, ("asyncio", "h11")), (UVLOOP, ("uvloop", "httptools"))):
        if name in wanted:
            with _left_out(name):
                fronts[name] = _uvicorn(folder, *how)
    return Installed(
        {name: fronts[name] for name in wanted if name in fronts}, runtimes, caller, folder
    )


@contextlib.contextmanager
def _left_out(name: str):
    try:
        yield
    except ClientMissing as exc:
        if os.environ.get("CI"):
            raise
        print(f"skipped: {name}: {exc}", file=sys.stderr)


def _rie() -> Path:
    name = f"aws-lambda-rie-{_MACHINES.get(platform.machine())}"
    pattern = f".tools/deploy/venv/lib/*/site-packages/samcli/local/rapid/{name}"
    found = sorted(BENCHMARKS.parent.glob(pattern))
    if not found or sys.platform != "linux":
        raise ClientMissing(f"there is no {name}; scripts/deploy-tools installs it")
    return found[0]


def _uvicorn(folder: Path, loop: str, http: str) -> list[str]:
    import web_clients

    python = web_clients.install(folder)
    return [
        *(python, "-m", "uvicorn", "asgi_front:app", f"--app-dir={FRONT}", "--port={port}"),
        *(f"--loop={loop}", f"--http={http}", "--no-access-log", "--log-level=warning"),
    ]


class Running:
    """A front that serves, with its runtime; a context manager that ends both.

    `cpus` gives the front one CPU, and the runtime and the caller the other.
    """

    def __init__(
        self,
        installed: Installed,
        front: str,
        work: Work,
        cpus: tuple[int, int] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.port, other = _free_ports()
        runtime = [*_on(cpus and cpus[1]), *installed.runtimes[work.runtime]]
        command = [part.format(port=self.port, other=other) for part in installed.fronts[front]]
        if front not in (UVICORN, UVLOOP):
            command += runtime
        whole = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        whole |= {
            **LAMBDA_ENVIRONMENT,
            "PYTHONPATH": f"{SOURCE}:{FRONT}",
            "_HANDLER": installed.runtimes[work.runtime][-1],
            "LAMBDA_TASK_ROOT": str(HANDLERS),
            "BENCHMARK_SCENARIO": "write" if work.runtime == "penstock" else "message",
            "BENCHMARK_STYLE": "sync",
            "BENCHMARK_CHUNKS": str(work.chunks),
            "BENCHMARK_CHUNK_SIZE": str(work.chunk_size),
            "BENCHMARK_COMMAND": shlex.join(runtime),
            "BENCHMARK_PORT": str(self.port),
            **(environment or {}),
        }
        self._ends_with_stdin = front == EMULATOR
        self._log = installed.folder / "front.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*_on(cpus and cpus[0]), *command],
                cwd=HANDLERS,
                env=whole,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,  # the logs of RIE and of the emulator
                stderr=log,
                start_new_session=True,
            )
        try:
            self._wait_until_it_listens()
        except BaseException:
            self.end()
            raise

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise RunFailed(f"it does not listen\n{self.said()}")

    def said(self) -> str:
        """The end of what it wrote to standard error."""
        return self._log.read_text(errors="replace")[-2000:]

    def end(self) -> None:
        """End the front and its runtime."""
        assert self.process.stdin is not None
        self.process.stdin.close()  # which ends the emulator, and its environments with it
        if not self._ends_with_stdin:
            self.process.terminate()
        try:
            self.process.wait(10 if self._ends_with_stdin else 1)
        except subprocess.TimeoutExpired:
            pass  # uvicorn would wait for the runtime, which waits for its next invocation
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def measure(
    installed: Installed, front: str, work: Work, cpus: tuple[int, int] | None = None
) -> Measured:
    """Start `front`, call it as `work` says, and end it. Raises RunFailed."""
    request = installed.folder / "front-request"
    request.write_text(
        f"{work.request}\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        "Authorization: AWS4-HMAC-SHA256\r\nContent-Length: 2\r\n\r\n{}"
    )
    with Running(installed, front, work, cpus) as running:
        caller = [*_on(cpus and cpus[1]), installed.caller, running.port, request]
        expected = work.chunks * work.chunk_size
        arguments = [*caller, work.warmup, work.calls, expected]
        try:
            done = subprocess.run(
                [str(each) for each in arguments],
                capture_output=True,
                text=True,
                timeout=_LIMIT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise RunFailed(f"{front}: no end after {_LIMIT_SECONDS} s") from exc
        if done.returncode:
            raise RunFailed(f"{front}: {done.stderr.strip()}\n{running.said()}")
    return Measured(**json.loads(done.stdout))


def _on(cpu: int | None) -> list[str]:
    return [] if cpu is None else ["taskset", "--cpu-list", str(cpu)]


def can_be_placed() -> bool:
    """Whether processes can be given CPUs here."""
    return shutil.which("taskset") is not None


def _free_ports() -> list[int]:
    """Two ports that nobody listens on, below those that systems hand out by themselves."""
    ports: list[int] = []
    while len(ports) < 2:
        port = random.randrange(10_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            ports.append(port)
    return ports
