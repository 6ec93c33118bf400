"""From the command line to the loop: environment, log, handler, init errors."""

from __future__ import annotations

import os
import sys

from .. import __version__
from ..errors import PenstockError, RuntimeApiError
from . import deferred_imports, sentry
from .api_client import RuntimeApiClient
from .code_paths import set_code_paths
from .failure_report import FailureReport
from .handler_loading import load_handler
from .logs import INIT_FAILED, FunctionLog
from .loop import serve
from .marshalling import to_json_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE = """\
usage: python -m penstock.runtime [module.handler]

Runs a function under a Lambda Runtime API, as the entry point of a container image or
of a custom runtime.

  AWS_LAMBDA_RUNTIME_API   host:port of the Runtime API (Lambda sets it)
  _HANDLER                 the handler, where the command line names none
  LAMBDA_TASK_ROOT         folder of the code, put in front of sys.path; layers in /opt
                           follow if it is /var/task (Lambda sets it)
  AWS_LAMBDA_LOG_FORMAT, AWS_LAMBDA_LOG_LEVEL, AWS_LAMBDA_MAX_CONCURRENCY,
  AWS_LAMBDA_INITIALIZATION_TYPE (Lambda sets them), PENSTOCK_LOG_STREAMS
                           as docs/reference/environment.md says

To run a function on your own machine use `penstock dev app.py:handler` instead.
"""


def main(arguments: Sequence[str]) -> int:
    """Run until the Runtime API is gone. Returns the exit status."""
    if arguments and arguments[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    name = arguments[0] if arguments else os.environ.get("_HANDLER", "")
    address = os.environ.get("AWS_LAMBDA_RUNTIME_API", "")
    is_named = bool(arguments or name)
    if len(arguments) > 1 or not is_named or not address:
        missing = "AWS_LAMBDA_RUNTIME_API" if is_named else "a handler"
        problem = "too many arguments" if len(arguments) > 1 else f"{missing} is missing"
        print(f"penstock.runtime: {problem}\n\n{USAGE}", end="", file=sys.stderr)
        return 2
    if "/" in address:
        print(
            f"penstock.runtime: AWS_LAMBDA_RUNTIME_API is host:port only, not {address}",
            file=sys.stderr,
        )
        return 2
    # OpenTelemetry finds the handler by it; the entry point of AWS's images sets it, too.
    os.environ["_HANDLER"] = name
    sys.modules["__main__"].bootstrap = sentry  # type: ignore[attr-defined]
    set_code_paths(os.environ)
    deferred_imports.install()
    log = FunctionLog.from_environment()
    log.install()
    version = ".".join(map(str, sys.version_info[:3]))
    api = RuntimeApiClient(address, f"penstock/{__version__} python/{version}")
    try:
        handler = sentry.wrapped(load_handler(name))
    except Exception as exc:
        return _fail_init(exc, api, log)
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        from .snapstart import wait_for_restore

        status = wait_for_restore(api, log)
        if status:
            return status
    try:
        if "AWS_LAMBDA_MAX_CONCURRENCY" in os.environ:
            from .concurrency import serve_concurrently

            return serve_concurrently(handler, api.another, log)
        serve(handler, api, log)
    except (OSError, PenstockError) as exc:
        what = "cannot be reached" if api.connections == 0 else "gives no more work"
        print(f"penstock.runtime: the Runtime API at {address} {what}: {exc}", file=sys.stderr)
        return 1


def _fail_init(error: Exception, api: RuntimeApiClient, log: FunctionLog) -> int:
    report = FailureReport(error)
    sentry.LambdaRuntimeClient().post_init_error(report.body())
    log.warning(INIT_FAILED)
    log.error(report)
    try:
        api.post_init_error(to_json_bytes(report.body()), report.error_type)
    except (OSError, RuntimeApiError) as exc:
        print(f"penstock.runtime: cannot report the init error: {exc}", file=sys.stderr)
    return 1
