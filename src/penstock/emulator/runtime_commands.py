"""A function that runs on any client of the Runtime API, named by the command that starts it."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from ..errors import EmulatorError
from .functions import Function, local_function, name_like

#: What `_HANDLER` is without --handler: the name that OS-only runtimes are given most.
HANDLER_DEFAULT = "bootstrap"


def function_from_command(
    command: str,
    folder: str | Path = ".",
    *,
    handler: str | None = None,
    name: str | None = None,
    timeout: float = 60,
    max_environments: int = 10,
    environment: Mapping[str, str] | None = None,
) -> Function:
    """The function in `folder` whose runtime client `command` starts there.

    The command is split into words as a shell does it, but no shell runs it. Its program is
    looked for from `folder` if it has a slash, else on the PATH. `handler` is for the runtime
    to understand. The function is called like the folder unless `name` says otherwise; it
    inherits this process's environment, with `environment` on top, and has, like OS-only
    runtimes, no `AWS_EXECUTION_ENV`.

    Raises:
        EmulatorError: the command, the folder or an option cannot be used.
    """
    root = Path(folder).resolve()
    if not root.is_dir():
        what = "a file" if root.exists() else "not there"
        raise EmulatorError(
            f"with --runtime-command the target is the folder of the function, and {folder} is "
            f"{what} (looked from {Path.cwd()}); what the runtime is to load is --handler"
        )
    words = _words(command)
    variables = {**os.environ, **(environment or {})}
    _check_program(words[0], root, variables.get("PATH"))
    return local_function(
        (name_like(root.name) or "function") if name is None else name,
        handler or HANDLER_DEFAULT,
        root,
        words,
        timeout=timeout,
        max_environments=max_environments,
        environment=environment,
        execution_env=None,
    )


def _words(command: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(command))
    except ValueError as exc:
        raise EmulatorError(f"--runtime-command {command!r} cannot be split: {exc}") from exc
    if not words:
        raise EmulatorError("--runtime-command is empty; write a command, as in ./bootstrap")
    return words


def _check_program(program: str, folder: Path, path: str | None) -> None:
    """Refuse a program that cannot be started: each call would fail, and less clearly."""
    if "/" not in program:
        if shutil.which(program, path=path) is None:
            here = (
                f"; there is one in the folder: ./{program}" if (folder / program).exists() else ""
            )
            raise EmulatorError(
                f"--runtime-command: there is no program {program} on the PATH{here}"
            )
        return
    file = folder / program
    if not file.is_file():
        raise EmulatorError(f"--runtime-command: there is no file {file}")
    if not os.access(file, os.X_OK):
        raise EmulatorError(f"--runtime-command: {file} is not executable; chmod +x it")
