"""Looks at a Python function's source for what would fail with the first call.

Environments are started by calls, as on Lambda, because the start of a function may have
effects: it connects, loads models, spends money. So its code is read here, and not run.
"""

from __future__ import annotations

import ast
import os
import sys
import warnings
from collections.abc import Iterator
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

from .functions import Function


def problem_of(function: Function) -> str | None:
    """Why the handler cannot be loaded, in a sentence, or None if the source does not tell.

    A name that the module may get in a way that cannot be read from its source is believed
    to be there. Of other runtimes than Python's nothing is known.
    """
    if function.execution_env is None:
        return None
    module, _, attribute = function.handler.rpartition(".")
    file = _file_of(module, function.folder)
    if file is None and _may_be_elsewhere(module, function):
        return None
    if file is None:
        folder = function.folder
        return f"there is no module {module} in {folder}, and none of this name is installed"
    try:
        source = file.read_bytes()
    except OSError:
        return None
    try:
        with warnings.catch_warnings():
            # What the compiler has to say otherwise, the function's own start will say.
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
            compile(tree, str(file), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as exc:
        line = f", line {exc.lineno}" if isinstance(exc, SyntaxError) and exc.lineno else ""
        text = exc.msg if isinstance(exc, SyntaxError) else exc
        return f"{file}{line}: {type(exc).__name__}: {text}"
    except (RecursionError, MemoryError):
        return None
    names = set(_names(tree))
    if _ANY in names:
        return None
    if attribute in names:
        return _no_function(attribute, tree, file)
    callables = [node.name for node in tree.body if isinstance(node, _FUNCTIONS)]
    found = f"; it defines {', '.join(callables)}" if callables else ""
    return f"{file} does not define {attribute}{found}"


def _no_function(attribute: str, tree: ast.Module, file: Path) -> str | None:
    """What the name stands for, if it is given one value only, which cannot be called."""
    if list(_names(tree)).count(attribute) > 1:
        return None
    for node in tree.body:
        if not isinstance(node, ast.Assign):
            continue
        if [each.id for each in node.targets if isinstance(each, ast.Name)] == [attribute]:
            kind = _kind_of(node.value)
            if kind is not None:
                return f"{file}, line {node.lineno}: {attribute} is no function, but of type {kind}"
    return None


def _kind_of(node: ast.expr) -> str | None:
    """The type of what is written out; None for everything that has to be run."""
    if isinstance(node, ast.Constant):
        return type(node.value).__name__
    return _DISPLAYS.get(type(node))


_DISPLAYS: dict[type[ast.expr], str] = {
    ast.Dict: "dict",
    ast.JoinedStr: "str",
    ast.List: "list",
    ast.Set: "set",
    ast.Tuple: "tuple",
}

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*_FUNCTIONS, ast.ClassDef)

#: Stands for names that only running the code would tell.
_ANY = "*"

# Calls by which names come that no statement shows; `__getattr__` answers for any.
_DYNAMIC = {"globals", "vars", "locals", "setattr", "exec", "eval", "__getattr__", "modules"}


def _names(tree: ast.Module) -> Iterator[str]:
    """The names that the module's own statements define."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield from node.names
        elif (isinstance(node, ast.Name) and node.id in _DYNAMIC) or (
            isinstance(node, ast.Attribute) and node.attr in _DYNAMIC
        ):
            yield _ANY
    remaining: list[ast.AST] = list(tree.body)
    while remaining:
        node = remaining.pop()
        if isinstance(node, _SCOPES):
            yield _ANY if node.name in _DYNAMIC else node.name
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest
        remaining.extend(ast.iter_child_nodes(node))


def _may_be_elsewhere(module: str, function: Function) -> bool:
    """Whether the function may find the module where this Python, or a setting, has it."""
    path = {**function.inherited, **function.environment}.get("PYTHONPATH")
    if function.command[:1] != (sys.executable,) or path != os.environ.get("PYTHONPATH"):
        return True
    first = module.partition(".")[0]
    if PathFinder.find_spec(first, [str(function.folder)]) is not None:
        return True  # a package can have its modules anywhere
    try:
        return find_spec(first) is not None
    except (ImportError, ValueError):
        return True


def _file_of(module: str, folder: Path) -> Path | None:
    """The module's file below the function's folder; None if it must be somewhere else."""
    path = folder.joinpath(*module.split("."))
    for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
        if file.is_file():
            return file
    return None
