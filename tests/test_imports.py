"""Who imports whom, and what travels into Lambda.

The arrows are those of the architecture: a module may import its own part, `errors`,
`messages`, the package itself, and what the table below says.
"""

from __future__ import annotations

import ast
import functools
import sys
from typing import NamedTuple

import pytest

from tests.package_modules import MODULES, NOT_IN_LAMBDA, PACKAGE, PARTS, named, part_of

EVERYBODY = {"errors", "messages", "penstock"}

# Part of the package -> the other parts it may import.
ARROWS = {
    "errors": set(),
    "messages": set(),
    "wire": set(),
    "transports": set(),
    "event_loop": set(),
    "event_sources": set(),
    "stream": {"wire"},
    "buffered": {"wire"},
    "handler": {"stream"},
    "joining": {"stream", "handler"},
    "heartbeats": set(),
    "event_streams": {"stream", "handler", "heartbeats"},
    "server_sent_events": set(),
    "event_handlers": {"stream", "handler", "event_streams", "server_sent_events"},
    "deadline": {"deadline_signal"},
    "deadline_signal": {"deadline"},
    "pipelines": {"stream"},
    "bridge": {
        "stream",
        "handler",
        "event_sources",
        "deadline",
        "event_handlers",
        "event_streams",
        "server_sent_events",
    },
    "mangum": {"bridge", "event_sources"},
    "runtime": {"stream", "wire", "transports"},
    "emulator": {"wire", "event_sources"},
    "testing": {"stream", "handler", "event_sources", "buffered"},
}

# The same between the folders of the emulator. What stands above them puts them together, or
# is what they share.
EMULATOR_ARROWS = {
    "http": set(),
    "environments": {"http"},
    "fronts": {"http", "environments"},
    "invoke": {"http", "environments", "lambda_api"},
    # Events go to destinations that the API's settings name, and calls by its names.
    "lambda_api": {"http", "invoke"},
}

# What may be imported inside a function only: what not every function of a user needs.
LAZY_ARROWS = {
    "bridge": {"buffered", "event_loop"},
    "handler": {"buffered", "deadline", "event_loop", "joining", "runtime.takeover"},
    "testing": {"emulator", "bridge.options"},
}


class Import(NamedTuple):
    """`name` is dotted and absolute, `is_lazy` says that it stands inside a function."""

    name: str
    is_lazy: bool
    line: int


@functools.cache
def imports_of(path, source=None):
    """Every import of a file, also those for type checkers."""
    package = ["penstock", *path.relative_to(PACKAGE).parts[:-1]]
    tree = ast.parse(path.read_text(encoding="utf-8") if source is None else source)
    found = []

    def visit(node, is_lazy):
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, is_lazy, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            # `from . import errors` imports a module, `from .errors import X` a name.
            found.extend(
                Import(f"{module}.{alias.name}", is_lazy, node.lineno) for alias in node.names
            )
        inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            visit(child, is_lazy or inside)

    visit(tree, False)
    return found


def part_that_is_imported(name):
    """The part that a dotted name is in; None for what is not ours."""
    first, *rest = name.split(".")
    if first != "penstock":
        return None
    return rest[0] if rest and rest[0] in PARTS else "penstock"


def is_lazy_arrow(part, found):
    return found.is_lazy and any(
        f"{found.name}.".startswith(f"penstock.{target}.") for target in LAZY_ARROWS.get(part, ())
    )


def wrong_arrows(path, source=None):
    """What a file imports that it may not."""
    part = part_of(path)
    allowed = EVERYBODY | ARROWS[part] | {part}
    return [
        f"{part} imports {imported} in line {found.line}"
        for found in imports_of(path, source)
        if (imported := part_that_is_imported(found.name)) is not None
        and imported not in allowed
        and not is_lazy_arrow(part, found)
    ]


def test_every_folder_of_the_emulator_has_its_arrows():
    folders = {path.parent.name for path in PACKAGE.glob("emulator/*/__init__.py")}
    assert folders == set(EMULATOR_ARROWS)


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("emulator/*/*.py")), ids=named)
def test_the_arrows_inside_the_emulator(path):
    folder = path.parent.name
    imported = {
        parts[2]
        for found in imports_of(path)
        if len(parts := found.name.split(".")) > 2 and parts[:2] == ["penstock", "emulator"]
    }
    assert imported & set(EMULATOR_ARROWS) <= EMULATOR_ARROWS[folder] | {folder}


def test_every_part_has_its_arrows():
    assert PARTS - {"penstock", "cli"} == set(ARROWS)


@pytest.mark.parametrize(
    "path", [path for path in MODULES if part_of(path) not in ("penstock", "cli")], ids=named
)
def test_a_module_imports_only_where_an_arrow_goes(path):
    assert wrong_arrows(path) == []


@pytest.mark.parametrize("path", [p for p in MODULES if part_of(p) != "cli"], ids=named)
def test_nothing_imports_the_command_line(path):
    assert "cli" not in [part_that_is_imported(found.name) for found in imports_of(path)]


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("wire/chunked.py", "from ..stream import x", ["wire imports stream in line 1"]),
        ("wire/chunked.py", "from .trailers import x\nfrom ..errors import y", []),
        ("wire/chunked.py", "import penstock.runtime.loop", ["wire imports runtime in line 1"]),
        ("runtime/loop.py", "from .. import __version__, stream", []),
        ("runtime/loop.py", "from .. import emulator", ["runtime imports emulator in line 1"]),
        ("handler.py", "from .buffered import x", ["handler imports buffered in line 1"]),
        ("handler.py", "def f():\n    from .buffered import x", []),
        ("handler.py", "def f():\n    from .runtime.takeover import x", []),
        (
            "handler.py",
            "async def f():\n    from .runtime.loop import x",
            ["handler imports runtime in line 2"],
        ),
        ("emulator/fronts/function_url.py", "from ...event_sources import x", []),
        ("emulator/fronts/function_url.py", "from ..relay import x", []),
        (
            "emulator/fronts/function_url.py",
            "if TYPE_CHECKING:\n    from ...handler import x",
            ["emulator imports handler in line 2"],
        ),
    ],
)
def test_a_wrong_arrow_would_be_noticed(module, source, wrong):
    assert wrong_arrows(PACKAGE / module, source) == wrong


@pytest.mark.parametrize(
    "path", [path for path in MODULES if part_of(path) not in NOT_IN_LAMBDA], ids=named
)
def test_what_runs_in_lambda_needs_the_standard_library_only(path):
    needed = {found.name.partition(".")[0] for found in imports_of(path)}

    assert needed - sys.stdlib_module_names - {"penstock"} == set()
