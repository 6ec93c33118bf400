"""`penstock dev` with a command of another runtime, and what it tells of a handler at once."""

from __future__ import annotations

import shlex
import sys

import httpx
import pytest

from tests.system.clients.tools import Program, boto3_client
from tests.system.test_dev import PENSTOCK
from tests.system.test_runtimes import HELLO_PYTHON
from tests.tools import PATIENCE, wait_for


def test_penstock_dev_runs_a_command_in_its_folder(tmp_path):
    (tmp_path / "app.py").write_text(HELLO_PYTHON)
    command = f"{shlex.quote(sys.executable)} -m awslambdaric app.handler"
    arguments = ("dev", "--port", "0", "--runtime-command", command, "--function", "hello")
    dev = Program(*PENSTOCK, *arguments, cwd=tmp_path)
    try:
        welcome = dev.read_until("Ctrl-C stops it.")
        assert "hello (bootstrap), RESPONSE_STREAM" in welcome
        assert f"A changed file of code in {tmp_path} takes effect" in welcome
        port = welcome.partition("http://localhost:")[2].partition("/")[0]
        assert httpx.get(f"http://127.0.0.1:{port}", timeout=PATIENCE).status_code == 201
    finally:
        dev.process.terminate()
        dev.process.wait(PATIENCE)
        dev.kill()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--runtime-command", "./nobody"), "--runtime-command: there is no file"),
        (("--runtime-command", "sh", "nowhere"), "and nowhere is not there"),
        (("--handler", "app.run", "app.py:run"), "the handler stands in TARGET, as in app.py:run"),
    ],
)
def test_penstock_dev_says_what_it_cannot_run(arguments, says, tmp_path):
    dev = Program(*PENSTOCK, "dev", "--port", "0", *arguments, cwd=tmp_path)
    _, errors = dev.process.communicate(timeout=PATIENCE)
    assert dev.process.returncode == 1
    assert says in errors.decode()


def test_penstock_dev_tells_at_its_start_what_every_call_would(tmp_path):
    (tmp_path / "app.py").write_text("def handle(event, context):\n    return 1\n")
    dev = Program(*PENSTOCK, "dev", "app.py:handler", "--port", "0", cwd=tmp_path)
    try:
        assert dev.read_until("; it defines handle\n").partition("Every call will fail until")[2]
    finally:
        dev.process.terminate()
        dev.process.wait(PATIENCE)
        dev.kill()


def test_a_change_that_breaks_the_source_is_told_at_once(serve):
    function = serve("def handler(event, context): return 'one'", watch=True)
    source = function.emulator.function.folder / "app.py"

    def is_seen() -> bool:
        source.write_text("def handler(:\n")
        return "line 1: SyntaxError" in function.log

    wait_for(is_seen, "the error")
    assert "START" not in function.log


def test_a_change_keeps_what_the_api_has_set(serve, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    function = serve("def handler(event, context): return 'one'", watch=True)
    source = function.emulator.function.folder / "app.py"
    boto3_client(function).put_function_concurrency(
        FunctionName=function.emulator.function.name, ReservedConcurrentExecutions=0
    )

    def is_seen() -> bool:
        source.write_text("def handler(:\n")
        return "line 1: SyntaxError" in function.log

    wait_for(is_seen, "the change")
    assert httpx.get(function.emulator.url).status_code == 429
