"""The order in which folders are searched. What Lambda does: tests/system/test_exec_wrapper.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from penstock.runtime.code_paths import set_code_paths
from tests.lambda_files import SITE_PACKAGES, LambdaFiles

PYTHON = ["/usr/lib/python3.zip", "/usr/lib/python3", "/usr/lib/python3/site-packages"]


@pytest.fixture
def search(monkeypatch):
    """What `sys.path` becomes when it is `before`."""

    def search(environ: dict[str, str], before: list[str]) -> list[str]:
        monkeypatch.setattr(sys, "path", list(before))
        set_code_paths(environ)
        return sys.path

    return search


@pytest.fixture
def files(tmp_path: Path) -> LambdaFiles:
    files = LambdaFiles(tmp_path)
    (files.opt / "python" / SITE_PACKAGES).mkdir(parents=True)
    return files


def layers(files: LambdaFiles) -> list[str]:
    return [str(files.opt / "python" / SITE_PACKAGES), str(files.opt / "python")]


def image(files: LambdaFiles) -> list[str]:
    return [str(files.lang), str(files.runtime)]


def test_without_a_task_root_nothing_changes(search):
    for environ in ({}, {"LAMBDA_TASK_ROOT": ""}, {"PYTHONPATH": "/usr/lib/python3"}):
        before = dict(environ)
        assert search(environ, ["/here", *PYTHON]) == ["/here", *PYTHON]
        assert environ == before


def test_a_task_root_comes_first_wherever_it_was(search, tmp_path):
    code = str(tmp_path)
    for before in (PYTHON, [code, *PYTHON], [*PYTHON, code]):
        assert search({"LAMBDA_TASK_ROOT": f"{code}/"}, before) == [code, *PYTHON]


def test_no_layers_are_looked_for_where_the_task_root_has_another_name(search, files):
    other = files.root / "var" / "code"
    other.mkdir()
    environ = {"LAMBDA_TASK_ROOT": str(other)}
    assert search(environ, PYTHON) == [str(other), *PYTHON]
    assert "PYTHONPATH" not in environ


def test_layers_and_the_image_come_between_the_function_and_python(search, files):
    environ = {"LAMBDA_TASK_ROOT": str(files.task)}
    assert search(environ, ["/here", *PYTHON, str(files.lang)]) == [
        str(files.task),
        *layers(files),
        *image(files),
        "/here",
        *PYTHON,
    ]
    assert environ["PYTHONPATH"] == str(files.runtime)


def test_folders_that_are_not_there_are_left_out(search, tmp_path):
    task = tmp_path / "var/task"
    task.mkdir(parents=True)
    environ = {"LAMBDA_TASK_ROOT": str(task)}
    assert search(environ, PYTHON) == [str(task), *PYTHON]
    assert "PYTHONPATH" not in environ


def test_folders_of_pythonpath_come_after_the_function_in_their_own_order(search, files):
    named = ["/named", str(files.opt / "python"), "/named/too"]
    environ = {"LAMBDA_TASK_ROOT": str(files.task), "PYTHONPATH": ":".join(named)}
    assert search(environ, [*named, *PYTHON]) == [
        str(files.task),
        *named,
        layers(files)[0],
        *image(files),
        *PYTHON,
    ]
    assert environ["PYTHONPATH"] == ":".join(named)


def test_what_python_has_not_taken_from_pythonpath_is_not_added(search, files):
    """It has not with -E and -I."""
    environ = {"LAMBDA_TASK_ROOT": str(files.task), "PYTHONPATH": "/named"}
    assert "/named" not in search(environ, PYTHON)


def test_the_image_comes_last_also_where_pythonpath_names_it(search, files):
    environ = {
        "LAMBDA_TASK_ROOT": str(files.task),
        "PYTHONPATH": f"{files.runtime}:/named",
    }
    assert search(environ, [str(files.runtime), "/named", *PYTHON]) == [
        str(files.task),
        "/named",
        *layers(files),
        *image(files),
        *PYTHON,
    ]


def test_a_relative_name_in_pythonpath_is_known_again(search, files, monkeypatch):
    """Python has made it absolute."""
    monkeypatch.chdir(files.task)
    environ = {"LAMBDA_TASK_ROOT": str(files.task), "PYTHONPATH": "lib"}
    found = search(environ, [*PYTHON, str(files.task / "lib")])
    assert found[:2] == [str(files.task), str(files.task / "lib")]


def test_pth_files_add_folders_at_the_end(search, files):
    for place in (files.task, files.opt / "python"):
        (place / "more").mkdir()
        (place / "more.pth").write_text("more\n")
    found = search({"LAMBDA_TASK_ROOT": str(files.task)}, PYTHON)
    assert found[-2:] == [str(files.task / "more"), str(files.opt / "python" / "more")]
