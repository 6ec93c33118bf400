"""`penstock package`: what is in the zip files, that they are the same each time, and run."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest

from penstock.cli import main, package
from tests.lambda_files import BARE_PYTHON, PACKAGE, LambdaFiles, serving, unpack

ROOT = Path(__file__).parents[2]

ONE_TWO = """
@streamify_response
def handler(event, context):
    yield "one"
    pass_gate("1")
    yield "two"
"""


@pytest.fixture
def serve_files(gate) -> object:
    yield from serving(gate.folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A function's folder, as `pip install --target` leaves one."""
    folder = tmp_path / "app"
    unwanted = shutil.ignore_patterns("__pycache__", "cli", "emulator", "testing")
    shutil.copytree(PACKAGE, folder / "penstock", ignore=unwanted)
    (folder / "app.py").write_text("from penstock import streamify_response\n")
    (folder / "bin").mkdir()
    (folder / "bin/tool").write_text("#!/bin/sh\n")
    (folder / "bin/tool").chmod(0o700)
    return folder


def made(output: Path, *arguments: object) -> Path:
    """The zip file that a command line makes."""
    assert main(["package", *map(str, arguments), "-o", str(output)]) == 0
    return output


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command line is refused with."""
    assert main(["package", *map(str, arguments)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err.removeprefix("penstock: ").strip()


def contents(archive: Path) -> dict[str, zipfile.ZipInfo]:
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        return {info.filename: info for info in opened.infolist()}


def mode(info: zipfile.ZipInfo) -> str:
    return stat.filemode(info.external_attr >> 16)


# The layer.


def test_the_layer_has_what_runs_in_lambda_and_the_wrapper_at_its_root(tmp_path):
    names = contents(made(tmp_path / "layer.zip", "--layer"))
    expected = {
        f"python/penstock/{file.relative_to(PACKAGE).as_posix()}"
        for file in PACKAGE.rglob("*.py")
        if file.relative_to(PACKAGE).parts[0] not in ("cli", "emulator", "testing")
    }
    wrappers = {"penstock-exec-wrapper", "python/penstock/runtime/exec-wrapper"}
    assert set(names) == expected | wrappers
    assert {"python/penstock/handler.py", "python/penstock/runtime/takeover.py"} < expected


def test_entries_are_sorted_and_say_nothing_of_when_and_where_they_were_made(tmp_path):
    entries = contents(made(tmp_path / "layer.zip", "--layer"))
    assert list(entries) == sorted(entries)
    for name, info in entries.items():
        assert info.date_time == (1980, 1, 1, 0, 0, 0)
        assert info.create_system == 3
        assert mode(info) == ("-rwxr-xr-x" if name.endswith("exec-wrapper") else "-rw-r--r--")
        assert info.compress_type == zipfile.ZIP_STORED
        assert (info.extra, info.comment) == (b"", b"")


def test_the_layer_is_the_same_wherever_and_whenever_it_is_made(tmp_path):
    first = made(tmp_path / "first.zip", "--layer").read_bytes()
    copy = tmp_path / "elsewhere" / "penstock"
    # What another process compiles at this moment has such a name until it is whole.
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("*.pyc.*"))
    for number, file in enumerate(sorted(copy.rglob("*"), reverse=True)):
        file.chmod(0o700)
        os.utime(file, (number, number))
    done = subprocess.run(
        [sys.executable, "-m", "penstock.cli", "package", "--layer", "-o", "second.zip"],
        cwd=copy.parent,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(copy.parent), "TZ": "Asia/Tokyo"},
        umask=0o077,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (copy.parent / "second.zip").read_bytes() == first


def test_every_module_of_the_layer_can_be_imported_without_the_rest(tmp_path):
    unpack(made(tmp_path / "layer.zip", "--layer"), tmp_path / "opt")
    names = [
        name.removeprefix("python/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in contents(tmp_path / "layer.zip")
        if name.endswith(".py")
    ]
    assert "penstock.runtime.takeover" in names
    program = f"import importlib\nfor name in {names}: importlib.import_module(name)"
    done = subprocess.run(
        [BARE_PYTHON, "-I", "-c", f"import sys; sys.path.append('opt/python')\n{program}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_layer_streams_through_its_wrapper(tmp_path, serve_files, gate):
    files = LambdaFiles(tmp_path / "root")
    files.add_layer(made(tmp_path / "layer.zip", "--layer"))
    command = (files.opt / "penstock-exec-wrapper", BARE_PYTHON, files.bootstrap)
    function = serve_files(files, ONE_TWO, command)
    with httpx.stream("GET", function.url, timeout=15) as response:
        chunks = response.iter_raw()
        assert next(chunks) == b"one", function.log
        gate.open("1")
        assert list(chunks) == [b"two"]


def test_it_prints_size_digest_and_what_to_do_next(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["package", "--layer"]) == 0
    data = Path("penstock-layer.zip").read_bytes()
    printed = capsys.readouterr().out
    assert printed.startswith(f"penstock-layer.zip: {len(data):,} bytes\n")
    assert f"sha256 {hashlib.sha256(data).hexdigest()}\n" in printed
    assert "That is all for python3.11 and newer: handlers stream under AWS's client." in printed
    assert printed.endswith("\n\n  AWS_LAMBDA_EXEC_WRAPPER=/opt/penstock-exec-wrapper\n")
    assert os.listdir() == ["penstock-layer.zip"]


def sent_by_aws(printed: str) -> str:
    """Where AWS's own command line would send the first command in `printed`."""
    command = re.search(r"^  (aws (?:.*\\\n)*.*)$", printed, re.M)[1]
    program, *arguments = shlex.split(command.replace("\\\n", ""))
    assert program == "aws"
    done = subprocess.run(
        [sys.executable, "-m", "awscli", *arguments, "--endpoint-url", "http://127.0.0.1:9"],
        env={
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_MAX_ATTEMPTS": "1",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    return re.search(r'not connect to the endpoint URL: "http://127.0.0.1:9(.*)"', done.stderr)[1]


@pytest.mark.parametrize("name", ["layer.zip", "a layer's.zip"])
def test_aws_accepts_the_command_that_publishes(name, tmp_path, capsys):
    made(tmp_path / name, "--layer")
    assert sent_by_aws(capsys.readouterr().out) == "/2018-10-31/layers/penstock/versions"


# A function.


def test_a_function_has_its_whole_folder_without_caches(folder, tmp_path):
    for unwanted in ("__pycache__/app.pyc", ".git/config", "venv/pyvenv.cfg", "venv/bin/python"):
        (folder / unwanted).parent.mkdir(parents=True, exist_ok=True)
        (folder / unwanted).write_text("")
    (folder / "größe.txt").write_text("Größe")
    (folder / ".hidden").write_text("")
    names = contents(made(tmp_path / "function.zip", folder))
    package_files = {name for name in names if name.startswith("penstock/")}
    assert set(names) - package_files == {".hidden", "app.py", "bin/tool", "größe.txt"}
    assert "penstock/__init__.py" in package_files
    assert not any("__pycache__" in name for name in names)


def test_modes_come_from_the_files_and_the_wrapper_can_always_be_run(folder, tmp_path):
    """SAM's build loses modes."""
    wrapper = folder / "penstock/runtime/exec-wrapper"
    wrapper.chmod(0o600)
    names = contents(made(tmp_path / "function.zip", folder))
    assert mode(names["app.py"]) == "-rw-r--r--"
    assert mode(names["bin/tool"]) == "-rwxr-xr-x"
    assert mode(names["penstock/runtime/exec-wrapper"]) == "-rwxr-xr-x"


def test_a_function_is_the_same_wherever_and_whenever_it_is_made(folder, tmp_path):
    first = made(tmp_path / "first.zip", folder).read_bytes()
    copy = tmp_path / "elsewhere"
    shutil.copytree(folder, copy)
    for number, file in enumerate(sorted(copy.rglob("*"), reverse=True)):
        os.utime(file, (number, number))
        file.chmod(file.stat().st_mode & 0o700)
    assert made(tmp_path / "second.zip", copy).read_bytes() == first
    assert made(copy / "third.zip", copy).read_bytes() == first
    assert made(copy / "third.zip", copy).read_bytes() == first


def test_a_function_streams_through_the_wrapper_in_it(folder, tmp_path, serve_files, gate):
    files = LambdaFiles(tmp_path / "root")
    unpack(made(tmp_path / "function.zip", folder), files.task)
    command = (files.task / "penstock/runtime/exec-wrapper", BARE_PYTHON, files.bootstrap)
    function = serve_files(files, ONE_TWO, command)
    with httpx.stream("GET", function.url, timeout=15) as response:
        chunks = response.iter_raw()
        assert next(chunks) == b"one", function.log
        gate.open("1")
        assert list(chunks) == [b"two"]


def test_links_to_files_in_the_folder_become_the_files(folder, tmp_path):
    (folder / "linked.py").symlink_to("app.py")
    archive = made(tmp_path / "function.zip", folder)
    with zipfile.ZipFile(archive) as opened:
        assert opened.read("linked.py") == opened.read("app.py")
    assert mode(contents(archive)["linked.py"]) == "-rw-r--r--"


@pytest.mark.parametrize("target", ["../secret.txt", "/etc/passwd"])
def test_links_out_of_the_folder_are_refused(target, folder, tmp_path, capsys):
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "linked.txt").symlink_to(target)
    leads_to = (folder / target).resolve()
    assert refusal(capsys, folder, "-o", tmp_path / "function.zip") == (
        f"{folder}/linked.txt is a link out of {folder}, to {leads_to}; "
        "put what it leads to in its place"
    )
    assert not (tmp_path / "function.zip").exists()


def test_links_to_folders_are_refused(folder, tmp_path, capsys):
    (folder / "linked").symlink_to("bin")
    assert refusal(capsys, folder, "-o", tmp_path / "function.zip") == (
        f"{folder}/linked is a link to a folder, {folder}/bin; put the folder itself in its place"
    )
    (folder / "linked").unlink()
    (folder / "linked").symlink_to("..")
    assert "is a link out of" in refusal(capsys, folder, "-o", tmp_path / "function.zip")


def test_what_is_no_file_is_refused(folder, tmp_path, capsys):
    os.mkfifo(folder / "pipe")
    assert refusal(capsys, folder, "-o", tmp_path / "function.zip") == (
        f"{folder}/pipe is no ordinary file, which is all that can be packed"
    )
    (folder / "pipe").unlink()
    (folder / "pipe").symlink_to("nowhere")
    assert "no ordinary file" in refusal(capsys, folder, "-o", tmp_path / "function.zip")


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no such names")
def test_a_name_that_is_not_utf_8_is_refused(folder, tmp_path, capsys):
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.txt")).write_text("")
    message = refusal(capsys, folder, "-o", tmp_path / "function.zip")
    assert message == "the name '\\udcff.txt' is not UTF-8, as a zip file's is"
    assert [file.name for file in tmp_path.iterdir()] == ["app"]


def test_too_much_for_lambda_is_refused(folder, tmp_path, capsys, monkeypatch):
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    with (folder / "model.bin").open("wb") as file:
        file.truncate(262_144_001 - size)
    assert refusal(capsys, folder, "-o", tmp_path / "function.zip") == (
        "262,144,001 bytes are too many: Lambda takes 262,144,000 (250 MB), with all layers "
        "unzipped; a container image may have 10 GB"
    )
    assert not (tmp_path / "function.zip").exists()
    (folder / "model.bin").unlink()
    monkeypatch.setattr(package, "UNZIPPED", size)
    made(tmp_path / "function.zip", folder)
    assert f"{size:,} bytes unzipped (100.0% of 250 MB)" in capsys.readouterr().out


def test_aws_accepts_the_commands_that_upload(folder, tmp_path, capsys, monkeypatch):
    output = made(tmp_path / "function.zip", folder)
    printed = capsys.readouterr().out
    assert "--zip-file" in printed
    assert sent_by_aws(printed) == "/2015-03-31/functions/NAME/code"
    monkeypatch.setattr(package, "DIRECT_UPLOAD", output.stat().st_size - 1)
    made(output, folder)
    printed = capsys.readouterr().out
    assert f"  aws s3 cp {output} s3://BUCKET/\n" in printed
    second = printed.partition("s3://BUCKET/\n")[2]
    assert sent_by_aws(second) == "/2015-03-31/functions/NAME/code"


def test_a_function_without_penstock_gets_a_hint(folder, tmp_path, capsys):
    made(tmp_path / "function.zip", folder)
    assert "Penstock is not in it" not in capsys.readouterr().out
    shutil.rmtree(folder / "penstock")
    made(tmp_path / "function.zip", folder)
    assert (
        f"pip install --target {folder} path/to/the/clone/of/penstock\n" in capsys.readouterr().out
    )


# What cannot be.


def test_it_needs_to_know_what_to_pack(folder, capsys):
    for arguments, message in [
        ([], "one of the arguments FOLDER --layer is required"),
        ([str(folder), "--layer"], "not allowed with argument"),
    ]:
        with pytest.raises(SystemExit) as ended:
            main(["package", *arguments])
        assert ended.value.code == 2
        assert message in capsys.readouterr().err


def test_folders_that_are_not_there_or_empty(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    assert refusal(capsys, tmp_path / "nowhere") == (
        f"there is no folder {tmp_path / 'nowhere'} (looked from {Path.cwd()})"
    )
    assert refusal(capsys, tmp_path / "file") == (
        f"{tmp_path / 'file'} is a file; name the folder it is in"
    )
    assert refusal(capsys, tmp_path / "empty") == (
        f"{tmp_path / 'empty'} is empty: there is nothing to pack"
    )


def test_outputs_that_cannot_be_written(tmp_path, capsys):
    assert refusal(capsys, "--layer", "-o", tmp_path) == (
        f"{tmp_path} is a folder; -o takes the name of the zip file in it"
    )
    assert refusal(capsys, "--layer", "-o", tmp_path / "no/layer.zip") == (
        f"there is no folder {tmp_path / 'no'} for layer.zip"
    )
    name = f"{'x' * 252}.zip"
    assert refusal(capsys, "--layer", "-o", tmp_path / name).startswith(
        f"cannot make {tmp_path / name}: "
    )


def test_what_was_there_stays_when_it_fails(folder, tmp_path, capsys, monkeypatch):
    output = tmp_path / "function.zip"
    output.write_bytes(b"as before")
    (folder / "app.py").unlink()
    (folder / "app.py").symlink_to("/etc/passwd")
    refusal(capsys, folder, "-o", output)
    assert output.read_bytes() == b"as before"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["app", "function.zip"]


def test_every_option_is_in_its_page():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    package.add_command(commands)
    page = (ROOT / "docs/reference/package.md").read_text()
    options = [
        option
        for action in commands.choices["package"]._actions
        for option in action.option_strings
        if option not in ("-h", "--help")
    ]
    assert options == ["--layer", "-o", "--output"]
    for option in options:
        assert re.search(f"`{option}[` ]", page), option


def test_links_in_a_circle_are_refused(tmp_path, capsys):
    (tmp_path / "app").mkdir()
    (tmp_path / "app/loop").symlink_to("loop")

    assert str(tmp_path / "app/loop") in refusal(
        capsys, tmp_path / "app", "-o", tmp_path / "function.zip"
    )


def test_what_a_killed_run_has_left_is_not_packed(tmp_path, capsys):
    (tmp_path / "app.py").write_text("")
    (tmp_path / ".x.penstock-part").write_text("half")

    assert main(["package", str(tmp_path), "-o", str(tmp_path / "function.zip")]) == 0
    assert zipfile.ZipFile(tmp_path / "function.zip").namelist() == ["app.py"]
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]
