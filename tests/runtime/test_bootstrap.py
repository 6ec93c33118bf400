"""The command line of the runtime, and starts that fail.

What is logged and sent then is compared with AWS's client by tests/system/test_parity.py.
"""

from __future__ import annotations

import os
import signal
import socket
from queue import SimpleQueue

import pytest

from penstock.runtime.bootstrap import main
from tests.runtime.clients import Client
from tests.runtime.hostile_api import HostileApi


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A variable for the Runtime API and none for the handler."""
    monkeypatch.delenv("_HANDLER", raising=False)
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")
    return monkeypatch


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_is_printed(option, capsys):
    assert main([option]) == 0
    assert capsys.readouterr().out.startswith("usage: python -m penstock.runtime [module.handler]")


def test_a_handler_is_needed(environment, capsys):
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("penstock.runtime: a handler is missing\n\nusage: ")


def test_a_runtime_api_is_needed(environment, capsys):
    environment.delenv("AWS_LAMBDA_RUNTIME_API")

    assert main(["app.handler"]) == 2
    assert "penstock.runtime: AWS_LAMBDA_RUNTIME_API is missing" in capsys.readouterr().err


def test_a_second_argument_is_one_too_many(environment, capsys):
    assert main(["app.handler", "app.other"]) == 2
    assert "penstock.runtime: too many arguments" in capsys.readouterr().err


HANDLER = "def handler(event, context): return event\n"


def test_the_handler_may_be_named_by_lambda_s_variable(tmp_path):
    (tmp_path / "app.py").write_text(HANDLER)
    client = Client("penstock", tmp_path, None, [b"1"], {"_HANDLER": "app.handler"})

    run = client.wait()

    assert [post.body for post in run.posts] == [b"1"]


def test_a_signal_is_handled_while_an_invocation_is_waited_for(tmp_path):
    """As under AWS's client, which waits in a thread for that."""
    (tmp_path / "app.py").write_text(
        HANDLER
        + "import signal, sys\n"
        + "signal.signal(signal.SIGTERM, lambda *_: (print('handled'), sys.exit(5)))\n"
    )
    pids: SimpleQueue[int] = SimpleQueue()
    api = HostileApi({"next": [lambda connection: os.kill(pids.get(), signal.SIGTERM)]})

    client = Client("penstock", tmp_path, "app.handler", [], address=api.address)
    pids.put(client.pid)
    run = client.wait()
    api.stop()

    assert (run.stdout, run.status) == ("handled\n", 5)


def test_a_start_that_cannot_be_reported_is_said(tmp_path):
    run = Client("penstock", tmp_path, "app.handler", [], answers={"init/error": 403}).wait()

    assert run.status == 1
    assert "Runtime.ImportModuleError" in run.stdout
    assert run.stderr == (
        "penstock.runtime: cannot report the init error: POST /2018-06-01/runtime/init/error "
        'was answered 403: {"status":"OK"}\n'
    )


def test_a_runtime_api_that_is_not_there_is_said(tmp_path):
    (tmp_path / "app.py").write_text(HANDLER)
    with socket.socket() as taken:
        # Nobody listens on it, and nobody else is given it.
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        run = Client("penstock", tmp_path, "app.handler", [], address=address).wait()

    assert run.status == 1
    assert run.stderr.startswith(
        f"penstock.runtime: the Runtime API at {address} cannot be reached: "
    )
    assert "refused" in run.stderr
