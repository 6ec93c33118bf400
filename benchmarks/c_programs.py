"""Compiles the benchmark's programs in C."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path


class DoesNotCompile(Exception):
    """The compiler refused; it has said why on standard error."""


def compiler() -> str | None:
    """The C compiler's path, None if there is none."""
    return shutil.which("cc")


def build(sources: Sequence[Path | str], program: Path) -> Path:
    """Compile `sources` into `program`. Raises DoesNotCompile."""
    command = ["cc", "-O2", "-Wall", "-Wextra", "-o", str(program), *map(str, sources)]
    try:
        subprocess.run(command, check=True)
    except subprocess.CalledProcessError as exc:
        raise DoesNotCompile(f"{program.name} does not compile: {exc}") from exc
    return program
