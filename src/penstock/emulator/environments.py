"""Execution environments: processes that serve one invocation at a time, and their pool."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

from ..errors import PenstockError
from . import limits
from .deadlines import Deadline, Deadlines
from .functions import Function
from .http_server import HttpServer
from .invocations import Invocation
from .log import Log, report_line
from .relay import Ending, Outcome, exited, no_answer, timed_out
from .runtime_api import RuntimeApi
from .worker_process import WorkerProcess

# AWS's Node.js client asks for the next event up to 0.3 ms before the last bytes of an
# error are sent (measured with aws-lambda-ric 4.0.2); with a large X-Ray cause it sends
# nothing at all.
_ANSWER_GRACE = 0.5

# How long the last bytes of a process that has ended are waited for.
_LAST_BYTES = 1.0

_STOP_SECONDS = 2.0


class TooManyRequestsError(PenstockError):
    """Every environment that the function may have is busy."""


class Environment:
    """One process with a Runtime API of its own.

    Tied to the address it was given, never to a connection: runtimes open several.
    `on_free` is called when it can take an invocation and returns whether it is wanted any
    longer; `on_end` is called once, when its process has ended.
    """

    def __init__(
        self,
        function: Function,
        log: Log,
        deadlines: Deadlines,
        *,
        on_free: Callable[[Environment], bool],
        on_end: Callable[[Environment, Invocation | None], None],
    ) -> None:
        self.function = function
        self._log = log
        self._deadlines = deadlines
        self._on_free = on_free
        self._on_end = on_end
        self._changed = threading.Condition()
        self._invocation: Invocation | None = None
        self._deadline: Deadline | None = None
        self._init_error: Outcome | None = None
        self._init_seconds: float | None = None
        self._initialized = False
        self._ended = False
        self._started_at = time.monotonic()
        self._server = HttpServer(
            RuntimeApi(self).handle,
            max_header_size=limits.RUNTIME_HEADERS,
            name="runtime-api",
        )
        runtime_api = f"127.0.0.1:{self._server.port}"
        date = time.strftime("%Y/%m/%d", time.gmtime())
        log_stream = f"{date}/[$LATEST]{secrets.token_hex(16)}"
        try:
            self._process = WorkerProcess(
                function.command,
                folder=function.folder,
                environment={
                    **function.environment,
                    **function.lambda_variables(runtime_api, log_stream),
                },
                on_output=self._take_output,
                on_exit=self._process_ended,
            )
        except BaseException:
            self._server.stop()
            raise
        self._init_deadline = deadlines.at(
            self._started_at + limits.INIT + function.timeout, self._init_timed_out
        )

    @property
    def pid(self) -> int:
        """The id of the environment's process."""
        return self._process.pid

    @property
    def invocation(self) -> Invocation | None:
        """The one it is working on."""
        return self._invocation

    def assign(self, invocation: Invocation) -> None:
        """Give it an invocation to hand out with the next `/next`."""
        with self._changed:
            self._invocation = invocation
            self._changed.notify_all()

    def next_invocation(self) -> Invocation | None:
        """The runtime asks for work: what it did before is finished.

        Blocks until there is some. None when the environment is to end.
        """
        self._finish_invocation()
        with self._changed:
            self._init_deadline.cancel()
            if not self._initialized:
                self._initialized = True
                self._init_seconds = time.monotonic() - self._started_at
            is_free = self._invocation is None and not self._ended
        if is_free and not self._on_free(self):
            self.stop()
        with self._changed:
            self._changed.wait_for(lambda: self._invocation is not None or self._ended)
            invocation = self._invocation
            if invocation is None or self._ended or invocation.delivered_at is not None:
                return None
            invocation.delivered_at = time.monotonic()
            self._deadline = self._deadlines.at(
                invocation.delivered_at + self.function.timeout,
                lambda: self._timed_out(invocation),
            )
        self._say(invocation, f"START RequestId: {invocation.request_id} Version: $LATEST\n")
        return invocation

    def init_failed(self, outcome: Outcome) -> None:
        """The runtime says that its start failed; it will end by itself."""
        with self._changed:
            self._init_error = outcome
            invocation = self._invocation
        if invocation is not None:
            invocation.relay.break_off(outcome)

    def stop(self) -> None:
        """End the process: SIGTERM, and SIGKILL to what is left. Returns at once."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._process.terminate()
        self._deadlines.at(time.monotonic() + 0.5, self._process.kill)

    def kill(self) -> None:
        """Kill the process and all that it started. Returns at once."""
        self._process.kill()

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the process; whether it came within `seconds`."""
        return self._process.wait(seconds)

    def _timed_out(self, invocation: Invocation) -> None:
        if self._invocation is not invocation or invocation.finished.is_set():
            return
        seconds = self.function.timeout
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._say(
            invocation,
            f"{now} {invocation.request_id} Task timed out after {seconds:.2f} seconds\n",
        )
        invocation.relay.break_off(timed_out(invocation.request_id, seconds))
        self._process.kill()

    def _init_timed_out(self) -> None:
        with self._changed:
            if self._initialized or self._ended:
                return
            invocation = self._invocation
        seconds = limits.INIT + self.function.timeout
        self._log.line(
            f"{self.function.name} was not ready after {seconds:g} seconds: killed while starting"
        )
        if invocation is not None:
            invocation.relay.break_off(timed_out(invocation.request_id, seconds))
        self._process.kill()

    def _process_ended(self, status: int) -> None:
        """The process is gone: whatever it had to say is on its way or was never said."""
        self._server.wait_until_unused(_LAST_BYTES)
        self._server.stop(keep_connections=True)
        with self._changed:
            self._ended = True
            self._init_deadline.cancel()
            invocation = self._invocation
            was_idle = invocation is not None and (
                self._initialized and invocation.delivered_at is None
            )
            if was_idle:
                # It died while it waited for work: somebody else can do this.
                self._invocation = None
            self._changed.notify_all()
        if invocation is not None and not was_idle:
            invocation.relay.break_off(self._init_error or exited(invocation.request_id, status))
            self._finish_invocation()
        self._on_end(self, invocation if was_idle else None)

    def _finish_invocation(self) -> None:
        """The work on the current invocation is over: see that it is answered, and report."""
        invocation = self._invocation
        if invocation is None or (invocation.delivered_at is None and not self._ended):
            return
        if not self._ended and invocation.relay.wait(_ANSWER_GRACE) is None:
            if not invocation.relay.has_begun:
                invocation.relay.break_off(no_answer(invocation.request_id))
            invocation.relay.wait()
        with self._changed:
            if self._invocation is not invocation:
                return
            self._invocation = None
            if self._deadline is not None:
                self._deadline.cancel()
        self._process.drain_output()
        self._report(invocation)
        invocation.finished.set()

    def _report(self, invocation: Invocation) -> None:
        now = time.monotonic()
        delivered = invocation.delivered_at if invocation.delivered_at is not None else now
        first_byte = invocation.first_byte_at
        outcome = invocation.relay.outcome
        ending = outcome.ending if outcome is not None else Ending.CUT
        status = {Ending.TIMEOUT: "timeout", Ending.WHOLE: None}.get(ending, "error")
        self._say(
            invocation,
            f"END RequestId: {invocation.request_id}\n"
            + report_line(
                invocation.request_id,
                duration=now - delivered,
                memory_size=self.function.memory,
                memory_used=self._process.peak_memory_mb(),
                init=self._init_seconds,
                first_byte=first_byte - delivered if first_byte is not None else None,
                status=status,
            ),
        )
        self._init_seconds = None
        if ending in (Ending.FAILED, Ending.CUT, Ending.TOO_LARGE, Ending.TIMEOUT):
            self._log.line(_explained(invocation, ending, outcome))

    def _take_output(self, data: bytes) -> None:
        invocation = self._invocation
        if invocation is not None:
            invocation.log.add(data)
        self._log.write(data.decode("utf-8", "replace"))

    def _say(self, invocation: Invocation, text: str) -> None:
        invocation.log.add(text.encode())
        self._log.write(text)


