"""What runs before a snapshot and after a restore, and what the Runtime API is told of it.

That AWS's client does the same is shown by tests/system/test_parity.py.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from penstock.runtime.api_client import RuntimeApiClient
from penstock.runtime.logs import FunctionLog
from penstock.runtime.snapstart import wait_for_restore
from tests.runtime.recorder import RuntimeApiRecorder


class Hooks:
    """`snapshot_restore_py`, and how many requests had been made when each hook ran."""

    def __init__(self, api: RuntimeApiRecorder) -> None:
        self.ran: list[tuple[str, int]] = []
        self._api = api
        self._before: list[Any] = []
        self._after: list[Any] = []
        self.module = SimpleNamespace(
            get_before_snapshot=lambda: self._before, get_after_restore=lambda: self._after
        )

    def before(self, name: str, error: BaseException | None = None) -> None:
        self._before.append((self._run, (name,), {"error": error}))

    def after(self, name: str, error: BaseException | None = None) -> None:
        self._after.append((self._run, (name,), {"error": error}))

    def _run(self, name: str, error: BaseException | None) -> None:
        self.ran.append((name, len(self._api.requests)))
        if error is not None:
            raise error


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """A Runtime API, its client, and hooks that are registered."""
    recorders: list[RuntimeApiRecorder] = []
    clients: list[RuntimeApiClient] = []

    def start(
        answers: dict[str, int] | None = None,
    ) -> tuple[RuntimeApiRecorder, RuntimeApiClient, Hooks]:
        recorders.append(RuntimeApiRecorder([b"{}"], answers=answers))
        clients.append(RuntimeApiClient(recorders[-1].address, "test"))
        hooks = Hooks(recorders[-1])
        monkeypatch.setitem(sys.modules, "snapshot_restore_py", hooks.module)
        return recorders[-1], clients[-1], hooks

    yield start
    for client in clients:
        client.take_connection().close()
    for recorder in recorders:
        recorder.stop()


def actions(recorder: RuntimeApiRecorder) -> list[str]:
    return [request.action for request in recorder.requests]


def test_hooks_run_last_first_before_the_snapshot_and_first_first_after_it(start):
    recorder, api, hooks = start()
    for name in ("1", "2", "3"):
        hooks.before(f"before {name}")
        hooks.after(f"after {name}")

    assert wait_for_restore(api, FunctionLog()) == 0
    assert hooks.ran == [
        *(("before 3", 0), ("before 2", 0), ("before 1", 0)),
        *(("after 1", 1), ("after 2", 1), ("after 3", 1)),
    ]
    assert actions(recorder) == ["restore/next"]


def test_invocations_come_on_a_connection_that_was_opened_after_the_snapshot(start):
    recorder, api, _ = start()
    wait_for_restore(api, FunctionLog())

    api.next_invocation()

    assert [(r.action, r.connection) for r in recorder.requests] == [
        ("restore/next", 1),
        ("next", 2),
    ]


def test_without_the_module_there_are_no_hooks(start, monkeypatch):
    recorder, api, hooks = start()
    hooks.before("never")
    monkeypatch.delitem(sys.modules, "snapshot_restore_py")

    assert wait_for_restore(api, FunctionLog()) == 0
    assert hooks.ran == []
    assert actions(recorder) == ["restore/next"]
    assert "snapshot_restore_py" not in sys.modules


@pytest.mark.parametrize("error", [ValueError("not now"), SystemExit("not now")])
def test_a_failure_before_the_snapshot_is_an_init_error_and_status_64(start, error, capsys):
    recorder, api, hooks = start()
    hooks.before("never reached")
    hooks.before("fails", error)
    hooks.after("never reached")

    assert wait_for_restore(api, FunctionLog()) == 64
    assert hooks.ran == [("fails", 0)]
    (post,) = recorder.requests
    assert post.action == "init/error"
    assert post.header("lambda-runtime-function-error-type") == "Runtime.BeforeSnapshotError"
    failure = json.loads(post.body)
    assert (failure["errorType"], failure["errorMessage"]) == (type(error).__name__, "not now")
    assert "raise error" in failure["stackTrace"][0]
    assert capsys.readouterr().out.startswith(f"[ERROR] {type(error).__name__}: not now\r")


def test_a_failure_after_the_restore_is_a_restore_error_and_status_65(start, capsys):
    recorder, api, hooks = start()
    hooks.after("fails", ValueError("not now"))
    hooks.after("never reached")

    assert wait_for_restore(api, FunctionLog()) == 65
    assert hooks.ran == [("fails", 1)]
    assert actions(recorder) == ["restore/next", "restore/error"]
    post = recorder.requests[1]
    assert post.header("lambda-runtime-function-error-type") == "Runtime.AfterRestoreError"
    assert json.loads(post.body)["errorMessage"] == "not now"
    assert capsys.readouterr().out.startswith("[ERROR] ValueError: not now\r")


def test_a_restore_that_is_refused_is_a_failure_before_the_snapshot(start):
    recorder, api, hooks = start({"restore/next": 500})
    hooks.after("never reached")

    assert wait_for_restore(api, FunctionLog()) == 64
    assert hooks.ran == []
    assert actions(recorder) == ["restore/next", "init/error"]
    assert "was answered 500" in json.loads(recorder.requests[1].body)["errorMessage"]


@pytest.mark.parametrize(("moment", "status"), [("before", 64), ("after", 65)])
def test_a_failure_that_cannot_be_reported_is_said_and_has_the_same_status(
    start, moment, status, capsys
):
    _, api, hooks = start({"init/error": 403, "restore/error": 403})
    getattr(hooks, moment)("fails", ValueError("x"))

    assert wait_for_restore(api, FunctionLog()) == status
    error = capsys.readouterr().err
    assert error.startswith("penstock.runtime: cannot report the failure: POST ")
    assert "was answered 403" in error


def test_what_was_printed_is_not_frozen_with_the_environment(start, monkeypatch):
    recorder, api, _ = start()
    flushed = []
    output = SimpleNamespace(flush=lambda: flushed.append(actions(recorder)))
    monkeypatch.setattr(sys, "stdout", output)

    wait_for_restore(api, FunctionLog())

    assert flushed == [[]]
