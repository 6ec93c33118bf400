"""The function's log, in the formats of AWS's own client.

`logging` costs 7 ms to import, so it is set up when the handler's code first imports it:
the root logger then has its handler before any `logging.basicConfig` could add another.
"""

from __future__ import annotations

import os
import sys
from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from logging import LogRecord
    from types import ModuleType
    from typing import Any, Protocol

    from .failure_report import FailureReport

    class LogSink(Protocol):
        """Where messages go."""

        def log(self, text: str, kind: bytes | None = None) -> None:
            """Write `text` as it is, in one call; `kind` is the type of its frame."""

        def log_error(self, lines: Sequence[str]) -> None:
            """Write the lines of one failure."""


# In a text log the lines of one message are held together by a carriage return, and
# indentation is made of no-break spaces: CloudWatch would cut the message otherwise.
LINE_JOIN = "\r"
INDENT = "\u00a0"

INIT_FAILED = (
    "LAMBDA_WARNING: Unhandled exception. The function's module could not be loaded; "
    "look at the error below.\r"
)

#: Request id and tenant id of the invocation that runs here, where several overlap. Unset,
#: the log's own attributes count, so that threads of the handler's have them too.
current_invocation: ContextVar[tuple[str, str | None] | None] = ContextVar(
    "penstock_log_invocation", default=None
)


class StandardOutput:
    """The log on whatever `sys.stdout` is at that moment."""

    def log(self, text: str, kind: bytes | None = None) -> None:
        """Write `text` and let it leave."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def log_error(self, lines: Sequence[str]) -> None:
        """Write one line for CloudWatch, whatever the number of `lines`."""
        self.log(LINE_JOIN.join(lines) + "\n")


# What comes of an output that nobody reads, or that the handler has closed or removed.
_UNWRITABLE = (OSError, ValueError, AttributeError)

#: Where `context.log` writes, also while nobody has imported `logging`.
current_sink: LogSink = StandardOutput()


class FunctionLog:
    """Where this environment logs, and for which invocation."""

    def __init__(
        self,
        log_format: str | None = None,
        log_level: str | None = None,
        sink: LogSink | None = None,
    ) -> None:
        self.request_id = ""
        self.tenant_id: str | None = None
        self.is_json = (log_format or "").upper() == "JSON"
        # "trace" is no level to AWS's client, only "TRACE" is.
        self.level = "DEBUG" if log_level == "TRACE" else (log_level or "").upper()
        self.sink = sink if sink is not None else StandardOutput()

    @classmethod
    def from_environment(cls) -> FunctionLog:
        """As `AWS_LAMBDA_LOG_FORMAT` and `AWS_LAMBDA_LOG_LEVEL` say.

        `_LAMBDA_TELEMETRY_LOG_FD` is taken out of the environment: what the handler starts
        is not to write there.
        """
        log_format = os.environ.get("AWS_LAMBDA_LOG_FORMAT")
        descriptor = os.environ.pop("_LAMBDA_TELEMETRY_LOG_FD", None)
        sink = None if descriptor is None else _framed(descriptor, (log_format or "").upper())
        return cls(log_format, os.environ.get("AWS_LAMBDA_LOG_LEVEL"), sink)

    def install(self) -> None:
        """Make standard output leave line by line, and wait for `logging`."""
        global current_sink
        current_sink = self.sink
        for stream in (sys.stdout, sys.stderr):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                # A message may hold half of a character, as from the name of a file.
                reconfigure(line_buffering=True, errors="backslashreplace")
        if "logging" in sys.modules:
            self._set_up()
        else:
            sys.meta_path.insert(0, _LoggingFinder(self))

    def error(self, report: FailureReport, request_id: str = "") -> None:
        """Log a failure as the platform's own client does."""
        if self.is_json:
            import time

            from .marshalling import to_json

            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            record = {"timestamp": now, "level": "ERROR", **report.body(request_id)}
            lines = [to_json(record)]
        else:
            lines = _as_text(report)
        try:
            self.sink.log_error(lines)
        except _UNWRITABLE:
            pass  # the platform is still to be told

    def warning(self, text: str) -> None:
        """Log a line of the runtime's own."""
        from logging import getLogger

        getLogger("penstock.runtime").warning(text)

    def flush(self) -> None:
        """Let out what the handler printed without a line end."""
        try:
            sys.stdout.flush()
        except _UNWRITABLE:
            pass

    def mark(self, record: LogRecord) -> bool:
        """Write on `record` which invocation it belongs to."""
        record.aws_request_id, record.tenant_id = current_invocation.get() or (
            self.request_id,
            self.tenant_id,
        )
        return True

    def _set_up(self) -> None:
        from .log_records import set_up

        set_up(self)


def _framed(descriptor: str, log_format: str) -> LogSink | None:
    from .telemetry_log import JSON_FRAME, TEXT_FRAME, FramedTelemetryLog

    try:
        return FramedTelemetryLog(
            int(descriptor), JSON_FRAME if log_format == "JSON" else TEXT_FRAME
        )
    except (ValueError, OverflowError, OSError) as exc:
        print(
            "penstock.runtime: _LAMBDA_TELEMETRY_LOG_FD should name an open descriptor, "
            f"found {descriptor!r} ({exc}); logging to standard output",
            file=sys.stderr,
        )
        return None


class _LoggingFinder:
    """Finds `logging` as it would be found anyway, and sets it up when it was executed."""

    def __init__(self, log: FunctionLog) -> None:
        self._log = log
        self._is_looking = False

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        # Asked again by another finder of this kind, it is not to ask that one again.
        if name != "logging" or self._is_looking:
            return None
        self._is_looking = True
        try:
            for finder in sys.meta_path:
                spec = finder.find_spec(name, path, target) if finder is not self else None
                if spec is not None and spec.loader is not None:
                    self._watch(spec.loader)
                    return spec
        finally:
            self._is_looking = False
        return None

    def _watch(self, loader: Any) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
                self._log._set_up()

        loader.exec_module = exec_module


def _as_text(report: FailureReport) -> list[str]:
    first = "[ERROR]"
    if report.error_type:
        first += f" {report.error_type}"
    if report.message:
        first += f": {report.message}" if report.error_type else f" {report.message}"
    # Also without a stack: so does AWS's client, and logs are searched for this line.
    lines = [first, "Traceback (most recent call last):"]
    for element in report.stack_trace:
        for line in element.splitlines():
            text = line.lstrip(" ")
            lines.append(INDENT * (len(line) - len(text)) + text)
    return lines
