"""Functions, events for them and a clock that stands still, for tests."""

from __future__ import annotations

import json
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from penstock.emulator.deadlines import Deadlines
from penstock.emulator.functions import function_from_target
from penstock.emulator.invocations import Invocation
from penstock.emulator.invoke.event_invokes import EventInvokeConfig, EventInvokes
from penstock.emulator.invoke.lineage import next_trace_id
from penstock.emulator.log import Log
from penstock.emulator.registry import Registry
from penstock.emulator.relay import BufferedReceiver
from tests.conftest import PREAMBLE
from tests.tools import Gate, wait_for

FAILS_TWICE = """
tries = []

def handler(event, context):
    tries.append(context.aws_request_id)
    if len(tries) < 3:
        raise ValueError(f"not at {len(tries)}")
    return tries
"""
FAILS = """
def handler(event, context):
    raise ValueError("never")
"""
PRINTS = """
def handler(event, context):
    print("got", json.dumps(event))
    return event
"""
HOLDS = """
def handler(event, context):
    if event == "hold":
        pass_gate("hold")
    print("got", json.dumps(event))
    return event
"""


class Clock:
    """A time that stands still until it is moved, and what is to be done at times."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self._calls: list[tuple[float, Callable[[], None]]] = []
        self._lock = threading.Lock()

    def at(self, when: float, call: Callable[[], None]) -> None:
        with self._lock:
            self.waits.append(when - self.now)
            self._calls.append((when, call))

    def move(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds
            due = [call for when, call in self._calls if when <= self.now]
            self._calls = [each for each in self._calls if each[0] > self.now]
        for call in due:
            call()

    def move_to_next(self) -> None:
        wait_for(lambda: self._calls, "something that is to be done later")
        self.move(min(when for when, _ in self._calls) - self.now)


class Lambda:
    """Functions, and events for them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self._log: list[str] = []
        self._deadlines = Deadlines()
        log = Log(self._log.append)
        self.registry = Registry(log, self._deadlines)
        self.configs: dict[str, EventInvokeConfig] = {}
        self.events = self.with_options()

    def with_options(self, **options: Any) -> EventInvokes:
        log = Log(self._log.append)
        self.log_events = log.events
        self.events = EventInvokes(
            self.registry,
            log,
            self.clock,
            clock=lambda: self.clock.now,
            **{"retry_delay": 60, **options},
        )
        self.events.config_of = lambda name, _: self.configs.get(name, EventInvokeConfig())
        return self.events

    @property
    def log(self) -> str:
        return "".join(self._log)

    def add(self, source: str, name: str = "app", *, max_environments: int = 1) -> None:
        path = self.folder / f"{name}.py"
        path.write_text(PREAMBLE + textwrap.dedent(source))
        variables = {"GATES": str(self.folder / "gates")}
        self.registry.put(
            function_from_target(
                f"{path}:handler",
                name=name,
                max_environments=max_environments,
                environment=variables,
            )
        )

    def configure(self, name: str = "app", **config: Any) -> Path:
        """Have records of failures and successes in the file that is returned."""
        path = self.folder / "records.jsonl"
        files = {"on_success": path.as_uri(), "on_failure": path.as_uri()}
        self.configs[name] = EventInvokeConfig(**{**files, **config})
        return path

    def send(self, event: object = None, name: str = "app", qualifier: str | None = None) -> str:
        payload = json.dumps(event if event is not None else {}).encode()
        return self.events.accept(name, qualifier, payload, trace_id=next_trace_id(None, name))

    def wait_for_log(self, text: str) -> None:
        wait_for(lambda: text in self.log, f"{text!r} in the log:\n{self.log}")

    def wait_for_record(self, path: Path) -> dict[str, Any]:
        wait_for(path.exists, f"a record; the log:\n{self.log}")
        wait_for(lambda: path.read_bytes().endswith(b"\n"), "a whole record")
        (line,) = path.read_text().splitlines()
        record: dict[str, Any] = json.loads(line)
        return record

    def occupied(self, gate: Gate) -> Callable[[], None]:
        """Have the only environment busy; the call that is returned frees it."""
        environments = self.registry.find("app")
        assert environments is not None
        invocation = Invocation(
            environments.function, b'"hold"', BufferedReceiver(), is_streaming=False
        )
        environments.invoke(invocation)

        def free() -> None:
            gate.open("hold")
            assert invocation.finished.wait(15)

        return free

    def stop(self) -> None:
        self.events.stop()
        self.registry.stop()
        self._deadlines.stop()


@contextmanager
def running(folder: Path) -> Iterator[Lambda]:
    """Functions in `folder`; everything is stopped afterwards."""
    aws = Lambda(folder)
    try:
        yield aws
    finally:
        aws.stop()
