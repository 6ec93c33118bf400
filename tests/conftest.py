"""Fixtures for every test: emulators with handlers, gates that hold handlers, tools."""

from __future__ import annotations

import dataclasses
import os
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from penstock.emulator.emulator import Emulator
from penstock.emulator.function_urls import FunctionUrl
from penstock.emulator.functions import function_from_target

from .tools import Gate, is_running, wait_for

# What a test may say of a function beyond what its target tells.
_FIELDS = (
    "command",
    "max_concurrency",
    "extensions_folder",
    "freezes",
    "snap_start",
    "memory",
    "enforces_memory",
    "reserved_concurrency",
)
# The same of its Function URL, and of the emulator.
_URL_FIELDS = ("auth_type", "cors", "invoke_mode")
_OF_EMULATOR = ("account_concurrency", "bandwidth", "credentials", "quirks", "rest_apis")


class LocalFunction:
    """A function served by an emulator in this process."""

    def __init__(self, emulator: Emulator, log: list[str]) -> None:
        self.emulator = emulator
        self.url = f"http://127.0.0.1:{emulator.port}"
        self.port = emulator.port
        self.name = emulator.function.name
        self._log = log

    @property
    def log(self) -> str:
        return "".join(self._log)

    def wait_for_log(self, text: str) -> str:
        wait_for(lambda: text in self.log, lambda: f"{text!r} in the log:\n{self.log}")
        return self.log


class Serve(Protocol):
    def __call__(self, source: str, handler: str = "handler", **options: Any) -> LocalFunction: ...


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Holds handlers until the test lets them go on."""
    folder = tmp_path / "gates"
    folder.mkdir()
    return Gate(folder)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serve the handler in `source` with an emulator; everything is stopped afterwards."""
    emulators: list[Emulator] = []

    def serve(source: str, handler: str = "handler", **options: Any) -> LocalFunction:
        folder = tmp_path / f"function{len(emulators)}"
        folder.mkdir()
        (folder / "app.py").write_text(PREAMBLE + textwrap.dedent(source))
        watch = options.pop("watch", False)
        origins = options.pop("origins", ())
        retry_delay = options.pop("retry_delay", 1.0)
        environment = {"GATES": str(tmp_path / "gates"), **options.pop("environment", {})}
        fields = {name: options.pop(name) for name in _FIELDS if name in options}
        url = {name: options.pop(name) for name in _URL_FIELDS if name in options}
        more = {name: options.pop(name) for name in _OF_EMULATOR if name in options}
        function = function_from_target(
            f"{folder / 'app.py'}:{handler}", environment=environment, **options
        )
        function = dataclasses.replace(function, **fields)
        log: list[str] = []
        emulator = Emulator(
            function,
            retry_delay=retry_delay,
            function_url=FunctionUrl(function.name, **url),
            host="127.0.0.1",
            write_log=log.append,
            watch=watch,
            origins=origins,
            **more,
        )
        emulators.append(emulator)
        return LocalFunction(emulator, log)

    yield serve
    for emulator in emulators:
        pids = emulator.environment_pids
        emulator.stop()
        for pid in pids:
            wait_for(lambda pid=pid: not is_running(pid), f"the end of process {pid}")


# In front of every handler under test: what handlers need, and how they are held.
PREAMBLE = '''\
import asyncio, json, os, sys, time
from penstock import HttpResponseStream, Prelude, pipeline, streamify_response


def pass_gate(name):
    """Block until the test opens the gate."""
    path = os.path.join(os.environ["GATES"], name)
    try:
        os.mkfifo(path)
    except FileExistsError:
        pass
    with open(path) as gate:
        gate.read()


'''


@pytest.fixture
def recordings() -> Callable[[str], Path]:
    """A folder of recordings of other programs, if PENSTOCK_RECORDINGS names one."""

    def folder(name: str) -> Path:
        root = os.environ.get("PENSTOCK_RECORDINGS")
        if not root:
            pytest.skip("PENSTOCK_RECORDINGS names no folder of recordings")
        return Path(root) / name

    return folder
