"""The function's log, in the formats of AWS's own client.

`logging` costs 7 ms to import, so it is set up when the handler's code first imports it:
the root logger then has its handler before any `logging.basicConfig` could add another.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    from .failure_report import FailureReport

# In a text log the lines of one message are held together by a carriage return, and
# indentation is made of no-break spaces: CloudWatch would cut the message otherwise.
LINE_JOIN = "\r"
INDENT = "\u00a0"

INIT_FAILED = (
    "LAMBDA_WARNING: Unhandled exception. The function's module could not be loaded; "
    "look at the error below.\r"
)


class FunctionLog:
    """Where this environment logs, and for which invocation."""

    def __init__(self, log_format: str | None = None, log_level: str | None = None) -> None:
        self.request_id = ""
        self.tenant_id: str | None = None
        self._json = (log_format or "").upper() == "JSON"
        level = (log_level or "").upper()
        self._level = "DEBUG" if level == "TRACE" else level

    @classmethod
    def from_environment(cls) -> FunctionLog:
        """As `AWS_LAMBDA_LOG_FORMAT` and `AWS_LAMBDA_LOG_LEVEL` say."""
        return cls(os.environ.get("AWS_LAMBDA_LOG_FORMAT"), os.environ.get("AWS_LAMBDA_LOG_LEVEL"))

    def install(self) -> None:
        """Make standard output leave line by line, and wait for `logging`."""
        for stream in (sys.stdout, sys.stderr):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                # A message may hold half of a character, as from the name of a file.
                reconfigure(line_buffering=True, errors="backslashreplace")
        if "logging" in sys.modules:
            self._set_up(sys.modules["logging"])
        else:
            sys.meta_path.insert(0, _LoggingFinder(self))

    def error(self, report: FailureReport, request_id: str = "") -> None:
        """Log a failure as the platform's own client does."""
        if self._json:
            import time

            from .marshalling import to_json

            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            record = {"timestamp": now, "level": "ERROR", **report.body(request_id)}
            sys.stdout.write(to_json(record) + "\n")
        else:
            sys.stdout.write(_as_text(report) + "\n")
        sys.stdout.flush()

    def warning(self, text: str) -> None:
        """Log a line of the runtime's own."""
        from logging import getLogger

        getLogger("penstock.runtime").warning(text)

    def flush(self) -> None:
        """Let out what the handler printed without a line end."""
        sys.stdout.flush()

    def _set_up(self, logging: Any) -> None:
        logging.Formatter.converter = __import__("time").gmtime
        handler = logging.StreamHandler(_CurrentStdout())
        handler.terminator = ""
        if self._json:
            handler.setFormatter(_json_formatter(logging))
        else:
            handler.setFormatter(
                logging.Formatter(
                    "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n",
                    "%Y-%m-%dT%H:%M:%S",
                )
            )
        handler.addFilter(self._mark)
        root = logging.getLogger()
        root.addHandler(handler)
        if self._level in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
            root.setLevel(self._level)

    def _mark(self, record: logging.LogRecord) -> bool:
        record.aws_request_id = self.request_id
        record.tenant_id = self.tenant_id
        return True


class _CurrentStdout:
    """Writes to whatever `sys.stdout` is at that moment."""

    def write(self, text: str) -> int:
        return sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


class _LoggingFinder:
    """Finds `logging` as it would be found anyway, and sets it up when it was executed."""

    def __init__(self, log: FunctionLog) -> None:
        self._log = log

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "logging":
            return None
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target) if finder is not self else None
            if spec is not None and spec.loader is not None:
                self._watch(spec.loader)
                return spec
        return None

    def _watch(self, loader: Any) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
                self._log._set_up(module)

        loader.exec_module = exec_module


def _as_text(report: FailureReport) -> str:
    first = "[ERROR]"
    if report.error_type:
        first += f" {report.error_type}"
    if report.message:
        first += f": {report.message}" if report.error_type else f" {report.message}"
    lines = [first, "Traceback (most recent call last):"]
    for element in report.stack_trace:
        for line in element.splitlines():
            text = line.lstrip(" ")
            lines.append(INDENT * (len(line) - len(text)) + text)
    return LINE_JOIN.join(lines)


# What every record has; anything else came in through `extra`.
_RESERVED = frozenset(
    (
        *("name", "msg", "args", "levelname", "levelno", "pathname", "filename", "module"),
        *("exc_info", "exc_text", "stack_info", "lineno", "funcName", "created", "msecs"),
        *("relativeCreated", "thread", "threadName", "processName", "process", "taskName"),
        *("aws_request_id", "tenant_id"),
    )
)


def _json_formatter(logging: Any) -> Any:
    """A formatter whose records are one JSON object a line."""
    import json

    class JsonFormatter(logging.Formatter):  # type: ignore[misc]
        def format(self, record: logging.LogRecord) -> str:
            entry: dict[str, Any] = {
                "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
                "level": record.levelname,
                "message": record.msg
                if isinstance(record.msg, dict) and not record.args
                else record.getMessage(),
                "logger": record.name,
            }
            if record.exc_info and record.exc_info[0] is not None:
                from traceback import format_tb

                entry["stackTrace"] = format_tb(record.exc_info[2])
                entry["errorType"] = record.exc_info[0].__name__
                entry["errorMessage"] = str(record.exc_info[1])
            entry["requestId"] = record.__dict__["aws_request_id"]
            if record.exc_info:
                entry["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
            if record.__dict__["tenant_id"] is not None:
                entry["tenantId"] = record.__dict__["tenant_id"]
            for name, value in record.__dict__.items():
                if name not in _RESERVED and name not in entry and value is not None:
                    entry[name] = value
            return json.dumps(entry, ensure_ascii=False, default=str) + "\n"

    return JsonFormatter()
