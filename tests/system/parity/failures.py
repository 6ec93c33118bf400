"""What handlers raise, and what the platform and the log are told of it."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class Custom(Exception):
    pass


def nested() -> None:
    def inner() -> None:
        raise Custom("größe €")

    inner()


def chained() -> None:
    try:
        {}["key"]
    except KeyError as exc:
        raise ValueError("outer") from exc


def in_context() -> None:
    try:
        {}["key"]
    except KeyError:
        raise ValueError("outer")  # noqa: B904


def group() -> None:
    raise ExceptionGroup("many", [ValueError("a"), KeyError("b")])


def endless() -> None:
    return endless()


def no_python() -> None:
    compile("a b", "given.py", "exec")


def lines() -> None:
    raise ValueError("line 1\n  line 2\r\n\tline 3\n")


def noted() -> None:
    error = ValueError("with a note")
    error.add_note("the note")
    raise error


def in_coroutine() -> None:
    async def main() -> None:
        raise ValueError("in a coroutine")

    asyncio.run(main())


def in_thread() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(nested).result()


def in_text() -> None:
    eval("1 / 0")


def in_comprehension() -> None:
    [{}[key] for key in ("a",)]


def raised(error: BaseException) -> None:
    raise error


FAILURES: dict[str, Any] = {
    function.__name__: function
    for function in (
        *(nested, chained, in_context, group, endless, no_python, lines, noted, in_coroutine),
        *(in_thread, in_text, in_comprehension),
    )
} | {
    "a missing file": lambda: open("/nonexistent/file"),  # noqa: SIM115
    "half of a character": lambda: "\ud83d".encode(),
    "several arguments": lambda: raised(Custom("a", 2)),
    "no message": lambda: raised(Custom()),
    "an import": lambda: __import__("nowhere_to_be_found"),
    "a name with dots": lambda: raised(type("Odd.Name", (Exception,), {})("m")),
    "a name like a fault": lambda: raised(type("Runtime.Odd", (Exception,), {})("m")),
    "no name": lambda: raised(type("", (Exception,), {})("m")),
    "neither name nor message": lambda: raised(type("", (Exception,), {})()),
    "control characters": lambda: raised(ValueError("<b>&\x00\x7f\u2028")),
    "a long message": lambda: raised(ValueError("x" * 100_000)),
    "more than X-Ray takes": lambda: raised(ValueError("x" * 1_100_000)),
    "the end of an iterator": lambda: next(iter(())),
}


def handler(event: str, context: object) -> object:
    if event == "exit":
        sys.exit(0)
    return FAILURES[event]()
