"""Several invocations at once in one process: Lambda Managed Instances.

`AWS_LAMBDA_MAX_CONCURRENCY` says how many. Each has a thread, which asks for invocations,
runs the handler and answers on a connection of its own. What is async in a handler runs on
one event loop that all share, with the context variables of its invocation; what is not
runs on the invocation's thread. (AWS's own client forks a process for each instead.)

Source: AWS documentation, "Building custom runtimes for Lambda Managed Instances", and
`awslambdaric` 4.2.2 for what is retried.
"""

from __future__ import annotations

import os
import sys
import threading
from contextvars import copy_context
from time import sleep

from ..errors import FaultError, PenstockError
from .invocation import function_attributes
from .logs import current_invocation
from .loop import answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from .api_client import RuntimeApiClient
    from .invocation import Invocation
    from .logs import FunctionLog

# As AWS's client: five tries to get an invocation, a tenth of a second and twice as long
# each time between them.
NEXT_TRIES = 5
FIRST_DELAY = 0.1


def serve_concurrently(
    handler: Callable[[Any, Any], Any],
    make_client: Callable[[], RuntimeApiClient],
    log: FunctionLog,
    wait: Callable[[float], None] = sleep,
) -> int:
    """Answer invocations until there are no more to be had. Returns the exit status.

    `wait` gets seconds.
    """
    value = os.environ["AWS_LAMBDA_MAX_CONCURRENCY"]
    if not value.isdecimal() or int(value) < 1:
        print(
            "penstock.runtime: AWS_LAMBDA_MAX_CONCURRENCY should be a number of invocations, "
            f"found {value!r}",
            file=sys.stderr,
        )
        return 2
    event_loop: Any = sys.modules.get("penstock.event_loop")
    if event_loop is not None:
        event_loop.share()
    sys.stdout = WholeLines(sys.stdout)
    function = function_attributes()
    handler = _contained(handler)

    def work() -> None:
        api = make_client()
        while True:
            invocation = _next_invocation(api, log, wait)
            if invocation is None:
                return
            # So that nothing set in one invocation is seen in the next.
            copy_context().run(serve_one, invocation, api)

    def serve_one(invocation: Invocation, api: RuntimeApiClient) -> None:
        current_invocation.set((invocation.request_id, invocation.tenant_id))
        try:
            answer(handler, invocation, api, log, function)
        except (OSError, PenstockError) as exc:
            # The other invocations of this process are not to suffer.
            log.warning(f"{exc}; the runtime goes on")
        log.flush()

    threads = [threading.Thread(target=work, name=f"penstock-{n}") for n in range(int(value))]
    for thread in threads:
        thread.daemon = True
        thread.start()
    for thread in threads:
        thread.join()
    print("penstock.runtime: the Runtime API gives no invocations any more", file=sys.stderr)
    return 1


def _next_invocation(
    api: RuntimeApiClient, log: FunctionLog, wait: Callable[[float], None]
) -> Invocation | None:
    delay = FIRST_DELAY
    for tries_left in range(NEXT_TRIES - 1, -1, -1):
        try:
            return api.next_invocation()
        except (OSError, PenstockError) as exc:
            log.warning(f"cannot get an invocation, {tries_left} tries left: {exc}")
        if tries_left:
            wait(delay)
            delay *= 2
    return None


def _contained(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The handler, which fails its own invocation and no other where it would end Python."""

    def contained(event: Any, context: Any) -> Any:
        try:
            return handler(event, context)
        except (SystemExit, KeyboardInterrupt) as exc:
            raise FaultError("Runtime.ExitError", f"the handler raised {exc!r}") from exc

    return contained


class WholeLines:
    """Standard output that several invocations print to without mixing their lines.

    What threads of no invocation print goes through as it comes.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._begun: dict[tuple[str, str | None], str] = {}

    def write(self, text: str) -> int:
        """Write as far as the last line end, and keep the rest for this invocation's next."""
        whose = current_invocation.get()
        if whose is None:
            self._stream.write(text)
            return len(text)
        whole, line_end, rest = text.rpartition("\n")
        if line_end:
            self._stream.write(self._begun.pop(whose, "") + whole + line_end)
        if rest:
            self._begun[whose] = self._begun.get(whose, "") + rest
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of `lines`."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Let everything out; a line of this invocation that has begun, too."""
        whose = current_invocation.get()
        line = self._begun.pop(whose, "") if whose is not None else ""
        if line:
            self._stream.write(line)
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
