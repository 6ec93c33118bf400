"""The folder that functions are kept in: whole things only, one emulator at a time."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.emulator.lambda_api import store as store_module
from penstock.emulator.lambda_api.control_plane import new_configuration
from penstock.emulator.lambda_api.records import FunctionRecord, LayerRecord
from penstock.emulator.lambda_api.store import Store
from penstock.errors import EmulatorError

from .conftest import zipped


def record(store: Store, name: str = "app", data: bytes | None = None) -> FunctionRecord:
    configuration = new_configuration(name, "app.handler", "python3.11")
    configuration["CodeSha256"] = store.add_zip(data or zipped())
    return FunctionRecord(name, {"$LATEST": configuration})


class Opened:
    """Stores of one folder, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log: list[str] = []
        self.store = Store(folder, self.log.append)

    def again(self) -> Store:
        self.store.close()
        self.store = Store(self.folder, self.log.append)
        return self.store


@pytest.fixture
def opened(tmp_path):
    opened = Opened(tmp_path / "state")
    yield opened
    opened.store.close()


def test_what_is_saved_is_there_again(opened):
    saved = record(opened.store)
    saved.aliases["live"] = {"Name": "live", "FunctionVersion": "$LATEST", "RevisionId": "1"}
    saved.reserved_concurrency = 3
    opened.store.save(saved)
    version = {"CodeSha256": saved.latest["CodeSha256"], "CodeSize": 1, "Version": 1}
    layer = LayerRecord("lib", {"1": version}, 2)
    opened.store.save(layer)
    again = opened.again()
    assert again.functions == {"app": saved}
    assert again.layers == {"lib": layer}


def test_names_that_differ_in_case_only_are_two(opened):
    for name in ("app", "App", "APP"):
        opened.store.save(record(opened.store, name))
    folders = [path.name for path in (opened.folder / "functions").iterdir()]
    assert len({name.lower() for name in folders}) == 3
    assert sorted(opened.again().functions) == ["APP", "App", "app"]


def test_a_removed_one_is_gone(opened):
    saved = record(opened.store)
    opened.store.save(saved)
    opened.store.remove(saved)
    opened.store.remove(saved)
    assert opened.again().functions == {}
    assert list((opened.folder / "functions").iterdir()) == []


def test_of_a_removed_one_the_next_version_is_kept(opened):
    for name, number in (("app", 3), ("App", 5), ("never-published", 1)):
        saved = record(opened.store, name)
        saved.next_version = number
        opened.store.save(saved)
        opened.store.remove(saved)
    assert len(list((opened.folder / "deleted").iterdir())) == 2
    names = ("app", "App", "never-published", "never-there")
    assert [opened.store.next_version(name) for name in names] == [3, 5, 1, 1]
    again = opened.again()
    assert [again.next_version(name) for name in names] == [3, 5, 1, 1]
    assert again.functions == again.damaged == {}


def test_in_memory_the_next_version_outlives_the_function_too():
    store = Store(None, print)
    saved = record(store)
    saved.next_version = 3
    store.save(saved)
    store.remove(saved)
    assert store.next_version("app") == 3
    store.close()


def test_the_next_version_is_kept_before_the_function_goes(opened, monkeypatch):
    saved = record(opened.store)
    saved.next_version = 3
    opened.store.save(saved)

    def killed(self, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "rename", killed)
        opened.store.remove(saved)
    again = opened.again()
    assert again.functions == {"app": saved}
    assert again.next_version("app") == 3


def test_without_room_for_the_next_version_the_function_stays(opened, monkeypatch):
    saved = record(opened.store)
    saved.next_version = 3
    opened.store.save(saved)

    def fsync(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store_module.os, "fsync", fsync)
        with pytest.raises(EmulatorError, match=r"deleted/app\.json: .*No space left on device"):
            opened.store.remove(saved)
    assert opened.store.functions == opened.again().functions == {"app": saved}


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"name": "app"}', b'{"name": "other", "next_version": 3}', None]
    + [
        f'{{"name": "app", "next_version": {odd}}}'.encode() for odd in ("0", '"3"', "null", "true")
    ],
)
def test_a_damaged_next_version_is_named_when_it_is_wanted(content, opened):
    saved = record(opened.store)
    saved.next_version = 3
    opened.store.save(saved)
    opened.store.remove(saved)
    path = opened.folder / "deleted/app.json"
    path.unlink()
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    again = opened.again()
    assert opened.log == []
    assert again.next_version("app") == 1
    (line,) = opened.log
    assert line.startswith(f"cannot read {path}: ")
    assert line.endswith("; the versions of app begin at 1 again")


