"""What a streaming handler writes to, and the sink that a stream needs.

A stream checks and encodes what the handler gives it; a *sink* moves the bytes. The runtime,
the tests and the buffered fall-back each bring a sink of their own, handed over by a
*responder*, which the code that calls the handler puts into `current_responder`.
"""

from __future__ import annotations

from contextvars import ContextVar

from .errors import HeadSentError, PreludeError, StreamBrokenError, StreamEndedError, StreamError
from .messages import Prelude
from .wire.prelude import CONTENT_TYPE as INTEGRATION_CONTENT_TYPE
from .wire.prelude import encode_prelude

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping
    from typing import Any, Protocol, TypeAlias, TypeVar

    Writable: TypeAlias = str | bytes | bytearray | memoryview

    class Sink(Protocol):
        """Where a blocking stream sends its bytes.

        Called in the order `begin`, `send` any number of times, then `end` or `fail`.
        Each returns when the bytes have been handed to the other side, and raises
        `StreamBrokenError` when they cannot be delivered any more.
        """

        def begin(self, content_type: str, chunks: list[bytes]) -> None:
            """The head, and the first chunks with it (there may be none)."""

        def send(self, data: bytes) -> None:
            """One chunk, not empty."""

        def end(self) -> None:
            """The response is whole; returns when the other side has taken it."""

        def fail(self, error: BaseException) -> None:
            """The response failed after its head."""

    class AsyncSink(Protocol):
        """The same for streams that are awaited; no call may block the event loop."""

        async def begin(self, content_type: str, chunks: list[bytes]) -> None:
            """The head, and the first chunks with it."""

        async def send(self, data: bytes) -> None:
            """One chunk, not empty."""

        async def end(self) -> None:
            """The response is whole."""

        async def fail(self, error: BaseException) -> None:
            """The response failed after its head."""

    class Responder(Protocol):
        """Answers one invocation, once: gives out the sink for its response."""

        def blocking_sink(self) -> Sink:
            """For a stream that blocks. At most one sink is given out."""

        def async_sink(self) -> AsyncSink:
            """For a stream that is awaited on the running event loop."""

    class Guard(Protocol):
        """Says when a handler's time is nearly up."""

        is_held: bool
        """Whether nothing is to be raised now: what is written is not the handler's."""
        raised: bool
        """Whether it has said so."""

        def check(self) -> None:
            """Raise `DeadlineApproaching` if it is, once."""

    AnyStream = TypeVar("AnyStream", bound="_Stream")
    Result = TypeVar("Result")

#: Answers the invocation that is being handled; set by whatever calls the handler.
current_responder: ContextVar[Responder] = ContextVar("penstock_current_responder")

# What AWS's Node.js client sends when the handler names no type.
DEFAULT_CONTENT_TYPE = "application/octet-stream"

_WAITING, _STREAMING, _ENDED, _BROKEN = "waiting", "streaming", "ended", "broken"


class _Stream:
    """What both kinds of stream share: the head, and the order of things."""

    __slots__ = ("_content_type", "_guard", "_prelude", "_sink", "_state")

    def __init__(self) -> None:
        self._content_type = DEFAULT_CONTENT_TYPE
        self._prelude: bytes | None = None
        self._state = _WAITING
        #: Raises before a write when the deadline is near, if the handler wants that.
        self._guard: Guard | None = None

    @property
    def content_type(self) -> str:
        """The content type of the response, settable until the first byte is written.

        Raises (when set):
            HeadSentError: the head has left already.
            StreamError: the response has a prelude; its type belongs into the headers.
            ValueError: it is no `str`, or has a line break in it.
        """
        return self._content_type

    @content_type.setter
    def content_type(self, value: str) -> None:
        self._check_head_is_open("the content type")
        if self._prelude is not None:
            raise StreamError(
                "this response has a prelude: put content-type into its headers instead"
            )
        if not isinstance(value, str) or not value.isprintable() or not value.isascii():
            raise ValueError(f"a content type is one line of ASCII, not {value!r:.80}")
        if not value.strip():
            raise ValueError("a content type must not be empty")
        self._content_type = value

    def set_content_type(self, value: str) -> None:
        """Node's spelling of `stream.content_type = value`."""
        self.content_type = value

    @property
    def started(self) -> bool:
        """Whether the head has left, so that the response can no longer be another one."""
        return self._state is not _WAITING

    @property
    def ended(self) -> bool:
        """Whether the response was ended, or can no longer be delivered."""
        return self._state in (_ENDED, _BROKEN)

    closed = ended

    @property
    def is_out_of_time(self) -> bool:
        """Whether the handler, still running, was told that its time is nearly up."""
        return self._guard is not None and self._guard.raised

    def readable(self) -> bool:
        """False: part of the protocol of file objects."""
        return False

    def writable(self) -> bool:
        """True: part of the protocol of file objects."""
        return True

    def seekable(self) -> bool:
        """False: what is written has left."""
        return False

    def _set_prelude(self, prelude: Prelude) -> None:
        self._check_head_is_open("the prelude")
        # Too large a prelude is known here, not at the first write.
        self._prelude = encode_prelude(prelude)
        self._content_type = INTEGRATION_CONTENT_TYPE

    def _check_head_is_open(self, what: str) -> None:
        if self._state is not _WAITING:
            raise HeadSentError(
                f"cannot set {what}: the first byte of the response has left already; "
                "set it before the first write"
            )

    def _check_open(self) -> None:
        if self._state is _ENDED:
            raise StreamEndedError("cannot write: the response stream was ended")
        if self._state is _BROKEN:
            raise StreamBrokenError("cannot write: the response can no longer be delivered")

    def _first_chunks(self, data: bytes = b"") -> list[bytes]:
        """What leaves with the head. An empty chunk would end the body, so there is none."""
        chunks = [self._prelude] if self._prelude is not None else []
        if data:
            chunks.append(data)
        return chunks

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._state}, {self._content_type}>"


