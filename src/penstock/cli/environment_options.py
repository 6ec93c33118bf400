"""The options of `penstock dev` that say how an environment lives."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..emulator.functions import Function
    from ..emulator.platform_events import PlatformEvent


def add_options(parser: argparse._ArgumentGroup) -> None:
    """Add them to the command's parser."""
    add = parser.add_argument
    add(
        "--max-concurrency",
        type=int,
        metavar="N",
        help="give each environment up to N invocations at once, as Lambda Managed Instances do",
    )
    add(
        "--reserved-concurrency",
        type=int,
        metavar="N",
        help="how many invocations of the function may run at once; beyond it calls get 429",
    )
    add(
        "--account-concurrency",
        type=int,
        default=1000,
        metavar="N",
        help="how many invocations of all functions may run at once (default 1000)",
    )
    add(
        "--extensions",
        metavar="FOLDER",
        help="start the programs in FOLDER as external extensions, as from /opt/extensions",
    )
    add(
        "--freeze",
        action="store_true",
        help="stop an environment's processes between invocations, as Lambda does",
    )
    add(
        "--snap-start",
        action="store_true",
        help="start an environment ahead of the first call, and restore it as SnapStart does",
    )
    add(
        "--memory",
        type=int,
        metavar="MB",
        help="what the function has of memory (default 128); the log tells when it uses more",
    )
    add(
        "--enforce-memory",
        action="store_true",
        help="kill what uses more memory than it has, as Lambda does",
    )
    add(
        "--events",
        metavar="FILE",
        help="append everything that happens to FILE, as lines of JSON (-: standard error)",
    )


def event_writer(name: str | None) -> Callable[[PlatformEvent], None] | None:
    """What writes events to the file that `--events` names, if it does.

    Raises:
        EmulatorError: it cannot be written.
    """
    if name is None:
        return None
    try:
        # Open until the process ends: so are the environments whose events it takes.
        file = sys.stderr if name == "-" else open(name, "a", encoding="utf-8")  # noqa: SIM115
    except OSError as exc:
        raise EmulatorError(f"--events cannot write {name}: {exc.strerror}") from exc
    lock = threading.Lock()

    def write(event: PlatformEvent) -> None:
        with lock, contextlib.suppress(OSError, ValueError):  # nobody reads it any more
            file.write(event.line())
            file.flush()

    return write


def with_options(function: Function, options: argparse.Namespace) -> Function:
    """The function with what the options say of its environments.

    Raises:
        EmulatorError: a value cannot be used.
    """
    if options.max_concurrency is not None and options.max_concurrency < 1:
        raise EmulatorError(f"--max-concurrency must be at least 1, not {options.max_concurrency}")
    reserved = options.reserved_concurrency
    if reserved is not None and reserved < 0:
        raise EmulatorError(f"--reserved-concurrency cannot be below 0, and is {reserved}")
    memory = 128 if options.memory is None else options.memory
    if not 128 <= memory <= 10_240:
        raise EmulatorError(f"--memory is 128 to 10240 MB, not {memory}")
    folder = Path(options.extensions).resolve() if options.extensions is not None else None
    if folder is not None and not folder.is_dir():
        raise EmulatorError(f"--extensions: there is no folder {folder}")
    if folder is not None and not any(map(_is_program, folder.iterdir())):
        raise EmulatorError(
            f"--extensions: nothing in {folder} is an executable file; chmod +x what is to start"
        )
    return dataclasses.replace(
        function,
        max_concurrency=options.max_concurrency,
        reserved_concurrency=options.reserved_concurrency,
        extensions_folder=folder,
        freezes=options.freeze,
        snap_start=options.snap_start,
        memory=memory,
        enforces_memory=options.enforce_memory,
    )


def concurrency_in_effect(options: argparse.Namespace, function: Function | None) -> str | None:
    """How many invocations at once an environment of the function has, and who says so.

    None if it is one, and nobody would think of another number.
    """
    from ..emulator.functions import MAX_CONCURRENCY

    if function is None:
        return None
    given = function.environment.get(MAX_CONCURRENCY)
    if options.max_concurrency is None and given is not None:
        return f"{function.max_concurrency} (from --env {MAX_CONCURRENCY})"
    if given is not None and int(given) != options.max_concurrency:
        return f"{options.max_concurrency} (and not --env {MAX_CONCURRENCY}={given})"
    if options.max_concurrency is None and function.inherited.get(MAX_CONCURRENCY):
        return f"1 (the shell's {MAX_CONCURRENCY} is for --env to hand on)"
    return None if options.max_concurrency is None else str(options.max_concurrency)


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
