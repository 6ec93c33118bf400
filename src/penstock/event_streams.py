"""The body of an event stream on its way: heartbeats in between, and how it ends.

Serves handlers under `sse` and web applications behind `adapt` alike. What is written may be
any part of an event, as applications send it, so where events end is read off the bytes.
"""

from __future__ import annotations

from .errors import DeadlineApproaching, PreludeError, StreamBrokenError
from .handler import is_failure
from .heartbeats import AsyncHeartbeats, Heartbeats
from .stream import HttpResponseStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType
    from typing import Any, Self

    from .messages import Prelude
    from .stream import AsyncResponseStream, Guard, ResponseStream

# A comment, which every client ignores. The blank line is for those that look for blank
# lines only; it ends nothing, because there is one before it, too.
HEARTBEAT = b": heartbeat\n\n"

_FAILED = "the stream failed"
_OUT_OF_TIME = "the stream ran out of time"


class _EventBody:
    """What both kinds share: where the last event ends, and what is said at the end."""

    def __init__(
        self, stream: Any, context: Any, heartbeat_seconds: float | None, end: str, error: str
    ) -> None:
        self._stream = stream
        self._context = context
        self._heartbeat_seconds = heartbeat_seconds
        self._end = end
        self._error = error
        #: The last bytes sent, enough for a blank line; None while that is not known.
        self._tail: bytes | None = b"\n\n"
        self._is_over = False

    def _take_head(self, prelude: Prelude) -> None:
        if self._stream.started:
            raise PreludeError(
                "a Prelude goes first, before any event, and before the first heartbeat, which "
                f"comes when nothing was sent for {self._heartbeat_seconds} seconds"
            )
        HttpResponseStream.from_(self._stream, prelude)

    def _is_between_events(self) -> bool:
        return _ends_event(self._tail)

    def _end_event(self) -> bytes:
        """The event that says that all is there; none if the last event is cut itself."""
        if not self._end:
            return b""
        if not self._is_between_events():
            import logging

            logging.getLogger("penstock").warning(
                "the event stream does not end with a blank line, so its last event is lost to "
                "clients; no %r event was sent",
                self._end,
            )
            return b""
        return f"event: {self._end}\ndata:\n\n".encode()

    def _error_event(self, error: BaseException) -> bytes:
        """The event that says that it failed, and nothing of why but for the deadline.

        In the middle of an event it takes that one over: the client sees one event of this
        type, whose data begins with what there was of the other, and none that looks whole.
        """
        import json

        said = {"message": _OUT_OF_TIME if isinstance(error, DeadlineApproaching) else _FAILED}
        request_id = getattr(self._context, "aws_request_id", None)
        if request_id:
            said["requestId"] = str(request_id)
        lines = f"event: {self._error}\ndata: {json.dumps(said)}\n\n".encode()
        is_at_line = self._tail is not None and self._tail.endswith((b"\n", b"\r"))
        return lines if is_at_line else b"\n" + lines

    def _has_to_tell(self, error: BaseException) -> bool:
        """Whether there is a client that listens, and the error is news to it."""
        if self._is_over or not self._error or not is_failure(error):
            return False
        return not self._stream.ended


class EventBody(_EventBody):
    """An event stream that is written with blocking calls.

    A context manager: when the block fails after the first byte, the client is told with
    an event; in any case nothing is left running afterwards. The stream is not ended.
    `end` and `error` name the events that say how it ended; "": there is none.
    """

    def __init__(
        self,
        stream: ResponseStream,
        context: Any,
        heartbeat_seconds: float | None,
        end: str,
        error: str,
    ) -> None:
        super().__init__(stream, context, heartbeat_seconds, end, error)
        self._heartbeats = Heartbeats(self._beat, heartbeat_seconds)

    def head(self, prelude: Prelude) -> None:
        """Take the head, which leaves with the first byte, and start the heartbeats.

        Raises:
            PreludeError: something has left already.
        """
        with self._heartbeats:
            self._take_head(prelude)
        self.start()

    def start(self) -> None:
        """From now on there are heartbeats. The first of them sends the head."""
        self._heartbeats.start()

    def write(self, data: bytes) -> None:
        """Send a part of the body.

        Raises:
            StreamBrokenError: it can no longer be delivered.
        """
        with self._heartbeats:
            self._write(data)

    def end(self) -> None:
        """Say that the stream is whole. Nothing may be written after that."""
        self._heartbeats.stop()
        if not self._is_over and (event := self._end_event()):
            # Whole is whole, also if the deadline comes now. Should that break the write off,
            # no end is better than two.
            self._is_over = True
            self._stream._guard = None
            try:
                self._write(event)
            except DeadlineApproaching:
                pass
        self._is_over = True

    def stop(self) -> None:
        """No more heartbeats; may be repeated."""
        self._heartbeats.stop()

    def fail(self, error: BaseException) -> None:
        """Say that the stream failed, if there is one and its client has not heard how it ended.

        After `stop`. Nothing may be written after that.
        """
        if self._has_to_tell(error):
            self._is_over = True
            try:
                self._write(self._error_event(error))
            except (StreamBrokenError, DeadlineApproaching):
                pass  # the error itself matters more
        self._is_over = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._heartbeats.stop()
        if error is not None and self._stream.started:
            self.fail(error)

    def _write(self, data: bytes) -> None:
        if self._stream._guard is not None:
            self._stream._guard.check()
        before, after = self._tail, ((self._tail or b"") + data[-4:])[-4:]
        # Unknown if this is broken off.
        self._tail = None
        try:
            self._stream.write(data)
        except DeadlineApproaching:
            self._tail = _either(before, after)
            raise
        self._tail = after

    def _beat(self) -> None:
        if self._is_between_events():
            guard = self._stream._guard
            _hold(guard, True)
            try:
                self._write(HEARTBEAT)
            finally:
                _hold(guard, False)


