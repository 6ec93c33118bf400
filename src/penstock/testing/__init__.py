"""Run any handler without a server, and see what it would have sent.

    from penstock import testing

    answer = testing.run(handler, {"name": "Ann"})
    assert answer.prelude.status_code == 200
    assert answer.chunks == [b"Hello ", b"Ann"]

To see that a handler *streams*, take its chunks one at a time with `stepped`: the handler
is held in each write until the test asks for more. `emulator` serves a handler on a local
Lambda, as a process of its own behind real addresses; for pytest there are fixtures
(`penstock.testing.plugin`). `events` makes the events of AWS's services. An event source of
your own is checked with `check_event_source`.

Names are loaded on first use: pytest loads the plugin, and so this package, in every project
where Penstock is installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# Not on first use: by then the module of the same name might stand here.
from .emulator import LocalFunction, emulator

if TYPE_CHECKING:
    from . import events
    from .context import Context
    from .event_sources import check_event_source
    from .invoking import FunctionError, Invoked, InvokeError
    from .running import Answer, run
    from .stepping import Steps, stepped

__all__ = [
    "Answer",
    "Context",
    "FunctionError",
    "InvokeError",
    "Invoked",
    "LocalFunction",
    "Steps",
    "check_event_source",
    "emulator",
    "events",
    "run",
    "stepped",
]

_MODULES = {
    "Answer": "running",
    "Context": "context",
    "FunctionError": "invoking",
    "InvokeError": "invoking",
    "Invoked": "invoking",
    "Steps": "stepping",
    "check_event_source": "event_sources",
    "run": "running",
    "stepped": "stepping",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "events":
        return import_module(".events", __name__)
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
