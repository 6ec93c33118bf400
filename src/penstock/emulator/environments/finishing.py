"""The end of the work on an invocation: all of it is there, then it is reported."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..invocations import Invocation
from ..relay import no_answer
from .accounting import Accounting
from .environment_log import EnvironmentLog
from .extensions import Extensions
from .processes import Processes
from .start_phase import StartPhase
from .workload import Workload

# AWS's Node.js client asks for the next event up to 0.3 ms before the last bytes of an
# error are sent (measured with aws-lambda-ric 4.0.2); with a large X-Ray cause it sends
# nothing at all.
_ANSWER_GRACE = 0.5


class Finishing:
    """Ends the work on the invocations in `work`. `has_exited`: nothing more will come."""

    def __init__(
        self,
        work: Workload,
        processes: Processes,
        extensions: Extensions,
        start: StartPhase,
        accounting: Accounting,
        log: EnvironmentLog,
        has_exited: Callable[[], bool],
    ) -> None:
        self._work = work
        self._processes = processes
        self._extensions = extensions
        self._start = start
        self._accounting = accounting
        self._log = log
        self._has_exited = has_exited

    def end(self, invocation: Invocation) -> Callable[[], None]:
        """See that it is answered, and make room for another; its report is still to be called.

        May be repeated: then there is no other report.
        """
        # What was given up does not wait for a client that reads slowly.
        is_given_up = self._work.is_shared and invocation.has_timed_out
        is_over = is_given_up or self._has_exited()
        if not is_over and invocation.relay.wait(_ANSWER_GRACE) is None:
            if not invocation.relay.has_begun:
                invocation.relay.break_off(no_answer(invocation.request_id))
            invocation.relay.wait()
        self._processes.drain_output()
        with self._work.lock:
            if not self._work.has(invocation) or invocation.runtime_done_at is not None:
                return nothing
            invocation.runtime_done_at = time.monotonic()
        self._log.runtime_done(invocation)
        if self._extensions.count and not self._work.is_shared:
            self._extensions.wait_idle(self._has_exited)
        with self._work.lock:
            self._work.remove(invocation)
            init, restore = self._start.take_seconds()
        if invocation.deadline is not None:
            invocation.deadline.cancel()
        pids, peaks = self._processes.pids, self._processes.peak_memory_mb()
        used = self._accounting.memory_used(pids, peaks)
        ended_at = time.monotonic()

        def report() -> None:
            self._log.report(invocation, ended_at, memory_used=used, init=init, restore=restore)
            invocation.finish()

        return report


def nothing() -> None:
    """There is nothing to report."""
