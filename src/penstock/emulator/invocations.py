"""One invocation: what was asked, and everything that becomes of it."""

from __future__ import annotations

import secrets
import threading
import time
import uuid

from . import limits
from .functions import Function
from .log import LogTail
from .relay import Receiver, Relay, ResponseHead


class Invocation:
    """A call of `function` with `event`, whose answer goes to `receiver`.

    `qualifier` is the version or the alias by which it was called, if it was by one.

    `is_streaming` tells which kind of call it is: it decides on the limit, and on nothing
    that the runtime could see. Times are in seconds of `time.monotonic`.
    """

    def __init__(
        self,
        function: Function,
        event: bytes,
        receiver: Receiver,
        *,
        is_streaming: bool,
        qualifier: str | None = None,
        request_id: str | None = None,
        trace_id: str | None = None,
        client_context: str | None = None,
        tenant_id: str | None = None,
    ) -> None:
        self.function = function
        self.event = event
        self._qualifier = qualifier
        self.request_id = request_id or new_request_id()
        self.trace_id = trace_id or new_trace_id()
        self.client_context = client_context
        self.tenant_id = tenant_id
        self.relay = Relay(
            receiver,
            limits.STREAMED_RESPONSE if is_streaming else limits.BUFFERED_PAYLOAD,
            is_streaming=is_streaming,
        )
        self.log = LogTail(limits.LOG_TAIL)
        #: Set when the runtime is through with it and its REPORT line is written.
        self.finished = threading.Event()
        self.delivered_at: float | None = None
        self.first_byte_at: float | None = None

    @property
    def invoked_arn(self) -> str:
        """The function's ARN, qualified as in the call."""
        arn = self.function.arn
        return arn if self._qualifier is None else f"{arn}:{self._qualifier}"

    def begin(self, head: ResponseHead) -> bool:
        """The runtime begins to answer: `Relay.begin`, and note when."""
        if self.first_byte_at is None:
            self.first_byte_at = time.monotonic()
        return self.relay.begin(head)

    def __repr__(self) -> str:
        return f"<Invocation {self.request_id} of {self.function.name}>"


def new_request_id() -> str:
    """A request id as Lambda makes them."""
    return str(uuid.uuid4())


def new_trace_id() -> str:
    """An X-Ray trace header, not sampled."""
    root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled=0"
