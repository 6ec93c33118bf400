"""Where functions, layers and their code are kept: in memory, or in a folder.

A folder survives a kill at any moment. What is written gets another name first, reaches the
disk, and is then renamed, so that a half-written thing is never seen; what a killed emulator
has left is swept at the next start. One emulator at a time may use a folder.

    lock                          held by the emulator, with its process id
    functions/NAME/record.json    configuration, versions, aliases: everything that is said of it
    layers/NAME/record.json
    deleted/NAME.json             the number of a deleted function's next version
    code/SHA256.zip               as uploaded; functions and layers alike
    roots/SHA256[-LAYERS]/        unpacked: var/task, and opt with the layers; made from the zips
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import stat
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from ...errors import EmulatorError
from . import zip_files
from .records import (
    DamagedRecordError,
    FunctionRecord,
    LayerRecord,
    Record,
    function_from_json,
    layer_from_json,
    next_version_from_json,
    next_version_to_json,
    to_json,
)

_AnyRecord = TypeVar("_AnyRecord", FunctionRecord, LayerRecord)

_HALF_DONE = ".half-"
_TEMPORARY = "penstock-lambda-"
_UNLOCKED = "new-penstock-lambda-"


class Store:
    """Functions and layers by name, and the zip files of both.

    `folder` is made if it is not there; without one, everything is gone at `close`. What is
    told `say` is for the log. Not for several threads at once, but for `root`.

    Raises:
        EmulatorError: the folder cannot be used, or another emulator uses it.
    """

    def __init__(self, folder: Path | None, say: Callable[[str], object]) -> None:
        self.functions: dict[str, FunctionRecord] = {}
        self.layers: dict[str, LayerRecord] = {}
        #: Records that could not be read, by the name of their folder.
        self.damaged: dict[str, Path] = {}
        # Functions that are served from their source are not kept.
        self._held: set[str] = set()
        # Of deleted functions, where nothing is kept.
        self._next_versions: dict[str, int] = {}
        self._is_kept = folder is not None
        self._say = say
        self._folder = folder
        self._lock: int | None = None
        self._is_closed = False
        self._cannot_be_deleted: set[Path] = set()
        if folder is not None:
            try:
                # Variables of functions may be secret.
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._lock = _locked(folder)
                self._make_folders()
                self.functions = self._load("functions", function_from_json)
                self.layers = self._load("layers", layer_from_json)
            except OSError as exc:
                self.close()
                raise EmulatorError(f"cannot keep state in {folder}: {exc}") from exc

    def hold(self, record: FunctionRecord) -> None:
        """Have a record that is never kept: of a function that is served from its source.

        Raises:
            EmulatorError: a kept one has its name.
        """
        if record.name in self.functions:
            raise EmulatorError(
                f"{self._folder} has a function {record.name!r} already; "
                "give the other one another name with --function"
            )
        self._held.add(record.name)
        self.functions[record.name] = record

    def is_held(self, name: str) -> bool:
        """Whether the function is served from its source."""
        return name in self._held

    def save(self, record: Record) -> None:
        """Keep a record, in place of the one with its name.

        Raises:
            EmulatorError: it cannot be written; nothing has changed.
        """
        self._refuse_closed()
        if self._is_kept and record.name not in self._held:
            path = self._record_path(record)
            try:
                path.parent.mkdir(exist_ok=True)
                _write(path, to_json(record))
            except OSError as exc:
                raise EmulatorError(f"cannot write {path}: {exc}") from exc
        if isinstance(record, FunctionRecord):
            self.functions[record.name] = record
        else:
            self.layers[record.name] = record

    def remove(self, record: FunctionRecord) -> None:
        """Forget a function, but for `next_version`; harmless if there is none.

        Raises:
            EmulatorError: its folder cannot be deleted; nothing has changed.
        """
        if self._is_kept:
            folder = self._record_path(record).parent
            # Before the function goes: a number that a kill leaves beside it is its own.
            self._keep_next_version(record)
            gone = folder.with_name(_half_done())
            try:
                with contextlib.suppress(FileNotFoundError):
                    folder.rename(gone)
            except OSError as exc:
                raise EmulatorError(f"cannot delete {folder}: {exc}") from exc
            self._delete(gone)
        else:
            self._next_versions[record.name] = record.next_version
        self.functions.pop(record.name, None)

    def next_version(self, name: str) -> int:
        """The number of the first version of a function that is made under this name.

        AWS never gives a number twice, also not after the function was deleted. (AWS
        documentation, "Manage Lambda function versions")
        """
        if not self._is_kept:
            return self._next_versions.get(name, 1)
        path = self._next_version_path(name)
        try:
            return next_version_from_json(path.read_bytes(), name)
        except FileNotFoundError:
            return 1
        except (OSError, DamagedRecordError) as exc:
            self._say(f"cannot read {path}: {exc}; the versions of {name} begin at 1 again")
            return 1

    def _keep_next_version(self, record: FunctionRecord) -> None:
        if record.next_version == 1:
            return  # no version was ever published
        path = self._next_version_path(record.name)
        try:
            _write(path, next_version_to_json(record))
        except OSError as exc:
            raise EmulatorError(f"cannot write {path}: {exc}") from exc

    def _next_version_path(self, name: str) -> Path:
        return self._files / "deleted" / f"{_folder_name(name)}.json"

    def leave_out(self, record: FunctionRecord, why: Exception) -> None:
        """Have the function no more: what was read of it turned out to make no sense."""
        del self.functions[record.name]
        self._leave_out(self._record_path(record), why)

    def _leave_out(self, path: Path, why: Exception) -> None:
        self.damaged[path.parent.name] = path
        is_told = isinstance(why, OSError | DamagedRecordError)
        self._say(
            f"cannot read {path}: {str(why) if is_told else repr(why)}; what it is about is left "
            "out. Mend the file, or delete its folder"
        )

    def damaged_record(self, name: str) -> Path | None:
        """The file that has, or had, the record of the function, if it cannot be read."""
        return self.damaged.get(_folder_name(name))

    def add_zip(self, data: bytes) -> str:
        """Keep a zip file; returns its `CodeSha256`.

        Raises:
            EmulatorError: it cannot be written.
        """
        digest = hashlib.sha256(data).digest()
        path = self._files / "code" / f"{digest.hex()}.zip"
        try:
            if not path.exists():
                _write(path, data)
        except OSError as exc:
            raise EmulatorError(f"cannot write {path}: {exc}") from exc
        return b64encode(digest).decode()

    def zip_path(self, code_sha256: str) -> Path:
        """Where the zip file with this `CodeSha256` is, if there is one; makes nothing.

        Raises:
            EmulatorError: there are no files here, not yet or no more.
        """
        self._refuse_closed()
        if self._folder is None:
            raise EmulatorError("no code is here yet")
        return self._folder / "code" / f"{_hex(code_sha256)}.zip"

    def has_root(self, code_sha256: str, layers: Sequence[str] = ()) -> bool:
        """Whether `root` need not unpack them."""
        return (self._files / "roots" / _root_name(code_sha256, layers)).exists()

    def root(self, code_sha256: str, layers: Sequence[str] = ()) -> Path:
        """The folder with this code as `var/task`, and these layers, later over earlier, as `opt`.

        From any thread, while `sweep` is not called.

        Raises:
            ApiError: they are too large together, or damaged.
            EmulatorError: the folder cannot be made.
        """
        path = self._files / "roots" / _root_name(code_sha256, layers)
        half = path.with_name(_half_done())
        try:
            if path.exists():
                return path
            room = zip_files.UNZIPPED
            for inside, codes in (("var/task", [code_sha256]), ("opt", layers)):
                (half / inside).mkdir(parents=True)
                for code in codes:
                    with self.zip_path(code).open("rb") as data:
                        room -= zip_files.unpack(data, half / inside, room=room)
                zip_files.make_read_only(half / inside)
            try:
                half.rename(path)
            except OSError:
                if not path.exists():  # else another thread was quicker
                    raise
        except OSError as exc:
            raise EmulatorError(f"cannot unpack to {path}: {exc}") from exc
        finally:
            self._delete(half)
        return path

    def sweep(self, in_use: Collection[Path]) -> None:
        """Delete zip files that nothing has any more, and roots that are not `in_use`.

        What cannot be deleted stays, which is told once.
        """
        if self._folder is None:
            return
        records: list[Record] = [*self.functions.values(), *self.layers.values()]
        codes = {
            _hex(version["CodeSha256"])
            for record in records
            for version in record.versions.values()
            if version["CodeSha256"]
        }
        if not self.damaged:
            for path in (self._folder / "code").glob("*.zip"):
                if path.stem not in codes:
                    with self._telling(path):
                        path.unlink(missing_ok=True)
        for path in (self._folder / "roots").glob("*"):
            if path in in_use or path.name.startswith(_HALF_DONE):
                continue
            # Under its own name it is whole or gone: the same code may come again.
            gone = path.with_name(_half_done())
            with self._telling(path):
                path.rename(gone)
                self._delete(gone)

    def _delete(self, path: Path) -> None:
        """Delete a file or folder, if it is there; what cannot be deleted stays."""
        with self._telling(path):
            if path.is_dir() and not path.is_symlink():
                zip_files.remove_tree(path)
            else:
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _telling(self, path: Path) -> Iterator[None]:
        """Tell, once for each path, what cannot be deleted: it is in nobody's way."""
        try:
            yield
        except OSError as exc:
            if path not in self._cannot_be_deleted:
                self._cannot_be_deleted.add(path)
                self._say(f"cannot delete {path}: {exc.strerror or exc}; it stays unused")

    def close(self) -> None:
        """Keep nothing any more; a folder that was only for this run is deleted."""
        self._is_closed = True
        folder, self._folder = self._folder, None
        if folder is not None and not self._is_kept:
            # Under another name, so that nothing is unpacked to it while it goes.
            gone = folder.with_name(_TEMPORARY + _half_done())
            with contextlib.suppress(OSError):
                folder = folder.rename(gone)
            self._delete(folder)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def _files(self) -> Path:
        """The folder of this run; made when it is first needed.

        Raises:
            EmulatorError: it cannot be made, or the emulator is at its end.
        """
        self._refuse_closed()
        if self._folder is None:
            _sweep_temporary()
            try:
                self._folder, self._lock = _new_folder()
                self._make_folders()
            except OSError as exc:
                raise EmulatorError(f"cannot make a folder for code: {exc}") from exc
        return self._folder

    def _refuse_closed(self) -> None:
        if self._is_closed:
            raise EmulatorError("the emulator is shutting down")

    def _make_folders(self) -> None:
        assert self._folder is not None
        for name in ("functions", "layers", "deleted", "code", "roots"):
            folder = self._folder / name
            folder.mkdir(exist_ok=True)
            for pattern in (f"{_HALF_DONE}*", f"*/{_HALF_DONE}*"):
                for path in folder.glob(pattern):
                    self._delete(path)

    def _record_path(self, record: Record) -> Path:
        kind = "functions" if isinstance(record, FunctionRecord) else "layers"
        return self._files / kind / _folder_name(record.name) / "record.json"

    def _load(self, kind: str, read: Callable[[bytes], _AnyRecord]) -> dict[str, _AnyRecord]:
        found: dict[str, _AnyRecord] = {}
        for folder in sorted((self._files / kind).iterdir()):
            if not folder.is_dir() or folder.name.startswith(_HALF_DONE):
                continue  # somebody else's, as a file manager's .DS_Store, or cannot be deleted
            path = folder / "record.json"
            try:
                record = read(path.read_bytes())
                if folder.name != _folder_name(record.name):
                    raise DamagedRecordError(f"it is of {record.name!r}, whose folder is another")
                self._check_codes(record)
            except FileNotFoundError:
                # Killed between the folder and its record: nobody was told that it is there.
                with contextlib.suppress(OSError):
                    folder.rmdir()
                continue
            except (OSError, ValueError, TypeError) as exc:
                self._leave_out(path, exc)
                continue
            found[record.name] = record
        return found

    def _check_codes(self, record: Record) -> None:
        for number, version in record.versions.items():
            path = self.zip_path(version["CodeSha256"])
            if not path.is_file():
                raise DamagedRecordError(f"the code of version {number} is gone: {path}")