def test_a_folder_from_before_there_were_next_versions_will_do(opened):
    (opened.folder / "deleted").rmdir()
    saved = record(opened.again())
    saved.next_version = 3
    opened.store.save(saved)
    opened.store.remove(saved)
    assert opened.again().next_version("app") == 3


def test_what_cannot_be_removed_is_an_error_and_stays(opened):
    saved = record(opened.store)
    opened.store.save(saved)
    folder = opened.folder / "functions"
    folder.rename(opened.folder / "away")
    folder.write_text("no folder")
    with pytest.raises(EmulatorError, match=f"cannot delete {folder}/app: .*Not a directory"):
        opened.store.remove(saved)
    assert opened.store.functions == {"app": saved}
    folder.unlink()
    (opened.folder / "away").rename(folder)
    assert opened.again().functions == {"app": saved}


def test_a_folder_is_for_one_emulator_at_a_time(opened):
    with pytest.raises(EmulatorError, match=f"in use by another emulator, process {os.getpid()};"):
        Store(opened.folder, print)
    opened.again()


@pytest.mark.parametrize("is_kept", [True, False])
def test_where_no_lock_can_be_had_nothing_is_left_open(is_kept, tmp_path, monkeypatch):
    tried = []

    def flock(descriptor, operation):
        tried.append(descriptor)
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(store_module.fcntl, "flock", flock)
    monkeypatch.setattr(store_module.tempfile, "tempdir", str(tmp_path))
    with pytest.raises(EmulatorError, match="No locks available"):
        Store(tmp_path / "state" if is_kept else None, print).add_zip(b"")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(tried[-1])
    assert list(tmp_path.glob("*penstock*")) == []


def test_the_lock_ends_with_the_process_that_has_it(tmp_path):
    program = (
        "import os, sys; from pathlib import Path; "
        "from penstock.emulator.lambda_api.store import Store; "
        "Store(Path(sys.argv[1]), print); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path], check=False)
    Store(tmp_path, print).close()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is no JSON"),
        (b'{"name": "app", "versions"', "it is no JSON"),
        (b"[]", "it is no JSON object with a name"),
        (b'{"name": "app"}', "it has no versions"),
        (b'{"name": "app", "versions": {}}', "the configuration of version $LATEST is not whole"),
        (b'{"name": "app", "versions": {}, "x": 1}', "it has x, which nobody knows"),
    ],
)
def test_a_damaged_record_is_named_and_the_others_are_loaded(content, why, opened):
    for name in ("app", "other"):
        opened.store.save(record(opened.store, name, zipped({"app.py": name})))
    path = opened.folder / "functions/app/record.json"
    path.write_bytes(content)
    again = opened.again()
    assert list(again.functions) == ["other"]
    assert again.damaged_record("app") == path
    (line,) = opened.log
    assert line.startswith(f"cannot read {path}: ")
    assert why in line
    # Its code may be of use when it is mended.
    again.sweep(())
    assert len(list((opened.folder / "code").iterdir())) == 2


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("versions.$LATEST.CodeSha256", "é"),
        ("versions.$LATEST.CodeSha256", "a/../../zz"),
        ("versions.$LATEST.CodeSize", "x"),
        ("versions.$LATEST.Handler", 5),
        ("versions.$LATEST.Environment", {"Variables": {"A": 5}}),
        ("versions.$LATEST.Layers", [5]),
        ("reserved_concurrency", "x"),
        ("next_version", None),
        ("aliases.live", {"FunctionVersion": [], "RevisionId": ""}),
        ("policies.live", [{"statement_id": "a", "action": "*", "principal": 5}]),
        ("event_invoke_configs.$LATEST", 5),
        ("name", "other"),
    ],
)
def test_a_value_of_another_kind_is_damage(path, value, opened):
    opened.store.save(record(opened.store))
    file = opened.folder / "functions/app/record.json"
    content = member = json.loads(file.read_bytes())
    *parents, last = path.split(".")
    for name in parents:
        member = member[name]
    member[last] = value
    file.write_text(json.dumps(content))
    assert opened.again().damaged_record("app") == file


