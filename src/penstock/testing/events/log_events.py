"""CloudWatch Logs.

Source: AWS documentation, "Using Lambda with CloudWatch Logs", "Subscription filters with
AWS Lambda".
"""

from __future__ import annotations

import gzip
import json
from typing import Any

from .common import ACCOUNT, base64_of, digits, milliseconds


def logs(
    *messages: str,
    log_group: str = "/aws/lambda/other",
    log_stream: str = "2026/01/01/[$LATEST]00000000000000000000000000000000",
    subscription_filter: str = "filter",
) -> dict[str, Any]:
    """The event of log events that a subscription filter has let through, compressed."""
    first, now = int(digits(56, "3")), milliseconds()
    data = {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": log_group,
        "logStream": log_stream,
        "subscriptionFilters": [subscription_filter],
        "logEvents": [
            {"id": str(first + index), "timestamp": now, "message": message}
            for index, message in enumerate(messages)
        ],
    }
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return {"awslogs": {"data": base64_of(gzip.compress(text.encode(), mtime=0))}}
