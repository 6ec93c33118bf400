"""An execution environment: a process that serves one invocation at a time."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

from . import limits
from .deadlines import Deadline, Deadlines
from .functions import Function
from .hints import hint_for
from .http_server import HttpServer
from .invocations import Invocation
from .log import Lines, Log, report_line
from .relay import Ending, Outcome, exited, no_answer, timed_out
from .runtime_api import RuntimeApi
from .worker_process import WorkerProcess

# AWS's Node.js client asks for the next event up to 0.3 ms before the last bytes of an
# error are sent (measured with aws-lambda-ric 4.0.2); with a large X-Ray cause it sends
# nothing at all.
_ANSWER_GRACE = 0.5

# How long the last bytes of a process that has ended are waited for.
_LAST_BYTES = 1.0

# How long the end of a process is waited for whose connection has closed in mid-response:
# only its exit status tells what to say of it.
_EXIT_GRACE = 0.5

# How long a process may live on after its start has failed.
_INIT_ERROR_GRACE = 1.0


class Environment:
    """One process with a Runtime API of its own.

    Tied to the address it was given, never to a connection: runtimes open several.
    `on_free` is called when it can take an invocation and returns whether it is wanted any
    longer; `on_leaving` when it is clear that it will take no more (perhaps repeatedly);
    `on_end` once, when its process has ended, with an invocation that it left undone.
    """

    def __init__(
        self,
        function: Function,
        log: Log,
        deadlines: Deadlines,
        *,
        on_free: Callable[[Environment], bool],
        on_leaving: Callable[[Environment], None],
        on_end: Callable[[Environment, Invocation | None], None],
    ) -> None:
        self.function = function
        self._log = log
        self._deadlines = deadlines
        self._on_free = on_free
        self._on_leaving = on_leaving
        self._on_end = on_end
        self._output = Lines(log.write)
        self._changed = threading.Condition()
        self._invocation: Invocation | None = None
        self._deadline: Deadline | None = None
        self._init_error: Outcome | None = None
        self._init_seconds: float | None = None
        self._initialized = False
        self._is_stopping = False
        self._has_timed_out = False
        self._has_exited = False
        self._process: WorkerProcess | None = None
        self._started_at = 0.0

    def start(self, invocation: Invocation) -> None:
        """Start the process, with an invocation for it to begin with.

        Raises:
            OSError, RuntimeError: it cannot be started; nothing of it is left.
        """
        self._invocation = invocation
        self._started_at = time.monotonic()
        self._server = HttpServer(
            RuntimeApi(self).handle,
            max_header_size=limits.RUNTIME_HEADERS,
            name="runtime-api",
        )
        runtime_api = f"127.0.0.1:{self._server.port}"
        date = time.strftime("%Y/%m/%d", time.gmtime())
        log_stream = f"{date}/[{self.function.version}]{secrets.token_hex(16)}"
        self._init_deadline = self._deadlines.at(
            self._started_at + limits.INIT + self.function.timeout, self._init_timed_out
        )
        # Under the lock: the runtime may ask for work before this call has returned.
        with self._changed:
            try:
                self._process = WorkerProcess(
                    self.function.command,
                    folder=self.function.folder,
                    environment=self.function.variables(runtime_api, log_stream),
                    on_output=self._take_output,
                    on_exit=self._process_ended,
                )
            except BaseException:
                self._init_deadline.cancel()
                self._server.stop()
                raise

    @property
    def pid(self) -> int | None:
        """The id of the environment's process, once it is started."""
        return self._process.pid if self._process is not None else None

    @property
    def invocation(self) -> Invocation | None:
        """The one it is working on."""
        return self._invocation

    @property
    def is_finishing(self) -> bool:
        """Whether its invocation has been answered, so that it may soon be free."""
        invocation = self._invocation
        return invocation is None or invocation.relay.outcome is not None

    def assign(self, invocation: Invocation) -> None:
        """Give it an invocation to hand out with the next `/next`."""
        with self._changed:
            self._invocation = invocation
            self._changed.notify_all()

    def next_invocation(self, is_connected: Callable[[], bool]) -> Invocation | None:
        """The runtime asks for work: what it did before is finished.

        Blocks until there is some. None when the environment is to end, and when
        `is_connected` says that whoever asked has gone.
        """
        self._finish_invocation()
        with self._changed:
            self._init_deadline.cancel()
            if not self._initialized:
                self._initialized = True
                self._init_seconds = time.monotonic() - self._started_at
            is_free = self._invocation is None and not self._is_stopping
        if is_free and not self._on_free(self):
            self.stop()
        with self._changed:
            self._changed.wait_for(lambda: self._invocation is not None or self._has_exited)
            invocation = self._invocation
            if invocation is None or self._has_exited or invocation.delivered_at is not None:
                return None
            if not is_connected():
                return None
            invocation.delivered_at = time.monotonic()
            self._deadline = self._deadlines.at(
                invocation.delivered_at + self.function.timeout,
                lambda: self._timed_out(invocation),
            )
        self._say(
            invocation,
            f"START RequestId: {invocation.request_id} Version: {self.function.version}\n",
        )
        return invocation

    def init_failed(self, outcome: Outcome) -> None:
        """The runtime says that its start failed; it will end by itself."""
        with self._changed:
            self._init_error = outcome
            invocation = self._invocation
        self._on_leaving(self)
        if invocation is not None:
            invocation.relay.break_off(outcome)
        # It ends by itself, unless something in it does not.
        self._deadlines.at(time.monotonic() + _INIT_ERROR_GRACE, self.kill)

    def connection_lost(self) -> None:
        """A response was cut: wait for a moment for the process to end, to know why."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_exited, _EXIT_GRACE)

    def stop(self) -> None:
        """End the process: SIGTERM, and SIGKILL to what is left. Returns at once."""
        self._on_leaving(self)
        with self._changed:
            self._is_stopping = True
            process = self._process
        if process is not None:
            process.terminate()
            self._deadlines.at(time.monotonic() + 0.5, process.kill)

    def kill(self) -> None:
        """Kill the process and all that it started. Returns at once."""
        with self._changed:
            if self._process is not None:
                self._process.kill()

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the process; whether it came within `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._has_exited, seconds)

    def _timed_out(self, invocation: Invocation) -> None:
        with self._changed:
            if self._invocation is not invocation:
                return
            # From here on it will not be free again.
            self._is_stopping = True
            self._has_timed_out = True
        seconds = self.function.timeout
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._say(
            invocation,
            f"{now} {invocation.request_id} Task timed out after {seconds:.2f} seconds\n",
        )
        self._on_leaving(self)
        invocation.relay.break_off(timed_out(invocation.request_id, seconds))
        self.kill()

    def _init_timed_out(self) -> None:
        with self._changed:
            if self._initialized or self._has_exited:
                return
            invocation = self._invocation
        self._on_leaving(self)
        seconds = limits.INIT + self.function.timeout
        self._log.line(
            f"{self.function.name} was not ready after {seconds:g} seconds: killed while starting"
        )
        if invocation is not None:
            invocation.relay.break_off(timed_out(invocation.request_id, seconds))
        self.kill()

    def _process_ended(self, status: int) -> None:
        """The process is gone: whatever it had to say is on its way or was never said."""
        self._on_leaving(self)
        with self._changed:
            invocation = self._invocation
            if invocation is not None and invocation.relay.has_begun:
                invocation.relay.break_off(exited(invocation.request_id, status))
            self._has_exited = True
            self._changed.notify_all()
        self._server.wait_until_unused(_LAST_BYTES)
        self._server.stop(keep_connections=True)
        self._output.flush()
        with self._changed:
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
        if invocation is None or (invocation.delivered_at is None and not self._has_exited):
            return
        if not self._has_exited and invocation.relay.wait(_ANSWER_GRACE) is None:
            if not invocation.relay.has_begun:
                invocation.relay.break_off(no_answer(invocation.request_id))
            invocation.relay.wait()
        if self._process is not None:
            self._process.drain_output()
        with self._changed:
            if self._invocation is not invocation:
                return
            self._invocation = None
            if self._deadline is not None:
                self._deadline.cancel()
        self._report(invocation)
        invocation.finished.set()

    def _report(self, invocation: Invocation) -> None:
        now = time.monotonic()
        delivered = invocation.delivered_at if invocation.delivered_at is not None else now
        first_byte = invocation.first_byte_at
        outcome = invocation.relay.outcome
        ending = outcome.ending if outcome is not None else Ending.CUT
        status = None if ending is Ending.WHOLE else "error"
        if self._has_timed_out:
            status = "timeout"
        self._say(
            invocation,
            f"END RequestId: {invocation.request_id}\n"
            + report_line(
                invocation.request_id,
                duration=now - delivered,
                memory_size=self.function.memory,
                memory_used=self._process.peak_memory_mb() if self._process else None,
                init=self._init_seconds,
                first_byte=first_byte - delivered if first_byte is not None else None,
                status=status,
            ),
        )
        self._init_seconds = None
        if ending in (Ending.FAILED, Ending.CUT, Ending.TOO_LARGE, Ending.TIMEOUT):
            self._log.line(_explained(invocation, ending, outcome))
        hint = hint_for(outcome.detail) if outcome is not None else None
        if hint is not None:
            self._log.line(hint)

    def _take_output(self, data: bytes) -> None:
        invocation = self._invocation
        if invocation is not None:
            invocation.log.add(data)
        self._output.add(data)

    def _say(self, invocation: Invocation, text: str) -> None:
        self._output.flush()
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
