"""What handlers are given."""

from __future__ import annotations

import os
import sys
from typing import Any


def handler(event: Any, context: Any) -> object:
    if event == "exit":
        sys.exit(0)
    client_context = context.client_context
    return {
        "event": [type(event).__name__, repr(event)],
        "context": repr(context),
        "attributes": {name: repr(value) for name, value in sorted(vars(context).items())},
        "client": client_context and [client_context.custom, client_context.env],
        "w3c": context.w3c(),
        "time left": context.get_remaining_time_in_millis() // 10**8,
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
        "public names": [name for name in dir(context) if not name.startswith("_")],
        "telemetry": "_LAMBDA_TELEMETRY_LOG_FD" in os.environ,
    }
