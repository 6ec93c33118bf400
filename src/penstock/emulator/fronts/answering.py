"""What the fronts share about bodies, and failures, on their way to a client."""

from __future__ import annotations

import json
from typing import Final

from ..relay import Ending, Outcome

#: The statuses of answers that have no body.
BODILESS: Final = (204, 304)

#: What to do about cuts that nobody sees.
END_MARK: Final = "only an end mark in the body itself tells a client for certain that it is whole"


def may_be_caught(outcome: Outcome) -> bool:
    """Whether code in the handler could catch the failure.

    It cannot if the platform or the runtime has found it (`Runtime.` in front of its type),
    if it came before the first event (AWS's and our Python runtimes then give no request id),
    or if no code of the function was running: a handler with the wrong parameters.
    """
    if outcome.ending is not Ending.ERROR or outcome.error_type.startswith("Runtime."):
        return False
    try:
        report = json.loads(outcome.payload)
    except (ValueError, RecursionError):
        return False
    if not isinstance(report, dict) or report.get("requestId") == "":
        return False
    # Python's name for it, or that of Node.js.
    return bool(report.get("stackTrace") or report.get("trace"))
