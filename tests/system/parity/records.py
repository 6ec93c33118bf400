"""What handlers log and print."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from typing import Any

log = logging.getLogger("app")

if "AWS_LAMBDA_RUNTIME_API" in os.environ:  # and not when it is read for its names
    logging.warning("while it is imported")
    log.info("info while it is imported")


def levels(context: Any) -> None:
    for level in (-5, 0, 1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 60, 99):
        log.log(level, "level %d", level)


def extra(context: Any) -> None:
    fields = {"a": 1, "none": None, "set": {1}, "nested": {"b": [2]}, "größe": "€"}
    fields |= {"errorType": "mine", "requestId": "mine", "stackTrace": 5, "location": "here"}
    fields |= {"tenantId": "mine", "timestamp": "mine", "level": "mine", "taskName": "mine"}
    fields |= {"_frame_type": None, "aws_request_id": "mine"}
    log.error("with extra", extra=fields)


def errors(context: Any) -> None:
    try:
        {}["key"]
    except KeyError:
        log.exception("caught %s", "it")
    log.error("after it")
    log.error("given", exc_info=ValueError("never raised"))


def messages(context: Any) -> None:
    log.error({"a": 1, "b": {"c": {2}}})
    log.error({"a": "%s"}, "argument")
    log.error("%s", {"a": 1})
    log.error(["x"])
    log.error(5)
    log.error("")
    log.error("several\nlines\r\nof\ttext\x00\u2028\x85")
    log.error("größe € \U0001f600")


def printing(context: Any) -> None:
    print("a", "b")
    print("no line end", end="")
    print()
    print("größe €")
    print("a line\nand another")
    sys.stdout.writelines(["x\n", "y\n"])
    sys.stderr.write("to the errors\n")


def context_log(context: Any) -> None:
    for message in ("no line end", "\n", 5, None, "größe\n"):
        context.log(message)


def the_root(context: Any) -> None:
    for method in (logging.debug, logging.info, logging.warning, logging.error, logging.critical):
        method("by the root")


def handlers(context: Any) -> None:
    root = logging.getLogger()
    (handler,) = root.handlers
    print(root.level, handler.level, handler.formatter.datefmt, hasattr(handler, "log_sink"))
    print(logging.Formatter.converter.__name__)


def another_format(context: Any) -> None:
    handler = logging.getLogger().handlers[0]
    before = handler.formatter
    handler.setFormatter(logging.Formatter("%(levelname)s %(aws_request_id)s %(message)s"))
    log.error("no line end")
    log.error("with one\n")
    handler.setFormatter(before)


def another_level(context: Any) -> None:
    root = logging.getLogger()
    before = root.level
    root.setLevel("INFO")
    logging.info("now")
    log.setLevel("DEBUG")
    log.debug("of the logger")
    log.setLevel("NOTSET")
    root.setLevel(before)


def another_handler(context: Any) -> None:
    handler = logging.StreamHandler(sys.stdout)
    log.addHandler(handler)
    log.error("twice")
    log.removeHandler(handler)


def warned(context: Any) -> None:
    logging.captureWarnings(True)
    warnings.warn("be careful", stacklevel=1)
    logging.captureWarnings(False)


def a_name_for_a_level(context: Any) -> None:
    logging.addLevelName(5, "TRACE")
    log.setLevel(5)
    log.log(5, "traced")
    log.setLevel(0)


def no_handler(context: Any) -> None:
    root = logging.getLogger()
    (handler,) = root.handlers
    root.handlers.clear()
    log.error("without a handler")
    root.addHandler(handler)


RECORDS = {
    function.__name__: function
    for function in (
        *(levels, extra, errors, messages, printing, context_log, the_root, handlers),
        *(another_format, another_level, another_handler, warned, no_handler, a_name_for_a_level),
    )
}


def handler(event: str, context: object) -> None:
    if event == "exit":
        sys.exit(0)
    print(f"# {event}")
    RECORDS[event](context)
