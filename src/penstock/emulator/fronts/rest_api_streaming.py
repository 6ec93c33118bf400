"""A STREAM integration of a REST API: metadata first, then every chunk as it comes.

Nothing reaches the client before the metadata and their end were read and found good; from
then on the status stands, and the only way to say that something is wrong is to cut the
connection. Source: AWS documentation, "Set up a Lambda proxy integration with payload
response streaming".
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ...errors import RemoteProtocolError
from ...messages import Response
from ...wire.prelude import PreludeDecoder
from ..bandwidth import Bandwidth
from ..http.http_server import Exchange, HeaderList
from ..relay import Ending, Outcome, Relay, ResponseHead
from .answering import BODILESS, CATCH_MEND, END_MARK, REFUSED_HERE, begin, mend_of_failure
from .rest_api_answers import NO_PRELUDE_MEND, MalformedResponseError, head_of_stream


class StreamingReceiver:
    """Passes a streamed response on to the client of `exchange`.

    `headers` are the platform's. `refuse` answers with AWS's error for a status; `say`
    gets the lines for the log. The relay's thread calls `begin` and `body`, the front's
    `finish` or `give_up`.
    """

    def __init__(
        self,
        exchange: Exchange,
        headers: HeaderList,
        *,
        refuse: Callable[[int], None],
        say: Callable[[str], object],
        bandwidth: Bandwidth | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._exchange = exchange
        self._headers = headers
        self._refuse = refuse
        self._say = say
        self._bandwidth = bandwidth
        self._clock = clock
        self._prelude = PreludeDecoder()
        # Held while it is decided what the client gets: its head, or an error.
        self._deciding = threading.Lock()
        self._is_streaming = False
        self._is_over = False
        self._has_body = True
        self._left: int | None = None
        self._is_passing_on = False
        self._last_byte_at = clock()

    @property
    def has_begun(self) -> bool:
        """Whether the client has got a head."""
        return self._is_streaming

    @property
    def last_byte_at(self) -> float:
        """When the function was last heard of: while the client reads, that is now."""
        return self._clock() if self._is_passing_on else self._last_byte_at

    def begin(self, head: ResponseHead) -> None:
        """The metadata will tell the head, whatever the type of the function's response."""

    def body(self, data: bytes) -> None:
        """Take in a part of the metadata, or pass one of the body on."""
        self._is_passing_on = True
        try:
            self._take(data)
        finally:
            self._last_byte_at = self._clock()
            self._is_passing_on = False

    def finish(self, outcome: Outcome) -> None:
        """End the answer in the way that the response has ended."""
        if self._is_over:
            return
        if not self._is_streaming:
            self._fail(_unbegun(outcome, self._prelude.pending))
        elif not self._has_body:
            pass  # it had its end together with its head
        elif outcome.ending is not Ending.WHOLE:
            # What AWS does after trailers was never captured, for REST APIs. It does cut
            # at timeouts, and what is not whole must not look whole.
            self._cut(f"it did not end well ({outcome.detail})")
        elif self._left:
            self._cut(f"it is {self._left} bytes shorter than its Content-Length")
        else:
            self._is_over = True
            self._exchange.end()

    def give_up(self, reason: str) -> None:
        """Time is up: 504, or, after the head, a cut. The function goes on, unheard."""
        with self._deciding:
            if self._is_over:
                return
            if not self._is_streaming:
                self._is_over = True
                self._say(f"AWS answers 504, because {reason}")
                self._refuse(504)
                return
        if self._has_body:
            self._cut(reason)

    def _take(self, data: bytes) -> None:
        if self._prelude.metadata is None and not self._is_over:
            try:
                data = self._prelude.receive(data)
            except RemoteProtocolError as exc:
                self._fail(f"{exc}; {NO_PRELUDE_MEND}")
                return
            if self._prelude.metadata is None:
                return
            try:
                self._begin(head_of_stream(self._prelude.metadata))
            except MalformedResponseError as exc:
                self._fail(str(exc))
                return
            except ValueError as exc:
                self._fail(str(exc), REFUSED_HERE)
                return
        # What comes after the end of the answer is read all the same: the function runs on.
        if data and self._has_body and not self._is_over:
            self._send(data)

    def _begin(self, response: Response) -> None:
        length = response.headers.get("content-length")
        has_body = self._exchange.method != "HEAD" and response.status not in BODILESS
        with self._deciding:
            if self._is_over:
                return
            begin(self._exchange, response.status, [*self._headers, *response.headers])
            self._is_streaming = True
            self._has_body = has_body
            self._left = int(length) if length is not None and has_body else None
        if not has_body:
            self._exchange.end()

    def _send(self, data: bytes) -> None:
        if self._left is not None:
            if len(data) > self._left:
                self._cut("it is longer than its Content-Length; leave that out")
                return
            self._left -= len(data)
        if self._bandwidth is not None:
            self._bandwidth.take(len(data))
        self._exchange.send(data)

    def _fail(self, reason: str, refused: str = "AWS answers 502 to this, because") -> None:
        """The function has not begun as it should: AWS's 502, once."""
        with self._deciding:
            if self._is_over:
                return
            self._is_over = True
            self._say(f"{refused} {reason}")
            self._refuse(502)

    def _cut(self, reason: str) -> None:
        self._is_over = True
        self._say(f"the connection is cut in the middle of the body, because {reason}; {END_MARK}")
        self._exchange.abort()


def wait_for_stream(
    relay: Relay,
    receiver: StreamingReceiver,
    *,
    timeout: float,
    idle: float,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome | None:
    """Wait until the response has ended; None if the receiver was told to give up before."""
    ends_at = clock() + timeout
    while True:
        now = clock()
        idle_at = receiver.last_byte_at + idle
        if now >= ends_at:
            receiver.give_up(
                f"it took longer than the integration's timeout, {timeout:g} seconds; "
                "the function runs on"
            )
            return None
        if now >= idle_at:
            receiver.give_up(
                f"no byte came for {idle:g} seconds; an API waits for 5 minutes, an edge-optimized "
                "one for 30 seconds; send heartbeats, as penstock.sse does"
            )
            return None
        outcome = relay.wait(min(ends_at, idle_at) - now)
        if outcome is not None:
            return outcome


def _unbegun(outcome: Outcome, pending: bytes) -> str:
    """Why there is no answer, and what to do."""
    if outcome.ending is not Ending.WHOLE:
        when = "the response ended within" if pending else "the function failed before"
        catch = f"to answer with something better, {CATCH_MEND}"
        mend = catch if outcome.ending is Ending.FAILED else mend_of_failure(outcome, catch)
        return f"{when} its metadata ({outcome.detail}); {mend}"
    what = f"{len(pending)} bytes came" if pending else "not a byte came"
    return (
        f"{what} and no eight NUL bytes among them, which end the metadata of a STREAM "
        f"integration; {NO_PRELUDE_MEND}"
    )