class ResponseStream(_Stream):
    """The response of a blocking handler: each write leaves before it returns.

    Works as a file object for `csv.writer`, `zipfile`, `print(file=...)` and the like.
    """

    __slots__ = ()
    _sink: Sink

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink

    def write(self, data: Writable) -> int:
        """Send `data` as one chunk; blocks while the caller reads slowly.

        `str` is encoded as UTF-8; `bytes`, `bytearray` and `memoryview` go as they are.
        Empty data sends the head (status and headers) and no chunk.
        Returns the number of bytes.

        Raises:
            TypeError: `data` is of another type; nothing was sent.
            StreamEndedError: the stream was ended.
            StreamBrokenError: the response can no longer be delivered.
            DeadlineApproaching: in a handler that has asked for it, once.
        """
        chunk = data if type(data) is bytes else encoded(data)
        if self._guard is not None:
            self._guard.check()
        try:
            if self._state is _STREAMING:
                if chunk:
                    self._sink.send(chunk)
            else:
                self._check_open()
                chunks = self._first_chunks(chunk)
                self._state = _STREAMING
                self._sink.begin(self._content_type, chunks)
        except StreamBrokenError:
            self._state = _BROKEN
            raise
        return len(chunk)

    def writelines(self, lines: Iterable[Writable]) -> None:
        """Write each of `lines`."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Send the head if it has not left; chunks never wait. Harmless after the end."""
        if not self.started:
            self.write(b"")

    def end(self, data: Writable = b"") -> None:
        """End the response, with one last chunk if `data` is given.

        Returns when the other side has taken the whole response. A second `end` does
        nothing; a handler that returns without `end` is ended for it.

        Raises:
            StreamBrokenError: the response was not taken whole.
        """
        if encoded(data):
            self.write(data)
        if self.ended:
            return
        if not self.started:
            self.write(b"")
        self._state = _ENDED
        try:
            self._sink.end()
        except StreamBrokenError:
            self._state = _BROKEN
            raise

    def close(self) -> None:
        """`end`, as file objects call it."""
        self.end()

    def _fail(self, error: BaseException) -> None:
        """Tell the other side that a response that has begun did not come to its end.

        Where that cannot be told, the cut tells it; the handler's own error matters more.
        """
        if self._state is _STREAMING:
            self._state = _BROKEN
            try:
                self._sink.fail(error)
            except StreamBrokenError:
                pass