def _write(path: Path, data: bytes) -> None:
    """Write a file so that at any moment it is there whole, as it was or as it is."""
    half = path.with_name(_half_done())
    try:
        with half.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    except BaseException:
        half.unlink(missing_ok=True)
        raise
    for folder in (path.parent, path.parent.parent):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _locked(folder: Path) -> int:
    """Hold the folder's lock; returns its descriptor.

    Raises:
        EmulatorError: another process holds it.
        OSError: there can be none here.
    """
    path = folder / "lock"
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    with contextlib.ExitStack() as on_failure:
        on_failure.callback(os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(descriptor, 20).decode("ascii", "replace").strip() or "unknown"
            raise EmulatorError(
                f"the folder {folder} is in use by another emulator, process {pid}; "
                "stop it, or give this one another folder"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        on_failure.pop_all()
    return descriptor


def _new_folder() -> tuple[Path, int]:
    """A folder for one run, and the descriptor of its lock."""
    new = Path(tempfile.mkdtemp(prefix=_UNLOCKED)).resolve()
    with contextlib.ExitStack() as on_failure:
        on_failure.callback(zip_files.remove_tree, new)
        lock = _locked(new)
        on_failure.callback(os.close, lock)
        # Only now may others look whether its owner is still there.
        folder = new.rename(new.with_name(_TEMPORARY + new.name.removeprefix(_UNLOCKED)))
        on_failure.pop_all()
    return folder, lock


def _sweep_temporary() -> None:
    """Delete what emulators have left that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY}*"):
        try:
            status = folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
                continue  # of another user, who could have us delete what is ours
            lock = _locked(folder)
        except (OSError, EmulatorError):
            continue
        with contextlib.suppress(OSError):
            zip_files.remove_tree(folder)
        os.close(lock)


def _root_name(code_sha256: str, layers: Sequence[str]) -> str:
    if not layers:
        return _hex(code_sha256)
    together = hashlib.sha256(" ".join(layers).encode()).hexdigest()
    return f"{_hex(code_sha256)}-{together[:16]}"


def _folder_name(name: str) -> str:
    """A folder for the name, also where `App` and `app` are the same file."""
    if name == name.lower():
        return name
    return f"{name}.{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _half_done() -> str:
    return f"{_HALF_DONE}{secrets.token_hex(8)}"


def _hex(code_sha256: str) -> str:
    return b64decode(code_sha256).hex()
