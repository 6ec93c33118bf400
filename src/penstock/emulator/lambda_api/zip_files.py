"""Zip files of functions and layers: checked before anything is written, then unpacked.

A zip file is somebody's input. No entry may leave the folder it is unpacked to, none may be
anything but a file, a folder or a link that stays inside, and none may grow beyond AWS's limits.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import posixpath
import shutil
import stat
import zipfile
import zlib
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

from .. import limits
from .errors import ApiError, invalid, too_large

#: What a zip file may have when it comes with the request, and unpacked. (Lambda quotas)
ZIPPED = 50 * limits.MIB
UNZIPPED = 250 * limits.MIB

# Entries, and folders that they are in, beyond this number would only be there to be many.
_ENTRIES = 200_000

# What Linux takes: bytes of a path and of a name. Folders in folders end long before.
_PATH = 4096
_PART = 255
_DEPTH = 255

_LINK = 4096

# zipfile unpacks other methods in one go, whatever comes out of them.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_CHUNK = 1024 * 1024

# What zipfile raises for damaged contents, also for encrypted and unknown ones.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)

# What the disk says of names that do not go together, or not into a path.
_MISFIT = (errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ELOOP, errno.EPERM)


def check_zip(data: bytes) -> None:
    """Refuse a zip file that Lambda would not take, or that could do harm here.

    Raises:
        ApiError: AWS's words for what is too large or no zip file; ours for the rest.
    """
    if len(data) > ZIPPED:
        raise too_large(f"Zipped size must be smaller than {ZIPPED} bytes")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_entries(archive)
    except ApiError:
        raise
    except (*_BROKEN, OSError) as exc:
        raise _unreadable() from exc


def unpack(data: IO[bytes], folder: Path, *, room: int = UNZIPPED) -> int:
    """Unpack a zip file to `folder`, which exists; returns how many bytes came out.

    Later files take the place of earlier ones that are there, and nothing is written through
    a link that is there. Modes are kept, and who owns a file may read it.

    Raises:
        ApiError: it is damaged, holds more than `room` bytes, or has a file where a folder is
            needed.
        OSError: the disk takes no more.
    """
    total = 0
    try:
        with zipfile.ZipFile(data) as archive:
            links = []
            folders = {folder}
            for entry in _check_entries(archive):
                path = folder / _name(entry)
                if _is_link(entry):
                    links.append(entry)
                elif entry.is_dir():
                    _make_folder(path, folders)
                else:
                    _make_folder(path.parent, folders)
                    total += _write(archive, entry, path, room - total)
            # Last: so nothing is ever written through one.
            for entry in links:
                path = folder / _name(entry)
                _make_folder(path.parent, folders)
                path.unlink(missing_ok=True)
                path.symlink_to(_target(archive, entry))
    except ApiError:
        raise
    except _BROKEN as exc:
        raise _unreadable() from exc
    except OSError as exc:
        if exc.errno not in _MISFIT:
            raise
        name = os.path.relpath(exc.filename or folder, folder)
        raise invalid(f"cannot unpack {name[:300]!r}: {exc.strerror}") from exc
    return total


def _make_folder(path: Path, known: set[Path]) -> None:
    """Make a folder below one of the `known` ones: a real one, for links lead anywhere."""
    missing = []
    while path not in known:
        missing.append(path)
        path = path.parent
    for each in reversed(missing):
        with contextlib.suppress(FileExistsError):
            each.mkdir()
        if not stat.S_ISDIR(each.lstat().st_mode):
            raise invalid(f"{each.name!r} is a folder in one layer, and a file or link in another")
        known.add(each)


def make_read_only(folder: Path) -> None:
    """Take away everybody's right to write below `folder`, as on Lambda."""
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(root, name)
            if not path.is_symlink():
                path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)
    folder.chmod(stat.S_IMODE(folder.stat().st_mode) & ~0o222)


def remove_tree(folder: Path) -> None:
    """Delete a folder, also one that is read-only; harmless if it is gone.

    Raises:
        OSError: not all of it can be deleted; what can be is.
    """
    for root, _, _ in os.walk(folder):
        with contextlib.suppress(OSError):
            os.chmod(root, 0o700)
    shutil.rmtree(folder, ignore_errors=True)
    if os.path.lexists(folder):
        shutil.rmtree(folder)  # says why


