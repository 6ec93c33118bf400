"""Whose event it is: exactly one source's, or nobody's."""

from __future__ import annotations

from ..errors import EventError
from .dynamodb import DynamoDb
from .eventbridge import EventBridge
from .function_url import FunctionUrl
from .http_api import HttpApiV1, HttpApiV2
from .kafka import Kafka
from .kinesis import Kinesis
from .lattice import Lattice
from .load_balancer import LoadBalancer
from .logs import Logs
from .mq import Mq
from .rest_api import RestApi
from .s3 import S3
from .ses import Ses
from .sns import Sns
from .sqs import Sqs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .contract import EventSource


def all_sources() -> list[EventSource]:
    """Every source that Penstock knows, with its default options."""
    return [
        *(FunctionUrl(), HttpApiV2(), RestApi(), HttpApiV1(), LoadBalancer(), Lattice()),
        *(Sqs(), Sns(), S3(), DynamoDb(), Kinesis(), EventBridge(), Kafka(), Mq(), Ses(), Logs()),
    ]


def source_of(event: Any, sources: Sequence[EventSource]) -> EventSource:
    """The one source that has made `event`.

    Raises:
        EventError: none has, or several say so.
    """
    found = [source for source in sources if source.matches(event)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(source.name for source in found)
        raise EventError(f"several sources take this event for theirs: {names}")
    what = f"keys {sorted(map(str, event))}" if isinstance(event, dict) else type(event).__name__
    looked_for = "; ".join(f"{source.name}: {source.looks_for}" for source in sources)
    raise EventError(f"no source knows this event ({what:.200}); looked for {looked_for}")
