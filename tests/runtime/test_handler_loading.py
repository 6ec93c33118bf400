"""From `module.handler` to the function, with AWS's names for everything that can fail."""

from __future__ import annotations

import sys

import pytest

from penstock.errors import HandlerLoadError
from penstock.runtime.handler_loading import load_handler


@pytest.fixture
def task(tmp_path, monkeypatch):
    """The folder of the function's code, found first and forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    ours = {path.stem for path in tmp_path.iterdir()}
    for name in list(sys.modules):
        if name.partition(".")[0] in ours:
            del sys.modules[name]


def failure_of(name):
    with pytest.raises(HandlerLoadError) as caught:
        load_handler(name)
    return caught.value


def test_a_handler_is_a_function_of_a_module(task):
    (task / "loaded_app.py").write_text("def handler(event, context): return event")

    assert load_handler("loaded_app.handler")("event", None) == "event"


@pytest.mark.parametrize("name", ["loaded/inner/app.handler", "loaded.inner.app.handler"])
def test_a_module_may_be_in_folders(task, name):
    (task / "loaded" / "inner").mkdir(parents=True)
    (task / "loaded" / "inner" / "app.py").write_text("def handler(event, context): return 'in'")

    assert load_handler(name)(None, None) == "in"


def test_a_module_is_executed_once(task):
    (task / "loaded_once.py").write_text("import sys; sys.path.append('x')\ndef f(): pass")
    before = sys.path.count("x")

    assert load_handler("loaded_once.f") is load_handler("loaded_once.f")
    assert sys.path.count("x") == before + 1
    sys.path.remove("x")


@pytest.mark.parametrize("name", ["", "handler"])
def test_a_name_without_a_module_is_malformed(name):
    error = failure_of(name)

    assert error.error_type == "Runtime.MalformedHandlerName"
    assert str(error) == (f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)")
    assert error.stack_trace is None


@pytest.mark.parametrize("module", ["sys", "time", "sys.anything"])
def test_a_module_of_the_interpreter_is_a_conflict(module):
    error = failure_of(f"{module}.handler")

    assert error.error_type == "Runtime.BuiltInModuleConflict"
    assert str(error) == f"Cannot use built-in module {module} as a handler module"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "nowhere_app.handler",
            "Unable to import module 'nowhere_app': No module named 'nowhere_app'",
        ),
        (
            "nowhere/app.handler",
            "Unable to import module 'nowhere/app': No module named 'nowhere'",
        ),
    ],
)
def test_a_module_that_is_not_there_is_an_import_error(name, message):
    error = failure_of(name)

    assert error.error_type == "Runtime.ImportModuleError"
    assert str(error) == message
    assert isinstance(error.__cause__, ModuleNotFoundError)


def test_a_module_that_imports_what_is_not_there_is_an_import_error(task):
    (task / "needs_more.py").write_text("from json import no_such_name")

    error = failure_of("needs_more.handler")

    assert error.error_type == "Runtime.ImportModuleError"
    assert str(error).startswith(
        "Unable to import module 'needs_more': cannot import name 'no_such_name' from 'json'"
    )


def test_a_module_that_is_no_python_is_a_syntax_error_with_its_line(task):
    (task / "no_python.py").write_text("import os\ndef handler(event, context)\n    pass\n")

    error = failure_of("no_python.handler")

    assert error.error_type == "Runtime.UserCodeSyntaxError"
    assert str(error) == "Syntax error in module 'no_python': expected ':' (no_python.py, line 2)"
    assert error.stack_trace == [
        f'  File "{task / "no_python.py"}" Line 2\n    def handler(event, context)\n'
    ]


def test_a_function_that_is_not_there_is_not_found(task):
    (task / "other_app.py").write_text("def other(event, context): pass")

    error = failure_of("other_app.handler")

    assert error.error_type == "Runtime.HandlerNotFound"
    assert str(error) == "Handler 'handler' missing on module 'other_app'"
    assert error.stack_trace is None


@pytest.mark.parametrize(
    ("source", "expected"),
    [("1 / 0", ZeroDivisionError), ("import sys; sys.exit(3)", SystemExit)],
)
def test_what_the_module_raises_is_raised_as_it_is(task, source, expected):
    (task / "failing_app.py").write_text(source)

    with pytest.raises(expected):
        load_handler("failing_app.handler")
