"""Which files are code of any runtime."""

from __future__ import annotations

from pathlib import Path

import pytest
from watchfiles import Change

from penstock.emulator.reload import CodeFilter, SourceWatcher
from tests.tools import wait_for


@pytest.mark.parametrize(
    "path",
    ["bootstrap", "index.mjs", "lib/db.js", "main.GO", "function.sh", "app.py", "gone", "gone.rb"],
)
def test_code_counts(path, tmp_path):
    if "gone" not in path:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("")
    assert CodeFilter()(Change.modified, str(tmp_path / path))


@pytest.mark.parametrize(
    "path", ["out.json", "log.txt", "events.csv", "node_modules/a/index.js", ".git/index"]
)
def test_data_and_the_folders_of_tools_do_not(path, tmp_path):
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text("")
    assert not CodeFilter()(Change.modified, str(tmp_path / path))


def test_what_is_executable_counts_whatever_its_ending(tmp_path):
    (tmp_path / "server.v2").write_text("")
    assert not CodeFilter()(Change.modified, str(tmp_path / "server.v2"))
    (tmp_path / "server.v2").chmod(0o755)
    assert CodeFilter()(Change.modified, str(tmp_path / "server.v2"))


def test_a_folder_is_no_code(tmp_path):
    assert not CodeFilter()(Change.added, str(tmp_path))


@pytest.mark.parametrize("any_runtime", [True, False])
def test_what_lies_apart_does_not_count(any_runtime, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "state").mkdir()
    told: list[str] = []
    watcher = SourceWatcher(tmp_path, told.extend, any_runtime=any_runtime, apart=Path("state"))

    def is_seen() -> bool:
        (tmp_path / "state/kept.py").touch()
        (tmp_path / "stateful.py").touch()
        return bool(told)

    try:
        wait_for(is_seen, "the change")
    finally:
        watcher.stop()
    assert {*told} == {"stateful.py"}