def _explained(invocation: Invocation, ending: Ending, outcome: Outcome | None) -> str:
    """What a failure looked like from outside: on AWS nobody would tell."""
    what = {
        Ending.FAILED: "failed after its first byte",
        Ending.CUT: "was cut off in its middle",
        Ending.TOO_LARGE: "is larger than Lambda allows",
        Ending.TIMEOUT: "did not end in time",
    }[ending]
    detail = outcome.detail if outcome is not None else ""
    return f"the response to {invocation.request_id} {what} ({detail})"


class Environments:
    """The environments of one function: started when needed, reused when free."""

    def __init__(self, function: Function, log: Log, deadlines: Deadlines) -> None:
        self.function = function
        self._log = log
        self._deadlines = deadlines
        self._lock = threading.Lock()
        self._all: set[Environment] = set()
        self._idle: list[Environment] = []
        self._stale: set[Environment] = set()
        self._starting = 0
        self._stopped = False

    def __len__(self) -> int:
        return len(self._all)

    @property
    def pids(self) -> list[int]:
        """The ids of their processes."""
        with self._lock:
            return [environment.pid for environment in self._all]

    def invoke(self, invocation: Invocation) -> None:
        """Give `invocation` to a free environment, or to a new one. Does not wait for it.

        Raises:
            TooManyRequestsError: there are as many as there may be, and all are busy.
        """
        with self._lock:
            if self._stopped:
                raise TooManyRequestsError("the emulator is shutting down")
            if self._idle:
                environment = self._idle.pop()
                environment.assign(invocation)
                return
            if len(self._all) + self._starting >= self.function.max_environments:
                raise TooManyRequestsError(
                    f"all {self.function.max_environments} environments "
                    f"of {self.function.name} are busy"
                )
            self._starting += 1
        self._start(invocation)

    def recycle(self) -> None:
        """The code has changed: end idle environments now, busy ones after their work."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._stale = set(self._all)
        for environment in idle:
            environment.stop()

    def stop(self) -> None:
        """End all of them and wait until their processes are gone."""
        with self._lock:
            self._stopped = True
            self._idle.clear()
            ending = list(self._all)
        for environment in ending:
            environment.stop()
        deadline = time.monotonic() + _STOP_SECONDS
        for environment in ending:
            if not environment.wait(max(0.0, deadline - time.monotonic())):
                environment.kill()
                environment.wait(_STOP_SECONDS)

    def _start(self, invocation: Invocation) -> None:
        environment = None
        try:
            environment = Environment(
                self.function,
                self._log,
                self._deadlines,
                on_free=self._freed,
                on_end=self._removed,
            )
            environment.assign(invocation)
        finally:
            with self._lock:
                self._starting -= 1
                if environment is not None:
                    self._all.add(environment)
                    stopped = self._stopped
        if stopped:
            environment.stop()

    def _freed(self, environment: Environment) -> bool:
        with self._lock:
            if self._stopped or environment in self._stale:
                return False
            self._idle.append(environment)
            return True

    def _removed(self, environment: Environment, undone: Invocation | None) -> None:
        with self._lock:
            self._all.discard(environment)
            self._stale.discard(environment)
            if environment in self._idle:
                self._idle.remove(environment)
        if undone is not None:
            try:
                self.invoke(undone)
            except TooManyRequestsError:
                undone.relay.break_off(exited(undone.request_id, 0))
                undone.finished.set()
