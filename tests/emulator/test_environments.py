"""The environments of a function, where something keeps them from starting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penstock.emulator.concurrency import Concurrency
from penstock.emulator.deadlines import Deadlines
from penstock.emulator.environments.environment import Environment
from penstock.emulator.environments.environments import Environments
from penstock.emulator.functions import Function
from penstock.emulator.invocations import Invocation
from penstock.emulator.log import Log
from penstock.emulator.relay import BufferedReceiver
from tests.tools import PATIENCE

Make = Callable[..., Environments]


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def make(log: list[str], tmp_path: Path) -> Iterator[Make]:
    """Makes the environments of a function that never asks for work."""
    deadlines = Deadlines()
    made: list[Environments] = []

    def make(concurrency: Concurrency | None = None, **fields: object) -> Environments:
        folder = tmp_path / "function"
        folder.mkdir()
        command = ("sleep", "600")
        function = Function("app", "app.handler", folder, command, **fields)  # type: ignore[arg-type]
        made.append(Environments(function, Log(log.append), deadlines, concurrency))
        return made[-1]

    yield make
    for each in made:
        each.stop()
    deadlines.stop()


def call(environments: Environments) -> Invocation:
    return Invocation(environments.function, b"{}", BufferedReceiver(), is_streaming=False)


def test_an_extensions_folder_that_cannot_be_read_is_told_and_there_are_none(make, log, tmp_path):
    (tmp_path / "file").touch()
    environments = make(extensions_folder=tmp_path / "file")
    environments.invoke(call(environments))
    assert len(environments.pids) == 1
    assert log[0] == (
        f"penstock: the extensions in {tmp_path / 'file'} cannot be started, because it cannot "
        "be read: Not a directory\n"
    )


def test_a_call_for_which_no_environment_can_be_made_has_no_place_any_longer(make):
    concurrency = Concurrency(1)
    environments = make(concurrency, extensions_folder=Path("no\0path"))
    with pytest.raises(ValueError, match="null"):
        environments.invoke(call(environments))
    concurrency.enter(call(environments), None)


def test_all_that_wait_are_told_when_none_can_be_started_any_more(make, log):
    environments = make(max_environments=1)
    environments.invoke(call(environments))
    waiting = [call(environments) for _ in range(300)]
    for each in waiting:
        environments.invoke_later(each)
    environments.function.folder.rmdir()
    environments.recycle()
    assert all(each.finished.wait(PATIENCE) for each in waiting)
    assert "".join(log).count("cannot start an environment of app: ") == 300


def test_an_environment_that_is_stopped_before_it_is_started_ends(tmp_path):
    deadlines = Deadlines()
    environment = Environment(
        Function("app", "app.handler", tmp_path, ("sleep", "600")),
        Log(lambda text: None),
        deadlines,
        on_free=lambda _: True,
        on_leaving=lambda _: None,
        on_end=lambda *_: None,
    )
    environment.stop()
    environment.start()
    assert environment.wait(PATIENCE)
    assert environment.pid is None
    deadlines.stop()
