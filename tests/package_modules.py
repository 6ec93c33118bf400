"""The modules of the package, and the parts that they belong to."""

from __future__ import annotations

from pathlib import Path

import penstock

PACKAGE = Path(penstock.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# What never runs in Lambda and may have dependencies.
NOT_IN_LAMBDA = {"emulator", "cli", "testing"}


def part_of(path):
    """The part of the package that a file belongs to: its folder, or itself."""
    first = path.relative_to(PACKAGE).parts[0]
    return "penstock" if first == "__init__.py" else first.removesuffix(".py")


PARTS = {part_of(path) for path in MODULES}


def named(path):
    return str(path.relative_to(PACKAGE))
