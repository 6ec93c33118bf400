"""What --runtime-command, its folder and --handler stand for."""

from __future__ import annotations

import os

import pytest

from penstock.emulator.functions import function_from_target
from penstock.emulator.runtime_commands import function_from_command
from penstock.errors import EmulatorError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "my shop"
    folder.mkdir()
    for name, mode in (("bootstrap", 0o755), ("text", 0o644)):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(mode)
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_function_is_called_like_its_folder_and_its_handler_bootstrap(folder):
    function = function_from_command("./bootstrap --verbose 'two words'", "my shop")
    assert function.name == "my-shop"
    assert function.folder == folder
    assert function.handler == "bootstrap"
    assert function.command == ("./bootstrap", "--verbose", "two words")


def test_the_folder_is_this_one_unless_named(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert function_from_command("./bootstrap").folder == folder


def test_handler_and_name_can_be_chosen(folder):
    function = function_from_command("sh", folder, handler="index.handler", name="shop")
    assert (function.name, function.handler) == ("shop", "index.handler")


def test_there_is_no_execution_env_unless_it_is_set_for_the_function(folder, monkeypatch):
    monkeypatch.setenv("AWS_EXECUTION_ENV", "of the shell")
    function = function_from_command("sh", folder)
    assert "AWS_EXECUTION_ENV" not in function.variables("127.0.0.1:1", "stream")
    chosen = function_from_command("sh", folder, environment={"AWS_EXECUTION_ENV": "mine"})
    assert chosen.variables("127.0.0.1:1", "stream")["AWS_EXECUTION_ENV"] == "mine"


def test_the_path_of_the_function_counts(folder):
    environment = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    function = function_from_command("bootstrap", folder, environment=environment)
    assert function.command == ("bootstrap",)


@pytest.mark.parametrize(
    ("command", "folder_name", "message"),
    [
        ("", "my shop", "--runtime-command is empty; write a command, as in ./bootstrap"),
        ("sh 'a", "my shop", "cannot be split: No closing quotation"),
        ("nobody", "my shop", "there is no program nobody on the PATH"),
        ("bootstrap", "my shop", r"on the PATH; there is one in the folder: \./bootstrap"),
        ("./nobody", "my shop", "there is no file .*/my shop/nobody"),
        ("./text", "my shop", "text is not executable; chmod"),
        ("sh", "shop", r"the folder of the function, and shop is not there \(looked from /"),
        ("sh", "my shop/text", "my shop/text is a file"),
    ],
)
def test_what_cannot_be_started_is_said(command, folder_name, message, folder):
    with pytest.raises(EmulatorError, match=message):
        function_from_command(command, folder_name)


def test_a_wrapper_is_given_the_interpreter_and_a_program(folder):
    (folder / "app.py").write_text("def handler(event, context):\n    return 1\n")
    wrapped = {"AWS_LAMBDA_EXEC_WRAPPER": str(folder / "bootstrap")}
    function = function_from_target("my shop/app.py:handler", environment=wrapped)
    wrapper, interpreter, program = function.command
    assert wrapper == str(folder / "bootstrap")
    assert "python" in interpreter
    assert program.endswith("penstock/runtime/exec_wrapper.py")


@pytest.mark.parametrize(
    ("wrapper", "message"),
    [
        ("/nowhere/wrapper", "there is no file /nowhere/wrapper; on Lambda every call"),
        ("text", "which is not executable: chmod"),
    ],
)
def test_a_wrapper_that_cannot_be_started_is_said(wrapper, message, folder):
    (folder / "app.py").write_text("def handler(event, context):\n    return 1\n")
    with pytest.raises(EmulatorError, match=message):
        function_from_target(
            "my shop/app.py:handler", environment={"AWS_LAMBDA_EXEC_WRAPPER": wrapper}
        )