def test_a_file_beside_the_functions_is_no_damage(opened):
    (opened.folder / "functions/.DS_Store").write_bytes(b"")
    assert opened.again().damaged == {}


def test_a_start_that_fails_lets_go_of_the_folder(tmp_path):
    (tmp_path / "code").write_text("")
    with pytest.raises(EmulatorError, match="cannot keep state in"):
        Store(tmp_path, print)
    (tmp_path / "code").unlink()
    Store(tmp_path, print).close()


def test_a_closed_one_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module.tempfile, "tempdir", str(tmp_path))
    store = Store(None, print)
    saved = record(store)
    store.close()
    for change in (lambda: store.save(saved), lambda: store.add_zip(b"")):
        with pytest.raises(EmulatorError, match="shutting down"):
            change()
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_ours_is_never_swept(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module.tempfile, "tempdir", str(tmp_path))
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / "penstock-lambda-1").mkdir()
    (tmp_path / "penstock-lambda-1/lock").symlink_to(precious)
    other = tmp_path / "other"
    other.mkdir()
    (other / "lock").write_text("1")
    (tmp_path / "penstock-lambda-2").symlink_to(other)
    living = Store(None, print)
    living.add_zip(b"x")
    Store(None, print).add_zip(b"y")
    assert precious.read_text() == "precious"
    assert (other / "lock").read_text() == "1"
    # The folder of an emulator that runs.
    assert living.zip_path(living.add_zip(b"x")).exists()
    monkeypatch.setattr(store_module.os, "getuid", lambda: os.geteuid() + 1)
    left = tmp_path / "penstock-lambda-3"
    left.mkdir()
    Store(None, print).add_zip(b"z")
    assert left.exists()


def test_a_record_whose_code_is_gone_is_damaged(opened):
    opened.store.save(record(opened.store))
    for path in (opened.folder / "code").iterdir():
        path.unlink()
    assert opened.again().functions == {}
    assert "the code of version $LATEST is gone" in opened.log[0]


# What a kill leaves at each place where a thing is written and renamed.
def test_what_a_kill_leaves_is_swept_and_never_seen(opened):
    saved = record(opened.store)
    opened.store.save(saved)
    root = opened.store.root(saved.latest["CodeSha256"])
    for name in ("functions/.half-1", "functions/app/.half-2", "code/.half-3", "deleted/.half-6"):
        (opened.folder / name).write_bytes(b"half of something")
    for name in ("functions/.half-4", "functions/new", "roots/.half-5/var/task/lib"):
        (opened.folder / name).mkdir(parents=True)
    (opened.folder / "roots/.half-5/var/task").chmod(0o555)
    assert list(opened.again().functions) == ["app"]
    left = {str(path.relative_to(opened.folder)) for path in opened.folder.glob("*/*")}
    assert left == {
        "functions/app",
        f"code/{root.name}.zip",
        f"roots/{root.name}",
    }


def test_a_record_is_at_each_moment_the_old_or_the_new_one(opened, monkeypatch):
    saved = record(opened.store)
    opened.store.save(saved)
    path = opened.folder / "functions/app/record.json"
    before = path.read_bytes()
    seen = []

    def fsync(descriptor):
        seen.append(path.read_bytes())

    monkeypatch.setattr(store_module.os, "fsync", fsync)
    saved.tags["a"] = "b"
    opened.store.save(saved)
    after = path.read_bytes()
    assert json.loads(after)["tags"] == {"a": "b"}
    # The file reaches the disk before its name is given to it, the names after.
    assert seen == [before, after, after]


def test_what_cannot_be_written_is_an_error_and_changes_nothing(opened, monkeypatch):
    saved = record(opened.store)
    opened.store.save(saved)

    def fsync(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_module.os, "fsync", fsync)
    changed = record(opened.store)
    changed.tags["a"] = "b"
    with pytest.raises(EmulatorError, match="No space left on device"):
        opened.store.save(changed)
    monkeypatch.undo()
    assert opened.again().functions == {"app": saved}


