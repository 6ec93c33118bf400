"""Runs the neutral server: one call is one runtime process that is measured.

What the server's figures mean stands at the top of `server/neutral_server.c`. This module
knows its command line and its line of JSON, and makes sure that no process outlives a call.
"""

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import c_programs

SOURCES: Final = sorted((Path(__file__).parent / "server").glob("*.c"))
LIMIT_SECONDS: Final = 60
# The server ends itself at its limit; this is for a server that does not.
GRACE_SECONDS: Final = 15
SHOWN_STDERR: Final = 2000


class RunFailed(Exception):
    """A runtime did not do its work: wrong byte count, error report, crash, time limit."""


class Run(NamedTuple):
    """What a runtime is asked to do."""

    invocations: int
    warmup: int
    expected_bytes: int
    read_pause_us: int = 0


class Measurement(NamedTuple):
    """What one run of one runtime showed; times per invocation are medians."""

    start_to_next_ms: float
    start_to_first_byte_ms: float
    peak_memory_kib: int
    invocations: int
    bytes: int
    seconds: float
    cpu_us: float | None  # mean per invocation; the system may not say
    first_byte_us: float
    body_us: float


def build(folder: Path) -> Path:
    """Compile the server into `folder`. Raises DoesNotCompile."""
    return c_programs.build(SOURCES, folder / "neutral_server")


def measure(
    program: Path,
    command: Sequence[str],
    *,
    run: Run,
    environment: Mapping[str, str],
    folder: Path,
    cpus: tuple[int, int] | None = None,
) -> Measurement:
    """Run `command` as a runtime in `folder` under the server.

    `cpus` gives the server and the runtime a CPU each, and lets the server wait without
    sleeping. Raises RunFailed.
    """
    placement = ["--busy", "--cpus", f"{cpus[0]},{cpus[1]}"] if cpus else []
    arguments = [
        str(program),
        f"--invocations={run.invocations}",
        f"--warmup={run.warmup}",
        f"--expect-bytes={run.expected_bytes}",
        f"--read-pause-us={run.read_pause_us}",
        f"--limit-seconds={LIMIT_SECONDS}",
        *placement,
        "--",
        *command,
    ]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=dict(environment),
            cwd=folder,
        )
        line = _wait(process)
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip()
    return _read_result(line, said)


def _wait(process: subprocess.Popen[bytes]) -> bytes:
    try:
        return process.communicate(timeout=LIMIT_SECONDS + GRACE_SECONDS)[0]
    except subprocess.TimeoutExpired:
        return b""
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server if it still runs. On SIGTERM it ends its runtime too."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _read_result(line: bytes, said: str) -> Measurement:
    try:
        result = json.loads(line)
    except ValueError:
        result = {"ok": False, "error": "the server gave no result"}
    if not result["ok"]:
        raise RunFailed(f"{result['error']}\n{said[-SHOWN_STDERR:]}".strip())
    return Measurement(
        start_to_next_ms=result["start_to_next_ms"],
        start_to_first_byte_ms=result["start_to_first_byte_ms"],
        peak_memory_kib=result["peak_memory_kib"],
        invocations=result["invocations"],
        bytes=result["bytes"],
        seconds=result["seconds"],
        cpu_us=result["cpu_us"],
        first_byte_us=result["first_byte_us"]["median"],
        body_us=result["body_us"]["median"],
    )
