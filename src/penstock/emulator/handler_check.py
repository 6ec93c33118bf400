"""Looks at a Python function's source for what would fail with the first call.

Environments are started by calls, as on Lambda, because the start of a function may have
effects: it connects, loads models, spends money. So its code is read here, and not run.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
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
    if file is None:
        return None
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
    if attribute in names or _ANY in names:
        return None
    callables = [node.name for node in tree.body if isinstance(node, _FUNCTIONS)]
    found = f"; it defines {', '.join(callables)}" if callables else ""
    return f"{file} does not define {attribute}{found}"


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


def _file_of(module: str, folder: Path) -> Path | None:
    """The module's file below the function's folder; None if it must be somewhere else."""
    path = folder.joinpath(*module.split("."))
    for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
        if file.is_file():
            return file
    return None
