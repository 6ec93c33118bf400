"""Events as AWS's services make them, from a short description.

    from penstock.testing import events, run

    run(handler, events.sqs("one", "two", queue="orders"))

What the description leaves open is plausible: names, ids of their true form, the time now.
Hashes, sizes and encodings are true. Each function makes one event; the services that put a
single item into an event (SNS, S3, EventBridge) take a single one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .brokers import active_mq, kafka, rabbit_mq
    from .buses import eventbridge, schedule_rule, scheduler
    from .log_events import logs
    from .mail import ses
    from .objects import s3
    from .queues import sns, sqs
    from .streams import kinesis
    from .tables import dynamodb

__all__ = [
    "active_mq",
    "dynamodb",
    "eventbridge",
    "kafka",
    "kinesis",
    "logs",
    "rabbit_mq",
    "s3",
    "schedule_rule",
    "scheduler",
    "ses",
    "sns",
    "sqs",
]

_MODULES = {
    "active_mq": "brokers",
    "dynamodb": "tables",
    "eventbridge": "buses",
    "kafka": "brokers",
    "kinesis": "streams",
    "logs": "log_events",
    "rabbit_mq": "brokers",
    "s3": "objects",
    "schedule_rule": "buses",
    "scheduler": "buses",
    "ses": "mail",
    "sns": "queues",
    "sqs": "queues",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
