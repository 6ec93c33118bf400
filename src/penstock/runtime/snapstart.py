"""SnapStart: this environment is frozen after its start, and copies of it are thawed.

Handlers register what is to run before the snapshot and after a restore with
`snapshot_restore_py`, which AWS's image has. Sources: AWS documentation, "Lambda SnapStart
runtime hooks for Python"; `awslambdaric` 4.2.2, `bootstrap.on_init_complete`.
"""

from __future__ import annotations

import sys

from ..errors import RuntimeApiError
from .failure_report import FailureReport
from .marshalling import to_json_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .api_client import RuntimeApiClient
    from .logs import FunctionLog

# AWS's exit statuses.
BEFORE_SNAPSHOT_FAILED = 64
AFTER_RESTORE_FAILED = 65


def wait_for_restore(api: RuntimeApiClient, log: FunctionLog) -> int:
    """Run the hooks, and in between wait until a copy of this environment is restored.

    Returns 0, or the status to exit with when something failed; it has been reported then.
    """
    # Whoever has registered a hook has imported the module.
    hooks = sys.modules.get("snapshot_restore_py")
    try:
        before = hooks.get_before_snapshot() if hooks is not None else []
        while before:
            function, arguments, keywords = before.pop()
            function(*arguments, **keywords)
        log.flush()
        api.restore_next()
    except BaseException as exc:  # as AWS's client: also what asks the process to end
        _report(exc, log, lambda body: api.post_init_error(body, "Runtime.BeforeSnapshotError"))
        return BEFORE_SNAPSHOT_FAILED
    try:
        for function, arguments, keywords in hooks.get_after_restore() if hooks is not None else ():
            function(*arguments, **keywords)
    except BaseException as exc:
        _report(exc, log, lambda body: api.post_restore_error(body, "Runtime.AfterRestoreError"))
        return AFTER_RESTORE_FAILED
    return 0


def _report(error: BaseException, log: FunctionLog, post: Callable[[bytes], None]) -> None:
    report = FailureReport(error)
    log.error(report)
    try:
        post(to_json_bytes(report.body()))
    except (OSError, RuntimeApiError) as exc:
        print(f"penstock.runtime: cannot report the failure: {exc}", file=sys.stderr)
