"""An execution environment: a process that serves one invocation at a time, or several."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Collection

from .. import limits
from ..deadlines import Deadlines
from ..functions import Function
from ..http.http_server import HttpServer
from ..invocations import Invocation
from ..log import Log
from ..relay import Outcome, exited, timed_out
from .accounting import Accounting
from .environment_log import EnvironmentLog
from .extensions import Extension, Extensions, State, external_extensions, failure
from .extensions_api import ExtensionsApi
from .finishing import Finishing, nothing
from .freezer import Freezer
from .processes import RUNTIME_SECONDS, SHUTDOWN_SECONDS, Processes
from .runtime_api import RuntimeApi
from .start_phase import StartPhase
from .telemetry_api import Subscriptions
from .workload import Workload

# How long the last bytes of a process that has ended are waited for. At a timeout AWS waits
# for nobody who reads slowly: it resets the environment at the deadline.
_LAST_BYTES = 1.0

# How long the end of a process is waited for whose connection has closed in mid-response:
# only its exit status tells what to say of it.
_EXIT_GRACE = 0.5

# How long a process may live on after its start has failed.
_INIT_ERROR_GRACE = 1.0

# How long the end of a process is waited for that was killed on request.
_KILL_GRACE = 2.0

# An event that a connection takes without anybody reading it.
_SMALL = 64 * 1024


class Environment:
    """One process with a Runtime API of its own.

    Tied to the address it was given, never to a connection: runtimes open several. It has
    one invocation at a time, and is through with it when the runtime asks for the next; or,
    if the function has a `max_concurrency`, as many at once, each through when answered.

    `on_free` is called when it can take an invocation and returns whether it is wanted any
    longer; `on_leaving` when it is clear that it will take no more (perhaps repeatedly);
    `on_end` once, when its process has ended, with the invocations that it left undone.
    """

    def __init__(
        self,
        function: Function,
        log: Log,
        deadlines: Deadlines,
        *,
        on_free: Callable[[Environment], bool],
        on_leaving: Callable[[Environment], None],
        on_end: Callable[[Environment, Collection[Invocation]], None],
    ) -> None:
        self.function = function
        self._deadlines = deadlines
        self._on_free = on_free
        self._on_leaving = on_leaving
        self._on_end = on_end
        self._work = Workload(function.max_concurrency)
        self._lock = self._work.lock
        self._changed = threading.Condition(self._lock)
        self._log = EnvironmentLog(
            log,
            function,
            secrets.token_hex(16),
            current=lambda: self._work.only,
            find=self._work.find if self._work.is_shared else None,
        )
        self._init_error: Outcome | None = None
        self._is_stopping = False
        self._exit_status: int | None = None
        self._has_ended = False
        self._runtime_asked = False
        self._shutdown_reason: str | None = None
        self._programs = external_extensions(function.extensions_folder, self._log.line)
        self._extensions = Extensions([path.name for path in self._programs])
        self._processes = Processes(function, self._extensions)
        self._freezer = Freezer(self._work, self._processes)
        self._subscriptions = Subscriptions(self._log)
        self._accounting = Accounting(function, self._log.line)
        self._start = StartPhase(self._log, deadlines, function.timeout, self._init_timed_out)
        self._starts_again = False
        parts = (self._work, self._processes, self._extensions, self._start, self._accounting)
        self._finishing = Finishing(*parts, self._log, lambda: self._has_exited)

    def start(self) -> None:
        """Start the process, and before it its external extensions.

        Raises:
            OSError, RuntimeError: it cannot be started; nothing of it is left, and what it
                was given is for `abandon`.
        """
        self._server = HttpServer(
            RuntimeApi(self, self._extensions_api()).handle,
            max_header_size=limits.RUNTIME_HEADERS,
            name="runtime-api",
        )
        runtime_api = f"127.0.0.1:{self._server.port}"
        self._start.begin(is_restart=any(each.has_waited_for_start for each in self._work.all))
        variables = self.function.variables(runtime_api, self._log.stream())
        command, first = self.function.command, self._work.waiting
        if first is not None:
            command = first.injection.start_command(command)
        try:
            variables |= self._accounting.variables()
            self._processes.start(
                self._programs,
                command,
                variables,
                self._accounting.folder,
                self._log,
                on_exit=self._process_ended,
                on_extension_exit=self._extension_ended,
            )
            self._accounting.watch(lambda: self._processes.pids, self._memory_used_up)
        except BaseException:
            self._start.end()
            self._server.stop()
            self._processes.kill()
            self._accounting.remove()
            raise

    def _extensions_api(self) -> ExtensionsApi:
        return ExtensionsApi(
            self.function,
            self._extensions,
            on_failure=self._extension_failed,
            subscribe=self._subscriptions.add,
        )

    def abandon(self) -> None:
        """It could not be started: fail what it was given."""
        for invocation in self._work.take_back():
            invocation.relay.break_off(exited(invocation.request_id, 127))
            invocation.finish()

    @property
    def pid(self) -> int | None:
        """The id of the environment's process, once it is started."""
        runtime = self._processes.runtime
        return runtime.pid if runtime is not None else None

    @property
    def _has_exited(self) -> bool:
        return self._exit_status is not None

    @property
    def load(self) -> int:
        """How many invocations it has."""
        return self._work.load

    @property
    def has_room(self) -> bool:
        """Whether it can take one more."""
        return self._work.has_room

    @property
    def is_finishing(self) -> bool:
        """Whether an invocation has been answered, so that there is or may soon be room."""
        # What was answered is no longer among them while its report is written.
        return self.has_room or any(each.relay.outcome is not None for each in self._work.all)

    def find_invocation(self, request_id: str) -> Invocation | None:
        """The one with this id, while it is not finished."""
        return self._work.find(request_id)

    def has_timed_out(self, request_id: str) -> bool:
        """Whether an invocation with this id has timed out; tells it once."""
        return self._work.was_given_up(request_id)

    def assign(self, invocation: Invocation) -> None:
        """Give it an invocation to hand out with a `/next`."""
        with self._lock:
            self._work.add(invocation)
            self._freezer.thaw()

    def next_invocation(
        self, is_connected: Callable[[], bool], deliver: Callable[[Invocation], None]
    ) -> bool:
        """The runtime asks for work: what it did before is finished, if it is one at a time.

        Blocks until there is some, and has it delivered. False when the environment is to
        end, and when `is_connected` says that whoever asked has gone.
        """
        only = self._work.only
        report = nothing
        if only is not None and only.delivered_at is not None:
            report = self._finishing.end(only)
        if not self._start.is_done:
            self._finish_start()
        self._work.ask()
        try:
            self._tell_free()
            if self._work.waiting is None:
                report()
                report = nothing
            invocation = self._take(is_connected)
        finally:
            self._work.no_longer_ask()
        if invocation is None:
            report()
            return False
        invocation.deadline = self._deadlines.at(
            (invocation.delivered_at or 0) + self.function.timeout,
            lambda: self._timed_out(invocation),
        )
        if self._may_hurry(invocation) and self._log.hold_output():
            # While the runtime works there is time to tell of it.
            try:
                deliver(invocation)
            finally:
                report()
                self._log.started(invocation)
                self._log.release_output()
            return True
        report()
        self._log.started(invocation)
        if self._extensions.count:
            self._extensions.invoke(invocation, time.time() + self.function.timeout)
        if invocation.injection.delivered(self.kill):
            # What is quick must not have answered before it is dead.
            with self._lock:
                self._changed.wait_for(lambda: self._has_exited, _KILL_GRACE)
            return False
        deliver(invocation)
        return True

    def _take(self, is_connected: Callable[[], bool]) -> Invocation | None:
        with self._lock:
            if self.function.freezes and not self._is_stopping:
                self._freezer.freeze_if_idle()
            has_waited = self._work.wait(lambda: self._has_exited)
            # Who has only just asked is there.
            look = is_connected if has_waited else None
            invocation = None if self._has_exited else self._work.take(look)
            if invocation is not None:
                is_late = self._start.is_restart and invocation.has_waited_for_start
                invocation.delivered_at = self._start.began_at if is_late else time.monotonic()
            return invocation

    def _may_hurry(self, invocation: Invocation) -> bool:
        """Whether the runtime gets it before anything else is done about it."""
        is_alone = not self._extensions.count and not self._work.is_shared
        return is_alone and invocation.injection.is_harmless and len(invocation.event) <= _SMALL

    def restore_next(self, is_connected: Callable[[], bool]) -> bool:
        """The runtime is ready for its snapshot: block until a call restores it.

        Without SnapStart it goes on at once. False if it is not to go on.
        """
        if not self.function.snap_start:
            return True
        self._processes.drain_output()
        self._start.runtime_ready()
        if not self._extensions.wait_ready():
            return False
        self._start.snapshot()
        with self._lock:
            self._work.ask()
            if not self._is_stopping:
                self._freezer.freeze_if_idle()
            self._work.wait(lambda: self._has_exited)
            self._work.no_longer_ask()
            if self._has_exited or not is_connected():
                return False
        self._start.restore()
        return True

    def answered(self, invocation: Invocation) -> None:
        """The runtime has answered, or tried to: shared, that is the end of it."""
        if self._work.is_shared and invocation.relay.outcome is not None:
            self._finish(invocation)
            self._tell_free()

    def init_failed(self, outcome: Outcome) -> None:
        """The runtime says that its start failed; it will end by itself."""
        self._init_error = outcome
        self._break_down(outcome.error_type, lambda _: outcome)
        # It ends by itself, unless something in it does not.
        self._deadlines.at(time.monotonic() + _INIT_ERROR_GRACE, self.kill)

    def connection_lost(self, invocation: Invocation) -> None:
        """A response was cut: wait for a moment for the process to end, to know why."""
        with self._lock:
            self._changed.wait_for(
                lambda: self._has_exited or invocation.has_timed_out, _EXIT_GRACE
            )
            status = self._exit_status
        if status is not None:
            # When it was seen to end, its response may not have been seen to begin.
            invocation.relay.break_off(exited(invocation.request_id, status))

    def stop(self) -> None:
        """End it as AWS does. Returns at once; may be repeated.

        With extensions the runtime gets SIGTERM and a moment, then they get theirs; without
        any it is killed.
        """
        self._on_leaving(self)
        with self._lock:
            was_stopping, self._is_stopping = self._is_stopping, True
            self._shutdown_reason = self._shutdown_reason or "spindown"
        if not self._extensions.count or self._processes.runtime is None:
            self.kill()
        elif not was_stopping:
            seconds = self._processes.ask_runtime_to_end()
            self._deadlines.at(time.monotonic() + seconds, self._processes.kill_runtime)

    def kill(self) -> None:
        """Kill the process and all that it started, and its extensions. Returns at once."""
        self._processes.kill()
        if self._processes.runtime is None:
            self._extensions.close()

    def wait(self, seconds: float) -> bool:
        """Wait for its end; whether it came within `seconds`."""
        with self._lock:
            return self._changed.wait_for(lambda: self._has_ended, seconds)

    def _finish_start(self) -> None:
        """The runtime is ready: wait for the extensions, too."""
        with self._lock:
            is_first, self._runtime_asked = not self._runtime_asked, True
            if not is_first:
                # Of several that ask at once.
                self._changed.wait_for(lambda: self._start.is_done or self._has_exited)
                return
        self._processes.drain_output()
        self._start.runtime_ready()
        if not self._extensions.wait_ready():
            return
        self._start.succeed(self._extensions.all)
        self._subscriptions.close()
        with self._lock:
            self._changed.notify_all()

    def _extension_ended(self, name: str, status: int) -> None:
        self._fail(*self._processes.why_extension_ended(name, status))

    def _extension_failed(self, extension: Extension, state: State) -> None:
        self._fail(f"Extension.{state.value}", f"{extension.name}: {extension.error_type}")

    def _fail(self, error_type: str, reason: str) -> None:
        """An extension has failed, and with it the environment, unless it ends anyway."""
        with self._lock:
            if self._is_stopping or self._has_exited:
                return
            self._is_stopping = True
        self._log.line(f"{error_type} in an environment of {self.function.name}: {reason}")
        self._break_down(error_type, lambda each: failure(error_type, each.request_id, reason))
        self.kill()

    def _break_down(self, error_type: str, why: Callable[[Invocation], Outcome]) -> None:
        """It takes no more work, its start has failed if it is not over, and so has its work."""
        self._on_leaving(self)
        self._start.fail("error", error_type)
        for invocation in self._work.all:
            invocation.relay.break_off(why(invocation))

    def _tell_free(self) -> None:
        with self._lock:
            if self._is_stopping or not self.has_room:
                return
        if not self._on_free(self) and not self._work.load:
            self.stop()

    def _timed_out(self, invocation: Invocation) -> None:
        with self._lock:
            if not self._work.has(invocation):
                return
            invocation.has_timed_out = True
            if not self._work.is_shared:
                # From here on it will not be free again.
                self._is_stopping = True
                self._shutdown_reason = "timeout"
            self._changed.notify_all()
        seconds = self.function.timeout
        self._log.timed_out(invocation, seconds)
        if self._work.is_shared:
            self._give_up(invocation, timed_out(invocation.request_id, seconds))
            return
        self._on_leaving(self)
        invocation.relay.break_off(timed_out(invocation.request_id, seconds))
        if self._extensions.count:
            self._processes.kill_runtime()
        else:
            self.kill()

    def _give_up(self, invocation: Invocation, outcome: Outcome) -> None:
        """Answer one of several for the runtime, which may work on it for ever."""
        self._work.give_up(invocation)
        invocation.relay.break_off(outcome)
        invocation.cut_response()
        self._finish(invocation)
        self._deadlines.at(time.monotonic() + self.function.timeout, self._kill_if_stuck)

    def _kill_if_stuck(self) -> None:
        if not self._work.is_stuck:
            return
        self._log.line(f"{self.function.name}: an environment is killed in which all hangs")
        self._on_leaving(self)
        self.kill()

    def _init_timed_out(self) -> None:
        with self._lock:
            if self._start.is_done or self._has_exited:
                return
            # As on Lambda: once more, from then on in the time of the invocation.
            self._starts_again = self._start.may_repeat
            self._is_stopping = True
            invocations = [] if self._starts_again else self._work.all
            for invocation in invocations:
                invocation.has_timed_out = True
        self._on_leaving(self)
        self._start.fail("timeout")
        seconds = self._start.limit
        self._log.line(
            f"{self.function.name} was not ready after {seconds:g} seconds: killed while starting"
        )
        for invocation in invocations:
            self._start.take_up(invocation)
            self._log.timed_out(invocation, seconds)
            invocation.relay.break_off(timed_out(invocation.request_id, seconds))
        self.kill()

    def _memory_used_up(self) -> None:
        self._on_leaving(self)
        self._processes.kill_runtime()

    def _process_ended(self, status: int) -> None:
        """The process is gone: whatever it had to say is on its way or was never said."""
        self._on_leaving(self)
        with self._lock:
            for invocation in self._work.all:
                if invocation.relay.has_begun:
                    invocation.relay.break_off(exited(invocation.request_id, status))
            self._exit_status = status
            self._work.wake()
            self._changed.notify_all()
        self._extensions.wake()
        if not self._extensions.count:
            self._end_server()
        self._log.flush()
        if not self._is_stopping:
            self._start.fail("error", self._processes.why_ended("", status).error_type)
        undone: list[Invocation] = []
        with self._lock:
            self._start.end()
            if self._start.is_done or self._starts_again:
                # It died while it waited for work, or is to start again: others can do this.
                undone = self._work.take_back()
                for invocation in undone:
                    invocation.has_waited_for_start = self._starts_again
            left = self._work.all
            self._changed.notify_all()
        for invocation in left:
            self._start.take_up(invocation)
            why = self._init_error or self._processes.why_ended(invocation.request_id, status)
            invocation.relay.break_off(why)
            self._finish(invocation)
        self._subscriptions.stop()
        self._processes.end_extensions(
            self._shutdown_reason or "failure", SHUTDOWN_SECONDS - RUNTIME_SECONDS
        )
        if self._extensions.count:
            self._end_server()
        self._accounting.remove()
        self._log.tell("penstock.environmentEnd", {"exitStatus": status})
        with self._lock:
            self._has_ended = True
            self._changed.notify_all()
        self._on_end(self, undone)

    def _end_server(self) -> None:
        self._server.wait_until_unused(0 if self._shutdown_reason == "timeout" else _LAST_BYTES)
        self._server.stop(keep_connections=True)

    def _finish(self, invocation: Invocation) -> None:
        """The work on an invocation is over: see that it is answered, and report."""
        self._finishing.end(invocation)()
