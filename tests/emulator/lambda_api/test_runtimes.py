"""Which Python, and which Node.js, runs a function that was made through the API."""

from __future__ import annotations

import sys

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
    assert runtimes.find_python("{}.{}".format(*sys.version_info)) == sys.executable