class AsyncEventBody(_EventBody):
    """The same for a stream that is awaited."""

    def __init__(
        self,
        stream: AsyncResponseStream,
        context: Any,
        heartbeat_seconds: float | None,
        end: str,
        error: str,
    ) -> None:
        super().__init__(stream, context, heartbeat_seconds, end, error)
        self._heartbeats = AsyncHeartbeats(self._beat, heartbeat_seconds)
        #: Called when a heartbeat finds that the client is gone.
        self.on_gone: Callable[[], None] | None = None

    def head(self, prelude: Prelude) -> None:
        """Take the head: `EventBody.head`."""
        self._take_head(prelude)
        self.start()

    def to_be_awaited(
        self, make: Callable[[], Coroutine[Any, Any, None]]
    ) -> Coroutine[Any, Any, None]:
        """Note a call that sends something: `end` fails if nobody has awaited it."""

        async def call(number: int) -> None:
            self._stream._not_begun.pop(number, None)
            await make()

        return self._stream._to_be_awaited(call)  # type: ignore[no-any-return]

    def start(self) -> None:
        """From now on there are heartbeats. The first of them sends the head."""
        self._heartbeats.start()

    async def write(self, data: bytes) -> None:
        """Send a part of the body: `EventBody.write`, awaited."""
        async with self._heartbeats:
            await self._write(data)

    async def end(self) -> None:
        """Say that the stream is whole. Nothing may be written after that.

        Raises:
            StreamError: something was to be sent and never awaited, so it is missing.
        """
        await self._heartbeats.stop()
        self._stream._check_calls()
        if not self._is_over and (event := self._end_event()):
            self._is_over = True
            self._stream._guard = None
            try:
                await self._write(event)
            except DeadlineApproaching:
                pass
        self._is_over = True

    async def fail(self, error: BaseException) -> None:
        """Say that the stream failed: `EventBody.fail`, awaited."""
        if self._has_to_tell(error):
            self._is_over = True
            try:
                await self._write(self._error_event(error))
            except (StreamBrokenError, DeadlineApproaching):
                pass  # the error itself matters more
        self._is_over = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._heartbeats.stop()
        if error is not None and self._stream.started:
            await self.fail(error)

    async def _write(self, data: bytes) -> None:
        if self._stream._guard is not None:
            self._stream._guard.check()
        before, after = self._tail, ((self._tail or b"") + data[-4:])[-4:]
        # Unknown if this is broken off.
        self._tail = None
        try:
            await self._stream._write(data)
        except DeadlineApproaching:
            self._tail = _either(before, after)
            raise
        self._tail = after

    async def _beat(self) -> None:
        if self._is_between_events():
            guard = self._stream._guard
            _hold(guard, True)
            try:
                await self._write(HEARTBEAT)
            except StreamBrokenError:
                if self.on_gone is not None:
                    self.on_gone()
                raise
            finally:
                _hold(guard, False)


def _hold(guard: Guard | None, is_held: bool) -> None:
    """Keep the deadline from a heartbeat while it is sent: it is for the handler to hear."""
    if guard is not None:
        guard.is_held = is_held


def _ends_event(tail: bytes | None) -> bool:
    """Whether the bytes end with a blank line; lines end with CRLF, LF or CR."""
    if tail is None:
        return False
    return tail.replace(b"\r\n", b"\n").replace(b"\r", b"\n").endswith(b"\n\n")


def _either(before: bytes | None, after: bytes) -> bytes | None:
    """The end of a stream of which nobody knows whether the last write was sent."""
    return after if _ends_event(before) and _ends_event(after) else None
