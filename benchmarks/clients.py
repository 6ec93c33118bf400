"""The runtime clients that are compared: how each is started, and what it must bring.

Each Python client runs in a virtual environment with nothing else in it, because `.pth` files
of packages installed beside it would count as its start-up time. All of them have Penstock's
source on their path, so that they search the same places.
"""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final, NamedTuple

import aws_node
import aws_python
import c_programs
from installing import ClientMissing
from scenarios import (
    ASYNC,
    AWSLAMBDARIC,
    JOINED,
    NODE,
    SYNC,
    TAKEOVER_ASYNC,
    TAKEOVER_SYNC,
    C,
    Scenario,
)

BENCHMARKS: Final = Path(__file__).parent.resolve()
HANDLERS: Final = BENCHMARKS / "handlers"
SOURCE: Final = BENCHMARKS.parent / "src"
BUFFERED: Final = "buffered_handlers.handler"
STREAMING: Final = "penstock_handlers.handler"

# Lambda sets these; the Node.js client refuses to run without most of them.
LAMBDA_ENVIRONMENT: Final = {
    "AWS_LAMBDA_FUNCTION_NAME": "benchmark",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/benchmark",
    "AWS_LAMBDA_LOG_STREAM_NAME": "benchmark",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "LAMBDA_TASK_ROOT": str(HANDLERS),
    "TZ": ":UTC",
    "LANG": "C.UTF-8",
}


class Client(NamedTuple):
    """A runtime client with one way of writing handlers."""

    name: str
    program: tuple[str, ...]
    streaming: str | None  # the handler that streams; None: this client cannot
    buffered: str
    style: str = ""  # which of the streaming handlers
    # JSON as Python's own module and AWS's Python client write it: a blank after the colon.
    json_separators: tuple[str, str] = (", ", ": ")

    def work(self, scenario: Scenario) -> str:
        """What the handler does. The plainest there is, for a client that cannot stream."""
        cannot = self.streaming is None and not _is_buffered(scenario)
        return "message" if cannot else scenario.handler

    def expected_bytes(self, scenario: Scenario) -> int:
        """The body bytes that one invocation must bring."""
        text = "x" * scenario.chunk_size
        match self.work(scenario):
            case "message":
                return len(json.dumps({"message": text}, separators=self.json_separators))
            case "text":
                return len(json.dumps(text))
            case _:
                return scenario.chunks * scenario.chunk_size

    def command(self, scenario: Scenario) -> list[str]:
        """What to start."""
        return [*self.program, self.handler(scenario)]

    def environment(self, scenario: Scenario) -> dict[str, str]:
        """The whole environment of the process."""
        return _inherited() | {
            **LAMBDA_ENVIRONMENT,
            "PYTHONPATH": str(SOURCE),
            "_HANDLER": self.handler(scenario),
            "BENCHMARK_SCENARIO": self.work(scenario),
            "BENCHMARK_STYLE": self.style,
            "BENCHMARK_CHUNKS": str(scenario.chunks),
            "BENCHMARK_CHUNK_SIZE": str(scenario.chunk_size),
        }

    def handler(self, scenario: Scenario) -> str:
        """The handler's module and name."""
        if self.streaming is None or _is_buffered(scenario):
            return self.buffered
        return self.streaming


def _is_buffered(scenario: Scenario) -> bool:
    return scenario.handler in ("message", "text")


def _inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}


class Installed(NamedTuple):
    """Clients that are ready to run, and what the report says about them."""

    clients: list[Client]
    facts: dict[str, str]


def install(names: list[str], build_folder: Path) -> Installed:
    """The clients of these names, as far as they can be used here; the others are named.

    Raises:
        ClientMissing: Penstock itself cannot be used, or any of them in CI.
        DoesNotCompile: the C client.
    """
    clients: list[Client] = []
    facts: dict[str, str] = {}
    for kind, install_kind in _KINDS.items():
        wanted = [name for name in names if name in kind]
        if not wanted:
            continue
        try:
            installed = install_kind(build_folder)
        except ClientMissing as exc:
            if install_kind is _penstock or os.environ.get("CI"):
                raise
            print(f"skipped: {', '.join(wanted)}: {exc}", file=sys.stderr)
            continue
        clients += [client for client in installed.clients if client.name in wanted]
        facts |= installed.facts
    return Installed(clients, facts)


def _penstock(build_folder: Path) -> Installed:
    folder = build_folder / "venv"
    venv.create(folder, clear=True, with_pip=False, symlinks=True)
    python = str(folder / "bin" / "python")
    facts = {"Penstock": _ask(python, "import penstock; print(penstock.__version__)")}
    program = (python, "-m", "penstock.runtime")
    styles = {ASYNC: "async", SYNC: "sync", JOINED: "joined"}
    return Installed(
        [Client(name, program, STREAMING, BUFFERED, style) for name, style in styles.items()], facts
    )


def _aws_python(build_folder: Path) -> Installed:
    python = aws_python.install(build_folder)
    program = (python, "-m", "awslambdaric")
    return Installed(
        [
            Client(AWSLAMBDARIC, program, None, BUFFERED),
            Client(TAKEOVER_ASYNC, program, STREAMING, BUFFERED, "async"),
            Client(TAKEOVER_SYNC, program, STREAMING, BUFFERED, "sync"),
        ],
        {"awslambdaric": aws_python.version()},
    )


def _aws_node(build_folder: Path) -> Installed:
    program = aws_node.install(build_folder)
    handler = "node_handlers.handler"
    client = Client(NODE, program, handler, handler, json_separators=(",", ":"))
    return Installed([client], aws_node.versions(program[0]))


def _c(build_folder: Path) -> Installed:
    source = HANDLERS / "reference_client.c"
    program = c_programs.build([source], build_folder / "reference_client")
    return Installed([Client(C, (str(program),), "none", "none")], {})


_KINDS: Final = {
    (NODE,): _aws_node,
    (AWSLAMBDARIC, TAKEOVER_ASYNC, TAKEOVER_SYNC): _aws_python,
    (C,): _c,
    (ASYNC, JOINED, SYNC): _penstock,
}


def _ask(python: str, code: str) -> str:
    done = subprocess.run(
        [python, "-c", code],
        env=_inherited() | {"PYTHONPATH": str(SOURCE)},
        cwd=HANDLERS,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ClientMissing(f"Penstock cannot be imported from {SOURCE}:\n{done.stderr.strip()}")
    return done.stdout.strip()
