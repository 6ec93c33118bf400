"""The names that the package has for its users, and what they load."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

import penstock


def python(program):
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("name", penstock.__all__)
def test_every_public_name_can_be_imported_on_its_own(name):
    assert python(f"from penstock import {name}; print({name} is not None)") == "True\n"


def test_all_public_names_can_be_imported_at_once():
    program = "from penstock import *; print(sorted(set(dir()) - set(dir(__builtins__))))"
    expected = {name for name in penstock.__all__ if not name.startswith("__")}

    assert expected <= set(ast.literal_eval(python(program)))


def test_the_public_names_are_these():
    assert penstock.__all__ == [
        "AsyncResponseStream",
        "HttpResponseStream",
        "Prelude",
        "ResponseStream",
        "ServerSentEvent",
        "__version__",
        "adapt",
        "errors",
        "pipeline",
        "sse",
        "streamify_response",
    ]
    assert dir(penstock) == sorted(penstock.__all__)


def test_a_public_name_is_the_one_of_its_module():
    from penstock import handler, messages, pipelines, stream

    assert penstock.streamify_response is handler.streamify_response
    assert penstock.pipeline is pipelines.pipeline
    assert penstock.Prelude is messages.Prelude
    assert penstock.ResponseStream is stream.ResponseStream
    assert penstock.AsyncResponseStream is stream.AsyncResponseStream
    assert penstock.HttpResponseStream is stream.HttpResponseStream


def test_the_package_alone_loads_nothing():
    program = """
import sys
before = set(sys.modules)
import penstock
print(sorted(set(sys.modules) - before))
"""

    assert python(program) == "['__future__', 'penstock']\n"


def test_errors_and_testing_are_there_when_they_are_asked_for():
    program = """
import penstock
print(issubclass(penstock.errors.PreludeError, ValueError), callable(penstock.testing.run))
"""

    assert python(program) == "True True\n"


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError) as caught:
        penstock.no_such_name  # noqa: B018 - it fails

    assert str(caught.value) == "module 'penstock' has no attribute 'no_such_name'"
