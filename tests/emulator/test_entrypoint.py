"""A program that cannot be started: AWS's words for the caller, and advice for its author."""

from __future__ import annotations

import errno
import json
import os
import platform
import re
from pathlib import Path

import httpx
import pytest

from penstock.emulator.emulator import Emulator
from penstock.emulator.environments.entrypoint import invalid_entrypoint
from penstock.emulator.functions import Function
from penstock.emulator.runtime_commands import function_from_command
from tests.tools import wait_for

NO_FILE = "no such file or directory"
# A header for a processor of 1999 that nobody runs this on.
OTHER_ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x2a\x00\x01\x00\x00\x00" + bytes(40)


@pytest.mark.parametrize(
    ("content", "says", "advice"),
    [
        (b"#!/bin/sh\r\nexit 0\r\n", NO_FILE, "its lines end in CRLF"),
        (b"#!/no/such/sh -e\n", NO_FILE, "its first line names /no/such/sh: it is not there"),
        (b"#!/etc/passwd\n", "permission denied", "names /etc/passwd, which may not be executed"),
        (b"exit 0\n", "exec format error", "nor a script that begins with #!"),
        (b"\xef\xbb\xbf#!/bin/sh\n", "exec format error", "it begins with a byte order mark"),
        (b"", "exec format error", "it is empty"),
        (OTHER_ELF, "exec format error", "built for another processor than this machine's"),
        (b"MZ\x90\x00", "exec format error", "it was built for another system than Linux"),
    ],
    ids=["CRLF", "interpreter", "not a program", "no #!", "BOM", "empty", "processor", "system"],
)
def test_what_cannot_be_started_is_an_invalid_entrypoint(tmp_path, content, says, advice):
    if platform.system() != "Linux":
        pytest.skip("other systems have other errors")
    (tmp_path / "bootstrap").write_bytes(content)
    (tmp_path / "bootstrap").chmod(0o755)
    error, log = call(function_from_command("./bootstrap", tmp_path))
    assert error["errorType"] == "Runtime.InvalidEntrypoint"
    request_id = error["errorMessage"].split()[1]
    assert error["errorMessage"] == (
        f"RequestId: {request_id} Error: fork/exec /var/task/bootstrap: {says}"
    )
    assert "Phase: init\tStatus: error\tError Type: Runtime.InvalidEntrypoint" in log
    assert f"cannot start {tmp_path}/bootstrap: {says.capitalize()}; " in log
    assert advice in log


@pytest.mark.parametrize("is_interpreter", [False, True], ids=["itself", "its interpreter"])
def test_what_was_linked_for_another_system_is_said_to(tmp_path, is_interpreter):
    shell = Path("/bin/sh").read_bytes()
    other, count = re.subn(rb"/ld-([\w.-]+)\0", rb"/no-\1\0", shell)
    if not count:
        pytest.skip("the shell here needs no loader")
    (tmp_path / "bootstrap").write_bytes(other)
    (tmp_path / "bootstrap").chmod(0o755)
    if is_interpreter:
        (tmp_path / "bootstrap").rename(tmp_path / "other")
        (tmp_path / "bootstrap").write_text(f"#!{tmp_path}/other\n")
        (tmp_path / "bootstrap").chmod(0o755)
    error, log = call(function_from_command("./bootstrap", tmp_path))
    assert error["errorMessage"].endswith(f"fork/exec /var/task/bootstrap: {NO_FILE}")
    assert "the loader that it was linked for is not here" in log
    assert (f"its first line names {tmp_path}/other: " in log) is is_interpreter


def test_what_has_lost_its_mode_is_said_to(tmp_path):
    (tmp_path / "bootstrap").write_text("#!/bin/sh\n")
    (tmp_path / "bootstrap").chmod(0o755)
    function = function_from_command("./bootstrap", tmp_path)
    (tmp_path / "bootstrap").chmod(0o644)
    error, log = call(function)
    assert error["errorMessage"].endswith("fork/exec /var/task/bootstrap: permission denied")
    assert "it is not executable: chmod +x it" in log


def test_what_is_there_no_longer_is_none(tmp_path):
    (tmp_path / "bootstrap").write_text("#!/bin/sh\n")
    (tmp_path / "bootstrap").chmod(0o755)
    function = function_from_command("./bootstrap", tmp_path)
    (tmp_path / "bootstrap").unlink()
    error, log = call(function)
    assert error["errorMessage"].endswith(
        "Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
    )
    assert f"cannot start {tmp_path}/bootstrap: No such file or directory\n" in log
    # AWS always tells how much memory was used, and nothing has run.
    assert "\tMax Memory Used: 0 MB\t" in log


def test_what_cannot_even_be_looked_for_is_said_not_to_start(tmp_path):
    # A name may have 255 bytes.
    name = "x" * 300
    error, log = call(Function("app", "", tmp_path, (f"./{name}",), execution_env=None))
    assert error["errorMessage"].endswith(f"fork/exec /var/task/{name}: file name too long")
    assert f"cannot start {tmp_path}/{name}: File name too long\n" in log


def test_a_bootstrap_that_cannot_be_looked_for_is_none(tmp_path):
    function = Function("app", "", tmp_path / ("x" * 300), ("./bootstrap",))
    outcome = invalid_entrypoint(function, errno.ENAMETOOLONG, "1")
    assert "Couldn't find valid bootstrap(s)" in outcome.detail


def test_a_status_of_127_of_its_own_is_no_invalid_entrypoint(tmp_path):
    (tmp_path / "bootstrap").write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / "bootstrap").chmod(0o755)
    error, _ = call(function_from_command("./bootstrap", tmp_path))
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Runtime exited with error: exit status 127")


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("{root}/var/task/bootstrap", "/var/task/bootstrap"),
        ("bin/start", "/var/task/bin/start"),
        ("{root}/opt/bootstrap", "/opt/bootstrap"),
        ("/usr/bin/node", "/usr/bin/node"),
        ("node", "node"),
    ],
)
def test_paths_are_as_on_lambda(tmp_path, command, path):
    task = tmp_path / "var/task"
    task.mkdir(parents=True)
    (task / "bootstrap").touch()
    words = (command.format(root=tmp_path), "more")
    function = Function(name="app", handler="any", folder=task, command=words)
    outcome = invalid_entrypoint(function, errno.ENOENT, "1")
    assert json.loads(outcome.payload)["errorMessage"] == (
        f"RequestId: 1 Error: fork/exec {path}: {os.strerror(errno.ENOENT).lower()}"
    )


def call(function: Function) -> tuple[dict[str, str], str]:
    """The error that a call gets, and the log."""
    log: list[str] = []
    with Emulator(function, host="127.0.0.1", write_log=log.append) as emulator:
        answer = httpx.get(f"http://127.0.0.1:{emulator.port}").json()
        wait_for(lambda: "REPORT" in "".join(log), "the report")
    return answer, "".join(log)
