"""One invocation: what was asked, and everything that becomes of it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from . import limits
from .deadlines import Deadline
from .faults import injection_of_this_call
from .functions import Function
from .latch import Latch
from .log import LogTail
from .relay import Receiver, ResponseHead

# Ids must differ and need not be secret. The system's own random numbers are a system call,
# at which another thread may take over in the middle of a call's way.
_random = random.Random()  # noqa: S311


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
        self.injection = injection_of_this_call()
        self.relay = self.injection.relay(
            receiver,
            limits.STREAMED_RESPONSE if is_streaming else limits.BUFFERED_PAYLOAD,
            is_streaming=is_streaming,
        )
        self.log = LogTail(limits.LOG_TAIL)
        #: Set when the runtime is through with it and its REPORT line is written.
        self.finished = Latch()
        self.delivered_at: float | None = None
        self.first_byte_at: float | None = None
        #: When the response was whole, or what there was of it, and its size.
        self.response_ended_at: float | None = None
        self.produced_bytes = 0
        #: When the runtime had done with it.
        self.runtime_done_at: float | None = None
        #: When it will have timed out, from its delivery on.
        self.deadline: Deadline | None = None
        self.has_timed_out = False
        #: Whether an environment was being started for it in vain.
        self.has_waited_for_start = False
        self._on_finish: Callable[[Invocation], None] | None = None
        # How to end the runtime's request in mid-response.
        self._cut: Callable[[], None] | None = None

    @property
    def invoked_arn(self) -> str:
        """The function's ARN, qualified as in the call."""
        arn = self.function.arn
        return arn if self._qualifier is None else f"{arn}:{self._qualifier}"

    def begin(self, head: ResponseHead, cut: Callable[[], None] | None = None) -> bool:
        """The runtime begins to answer: `Relay.begin`, and note when.

        `cut` ends its request, from any thread.
        """
        if self.first_byte_at is None:
            self.first_byte_at = time.monotonic()
        if self.relay.has_begun:
            return False
        self._cut = cut
        return self.relay.begin(head)

    def when_finished(self, call: Callable[[Invocation], None]) -> None:
        """Make this call when it is finished; there can be one."""
        self._on_finish = call

    def finish(self) -> None:
        """Nothing more will become of it."""
        call, self._on_finish = self._on_finish, None
        if call is not None:
            call(self)
        self.finished.set()

    def cut_response(self) -> None:
        """End a response that the runtime is sending; harmless if it is not."""
        if self._cut is not None:
            self._cut()

    def __repr__(self) -> str:
        return f"<Invocation {self.request_id} of {self.function.name}>"


def new_request_id() -> str:
    """A request id as Lambda makes them."""
    # As `uuid.uuid4` makes them, of which there are many a second.
    digits = f"{_random.getrandbits(124):031x}"
    variant = "89ab"[int(digits[15], 16) % 4]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-{variant}{digits[16:19]}-{digits[19:]}"


def new_trace_id() -> str:
    """An X-Ray trace header, not sampled."""
    digits = f"{_random.getrandbits(160):040x}"
    root = f"1-{int(time.time()):08x}-{digits[:24]}"
    return f"Root={root};Parent={digits[24:]};Sampled=0"
