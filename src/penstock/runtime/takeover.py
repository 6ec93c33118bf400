"""Streaming under AWS's own Python client, which stays in charge.

On managed `python3.x` AWS's client (`awslambdaric`) imports the handler, calls it, logs and
posts. It is wrapped in two places, and replaced nowhere:

- `wait_next_invocation`, to know which invocation is being handled;
- the native module under its posts, to leave out the post of an invocation that has been
  answered with a stream. What other tools have wrapped around the client's methods still
  runs: Sentry's SDK sends its events there.

The stream itself goes out on a connection of our own. When the handler has streamed, it
returns or raises as any handler does, so that AWS's client logs its errors.

Nothing is touched if the client is not made as expected, or has learned to stream itself.
"""

from __future__ import annotations

import os
import sys

from .. import __version__
from ..stream import current_responder
from .api_client import RuntimeApiClient
from .invocation import Invocation
from .response import StreamedResponse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_CLIENT = "awslambdaric.lambda_runtime_client"
_installed: Takeover | None = None


class Takeover:
    """Answers the invocations of AWS's client in this process, where a handler streams."""

    def __init__(self, address: str) -> None:
        version = ".".join(map(str, sys.version_info[:3]))
        self._api = RuntimeApiClient(address, f"penstock/{__version__} python/{version}")
        self._request_id = ""
        self._response: StreamedResponse | None = None

    def begin(self, request: Any) -> None:
        """AWS's client has received an invocation."""
        request_id = getattr(request, "invoke_id", None)
        if not isinstance(request_id, str) or not request_id:
            _note(f"its invocations have no invoke_id but {type(request).__name__}")
            return
        invocation = Invocation(request_id, b"")
        invocation.invocation_id = getattr(request, "invocation_id", None)
        self._request_id = request_id
        # It may have died while the environment was frozen.
        self._api.drop_stale()
        self._response = StreamedResponse(self._api, invocation)
        current_responder.set(self._response)

    def finish(self) -> None:
        """AWS's client is through with the invocation it had."""
        if self._response is not None:
            self._response.abandon()
            self._response = None

    def has_answered(self, request_id: object) -> bool:
        """Whether the invocation was answered, wholly or in part, with a stream."""
        response = self._response
        return response is not None and response.started and request_id == self._request_id


class _Native:
    """AWS's native module, without posts for invocations that have been answered."""

    def __init__(self, native: Any, takeover: Takeover) -> None:
        self._native = native
        self._takeover = takeover

    def __getattr__(self, name: str) -> Any:
        return getattr(self._native, name)

    def post_invocation_result(self, invoke_id: Any, *rest: Any) -> Any:
        """Post what the handler returned, unless it has streamed."""
        if self._takeover.has_answered(invoke_id):
            return None
        return self._native.post_invocation_result(invoke_id, *rest)

    def post_error(self, invoke_id: Any, *rest: Any) -> Any:
        """Post what the handler raised, unless its stream has told it."""
        if self._takeover.has_answered(invoke_id):
            return None
        return self._native.post_error(invoke_id, *rest)


def install() -> None:
    """Wrap AWS's client, once, if it runs in this process.

    Without effect when `PENSTOCK_TAKEOVER` is `off`, and when the client is not made as
    expected; the latter is logged.
    """
    global _installed
    address = os.environ.get("AWS_LAMBDA_RUNTIME_API")
    if _installed is not None or not address or os.environ.get("PENSTOCK_TAKEOVER") == "off":
        return
    client = sys.modules.get(_CLIENT)
    if client is None:
        return
    obstacle = _obstacle(client)
    if obstacle is not None:
        _note(obstacle)
        return
    _installed = Takeover(address)
    owner = _owner(client)
    owner.wait_next_invocation = _wrapped(owner.wait_next_invocation, _installed)
    client.runtime_client = _Native(client.runtime_client, _installed)  # type: ignore[attr-defined]


def _wrapped(
    wait_next_invocation: Callable[[Any], Any], takeover: Takeover
) -> Callable[[Any], Any]:
    def wait_and_note(self: Any) -> Any:
        takeover.finish()
        request = wait_next_invocation(self)
        takeover.begin(request)
        return request

    return wait_and_note


def _owner(client: Any) -> Any:
    """The class that defines `wait_next_invocation`, for all clients made of it."""
    for owner in client.LambdaRuntimeClient.__mro__:
        if "wait_next_invocation" in vars(owner):
            return owner
    return None


def _obstacle(client: Any) -> str | None:
    """What is not as expected in AWS's client, or None."""
    if not isinstance(getattr(client, "LambdaRuntimeClient", None), type):
        return "it has no LambdaRuntimeClient"
    owner = _owner(client)
    if owner is None:
        return "its LambdaRuntimeClient has no wait_next_invocation"
    code = getattr(owner.wait_next_invocation, "__code__", None)
    if code is None or code.co_argcount != 1:
        return "its wait_next_invocation takes arguments"
    native = getattr(client, "runtime_client", None)
    for name in ("post_invocation_result", "post_error"):
        if not callable(getattr(native, name, None)):
            return f"its native module has no {name}"
    bootstrap = sys.modules.get("awslambdaric.bootstrap")
    names = [*vars(client), *vars(client.LambdaRuntimeClient), *vars(bootstrap or client)]
    if any("streaming" in name.lower() or "streamify" in name.lower() for name in names):
        return "it can stream by itself"
    return None


def _note(obstacle: str) -> None:
    from logging import getLogger

    getLogger("penstock").warning(
        "AWS's runtime client is not the one that Penstock knows (%s), so it was left alone "
        "and responses are sent buffered",
        obstacle,
    )
