"""Event streams of applications: heartbeats and events at the end, with their code unchanged.

An answer around the answer. What is no event stream passes as it is, as does one that is
encoded (compressed, say), into which nothing can be put.
"""

from __future__ import annotations

from ..errors import AppError, DeadlineApproaching
from ..event_handlers import ServerSentEvents, sse
from ..event_streams import AsyncEventBody, EventBody
from ..server_sent_events import event_stream_fields, is_event_stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Any, Self

    from .answering import AsyncStreamed, Streamed


def event_streams_of(option: Any) -> ServerSentEvents | None:
    """What `adapt(sse=...)` asks for: nothing, the usual, or options.

    Raises:
        AppError: it is nothing of the kind.
    """
    if option is None or option is False:
        return None
    if option is True or option is sse:
        return ServerSentEvents()
    if isinstance(option, ServerSentEvents):
        return option
    raise AppError(f"sse is True or what sse(...) gives, with options, not {option!r:.80}")


class _EventStreams:
    """What both kinds share: they are the answer within, but for event streams."""

    def __init__(self, into: Any, body: Any) -> None:
        self._into = into
        self._body = body
        self._is_event_stream = False

    @property
    def has_head(self) -> bool:
        """Whether the app has given a head."""
        has: bool = self._into.has_head
        return has

    @property
    def has_ended(self) -> bool:
        """Whether the app has ended its response."""
        has: bool = self._into.has_ended
        return has

    @property
    def has_started(self) -> bool:
        """Whether something of it has left."""
        has: bool = self._into.has_started
        return has

    def head(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Take status and header fields. An event stream has heartbeats from here on."""
        fields = list(headers)
        self._is_event_stream = False
        if not _can_be_added_to(fields):
            self._into.head(status, fields)
            return
        self._into.head(status, event_stream_fields(fields))
        self._is_event_stream = self._into._takes_body
        if self._is_event_stream:
            self._body.start()


class EventStreams(_EventStreams):
    """An answer that blocks. A context manager, around the running app.

    If the block fails in the middle of an event stream, its client is told.
    """

    def __init__(self, into: Streamed, options: ServerSentEvents, context: Any) -> None:
        def body() -> EventBody:
            return EventBody(into._stream, context, *_ways(options))

        super().__init__(into, body())
        self._make_body = body

    def head(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Take status and header fields; WSGI apps may do so again before the first byte."""
        if self._is_event_stream:
            self._body.stop()
            # Once stopped, it is for good; nothing has left, so another is the same.
            self._body = self._make_body()
        super().head(status, headers)

    def body(self, data: bytes) -> None:
        """Send a part of the body."""
        if self._is_event_stream:
            self._body.write(data)
        else:
            self._into.body(data)

    def end(self) -> None:
        """End the response."""
        if self._is_event_stream:
            # The app has heard that its time is up. What it then ends need not be all.
            if self._into._stream.is_out_of_time:
                self._body.stop()
                self._body.fail(DeadlineApproaching())
            else:
                self._body.end()
        self._into.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._is_event_stream:
            self._body.__exit__(kind, error, traceback)


class AsyncEventStreams(_EventStreams):
    """The same for an answer that is awaited."""

    def __init__(self, into: AsyncStreamed, options: ServerSentEvents, context: Any) -> None:
        super().__init__(into, AsyncEventBody(into._stream, context, *_ways(options)))

    def call_when_gone(self, on_gone: Callable[[], None]) -> None:
        """Call `on_gone` when a heartbeat finds that the client is gone."""
        self._body.on_gone = on_gone

    async def body(self, data: bytes) -> None:
        """Send a part of the body."""
        if self._is_event_stream:
            await self._body.write(data)
        else:
            await self._into.body(data)

    async def end(self) -> None:
        """End the response."""
        if self._is_event_stream:
            await self._body.end()
        await self._into.end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._is_event_stream:
            await self._body.__aexit__(kind, error, traceback)


def _ways(options: ServerSentEvents) -> tuple[float | None, str, str]:
    return options.heartbeat_seconds, options.end or "", options.error


def _can_be_added_to(fields: Iterable[tuple[str, str]]) -> bool:
    types = [value for name, value in fields if name.lower() == "content-type"]
    encodings = [value for name, value in fields if name.lower() == "content-encoding"]
    return (
        len(types) == 1
        and is_event_stream(types[0])
        and all(value.strip().lower() in ("", "identity") for value in encodings)
    )