def _check_entries(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = archive.infolist()
    if len(entries) > _ENTRIES:
        raise invalid(f"the zip file has {len(entries)} entries; {_ENTRIES} are taken here")
    kinds: dict[str, str] = {}
    total = 0
    for entry in entries:
        name = _name(entry)
        kind = "folder" if entry.is_dir() else "file"
        if kinds.get(name, kind) != kind or (kind == "file" and name in kinds):
            raise invalid(f"the zip file has {entry.filename!r} twice")
        kinds[name] = kind
        if entry.compress_type not in _METHODS:
            raise invalid(f"the zip file has {name!r} neither stored nor deflated")
        if _is_link(entry):
            _check_link(archive, entry, name)
        total += entry.file_size
    _check_tree(kinds)
    if total > UNZIPPED:
        raise invalid(f"Unzipped size must be smaller than {UNZIPPED} bytes")
    if not any(kind == "file" for kind in kinds.values()):
        raise invalid("Uploaded file must be a non-empty zip")
    return entries


def _name(entry: zipfile.ZipInfo) -> str:
    """The entry's path, below the folder."""
    name = entry.filename
    parts = name.rstrip("/").split("/")
    if not name or name.startswith("/") or ".." in parts or "\0" in name or "\\" in name:
        raise invalid(f"the zip file has an entry {name!r}, which would leave its folder")
    lengths = [len(part.encode()) for part in parts]
    if len(name.encode()) > _PATH or max(lengths) > _PART or len(parts) > _DEPTH:
        raise invalid(f"the zip file has an entry {name[:60]!r}..., whose name is too long")
    mode = stat.S_IFMT(entry.external_attr >> 16)
    if mode not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        raise invalid(f"the zip file has an entry {name!r}, which is neither file nor folder")
    normal = posixpath.normpath(name)
    if normal == "." and not entry.is_dir():
        raise invalid(f"the zip file has an entry {name!r}, which is no name of a file")
    return normal


def _check_tree(kinds: dict[str, str]) -> None:
    """Refuse what is below a file or a link. Takes time and room as the names are long."""
    tree: dict[str, Any] = {}
    count = 0
    for name, kind in kinds.items():
        node = tree
        *parents, last = name.split("/")
        for part in (*parents, last) if kind == "folder" else parents:
            if part not in node:
                node[part] = {}
                count += 1
            node = node[part]
            if node is _NO_FOLDER:
                raise invalid(f"the zip file has {name!r} below {part!r}, which is no folder")
        if kind == "file":
            if last in node:
                raise invalid(f"the zip file has something below {name!r}, which is no folder")
            node[last] = _NO_FOLDER
        if count > _ENTRIES:
            raise invalid(f"the zip file has more than {_ENTRIES} folders")


_NO_FOLDER: dict[str, Any] = {}


def _is_link(entry: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(entry.external_attr >> 16)


def _check_link(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> None:
    target = _target(archive, entry)
    there = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
    leaves = target.startswith("/") or there.split("/")[0] == ".."
    # Behind a name `..` is not the folder that it seems to be, if the name is another link.
    parts = target.split("/")
    turns_back = any(part == ".." != before for before, part in pairwise(parts))
    if not target or leaves or turns_back or "\0" in target:
        raise invalid(f"the zip file has a link {name!r} to {target!r}, which leaves its folder")


def _target(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> str:
    with archive.open(entry) as source:
        # What the entry says of its size may be a lie.
        target = source.read(_LINK + 1)
    if len(target) > _LINK:
        raise invalid(f"the zip file has a link {entry.filename!r} whose target is too long")
    return target.decode()


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, room: int) -> int:
    """What the entry says of its size may be a lie: what comes out is counted."""
    written = 0
    path.unlink(missing_ok=True)
    with archive.open(entry) as source, path.open("xb") as target:
        while data := source.read(_CHUNK):
            written += len(data)
            if written > room:
                raise invalid(f"Unzipped size must be smaller than {UNZIPPED} bytes")
            target.write(data)
    mode = (entry.external_attr >> 16) & 0o777
    path.chmod((mode or 0o644) | stat.S_IRUSR)
    return written


def _unreadable() -> ApiError:
    return invalid(
        "Could not unzip uploaded file. Please check your file, then try to upload again."
    )
