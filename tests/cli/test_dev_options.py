"""`penstock dev`: what each option of its command line changes."""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

import httpx
import pytest

from penstock.cli import dev, main
from penstock.emulator.emulator import Emulator
from penstock.emulator.rest_apis import api_of_function
from tests.emulator.lambda_api.conftest import ROLE, zipped
from tests.tools import lambda_client, wait_for

PAGE = "http://localhost:5173"


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Start what a command line of `penstock dev` asks for, in this process."""
    monkeypatch.chdir(tmp_path)
    Path("app.py").write_text("def handler(event, context): raise ValueError('no')\n")
    Path("programs").mkdir()
    Path("programs/one").write_text("#!/bin/sh\n")
    Path("programs/one").chmod(0o755)
    commands = argparse.ArgumentParser()
    dev.add_command(commands.add_subparsers())
    started: list[Emulator] = []

    def start(*arguments: str) -> Emulator:
        options = commands.parse_args(["dev", *arguments, "--port", "0"])
        started.append(dev._start(options))
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.mark.parametrize(
    ("option", "field", "value"),
    [
        ("--function=orders", "name", "orders"),
        ("--env=A=b=c", "environment", {"A": "b=c"}),
        ("--timeout=7.5", "timeout", 7.5),
        ("--max-environments=3", "max_environments", 3),
        ("--max-concurrency=4", "max_concurrency", 4),
        ("--reserved-concurrency=5", "reserved_concurrency", 5),
        ("--extensions=programs", "extensions_folder", "programs"),
        ("--freeze", "freezes", True),
        ("--snap-start", "snap_start", True),
        ("--memory=256", "memory", 256),
        ("--enforce-memory", "enforces_memory", True),
    ],
)
def test_what_its_function_is_like(start, option, field, value):
    if field == "extensions_folder":
        value = Path(value).resolve()
    assert getattr(start("app.py:handler").function, field) != value
    assert getattr(start("app.py:handler", option).function, field) == value


@pytest.mark.parametrize(
    ("option", "field", "value"),
    [
        ("--max-environments=3", "max_environments", 3),
        ("--freeze", "freezes", True),
        ("--enforce-memory", "enforces_memory", True),
    ],
)
def test_what_functions_are_like_that_come_through_the_api(start, option, field, value):
    assert getattr(created(start()), field) != value
    assert getattr(created(start(option)), field) == value


def created(emulator):
    lambda_client(emulator.url).create_function(
        FunctionName="made",
        Runtime="provided.al2023",
        Handler="app.handler",
        Role=ROLE,
        Code={"ZipFile": zipped()},
    )
    return emulator.registry.find("made").function


@pytest.mark.parametrize(
    ("option", "seen", "value"),
    [
        ("--host=127.0.0.1", lambda emulator: emulator.host, "127.0.0.1"),
        ("--invoke-mode=BUFFERED", lambda e: e.function_url.invoke_mode, "BUFFERED"),
        ("--auth-type=AWS_IAM", lambda e: e.function_url.auth_type, "AWS_IAM"),
        ("--rest-api=STREAM", lambda e: e.rest_apis, (api_of_function("app", "STREAM"),)),
        ("--quirk=empty-body-hang", lambda e: e.quirks.empty_body_hang, True),
        ("--no-quirk=error-is-200", lambda e: e.quirks.error_is_200, False),
        ("--strict", lambda e: e.quirks.error_is_200, False),
        ("--account-concurrency=20", lambda e: e.registry.account_concurrency, 20),
        (f"--allow-origin={PAGE}", lambda e: answer_to_a_page(e), 200),
    ],
)
def test_what_the_emulator_is_like(start, option, seen, value):
    assert seen(start("app.py:handler")) != value
    assert seen(start("app.py:handler", option)) == value


def answer_to_a_page(emulator):
    return httpx.get(f"{emulator.url}/_penstock/health", headers={"Origin": PAGE}).status_code


def test_how_long_a_failed_event_waits(start):
    emulator = start("app.py:handler", "--retry-delay", "600")
    events = []
    emulator.subscribe(events.append)
    lambda_client(emulator.url).invoke(FunctionName="app", InvocationType="Event")
    waits = "penstock.eventInvokeRetry"
    wait_for(lambda: any(event.type == waits for event in events), "the retry")
    assert [event.record["seconds"] for event in events if event.type == waits] == [600]


def test_the_port_of_its_rest_api(start, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        options = ("--port", "0", "--rest-api", "STREAM", "--rest-api-port", port)
        assert main(["dev", "app.py:handler", *options]) == 1
    assert f"cannot listen on localhost:{port}: Address already in use" in capsys.readouterr().err
