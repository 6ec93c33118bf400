"""The tree of errors, as its module draws it."""

from __future__ import annotations

import ast
import re

import pytest

from penstock import errors
from tests.package_modules import MODULES, NOT_IN_LAMBDA, named, part_of


def tree_that_is_drawn():
    """Name -> name of the parent, as the docstring of `errors` draws it."""
    parents = {"PenstockError": "Exception"}
    above = ["PenstockError"]
    for line in errors.__doc__.splitlines():
        branch = re.match(r"    ([│ ]   )*[├└]── (\w+)", line)
        if branch:
            depth = line.index("── ") // 4
            above[depth:] = [branch[2]]
            parents[branch[2]] = above[depth - 1]
    return parents


def test_the_tree_of_errors_is_drawn_as_it_is():
    defined = {
        name: value.__bases__[0].__name__
        for name, value in vars(errors).items()
        if isinstance(value, type)
    }

    assert tree_that_is_drawn() == defined


@pytest.mark.parametrize(
    "path", [path for path in MODULES if part_of(path) not in NOT_IN_LAMBDA], ids=named
)
def test_every_error_of_what_runs_in_lambda_is_in_the_tree(path):
    classes = [
        node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)
    ]

    assert {node.name for node in classes if node.name.endswith("Error")} <= set(
        tree_that_is_drawn()
    )
