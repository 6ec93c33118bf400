"""One environment's process: started under a guardian, its output read line by line."""

from __future__ import annotations

import contextlib
import math
import os
import re
import secrets
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from .entrypoint import why_not_started
from .guardian import kill_marked

_GUARDIAN = Path(__file__).with_name("guardian.py")
_DRAIN_SECONDS = 0.5

# How long the most memory that was used is taken not to change, in seconds: looking takes
# longer than the rest of a report. What is used meanwhile is in the next one.
_PEAK_HOLDS = 0.01
_PEAK = re.compile(rb"VmHWM:\s+(\d+) kB")

# Everything that an environment starts inherits this variable, by which the guardian
# knows it again.
MARK = "PENSTOCK_ENVIRONMENT"


class WorkerProcess:
    """Runs `command` in `folder` with exactly `environment`.

    The folder `temporary`, if there is one, is deleted by `kill`, and when the emulator is
    killed.
    `on_output` gets what the process prints (both streams, in order) as bytes, and if it
    cannot be started why not;
    `on_exit` gets the exit status when it has ended, negative for a signal. Both are
    called from threads of this object.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        temporary: str | None,
        on_output: Callable[[bytes], None],
        on_exit: Callable[[int], None],
    ) -> None:
        self._on_output = on_output
        self._on_exit = on_exit
        self._lock = threading.Lock()
        self._reading = threading.Condition()
        self._passed_on = True
        self._peak_mb: int | None = None
        #: Whether it is over: from then on the process id may be another's.
        self.has_ended = False
        #: When it is over, the most memory that it has had, or a child that it has waited for,
        #: in MB: the kernel does not tell these apart.
        self.largest_mb = 0
        self._peak_holds_until = 0.0
        self._token = secrets.token_hex(16)
        guardian = [sys.executable, "-I", "-S", str(_GUARDIAN)]
        control, self._control = os.pipe()
        try:
            reported, report = os.pipe()
        except OSError:
            os.close(control)
            os.close(self._control)
            raise
        try:
            self._process = subprocess.Popen(
                [*guardian, str(control), str(report), temporary or "", *command],
                cwd=folder,
                env={**environment, MARK: self._token},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(control, report),
                start_new_session=True,
            )
        except BaseException:
            os.close(self._control)
            os.close(reported)
            raise
        finally:
            os.close(control)
            os.close(report)
        self._reports = os.fdopen(reported, "rb")
        # Nothing is written if the guardian itself cannot be started: then this is empty.
        number = int(self._reports.readline() or 0)
        self.pid = max(number, 0)
        #: The kernel's error if the command could not be started, else 0.
        self.start_error = max(-number, 0)
        if self.start_error:
            on_output(why_not_started(command[0], folder, self.start_error).encode())
        try:
            for target, name in ((self._read, "output"), (self._wait, "exit")):
                name = f"worker-{name}-{self.pid}"
                threading.Thread(target=target, name=name, daemon=True).start()
        except BaseException:
            self.kill()
            self._reports.close()
            raise

    def kill(self) -> None:
        """Kill the whole process group. Returns at once; may be repeated."""
        with self._lock:
            if self._control >= 0:
                os.close(self._control)
                self._control = -1

    def kill_alone(self) -> None:
        """Kill the process group as `kill` does, but leave the folder: others still have it."""
        self._tell(b"K")

    def terminate(self) -> None:
        """Ask the process group to end (SIGTERM). Harmless if it has."""
        self._tell(b"T")
        self.thaw()

    def _tell(self, command: bytes) -> None:
        with self._lock, contextlib.suppress(OSError):
            if self._control >= 0:
                os.write(self._control, command)

    def freeze(self) -> None:
        """Stop the whole process group where it is. Harmless if it has ended."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        # Not by the guardian: an invocation waits for this. While the guardian holds the
        # end of the process, which it does until `_control` is let go of, the id is its own.
        with self._lock, contextlib.suppress(OSError):
            if self._control >= 0 and self.pid:
                os.killpg(self.pid, number)

    def peak_memory_mb(self) -> int | None:
        """The most resident memory the process has had, in MB; None where unknown.

        Between calls in quick succession it is not looked at again.
        """
        # In as few system calls as can be: at each another thread may take over.
        now = time.monotonic()
        if now < self._peak_holds_until:
            return self._peak_mb
        self._peak_holds_until = now + _PEAK_HOLDS
        # A process that has just ended does not say: what it had before stands.
        self._peak_mb = self._read_peak() or self._peak_mb
        return self._peak_mb

    def _read_peak(self) -> int | None:
        try:
            status = os.open(f"/proc/{self.pid}/status", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            found = _PEAK.search(os.read(status, 8192))
        except OSError:
            return None  # it has just ended
        finally:
            os.close(status)
        return -(-int(found[1]) // 1024) if found else None

    def _take_last_peak(self) -> None:
        """It has ended: nobody can look any more, but the guardian has the kernel's word."""
        self.has_ended, self._peak_holds_until = True, math.inf
        with self._reports as pipe:
            kilobytes = int(pipe.readline() or 0)
        if kilobytes or self.start_error:
            self._peak_mb, self.largest_mb = self._peak_mb or 0, -(-kilobytes // 1024)

    def drain_output(self) -> None:
        """Wait until everything printed so far was passed on, for a moment at the most."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        pipe = self._process.stdout
        while pipe is not None and not pipe.closed and time.monotonic() < deadline:
            try:
                pending = _has_output(pipe, 0)
            except (OSError, ValueError):
                return
            with self._reading:
                if not pending and self._passed_on:
                    return
                self._reading.wait(0.002)

    def _read(self) -> None:
        pipe = self._process.stdout
        if pipe is None:
            return
        with pipe:
            while True:
                _has_output(pipe, None)
                with self._reading:
                    self._passed_on = False
                data = os.read(pipe.fileno(), 65536)
                if data:
                    self._on_output(data)
                with self._reading:
                    self._passed_on = True
                    self._reading.notify_all()
                if not data:
                    return

    def _wait(self) -> None:
        status = self._process.wait()
        if status == -signal.SIGKILL:
            # Perhaps it was the guardian that was killed: then nobody else does this.
            if self.pid:
                with contextlib.suppress(OSError):
                    os.killpg(self.pid, signal.SIGKILL)
            kill_marked(self._token)
        self.kill()  # lets go of the pipe
        self._take_last_peak()
        self.drain_output()
        self._on_exit(status)


def _has_output(pipe: IO[bytes], milliseconds: int | None) -> bool:
    """Wait for output or the end of it; unlike select, for any number of descriptors."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    return bool(poll.poll(milliseconds))
