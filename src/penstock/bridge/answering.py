"""Where an application's response goes: on its way at once, or kept whole.

An answer is given in the order `head`, `body` any number of times, `end`. It leaves out
what a response of its kind may not have: a body for HEAD, 204 and 304, and the fields that
Lambda's front doors frame themselves. `content-length` is among those, so nobody after this
package would find that a body is not as long as the app has said: `BodyLength` does.
"""

from __future__ import annotations

from ..errors import AppError
from ..event_sources.common import joined_fields
from ..messages import HOP_BY_HOP, Headers, Prelude, Response, check_field
from ..stream import HttpResponseStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..stream import AsyncResponseStream, ResponseStream


class _Answer:
    """What all answers share."""

    def __init__(self, method: str) -> None:
        self._method = method
        self.has_head = False
        self.has_ended = False
        #: Whether the response has a body, by its method and status.
        self.takes_body = True

    @property
    def has_started(self) -> bool:
        """Whether something of it has left, so that no other answer can be given."""
        return False

    def head(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Take status and header fields.

        Raises:
            PreludeError: one of them cannot be sent.
            AppError: the status is one that goes before a response (RFC 9110 section 15.2).
        """
        raise NotImplementedError

    def _begin(self, status: int) -> None:
        self.has_head = True
        self.takes_body = self._method != "HEAD" and status not in (204, 304)


class Kept(_Answer):
    """An answer that is kept until it is whole."""

    def __init__(self, method: str) -> None:
        super().__init__(method)
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._chunks: list[bytes] = []

    def head(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Take status and header fields."""
        self._headers = [field for field in headers if field[0].lower() not in HOP_BY_HOP]
        for name, value in self._headers:
            check_field(name, value)
        _check_final(Prelude(status).status_code)
        self._begin(status)
        self._chunks.clear()
        self._status = status

    def body(self, data: bytes) -> None:
        """Take a part of the body."""
        if self.takes_body and data:
            self._chunks.append(data)

    def end(self) -> None:
        """The answer is whole."""
        self.has_ended = True

    @property
    def response(self) -> Response:
        """The whole of it."""
        return Response(self._status, self._headers, b"".join(self._chunks))


class _OnStream(_Answer):
    """What both answers share that leave when they are given."""

    def __init__(self, method: str, stream: ResponseStream | AsyncResponseStream) -> None:
        super().__init__(method)
        self._stream: ResponseStream | AsyncResponseStream = stream

    @property
    def has_started(self) -> bool:
        """Whether something of it has left."""
        return self._stream.started

    def head(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Take status and header fields, which leave with the first byte."""
        head = prelude(status, headers)
        _check_final(status)
        HttpResponseStream.from_(self._stream, head)
        self._begin(status)


class Streamed(_OnStream):
    """An answer whose parts leave when they are given; blocks while the caller is slow."""

    _stream: ResponseStream

    def body(self, data: bytes) -> None:
        """Send a part of the body; an empty one lets the head leave."""
        self._stream.write(data if self.takes_body else b"")

    def end(self) -> None:
        """End the response."""
        self.has_ended = True
        self._stream.end()


class AsyncStreamed(_OnStream):
    """The same for a stream that is awaited."""

    _stream: AsyncResponseStream

    async def body(self, data: bytes) -> None:
        """Send a part of the body; an empty one lets the head leave."""
        # As `write`, which also notes calls that nobody awaits.
        await self._stream._write(data if self.takes_body else b"")

    async def end(self) -> None:
        """End the response."""
        self.has_ended = True
        await self._stream.end()


class AsyncKept(Kept):
    """A kept answer that is awaited like a stream."""

    async def body(self, data: bytes) -> None:  # type: ignore[override]
        """Take a part of the body."""
        super().body(data)

    async def end(self) -> None:  # type: ignore[override]
        """The answer is whole."""
        super().end()


class BodyLength:
    """What an app sends of a body, held against the `content-length` in its head.

    Of several such fields, or one that is no number, nothing follows. An app that goes on after
    an error is told the same again: its response is no longer what it was to be.
    """

    __slots__ = ("_declared", "_sent", "error")

    def __init__(self, headers: Iterable[tuple[str, str]]) -> None:
        values = [value for name, value in headers if name.lower() == "content-length"]
        self._declared: int | None = None
        self._sent = 0
        #: What was found to be wrong.
        self.error: AppError | None = None
        # No body has a length of twenty digits; `int` itself refuses very long ones.
        if len(values) == 1 and len(values[0]) < 20:
            value = values[0]
            self._declared = int(value) if value.isascii() and value.isdecimal() else None

    def add(self, data: bytes) -> None:
        """Count a part of the body, before it is sent.

        Raises:
            AppError: the body would be longer than the app has said. The part is not counted.
        """
        sent = self._sent + len(data)
        if self._declared is not None and sent > self._declared:
            self.error = self.error or AppError(
                f"the app sends {sent} bytes or more, and its content-length says "
                f"{self._declared}; it should send as many, or leave that header out"
            )
        if self.error is not None:
            raise self.error
        self._sent = sent

    def check_end(self) -> None:
        """Check that the body is whole.

        Raises:
            AppError: it is shorter than the app has said, or would have been longer.
        """
        if self._declared is not None and self._sent < self._declared:
            self.error = self.error or AppError(
                f"the app ended its response after {self._sent} bytes, and its content-length "
                f"says {self._declared}; the body is cut, unless that header is wrong"
            )
        if self.error is not None:
            raise self.error


def _check_final(status: int) -> None:
    if status < 200:
        raise AppError(
            f"the app answered with status {status}, after which another response would have to "
            "come; a final status is from 200 to 599"
        )


def prelude(status: int, headers: Iterable[tuple[str, str]]) -> Prelude:
    """The head of a streamed response.

    Several fields of one name become one, with commas, for a Function URL, which has nothing
    else; a REST API sends them as they were, from `multiValueHeaders`.

    Raises:
        PreludeError: a field that cannot be sent.
    """
    fields = Headers(headers)
    joined = joined_fields(fields)
    cookies = fields.get_all("set-cookie")
    several = None
    if len(joined) + len(cookies) < len(fields):
        several = {name: fields.get_all(name) for name in joined}
        several = {name: values for name, values in several.items() if len(values) > 1}
    return Prelude(status, joined, cookies, several)
