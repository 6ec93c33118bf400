"""Zip files of functions and layers: checked before anything is written, then unpacked.

A zip file is somebody's input. No entry may leave the folder it is unpacked to, none may be
anything but a file, a folder or a link that stays inside, and none may grow beyond AWS's limits.
"""

from __future__ import annotations

import contextlib
import io
import lzma
import os
import posixpath
import shutil
import stat
import zipfile
import zlib
from itertools import pairwise
from pathlib import Path
from typing import IO

from .. import limits
from .errors import ApiError, invalid, too_large

#: What a zip file may have when it comes with the request, and unpacked. (Lambda quotas)
ZIPPED = 50 * limits.MIB
UNZIPPED = 250 * limits.MIB

# Entries beyond this number would only be there to be many.
_ENTRIES = 200_000

_CHUNK = 1024 * 1024

# What zipfile raises for damaged contents, also for encrypted and unknown ones.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


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

    Later files take the place of earlier ones that are there. Modes are kept, and who owns a
    file may read it.

    Raises:
        ApiError: it is damaged, or holds more than `room` bytes.
        OSError: the disk takes no more.
    """
    total = 0
    try:
        with zipfile.ZipFile(data) as archive:
            links = []
            for entry in _check_entries(archive):
                path = folder / _name(entry)
                if _is_link(entry):
                    links.append(entry)
                elif entry.is_dir():
                    path.mkdir(parents=True, exist_ok=True)
                else:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    total += _write(archive, entry, path, room - total)
            # Last: so nothing is ever written through one.
            for entry in links:
                path = folder / _name(entry)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.unlink(missing_ok=True)
                path.symlink_to(archive.read(entry).decode())
    except ApiError:
        raise
    except _BROKEN as exc:
        raise _unreadable() from exc
    return total


def make_read_only(folder: Path) -> None:
    """Take away everybody's right to write below `folder`, as on Lambda."""
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(root, name)
            if not path.is_symlink():
                path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)
    folder.chmod(stat.S_IMODE(folder.stat().st_mode) & ~0o222)


def remove_tree(folder: Path) -> None:
    """Delete a folder, also one that is read-only; harmless if it is gone."""
    for root, _, _ in os.walk(folder):
        with contextlib.suppress(FileNotFoundError):
            os.chmod(root, 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _check_entries(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = archive.infolist()
    if len(entries) > _ENTRIES:
        raise invalid(f"the zip file has {len(entries)} entries; {_ENTRIES} are taken here")
    kinds: dict[str, str] = {}
    links: set[str] = set()
    total = 0
    for entry in entries:
        name = _name(entry)
        kind = "folder" if entry.is_dir() else "file"
        if kinds.get(name, kind) != kind or (kind == "file" and name in kinds):
            raise invalid(f"the zip file has {entry.filename!r} twice")
        kinds[name] = kind
        if _is_link(entry):
            links.add(name)
            _check_link(archive, entry, name)
        total += entry.file_size
    for name in kinds:
        for parent in _parents(name):
            if parent in links or kinds.get(parent) == "file":
                raise invalid(f"the zip file has {name!r} below {parent!r}, which is no folder")
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
    mode = stat.S_IFMT(entry.external_attr >> 16)
    if mode not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        raise invalid(f"the zip file has an entry {name!r}, which is neither file nor folder")
    return posixpath.normpath(name)


def _is_link(entry: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(entry.external_attr >> 16)


def _check_link(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> None:
    if entry.file_size > 4096:
        raise invalid(f"the zip file has a link {name!r} with a target that is too long")
    target = archive.read(entry).decode("utf-8", "surrogateescape")
    there = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
    leaves = target.startswith("/") or there.split("/")[0] == ".."
    # Behind a name `..` is not the folder that it seems to be, if the name is another link.
    parts = target.split("/")
    turns_back = any(part == ".." != before for before, part in pairwise(parts))
    if not target or leaves or turns_back or "\0" in target:
        raise invalid(f"the zip file has a link {name!r} to {target!r}, which leaves its folder")


def _parents(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


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
