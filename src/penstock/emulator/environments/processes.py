"""The processes of one environment: its runtime, and its external extensions."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..functions import Function
from ..relay import Outcome, exited
from .entrypoint import invalid_entrypoint
from .environment_log import EnvironmentLog
from .extensions import Extensions, crash, not_launched
from .worker_process import WorkerProcess

# How long the runtime may take to end when there are extensions, and with internal ones;
# how long all of it may take, in seconds. (AWS documentation, "Lambda runtime environment
# life cycle", "Shutdown phase")
RUNTIME_SECONDS = 0.3
RUNTIME_SECONDS_WITH_INTERNAL = 0.5
SHUTDOWN_SECONDS = 2.0

# What extensions do not see of a function's variables. (AWS documentation, "Lambda
# extensions", "Extension environment variables")
_NOT_FOR_EXTENSIONS = (
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
)


class Processes:
    """Starts and ends them. From any thread."""

    def __init__(self, function: Function, extensions: Extensions) -> None:
        self._function = function
        self._extensions = extensions
        self._lock = threading.Lock()
        self._runtime: WorkerProcess | None = None
        self._others: dict[str, WorkerProcess] = {}
        self._ended_others: set[str] = set()
        self._is_killed = False

    @property
    def runtime(self) -> WorkerProcess | None:
        """The runtime's, once it is started."""
        return self._runtime

    def start(
        self,
        programs: Sequence[Path],
        command: Sequence[str],
        variables: Mapping[str, str],
        temporary: str | None,
        log: EnvironmentLog,
        *,
        on_exit: Callable[[int], None],
        on_extension_exit: Callable[[str, int], None],
    ) -> None:
        """Start the extensions, and the runtime by `command` when all of them have registered.

        `on_exit` is called also if the runtime is then not started. The folder `temporary` is
        theirs, and goes when all of them are killed, or the emulator.

        Raises:
            OSError, RuntimeError: one of them cannot be started.
        """

        def start_runtime() -> bool:
            with self._lock:
                if self._is_killed:
                    return False
                self._runtime = WorkerProcess(
                    command,
                    folder=self._function.folder,
                    environment=variables,
                    temporary=temporary,
                    on_output=log.take_output,
                    on_exit=on_exit,
                )
                return True

        def start_later() -> None:
            try:
                if self._extensions.wait_registered() and start_runtime():
                    return
            except (OSError, RuntimeError) as exc:
                log.line(f"cannot start an environment of {self._function.name}: {exc}")
            # It is over before it began.
            on_exit(-signal.SIGKILL)

        for path in programs:
            self._start_extension(
                path,
                variables,
                temporary,
                on_output=log.extension_output(),
                on_exit=on_extension_exit,
            )
        if programs:
            threading.Thread(target=start_later, name="start", daemon=True).start()
        elif not start_runtime():
            ended = threading.Thread(target=on_exit, args=(-signal.SIGKILL,), daemon=True)
            ended.start()

    def _start_extension(
        self,
        path: Path,
        variables: Mapping[str, str],
        temporary: str | None,
        *,
        on_output: Callable[[bytes], None],
        on_exit: Callable[[str, int], None],
    ) -> None:
        own = {key: value for key, value in variables.items() if key not in _NOT_FOR_EXTENSIONS}

        def ended(status: int) -> None:
            with self._lock:
                self._ended_others.add(path.name)
            self._extensions.ended(path.name)
            on_exit(path.name, status)

        with self._lock:
            if not self._is_killed:
                self._others[path.name] = WorkerProcess(
                    [str(path)],
                    folder=path.parent,
                    environment=own,
                    temporary=temporary,
                    on_output=on_output,
                    on_exit=ended,
                )

    def why_ended(self, request_id: str, status: int) -> Outcome:
        """What an invocation comes to when the runtime has ended with this status.

        A program that cannot be started is an invalid entry point where it is the function's
        own, as on OS-only runtimes; else it is a wrapper, which Lambda's own program starts.
        """
        with self._lock:
            number = self._runtime.start_error if self._runtime is not None else 0
        if number and self._function.execution_env is None:
            return invalid_entrypoint(self._function, number, request_id)
        return exited(request_id, status)

    def why_extension_ended(self, name: str, status: int) -> tuple[str, str]:
        """Error type and reason when the process of an extension has ended with this status."""
        with self._lock:
            number = self._others[name].start_error
        return not_launched(name, number) if number else crash(name, status)

    def kill(self) -> None:
        """Kill all of them. Returns at once; may be repeated."""
        with self._lock:
            self._is_killed = True
            for process in (self._runtime, *self._others.values()):
                if process is not None:
                    process.kill()

    def freeze(self) -> None:
        """Stop all of them where they are."""
        with self._lock:
            for process in (self._runtime, *self._others.values()):
                if process is not None:
                    process.freeze()

    def thaw(self) -> None:
        """Let all of them go on."""
        with self._lock:
            for process in (self._runtime, *self._others.values()):
                if process is not None:
                    process.thaw()

    def ask_runtime_to_end(self) -> float:
        """Send it SIGTERM; how many seconds it has from now on."""
        self.thaw()
        with self._lock:
            if self._runtime is not None:
                self._runtime.terminate()
        internal = self._extensions.has_internal
        return RUNTIME_SECONDS_WITH_INTERNAL if internal else RUNTIME_SECONDS

    def kill_runtime(self) -> None:
        """Kill the runtime's process only, or, if it is not there yet, all. Returns at once."""
        with self._lock:
            runtime = self._runtime
            if runtime is not None:
                runtime.kill_alone()
            else:
                self._is_killed = True
        if runtime is None:
            self.kill()
            self._extensions.close()

    def end_extensions(self, reason: str, seconds: float) -> None:
        """Tell extensions of the end, for the reason that AWS names so, and see to it."""
        if self._others and not self._is_killed:
            self._extensions.shut_down(reason, seconds)
            for name, process in self._others.items():
                extension = self._extensions.named(name)
                if extension is None or "SHUTDOWN" not in extension.events:
                    process.kill_alone()
            self._extensions.wait_until(
                lambda: len(self._ended_others) == len(self._others), seconds
            )
        self.kill()
        self._extensions.close()

    def drain_output(self) -> None:
        """Wait until everything that the runtime has printed so far was passed on."""
        runtime = self.runtime
        if runtime is not None:
            runtime.drain_output()

    @property
    def all(self) -> list[WorkerProcess]:
        """Those that are started; without waiting for what is being started."""
        others = list(self._others.values())
        return others if self._runtime is None else [self._runtime, *others]

    @property
    def pids(self) -> list[int]:
        """The process ids of runtime and extensions, of those that run."""
        return [process.pid for process in self.all if process.pid and not process.has_ended]

    def peak_memory_mb(self) -> tuple[int, int] | None:
        """The most resident memory that each has had, together, in MB; None where unknown.

        First as it was looked at; then with what is known of those that have ended, which may
        be that of a child.
        """
        known = [
            (peak, max(peak, each.largest_mb))
            for each in self.all
            if (peak := each.peak_memory_mb()) is not None
        ]
        if not known:
            return None
        looked_at, at_end = zip(*known, strict=True)
        return sum(looked_at), sum(at_end)
