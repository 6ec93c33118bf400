"""What a TARGET on the command line names."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from penstock.emulator.emulator import Emulator
from penstock.emulator.functions import function_from_target
from penstock.errors import EmulatorError

SOURCE = "def handler(event, context):\n    return __name__\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "shop").mkdir()
    for file in ("shop/__init__.py", "shop/pages.py", "app.py", "my-app.py"):
        (tmp_path / file).write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("target", "name", "handler", "below"),
    [
        ("app:handler", "app", "app.handler", "."),
        ("app.py:handler", "app", "app.handler", "."),
        ("shop.pages:handler", "pages", "shop.pages.handler", "."),
        ("shop/pages.py:handler", "pages", "pages.handler", "shop"),
        ("my-app.py:handler", "my-app", "my-app.handler", "."),
    ],
)
def test_a_target_names_a_function_that_runs(target, name, handler, below, project):
    function = function_from_target(target)
    assert (function.name, function.handler) == (name, handler)
    assert function.folder == (project / below).resolve()
    with Emulator(function, host="127.0.0.1", write_log=lambda text: None) as emulator:
        answer = httpx.get(f"http://127.0.0.1:{emulator.port}")
    assert answer.json() == handler.removesuffix(".handler")


def test_lambda_s_variables_win_over_the_shell_s_and_the_command_line_s_over_both(
    project, monkeypatch
):
    monkeypatch.setenv("FROM_THE_SHELL", "yes")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "of the shell")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    (project / "app.py").write_text(
        "import os\n\ndef handler(event, context):\n    return dict(os.environ)\n"
    )
    function = function_from_target("app.py:handler", environment={"LANG": "C"})
    with Emulator(function, host="127.0.0.1", write_log=lambda text: None) as emulator:
        variables = httpx.get(f"http://127.0.0.1:{emulator.port}").json()
    assert variables["FROM_THE_SHELL"] == "yes"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "app"
    assert variables["AWS_REGION"] == "eu-west-1"
    assert variables["LANG"] == "C"


def test_a_variable_says_how_many_invocations_there_are_at_once(project):
    function = function_from_target(
        "app.py:handler", environment={"AWS_LAMBDA_MAX_CONCURRENCY": "04"}
    )
    assert function.max_concurrency == 4
    assert function.variables("", "")["AWS_LAMBDA_MAX_CONCURRENCY"] == "4"
    other = replace(function, max_concurrency=2)
    assert other.max_concurrency == 2
    assert other.variables("", "")["AWS_LAMBDA_MAX_CONCURRENCY"] == "2"


@pytest.mark.parametrize("value", ["", "0", "-1", "4.0", " 4", "many", "\u0664", "9" * 5000])
def test_how_many_at_once_is_a_number(project, value):
    with pytest.raises(EmulatorError, match="AWS_LAMBDA_MAX_CONCURRENCY is a number of invocat"):
        function_from_target("app.py:handler", environment={"AWS_LAMBDA_MAX_CONCURRENCY": value})


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("app.py", "as in app.py:handler"),
        ("nowhere.py:handler", "there is no file nowhere.py"),
        ("my.app.py:handler", "there is no file my.app.py"),
        ("..:handler", "names no handler"),
        ("app:1", "names no handler"),
    ],
)
def test_what_names_none_is_said(target, message, project):
    with pytest.raises(EmulatorError, match=message):
        function_from_target(target)
