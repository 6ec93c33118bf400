"""Zip files from strangers: nothing leaves its folder, nothing grows without end."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from penstock.emulator.lambda_api import zip_files
from penstock.emulator.lambda_api.errors import ApiError

FILE, FOLDER, LINK, DEVICE, PIPE = 0o100644, 0o40755, 0o120777, 0o020600, 0o010600


def made(*entries: tuple[str, bytes, int], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, mode in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, content, method)
    return data.getvalue()


def refusal(data: bytes) -> str:
    with pytest.raises(ApiError) as caught:
        zip_files.check_zip(data)
    return str(caught.value)


def unpacked(data: bytes, folder: Path) -> Path:
    zip_files.check_zip(data)
    zip_files.unpack(io.BytesIO(data), folder)
    return folder


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "a\\..\\x", "..", "a/.."])
def test_an_entry_that_would_leave_the_folder_is_refused(name):
    assert "would leave its folder" in refusal(made((name, b"", FILE)))


@pytest.mark.parametrize("mode", [DEVICE, PIPE])
def test_what_is_neither_file_nor_folder_is_refused(mode):
    assert "neither file nor folder" in refusal(made(("x", b"", mode)))


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("x", "/etc/passwd"),
        ("x", ".."),
        ("a/b", "../../x"),
        ("x", ""),
        # `d` may be a link itself, and lead up by that.
        ("x", "d/../y"),
    ],
)
def test_a_link_that_would_leave_the_folder_is_refused(name, target):
    data = made((name, target.encode(), LINK), ("app.py", b"", FILE))
    assert "which leaves its folder" in refusal(data)


def test_nothing_is_below_a_link_or_a_file():
    assert "which is no folder" in refusal(made(("a", b"b", LINK), ("a/x", b"", FILE)))
    assert "which is no folder" in refusal(made(("a", b"", FILE), ("a/x", b"", FILE)))


def test_a_name_twice_is_refused():
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = made(("x", b"1", FILE), ("x", b"2", FILE))
    assert "'x' twice" in refusal(data)
    assert "twice" in refusal(made(("x", b"", FILE), ("x/", b"", FOLDER)))
    assert "twice" in refusal(made(("x", b"", FILE), ("./x", b"", FILE)))


@pytest.mark.parametrize("data", [b"", b"no zip file", made(("x", b"y" * 99, FILE))[:60]])
def test_what_is_no_zip_file_is_refused_with_the_words_of_aws(data):
    assert refusal(data) == (
        "Could not unzip uploaded file. Please check your file, then try to upload again."
    )


def test_a_zip_file_without_files_is_refused():
    assert refusal(made()) == "Uploaded file must be a non-empty zip"
    assert refusal(made(("a/", b"", FOLDER))) == "Uploaded file must be a non-empty zip"


def test_sizes_are_limited_as_on_aws(monkeypatch):
    monkeypatch.setattr(zip_files, "ZIPPED", 1000)
    monkeypatch.setattr(zip_files, "UNZIPPED", 5000)
    assert refusal(bytes(1001)) == "Zipped size must be smaller than 1000 bytes"
    unzipped = refusal(made(("x", bytes(5001), FILE)))
    assert unzipped == "Unzipped size must be smaller than 5000 bytes"


def test_an_entry_that_lies_about_its_size_does_not_grow_beyond_the_limit(tmp_path):
    data = bytearray(made(("x", bytes(100_000), FILE)))
    # The size in the central directory, which is what is believed.
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", 10)
    (tmp_path / "out").mkdir()
    with pytest.raises(ApiError):
        zip_files.unpack(io.BytesIO(data), tmp_path / "out", room=1000)
    written = sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    assert written <= 1000


def test_together_they_have_no_more_room_than_there_is(tmp_path):
    data = made(("x", bytes(600), FILE), ("y", bytes(600), FILE))
    with pytest.raises(ApiError, match="Unzipped size"):
        zip_files.unpack(io.BytesIO(data), tmp_path, room=1000)


def test_modes_and_links_are_kept(tmp_path):
    data = made(
        ("bootstrap", b"#!/bin/sh\n", 0o100755),
        ("lib/a.py", b"a", FILE),
        ("lib/secret", b"s", 0o100000),
        ("current", b"lib", LINK),
    )
    folder = unpacked(data, tmp_path)
    assert stat.S_IMODE((folder / "bootstrap").stat().st_mode) == 0o755
    assert stat.S_IMODE((folder / "lib/a.py").stat().st_mode) == 0o644
    # Whoever owns it may read it.
    assert (folder / "lib/secret").stat().st_mode & stat.S_IRUSR
    assert os.readlink(folder / "current") == "lib"
    assert (folder / "current/a.py").read_text() == "a"


def test_read_only_is_for_all_and_can_be_removed_all_the_same(tmp_path):
    folder = tmp_path / "root"
    folder.mkdir()
    unpacked(made(("a/b.py", b"", 0o100755), ("l", b"a", LINK)), folder)
    zip_files.make_read_only(folder)
    for path in (folder, folder / "a", folder / "a/b.py"):
        assert not path.stat().st_mode & 0o222
    assert os.access(folder / "a/b.py", os.X_OK)
    zip_files.remove_tree(folder)
    assert not folder.exists()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_in_one_go_are_refused(method):
    assert "neither stored nor deflated" in refusal(made(("x", b"y", FILE), method=method))


@pytest.mark.parametrize("name", ["a/" * 300 + "f", "x" * 256, "ab/" * 250 + "x" * 255])
def test_names_are_as_long_as_a_path_may_be(name):
    data = made((name, b"", FILE))
    if name.startswith("ab"):
        zip_files.check_zip(data)
    else:
        assert "whose name is too long" in refusal(data)


def test_a_file_needs_a_name():
    assert "no name of a file" in refusal(made((".", b"", FILE)))


def test_nothing_is_written_through_a_link_of_an_earlier_one(tmp_path):
    folder, victim = tmp_path / "opt", tmp_path / "victim"
    folder.mkdir()
    victim.mkdir()
    unpacked(made(("x", b"", FILE), ("a/b/up", b"../..", LINK)), folder)
    for name in ("a/b/up/f", "a/b/up/g/"):
        with pytest.raises(ApiError, match="'up' is a folder in one layer"):
            unpacked(made((name, b"", FILE), ("y", b"", FILE)), folder)
    with pytest.raises(ApiError, match="'up' is a folder in one layer"):
        unpacked(made(("y", b"", FILE), ("a/b/up/out", b"../../../victim", LINK)), folder)
    assert sorted(path.name for path in folder.iterdir()) == ["a", "x", "y"]


@pytest.mark.parametrize(("first", "second"), [("bin", "bin/tool"), ("bin/tool", "bin")])
def test_a_file_and_a_folder_of_one_name_are_refused(first, second, tmp_path):
    unpacked(made((first, b"", FILE)), tmp_path)
    with pytest.raises(ApiError, match="bin"):
        unpacked(made((second, b"", FILE)), tmp_path)


def test_a_later_one_takes_the_place_of_an_earlier_one(tmp_path):
    unpacked(made(("a", b"1", FILE), ("b", b"1", FILE)), tmp_path)
    unpacked(made(("a", b"2", FILE)), tmp_path)
    assert [(tmp_path / name).read_text() for name in "ab"] == ["2", "1"]
