"""EventBridge: events of a bus, and schedules.

Sources: AWS documentation, "Events and event patterns", "Invoke a Lambda function on a
schedule".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from .common import ACCOUNT, REGION, arn, iso


def eventbridge(
    detail: Any,
    *,
    detail_type: str = "Custom Event",
    source: str = "custom.application",
    resources: Sequence[str] = (),
    region: str = REGION,
) -> dict[str, Any]:
    """The event that a rule of a bus passes on; `detail` is what the event is about."""
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": ACCOUNT,
        "time": iso(with_milliseconds=False),
        "region": region,
        "resources": list(resources),
        "detail": detail,
    }


def schedule_rule(rule: str = "rule", *, region: str = REGION) -> dict[str, Any]:
    """The event of a rule with a schedule, without an input of its own."""
    return eventbridge(
        {},
        detail_type="Scheduled Event",
        source="aws.events",
        resources=[arn("events", region, f"rule/{rule}")],
        region=region,
    )


def scheduler(
    schedule: str = "schedule", *, group: str = "default", region: str = REGION
) -> dict[str, Any]:
    """The event of a schedule of EventBridge Scheduler, without an input of its own."""
    return eventbridge(
        "{}",  # text, unlike a rule's
        detail_type="Scheduled Event",
        source="aws.scheduler",
        resources=[arn("scheduler", region, f"schedule/{group}/{schedule}")],
        region=region,
    )
