"""Zip files whose bytes depend on nothing but what is in them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ..errors import PenstockError

# Of a zip file that is being written.
PART_SUFFIX = ".penstock-part"


class Entry(NamedTuple):
    """A file that goes into a zip file as `name`, perhaps executable."""

    name: str
    file: Path
    is_executable: bool = False


def write_zip(output: Path, entries: Iterable[Entry], *, compressed: bool) -> str:
    """Write `output`, whole or not at all, and return its SHA-256.

    Order, dates, owners and modes are always the same. Compressed bytes are so only where
    the same zlib makes them; entries that are not compressed are the same everywhere.

    Raises:
        PenstockError: a file cannot be read or written, or has no name for a zip file.
    """
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    part: Path | None = None
    try:
        # Hidden, so that one which a killed run has left is not packed by the next.
        handle, name = tempfile.mkstemp(PART_SUFFIX, ".", output.parent)
        part = Path(name)
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", kind) as archive:
            for entry in sorted(entries):
                info = zipfile.ZipInfo(entry.name, (1980, 1, 1, 0, 0, 0))
                info.create_system = 3  # Unix, for the modes to count
                mode = 0o755 if entry.is_executable else 0o644
                info.external_attr = (stat.S_IFREG | mode) << 16
                archive.writestr(info, entry.file.read_bytes(), kind, compresslevel=6)
        part.chmod(0o666 & ~_umask())
        os.replace(part, output)
    except OSError as exc:
        raise PenstockError(f"cannot make {output}: {exc}") from exc
    except UnicodeEncodeError as exc:
        raise PenstockError(f"the name {exc.object!r} is not UTF-8, as a zip file's is") from exc
    finally:
        if part is not None:
            with contextlib.suppress(OSError):
                part.unlink()
    return hashlib.sha256(output.read_bytes()).hexdigest()


def files_in(folder: Path, leave_out: Path) -> list[Entry]:
    """Every file of a folder, except `leave_out`, caches, `.git` and virtual environments.

    Links to files in the folder become the files.

    Raises:
        PenstockError: something in it is neither a file nor a folder, or leads out of it.
    """
    root = folder.resolve()
    entries = []
    for at, folders, names in os.walk(root, onerror=_refuse):
        here = Path(at)
        folders[:] = [name for name in folders if _belongs(here / name)]
        # A link to a folder is among the folders, and is not walked into.
        names += [name for name in folders if (here / name).is_symlink()]
        for path in (here / name for name in names):
            if path.is_symlink():
                _check_link(path, root)
            if path == leave_out or path.name == ".git" or path.name.endswith(PART_SUFFIX):
                continue
            if not path.is_file():
                raise PenstockError(f"{path} is no ordinary file, which is all that can be packed")
            name = path.relative_to(root).as_posix()
            is_executable = bool(path.stat().st_mode & 0o111) or _is_wrapper(name)
            entries.append(Entry(name, path, is_executable))
    return entries


def _belongs(folder: Path) -> bool:
    return folder.name not in ("__pycache__", ".git") and not (folder / "pyvenv.cfg").exists()


def _check_link(link: Path, root: Path) -> None:
    try:
        target = link.resolve()
    except RuntimeError as exc:  # from Python 3.13 on it leads to itself, which is no file
        raise PenstockError(f"{link} is a link that leads nowhere: {exc}") from exc
    if not target.is_relative_to(root):
        raise PenstockError(
            f"{link} is a link out of {root}, to {target}; put what it leads to in its place"
        )
    if target.is_dir():
        raise PenstockError(
            f"{link} is a link to a folder, {target}; put the folder itself in its place"
        )


def _is_wrapper(name: str) -> bool:
    # SAM's build unpacks wheels without their modes, and Windows has none.
    return name.endswith("penstock/runtime/exec-wrapper")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _refuse(error: OSError) -> None:
    raise PenstockError(f"cannot read {error.filename}: {error.strerror}") from error
