"""A program that could not be started: what the caller is told, and what there is to mend."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ..functions import Function
from ..relay import Outcome
from .extensions import failure

# How much of a file tells what it is: the kernel reads no more of a `#!` line.
_START = 256

_ELF = b"\x7fELF"
_OTHER_SYSTEMS = (b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
_OTHER_LOADER = (
    "the loader that it was linked for is not here (musl and glibc have different ones): build it "
    "for this system, or link it statically"
)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def invalid_entrypoint(function: Function, number: int, request_id: str) -> Outcome:
    """What an invocation comes to when the function's program could not be started.

    `number` is the kernel's error. The words are AWS's, paths included: those without any
    bootstrap as quoted in aws-lambda-dotnet#1671, the others as in aws-lambda-go#554 (format),
    aws-lambda-layer-kubectl#39 (not found) and aws-lambda-dart-runtime#20 (permission).
    """
    path = function.folder / function.command[0]
    # Unlike `Path.is_file` it is False, too, where one may not look.
    if path == function.folder / "bootstrap" and not os.path.isfile(path):
        reason = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
    else:
        reason = f"fork/exec {_on_lambda(function)}: {os.strerror(number).lower()}"
    return failure("Runtime.InvalidEntrypoint", request_id, reason)


def _on_lambda(function: Function) -> str:
    """Where the function's program is on Lambda."""
    folder, program = function.folder, function.command[0]
    if "/" not in program:
        return program
    path = folder / program
    if path.is_relative_to(folder):
        return f"/var/task/{path.relative_to(folder)}"
    # Code that came through the API has its layers beside it.
    opt = folder.parent.parent / "opt"
    if folder.parts[-2:] == ("var", "task") and path.is_relative_to(opt):
        return f"/opt/{path.relative_to(opt)}"
    return program


def why_not_started(program: str, folder: Path, number: int) -> str:
    """A line for the log: the kernel's error, and what of the file there is to mend.

    `program` is found from `folder` if there is a slash in it.
    """
    path = folder / program
    said = f"cannot start {path if '/' in program else program}: {os.strerror(number)}"
    advice = _advice(path, number) if "/" in program else ""
    return f"{said}; {advice}\n" if advice else f"{said}\n"


def _advice(path: Path, number: int) -> str:
    if not os.path.exists(path):
        if number == errno.EACCES:
            return "a folder on the way to it may not be entered: chmod +x that"
        return "it is a link to what is not there" if os.path.islink(path) else ""
    if path.is_dir():
        return "it is a folder"
    if number == errno.EACCES and not os.access(path, os.X_OK):
        return "it is not executable: chmod +x it, and pack it so that its mode is kept"
    try:
        with path.open("rb") as file:
            start = file.read(_START)
    except OSError as exc:
        return f"it cannot be read either: {exc.strerror}"
    if start.startswith(b"#!"):
        return _advice_for_script(start, number)
    if number == errno.ENOENT and start.startswith(_ELF):
        return _OTHER_LOADER
    if number == errno.ENOEXEC:
        return _advice_for_format(start)
    return ""


def _advice_for_script(start: bytes, number: int) -> str:
    line = start[2:].partition(b"\n")[0]
    interpreter = line.strip(b" \t").partition(b" ")[0].decode("utf-8", "replace")
    if line.endswith(b"\r"):
        return (
            "its lines end in CRLF, and the carriage return counts as part of the interpreter's "
            "name: save it with LF (dos2unix)"
        )
    if number == errno.ENOENT:
        is_there = os.path.exists(interpreter)
        why = _OTHER_LOADER if is_there else "it is not there"
        return f"its first line names {interpreter}: {why}"
    if number == errno.EACCES:
        return f"its first line names {interpreter}, which may not be executed"
    return ""


def _advice_for_format(start: bytes) -> str:
    if start.startswith(_ELF):
        return f"it was built for another processor than this machine's, {os.uname().machine}"
    if start.startswith(_OTHER_SYSTEMS):
        return "it was built for another system than Linux"
    if start.startswith(_BYTE_ORDER_MARK):
        return "it begins with a byte order mark, and #! must come first: save it without"
    if not start:
        return "it is empty"
    return "it is neither a program nor a script that begins with #!, as in #!/bin/sh"
