"""Clients to start, with nobody's own settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.clients.tools import NODE, Program
from tests.tools import missing, needs

Start = Callable[..., Program]


@pytest.fixture(autouse=True)
def environment(monkeypatch) -> None:
    """Nobody's own AWS configuration and proxies; the tools beside this Python."""
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)


@pytest.fixture
def start(tmp_path) -> Iterator[Start]:
    """Start a program; what still runs at the end of the test is killed."""
    programs: list[Program] = []

    def start(*command: str | Path) -> Program:
        programs.append(Program(*command, cwd=tmp_path))
        return programs[-1]

    yield start
    for program in programs:
        program.kill()


@pytest.fixture
def curl(start) -> Start:
    """Start curl, without anybody's own settings."""
    path = needs("curl")
    return lambda *arguments: start(
        path, "-q", "--silent", "--show-error", "--max-time", "20", *arguments
    )


@pytest.fixture
def aws(start) -> Start:
    """Start the AWS CLI that is installed beside this Python."""
    path = Path(sys.executable).with_name("aws")
    if not path.exists():
        missing(f"there is no {path}")
    return lambda function, *arguments: start(
        path, "--region", "us-east-1", "--endpoint-url", function.url, *arguments
    )


@pytest.fixture
def node(start) -> Start:
    """Start one of the scripts in `node/`."""
    path = needs("node")
    if not (NODE / "node_modules" / "@aws-sdk" / "client-lambda").is_dir():
        missing("the AWS SDK for JavaScript is not installed")
    return lambda script, function, *arguments: start(
        path, NODE / script, function.url, *(arguments or ("app",))
    )
