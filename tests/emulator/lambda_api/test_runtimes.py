"""Which Python, and which Node.js, runs a function that was made through the API."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

from penstock.emulator.lambda_api import runtimes


def test_a_python_that_is_not_installed_is_replaced_with_one_warning(aws, monkeypatch):
    monkeypatch.setattr(runtimes, "find_python", lambda version: None)
    source = "import sys\ndef handler(event, context): return sys.version_info[:2]"
    for name in ("one", "two"):
        aws.create(name, Runtime="python3.14", files={"app.py": source})
        assert aws.invoke(name) == list(sys.version_info[:2])
    assert aws.log.count("Python 3.14 is not installed here: functions of python3.14 run on") == 1


def test_a_python_that_is_too_old_for_penstock_is_replaced_too(aws):
    aws.create(Runtime="python3.9")
    assert aws.invoke() == {"version": "$LATEST"}
    assert "Python 3.9 is too old for Penstock here" in aws.log


def test_node_needs_the_client_of_aws(aws, monkeypatch):
    monkeypatch.setenv("NODE_PATH", "/nowhere")
    aws.create(Runtime="nodejs22.x", files={"index.mjs": ""})
    configuration = aws.client.get_function_configuration(FunctionName="app")
    assert configuration["State"] == "Failed"
    assert "AWS's client aws-lambda-ric is not there" in configuration["StateReason"]


def test_node_is_asked_for_its_version_once(aws, tmp_path, monkeypatch):
    programs = {
        "node": f"#!/bin/sh\necho asked >> {tmp_path}/asked\necho 1.2.3\n",
        "modules/aws-lambda-ric/index.mjs": "",
    }
    for name, text in programs.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("NODE_PATH", str(tmp_path / "modules"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for name in ("app", "other"):
        aws.create(name, Runtime="nodejs22.x", Publish=True)
    assert aws.log.count("Node.js 22 is not the one here: functions of nodejs22.x run on") == 1
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_a_python_is_found_by_its_version_and_not_by_its_name(tmp_path, monkeypatch):
    def put(path, says):
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\necho {says}\n")
        path.chmod(0o755)
        return str(path)

    put(tmp_path / "shims/python3.77", "3.77")
    put(tmp_path / "wrong/python3.77", "3.7")
    monkeypatch.setenv("PATH", f"{tmp_path}/shims:{tmp_path}/wrong:/usr/bin:/bin")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    assert runtimes.find_python("3.77") is None
    right = put(tmp_path / "pyenv/versions/3.77.1/bin/python3.77", "3.77")
    assert runtimes.find_python("3.77") == right
    assert runtimes.find_python("{}.{}".format(*sys.version_info)) == runtimes.own_python()


LOOKS_AROUND = """
import os, shutil, subprocess, sys

TRY = "import sys, importlib.util as u; print(sys.executable, u.find_spec('only_there'))"

def look(python):
    return subprocess.run([python, "-c", TRY], capture_output=True, text=True).stdout

def handler(event, context):
    return {
        "executable": sys.executable,
        "prefix": sys.prefix,
        "found": shutil.which("only-there"),
        "children": [look(sys.executable), look("python3")],
    }
"""


def in_virtual_environment(folder: Path) -> Path:
    """A virtual environment with a command and a module that nobody else has; its Python."""
    venv.create(folder, symlinks=True)
    command = folder / "bin/only-there"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    (site_packages / "only_there.py").write_text("")
    return folder / "bin/python"


@pytest.mark.parametrize("runtime", ["this", "python3.9"])
def test_nothing_of_the_emulators_virtual_environment_is_seen(
    runtime, start, tmp_path, monkeypatch
):
    version = "{}.{}".format(*sys.version_info)
    python = in_virtual_environment(tmp_path / "venv")
    looked = subprocess.run(
        [python, "-c", "import only_there, sys; print(sys._base_executable)"],
        capture_output=True,
        text=True,
        check=True,
    )
    # As if that one ran the emulator.
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(sys, "_base_executable", looked.stdout.strip())
    monkeypatch.setenv("PATH", f"{python.parent}:/usr/bin:/bin")
    aws = start()
    aws.create(
        Runtime=f"python{version}" if runtime == "this" else runtime,
        files={"app.py": LOOKS_AROUND},
        Timeout=30,
    )
    seen = aws.invoke()
    assert Path(seen["executable"]).resolve() == python.resolve()
    assert str(tmp_path / "venv") not in str(seen)
    assert seen["found"] is None
    assert [child.split()[1] for child in seen["children"]] == ["None", "None"]


def test_without_a_virtual_environment_the_emulators_python_is_what_it_is(monkeypatch):
    monkeypatch.setattr(sys, "_base_executable", sys.executable)
    assert runtimes.own_python() == sys.executable
    # Some other Python than CPython.
    monkeypatch.delattr(sys, "_base_executable")
    assert runtimes.own_python() == sys.executable


def test_a_base_interpreter_that_is_gone_is_not_taken(monkeypatch):
    monkeypatch.setattr(sys, "_base_executable", "/nowhere/python")
    assert runtimes.own_python() == sys.executable


def test_a_python_found_in_a_virtual_environment_is_left_for_the_one_it_was_made_of(
    tmp_path, monkeypatch
):
    base = tmp_path / "base/python3.77"
    for path in (tmp_path / "venv/python3.77", base):
        path.parent.mkdir()
        path.write_text(f"#!/bin/sh\necho 3.77\necho {base}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/venv:/usr/bin:/bin")
    assert runtimes.find_python("3.77") == str(base)
