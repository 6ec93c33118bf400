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
"""

from __future__ import annotations

from . import events
from .context import Context
from .emulator import LocalFunction, emulator
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
