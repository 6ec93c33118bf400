"""Penstock streams the responses of AWS Lambda functions written in Python.

The public names load on first use, so that a function pays only for what it touches.
"""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = [
    "AsyncResponseStream",
    "HttpResponseStream",
    "Prelude",
    "ResponseStream",
    "ServerSentEvent",
    "__version__",
    "adapt",
    "errors",
    "pipeline",
    "sse",
    "streamify_response",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import errors
    from .bridge.lambda_handler import adapt
    from .event_handlers import sse
    from .handler import streamify_response
    from .messages import Prelude
    from .pipelines import pipeline
    from .server_sent_events import ServerSentEvent
    from .stream import AsyncResponseStream, HttpResponseStream, ResponseStream

_HOME = {
    "adapt": "bridge.lambda_handler",
    "AsyncResponseStream": "stream",
    "HttpResponseStream": "stream",
    "Prelude": "messages",
    "ResponseStream": "stream",
    "ServerSentEvent": "server_sent_events",
    "pipeline": "pipelines",
    "sse": "event_handlers",
    "streamify_response": "handler",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in ("errors", "testing"):
        return import_module(f"{__name__}.{name}")
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