def test_code_is_unpacked_once_and_read_only(opened):
    store = opened.store
    sha = store.add_zip(zipped({"app.py": "1", "bootstrap": "#!"}, mode=0o755))
    root = store.root(sha)
    assert (root / "var/task/app.py").read_text() == "1"
    assert os.access(root / "var/task/bootstrap", os.X_OK)
    assert not (root / "var/task").stat().st_mode & 0o222
    assert store.root(sha) == root


def test_layers_are_one_folder_later_over_earlier(opened):
    store = opened.store
    code = store.add_zip(zipped())
    one = store.add_zip(zipped({"python/a.py": "1", "python/b.py": "1"}))
    two = store.add_zip(zipped({"python/b.py": "2"}))
    python = store.root(code, [one, two]) / "opt/python"
    assert [(python / name).read_text() for name in ("a.py", "b.py")] == ["1", "2"]
    assert store.root(code, [two, one]) != store.root(code, [one, two])


def test_what_nothing_has_any_more_is_swept_but_for_what_is_in_use(opened):
    store = opened.store
    used, unused = (record(store, name, zipped({"app.py": name})) for name in ("used", "unused"))
    store.save(used)
    roots = [store.root(each.latest["CodeSha256"]) for each in (used, unused)]
    store.sweep({roots[1]})
    assert [path.exists() for path in roots] == [False, True]
    zips = [store.zip_path(each.latest["CodeSha256"]).exists() for each in (used, unused)]
    assert zips == [True, False]


def test_what_cannot_be_deleted_is_told_once(opened, nothing_goes):
    store = opened.store
    sha = record(store).latest["CodeSha256"]
    root = store.root(sha)
    with nothing_goes():
        store.sweep(())
        store.sweep(())
    about_zip, about_root = opened.log
    reason = f"{os.strerror(errno.EBUSY)}; it stays unused"
    assert about_zip == f"cannot delete {store.zip_path(sha)}: {reason}"
    assert about_root.startswith(f"cannot delete {root.parent}/.half-")
    assert about_root.endswith(reason)


def test_what_is_left_of_deleted_code_is_not_taken_for_the_same_code(opened, nothing_goes):
    sha = record(opened.store).latest["CodeSha256"]
    opened.store.root(sha)
    with nothing_goes("rmdir"):
        opened.store.sweep(())
    assert record(opened.store).latest["CodeSha256"] == sha
    assert (opened.store.root(sha) / "var/task/app.py").exists()


def test_leftovers_that_cannot_be_deleted_do_not_keep_it_from_starting(opened, nothing_goes):
    saved, gone = record(opened.store), record(opened.store, "gone")
    opened.store.save(saved)
    opened.store.save(gone)
    with nothing_goes():
        opened.store.remove(gone)
        again = opened.again()
    assert (again.functions, again.damaged) == ({"app": saved}, {})
    opened.again()
    assert [path.name for path in (opened.folder / "functions").iterdir()] == ["app"]


def test_nothing_can_be_unpacked_to_what_goes_at_the_end(monkeypatch):
    store = Store(None, print)
    root = store.root(record(store).latest["CodeSha256"])
    # What another thread would find meanwhile.
    found = []
    real = os.rmdir

    def rmdir(path, *, dir_fd=None):
        found.append(root.parent.exists())
        real(path, dir_fd=dir_fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rmdir", rmdir)
        store.close()
    assert found
    assert not any(found)


def test_in_memory_it_has_files_only_when_it_needs_them_and_leaves_none(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module.tempfile, "tempdir", str(tmp_path))
    left = tmp_path / "penstock-lambda-left"
    (left / "code").mkdir(parents=True)
    (left / "lock").write_text("1")
    store = Store(None, print)
    assert list(tmp_path.iterdir()) == [left]
    saved = record(store)
    store.save(saved)
    assert store.root(saved.latest["CodeSha256"]).is_dir()
    # That of an emulator that was killed is gone.
    assert not left.exists()
    store.close()
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EmulatorError, match="cannot keep state in"):
        Store(tmp_path / "file", print)