class AsyncResponseStream(_Stream):
    """The response of an `async def` handler: `write` and `end` are awaited.

    The event loop is never blocked: a write suspends while the caller reads slowly.
    Cancelling a write that has begun to leave breaks the response, as half a chunk cannot
    be taken back.
    """

    __slots__ = ("_calls", "_not_begun")
    _sink: AsyncSink

    def __init__(self, sink: AsyncSink) -> None:
        super().__init__()
        self._sink = sink
        # A write that nobody awaits does nothing, so those that did not begin are kept.
        self._calls = 0
        self._not_begun: dict[int, Coroutine[Any, Any, Any]] = {}

    def write(self, data: Writable) -> Coroutine[Any, Any, int]:
        """Send `data` as one chunk: `ResponseStream.write`, to be awaited.

        The bytes leave within this call, also when the code after it blocks the loop.
        """
        self._calls += 1
        self._not_begun[self._calls] = call = self._write(data, self._calls)
        return call

    def _to_be_awaited(
        self, make: Callable[[int], Coroutine[Any, Any, Result]]
    ) -> Coroutine[Any, Any, Result]:
        """Note a call, whose coroutine takes its number out of `_not_begun` when it begins."""
        self._calls += 1
        self._not_begun[self._calls] = coroutine = make(self._calls)
        return coroutine

    async def _write(self, data: Writable, number: int = 0) -> int:
        """What `write` returns; without a number for who awaits it at once."""
        if number:
            self._not_begun.pop(number, None)
        chunk = data if type(data) is bytes else encoded(data)
        if self._guard is not None:
            self._guard.check()
        try:
            if self._state is _STREAMING:
                if chunk:
                    await self._sink.send(chunk)
            else:
                self._check_open()
                chunks = self._first_chunks(chunk)
                self._state = _STREAMING
                await self._sink.begin(self._content_type, chunks)
        except StreamBrokenError:
            self._state = _BROKEN
            raise
        return len(chunk)

    async def flush(self) -> None:
        """Send the head if it has not left; chunks never wait. Harmless after the end."""
        if not self.started:
            await self.write(b"")

    async def end(self, data: Writable = b"") -> None:
        """End the response: `ResponseStream.end`, awaited.

        Raises, besides what that raises:
            StreamError: a write was called and never awaited, so its data is missing.
        """
        if not self.ended:
            self._check_calls()
        if encoded(data):
            await self.write(data)
        if self.ended:
            return
        if not self.started:
            await self.write(b"")
        self._state = _ENDED
        try:
            await self._sink.end()
        except StreamBrokenError:
            self._state = _BROKEN
            raise

    def _check_calls(self) -> None:
        # One that was cancelled before it began is closed: somebody has dealt with it.
        never = [call for call in self._not_begun.values() if getattr(call, "cr_frame", None)]
        self._not_begun.clear()
        if not never:
            return
        for call in never:
            call.close()
        raise StreamError(
            f"{len(never)} of {self._calls} writes were never awaited, so what they were to "
            "send is missing; in an async handler write `await response_stream.write(...)`"
        )

    async def _fail(self, error: BaseException) -> None:
        if self._state is _STREAMING:
            self._state = _BROKEN
            try:
                await self._sink.fail(error)
            except StreamBrokenError:
                pass


class HttpResponseStream:
    """Gives a streamed response a status, headers and cookies. Node's name for it."""

    @staticmethod
    def from_(stream: AnyStream, metadata: Mapping[str, Any] | Prelude) -> AnyStream:
        """Put an HTTP head in front of `stream` and return the same stream.

        `metadata` has the keys of Node's `HttpResponseStream.from`, all optional:
        `statusCode` (int), `headers` (name to str), `cookies` (list of `Set-Cookie`
        values), `multiValueHeaders` (name to list of str, API Gateway only); or it is a
        `Prelude`. The head leaves with the first byte, or at the end if there is no body.
        Called twice before the first byte, the last one counts.

        Raises:
            PreludeError: something in it cannot be sent, or it is over 16 KiB.
            HeadSentError: the first byte has left already.
        """
        if not isinstance(stream, _Stream):
            raise TypeError(
                "HttpResponseStream.from_ takes the response stream first, then the metadata, "
                f"not {type(stream).__name__}"
            )
        stream._set_prelude(Prelude.from_metadata(metadata))
        return stream


def encoded(data: Writable) -> bytes:
    """`data` as bytes: `str` is UTF-8, bytes-like objects as they are.

    Raises:
        TypeError: anything else.
    """
    if type(data) is bytes:
        return data
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, (bytes, bytearray, memoryview)):
        # A copy: the caller may go on to fill its buffer while a sink still holds this.
        return bytes(data)
    hint = ""
    if isinstance(data, Prelude):
        raise PreludeError("a Prelude goes first, before any part of the body")
    if isinstance(data, (dict, list)):
        hint = "; for JSON write json.dumps(...)"
    elif data is None:
        hint = "; leave out what is None"
    raise TypeError(
        "a response stream takes str, bytes, bytearray or memoryview, "
        f"not {type(data).__name__}{hint}"
    )
