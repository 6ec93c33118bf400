"""Run any handler without a server, and see what it would have sent.

    from penstock import testing

    answer = testing.run(handler, {"name": "Ann"})
    assert answer.prelude.status_code == 200
    assert answer.chunks == [b"Hello ", b"Ann"]

To see that a handler *streams*, take its chunks one at a time with `stepped`: the handler
is held in each write until the test asks for more.
"""

from __future__ import annotations

from .context import Context
from .running import Answer, run
from .stepping import Steps, stepped

__all__ = ["Answer", "Context", "Steps", "run", "stepped"]
