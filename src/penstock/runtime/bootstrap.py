"""From the command line to the loop: environment, log, handler, init errors."""

from __future__ import annotations

import os
import sys

from .. import __version__
from ..errors import PenstockError, RuntimeApiError
from .api_client import RuntimeApiClient
from .failure_report import FailureReport
from .handler_loading import load_handler
from .logs import INIT_FAILED, FunctionLog
from .loop import serve
from .marshalling import to_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE = """\
usage: python -m penstock.runtime [module.handler]

Runs a function under a Lambda Runtime API, as the entry point of a container image or
of a custom runtime. Without an argument the handler is the variable _HANDLER.

  AWS_LAMBDA_RUNTIME_API   host:port of the Runtime API (Lambda sets it)
  LAMBDA_TASK_ROOT         folder of the code, put in front of sys.path (Lambda sets it)

To run a function on your own machine use `penstock dev app.py:handler` instead.
"""


def main(arguments: Sequence[str]) -> int:
    """Run until the Runtime API is gone. Returns the exit status."""
    if arguments and arguments[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    name = arguments[0] if arguments else os.environ.get("_HANDLER", "")
    address = os.environ.get("AWS_LAMBDA_RUNTIME_API", "")
    if len(arguments) > 1 or not name or not address:
        missing = "a handler" if not name else "AWS_LAMBDA_RUNTIME_API"
        problem = "too many arguments" if len(arguments) > 1 else f"{missing} is missing"
        print(f"penstock.runtime: {problem}\n\n{USAGE}", end="", file=sys.stderr)
        return 2
    _put_code_first(os.environ.get("LAMBDA_TASK_ROOT"))
    log = FunctionLog.from_environment()
    log.install()
    version = ".".join(map(str, sys.version_info[:3]))
    api = RuntimeApiClient(address, f"penstock/{__version__} python/{version}")
    try:
        handler = load_handler(name)
    except Exception as exc:
        return _fail_init(exc, api, log)
    try:
        serve(handler, api, log)
    except (OSError, PenstockError) as exc:
        print(f"penstock.runtime: the Runtime API at {address} is gone: {exc}", file=sys.stderr)
        return 1


def _put_code_first(folder: str | None) -> None:
    """Let the function's modules be found, in front of everything, as on Lambda."""
    if folder and folder not in sys.path:
        sys.path.insert(0, folder)


def _fail_init(error: Exception, api: RuntimeApiClient, log: FunctionLog) -> int:
    report = FailureReport(error)
    log.warning(INIT_FAILED)
    log.error(report)
    try:
        api.post_init_error(to_json(report.body()).encode("utf-8", "replace"), report.error_type)
    except (OSError, RuntimeApiError) as exc:
        print(f"penstock.runtime: cannot report the init error: {exc}", file=sys.stderr)
    return 1
