"""Run any handler without a server, and see what it would have sent.

    from penstock import testing

    answer = testing.run(handler, {"name": "Ann"})
    assert answer.prelude.status_code == 200
    assert answer.chunks == [b"Hello ", b"Ann"]

To see that a handler *streams*, take its chunks one at a time with `stepped`: the handler
is held in each write until the test asks for more. An event source of your own is checked
with `check_event_source`.
"""

from __future__ import annotations

from .context import Context
from .event_sources import check_event_source
from .running import Answer, run
from .stepping import Steps, stepped

__all__ = ["Answer", "Context", "Steps", "check_event_source", "run", "stepped"]
