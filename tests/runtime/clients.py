"""Runs a client of the Runtime API, ours or AWS's, as a process, and keeps all that it says."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .recorder import Headers, Recorded, RuntimeApiRecorder

COMMANDS = {
    "aws": [sys.executable, "-m", "awslambdaric"],
    "penstock": [sys.executable, "-m", "penstock.runtime"],
}

# Of the machine's environment only what a process needs to start: PYTHONUNBUFFERED and the
# like would change what is compared.
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", "VIRTUAL_ENV")

VARIABLES = {
    "AWS_LAMBDA_FUNCTION_NAME": "fn",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/fn",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]abcdef",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
}

PATIENCE = 30


@dataclass
class Run:
    """What one client sent, logged and printed, and the status it ended with.

    `frames` are those written to `_LAMBDA_TELEMETRY_LOG_FD`: type and text.
    """

    requests: list[Recorded]
    stdout: str
    stderr: str
    frames: list[tuple[str, str]]
    status: int

    @property
    def posts(self) -> list[Recorded]:
        return [request for request in self.requests if request.method == "POST"]


class Client:
    """A client that runs; `wait` for its end."""

    def __init__(
        self,
        name: str,
        folder: Path,
        handler: str | None,
        events: Sequence[bytes | tuple[bytes, Headers]],
        variables: dict[str, str] | None = None,
        answers: dict[str, int] | None = None,
        telemetry: bool = False,
        address: str | None = None,
    ) -> None:
        self._api = RuntimeApiRecorder(events, answers=answers)
        variables = {
            **{name: os.environ[name] for name in KEPT if name in os.environ},
            **VARIABLES,
            **(variables or {}),
            "AWS_LAMBDA_RUNTIME_API": address or self._api.address,
            "LAMBDA_TASK_ROOT": str(folder),
        }
        self._frames = bytearray()
        self._reader: threading.Thread | None = None
        descriptors: tuple[int, ...] = ()
        if telemetry:
            readable, writable = os.pipe()
            descriptors = (writable,)
            variables["_LAMBDA_TELEMETRY_LOG_FD"] = str(writable)
            self._reader = threading.Thread(target=self._read_frames, args=(readable,), daemon=True)
            self._reader.start()
        self._process = subprocess.Popen(
            [*COMMANDS[name], *([] if handler is None else [handler])],
            cwd=folder,
            env=variables,
            pass_fds=descriptors,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for descriptor in descriptors:
            os.close(descriptor)

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def wait(self) -> Run:
        """What it did, once it has ended."""
        try:
            output, errors = self._process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise
        finally:
            self._api.stop()
        if self._reader is not None:
            self._reader.join(PATIENCE)
        return Run(
            self._api.requests,
            output.decode("utf-8", "backslashreplace"),
            errors.decode("utf-8", "backslashreplace"),
            frames_in(bytes(self._frames)),
            self._process.returncode,
        )

    def _read_frames(self, descriptor: int) -> None:
        with open(descriptor, "rb", buffering=0) as frames:
            while data := frames.read(65536):
                self._frames += data


def frames_in(data: bytes) -> list[tuple[str, str]]:
    """The frames of a telemetry log, in hex and text; they must be whole."""
    frames = []
    while data:
        length = int.from_bytes(data[4:8], "big")
        microseconds = int.from_bytes(data[8:16], "big")
        assert 1_600_000_000_000_000 < microseconds < 5_000_000_000_000_000
        assert len(data) >= 16 + length
        frames.append((data[:4].hex(), data[16 : 16 + length].decode()))
        data = data[16 + length :]
    return frames
