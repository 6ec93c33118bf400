"""Whose event it is: exactly one source's, or nobody's.

One source goes before the others: a task of Step Functions may be "merged with the input", and
that may be a whole event of another service. The context object says who has made the event,
and only a state machine can put it there.
"""

from __future__ import annotations

from ..errors import EventError
from .codepipeline import CodePipeline
from .dynamodb import DynamoDb
from .eventbridge import EventBridge
from .function_url import FunctionUrl
from .http_api import HttpApiV1, HttpApiV2
from .kafka import Kafka
from .kinesis import Kinesis
from .lambda_edge import LambdaEdge
from .lattice import Lattice, LatticeV1
from .load_balancer import LoadBalancer
from .logs import Logs
from .mq import Mq
from .rest_api import RestApi
from .s3 import S3
from .ses import Ses
from .sns import Sns
from .sqs import Sqs
from .step_functions import StepFunctions
from .websocket import WebSocket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .contract import EventSource


def all_sources() -> list[EventSource]:
    """Every source that Penstock knows, with its default options."""
    return [
        *(FunctionUrl(), HttpApiV2(), RestApi(), HttpApiV1(), LoadBalancer()),
        *(Lattice(), LatticeV1(), LambdaEdge(), WebSocket()),
        *(Sqs(), Sns(), S3(), DynamoDb(), Kinesis(), EventBridge(), Kafka(), Mq(), Ses(), Logs()),
        *(CodePipeline(), StepFunctions()),
    ]


def source_of(event: Any, sources: Sequence[EventSource]) -> EventSource:
    """The one source that has made `event`; a fallback if no other has.

    What `step_functions` takes is its own, whoever else does.

    Raises:
        EventError: none has, or several say so. What the event holds is not told, but for
            the names of its keys.
    """
    found = [source for source in sources if not _is_fallback(source) and source.matches(event)]
    found = found or [source for source in sources if _is_fallback(source)]
    if len(found) > 1:
        found = [source for source in found if source.name == StepFunctions.name] or found
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(source.name for source in found)
        raise EventError(f"several sources take this event for theirs: {names}")
    what = f"keys {sorted(map(str, event))}" if isinstance(event, dict) else type(event).__name__
    looked_for = "; ".join(f"{source.name}: {source.looks_for}" for source in sources)
    raise EventError(
        f"no source knows this event ({what:.200}); looked for {looked_for}. "
        "adapt(default_path=...) takes any other, adapt(sources=...) one of your own"
    )


def _is_fallback(source: EventSource) -> bool:
    return getattr(source, "is_fallback", False)
