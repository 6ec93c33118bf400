"""What `logging` is given as AWS's own client gives it: a handler, a level, two formats.

Imported when the handler's code has imported `logging`, never before.
Source: `awslambdaric` 4.2.2, `bootstrap.py` and `lambda_runtime_log_utils.py`.
"""

from __future__ import annotations

import logging
import time
from json import JSONEncoder

from .telemetry_log import JSON_FRAME, TEXT_FRAME, frame_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .logs import FunctionLog, LogSink


def set_up(log: FunctionLog) -> None:
    """Give the root logger its handler and its level."""
    logging.Formatter.converter = time.gmtime
    handler = LambdaLoggerHandler(log.sink, has_levels=log.is_json or bool(log.level))
    if log.is_json:
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(
            logging.Formatter(
                "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n",
                "%Y-%m-%dT%H:%M:%S",
            )
        )
    handler.addFilter(log.mark)
    root = logging.getLogger()
    if log.level in logging.getLevelNamesMapping():
        root.setLevel(log.level)
    root.addHandler(handler)


class LambdaLoggerHandler(logging.Handler):
    """Writes to the function's log. `log_sink` is AWS's name for where."""

    def __init__(self, sink: LogSink, has_levels: bool) -> None:
        super().__init__()
        self.log_sink = sink
        self._has_levels = has_levels

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record in one call; a record that cannot be formatted goes to stderr."""
        try:
            text = self.format(record)
            kind = None
            if self._has_levels:
                kind = getattr(record, "_frame_type", None) or frame_type(
                    TEXT_FRAME, record.levelno
                )
            self.log_sink.log(text, kind)
        except RecursionError:  # as the handlers of `logging` do it
            raise
        except Exception:
            self.handleError(record)


# What every record has, and nothing of the handler's. (Not `taskName`: AWS logs it.)
_RESERVED = frozenset(
    (
        *("name", "msg", "args", "levelname", "levelno", "pathname", "filename", "module"),
        *("exc_info", "exc_text", "stack_info", "lineno", "funcName", "created", "msecs"),
        *("relativeCreated", "thread", "threadName", "processName", "process"),
        *("aws_request_id", "tenant_id", "_frame_type"),
    )
)

_encode = JSONEncoder(ensure_ascii=False, default=str).encode


class JsonFormatter(logging.Formatter):
    """Records as one JSON object a line; `extra` comes last and changes nothing before it."""

    def __init__(self) -> None:
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%SZ")

    def format(self, record: logging.LogRecord) -> str:
        """The record as AWS's client writes it."""
        record._frame_type = frame_type(JSON_FRAME, record.levelno)
        stack = error_type = error_message = location = None
        if record.exc_info:
            kind, error, trace = record.exc_info
            if kind is not None:
                from traceback import format_tb

                stack, error_type, error_message = format_tb(trace), kind.__name__, str(error)
            location = f"{record.pathname}:{record.funcName}:{record.lineno}"
        entry: dict[str, Any] = {
            "timestamp": self.formatTime(record, self.datefmt),
            # AWS knows the levels that are tens, so a level between two is the lower one.
            "level": logging.getLevelName(min(max(record.levelno, 0), 50) // 10 * 10),
            "message": record.msg
            if isinstance(record.msg, dict) and not record.args
            else record.getMessage(),
            "logger": record.name,
            "stackTrace": stack,
            "errorType": error_type,
            "errorMessage": error_message,
            "requestId": getattr(record, "aws_request_id", None),
            "location": location,
        }
        if getattr(record, "tenant_id", None) is not None:
            entry["tenantId"] = record.__dict__["tenant_id"]
        for name, value in record.__dict__.items():
            if name not in _RESERVED and name not in entry:
                entry[name] = value
        return _encode({k: v for k, v in entry.items() if v is not None}) + "\n"
