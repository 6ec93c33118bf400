"""Fixtures for every test: emulators with handlers, gates that hold handlers, tools."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Hashable, Iterator
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from hypothesis import settings

from penstock.cli import main
from penstock.emulator.emulator import Emulator
from penstock.emulator.function_urls import FunctionUrl
from penstock.emulator.functions import function_from_target

from .tools import PATIENCE, Gate, few_with_every_value, is_running, repeated, wait_for

# How long an example takes is up to the machine.
settings.register_profile("penstock", deadline=None, max_examples=repeated(100, here=25))
settings.load_profile("penstock")

# Each request without a client of its own would read the certificates of the web anew: 30 ms,
# and nothing here speaks TLS.
httpx._transports.default.create_ssl_context = cache(httpx._transports.default.create_ssl_context)

# Who says nothing else has httpx wait for five seconds, less than what a first call with a
# large library takes on a busy machine.
signature(httpx.get).parameters["timeout"].default.read = PATIENCE

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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what the mark `each_value_once` leaves to CI, of the tests that were asked for."""
    if os.environ.get("CI"):
        return
    groups: dict[str, list[tuple[pytest.Item, set[Hashable]]]] = {}
    # Plugins may have shuffled them.
    for item in sorted(items, key=lambda item: item.nodeid):
        mark = item.get_closest_marker("each_value_once")
        if mark is None or not hasattr(item, "callspec"):
            continue
        test = item.nodeid.partition("[")[0]
        if mark.kwargs.get("across_tests"):
            module = test.partition("::")[0]
            groups.setdefault(module, []).append((item, {test, *_values_of(item)}))
        else:
            groups.setdefault(test, []).append((item, _values_of(item)))
    for group in groups.values():
        chosen = few_with_every_value([values for _, values in group])
        for index, (item, _) in enumerate(group):
            if index not in chosen:
                item.add_marker(pytest.mark.skip("in CI only: each of its values runs elsewhere"))


def _values_of(item: Any) -> set[Hashable]:
    """What a case has of each list of values; names that have their values together are one.

    Values are known by their identity: a list gives the same objects to every test.
    """
    left = dict(item.callspec.params)
    values: set[Hashable] = set()
    for mark in item.iter_markers("parametrize"):
        names = mark.args[0]
        names = names.replace(",", " ").split() if isinstance(names, str) else names
        values.add((*names, *(id(left.pop(name)) for name in names)))
    # Of fixtures.
    return values | {(name, id(value)) for name, value in left.items()}


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


class RunPenstock(Protocol):
    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def run_penstock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RunPenstock:
    """Run a command of `penstock` that ends by itself, in the folder of the test.

    In CI it is a process. Where somebody waits it runs in this one, which saves its start.
    """

    def run_penstock(*arguments: str) -> subprocess.CompletedProcess[str]:
        if os.environ.get("CI"):
            command = [sys.executable, "-m", "penstock.cli", *arguments]
            return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30)
        monkeypatch.chdir(tmp_path)
        try:
            status = main(arguments)
        except SystemExit as ended:
            status = ended.code
        return subprocess.CompletedProcess(arguments, status, *capsys.readouterr())

    return run_penstock


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
