"""A folder laid out as Lambda's file system, and functions served from it."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
import textwrap
import zipfile
from collections.abc import Iterator
from pathlib import Path

import penstock
from penstock.cli.package import layer_files
from penstock.emulator.emulator import Emulator
from penstock.emulator.functions import function_from_target
from tests.conftest import PREAMBLE, LocalFunction
from tests.tools import is_running, wait_for

PACKAGE = Path(penstock.__file__).parent

# Without this environment's packages, Penstock among them, as on Lambda.
BARE_PYTHON = str(Path(sys._base_executable).resolve())

SITE_PACKAGES = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"


class LambdaFiles:
    """`root` as the root of a file system: /var/task, /var/runtime, /var/lang and /opt."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.task = root / "var/task"
        self.opt = root / "opt"
        self.lang = root / "var/lang" / SITE_PACKAGES
        self.runtime = root / "var/runtime"
        for folder in (self.task, self.opt, self.lang, self.runtime):
            folder.mkdir(parents=True)
        self.bootstrap = self.runtime / "bootstrap.py"
        self.bootstrap.write_text("raise SystemExit('this is AWS\\'s own bootstrap')\n")

    def put_into_the_zip(self) -> Path:
        """Penstock beside the function; returns its exec wrapper."""
        unwanted = shutil.ignore_patterns("__pycache__", "cli", "emulator", "testing")
        shutil.copytree(PACKAGE, self.task / "penstock", ignore=unwanted)
        return self.task / "penstock/runtime/exec-wrapper"

    def put_into_a_layer(self) -> Path:
        """Penstock in a layer; returns its exec wrapper."""
        for entry in layer_files():
            target = self.opt / entry.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(entry.file, target)
            target.chmod(0o755 if entry.is_executable else 0o644)
        return self.opt / "penstock-exec-wrapper"

    def add_layer(self, archive: Path) -> None:
        """Unpack a layer, modes included, as Lambda does."""
        unpack(archive, self.opt)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip file, modes included."""
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            Path(opened.extract(info, folder)).chmod((info.external_attr >> 16) & 0o777)


class ServeFiles:
    """Serves the function in /var/task, started by any command."""

    def __init__(self, gates: Path) -> None:
        self._gates = gates
        self._emulators: list[Emulator] = []

    def __call__(
        self,
        files: LambdaFiles,
        source: str | None,
        command: tuple[object, ...],
        environment: dict[str, str] | None = None,
    ) -> LocalFunction:
        """Serve `source`, or with None the app.py that is there."""
        app = files.task / "app.py"
        if source is not None:
            app.write_text(PREAMBLE + textwrap.dedent(source))
        function = dataclasses.replace(
            function_from_target(f"{app}:handler", environment=environment or {}),
            command=tuple(map(str, command)),
            # Nothing of this shell's: no PYTHONPATH, no virtual environment.
            inherited={"PATH": os.environ["PATH"], "GATES": str(self._gates)},
        )
        log: list[str] = []
        emulator = Emulator(function, host="127.0.0.1", write_log=log.append)
        self._emulators.append(emulator)
        return LocalFunction(emulator, log)

    def stop(self) -> None:
        for emulator in self._emulators:
            pids = emulator.environment_pids
            emulator.stop()
            for pid in pids:
                wait_for(lambda pid=pid: not is_running(pid), f"the end of process {pid}")


def serving(gates: Path) -> Iterator[ServeFiles]:
    """For a fixture: everything is stopped afterwards."""
    serve = ServeFiles(gates)
    yield serve
    serve.stop()
