"""A response kept in memory, and the buffered proxy response made of it.

For a decorated handler called where nothing streams: in a test, on one's desk, or under
a runtime client that cannot.
"""

from __future__ import annotations

from .errors import PreludeError, StreamError
from .wire.prelude import CONTENT_TYPE as INTEGRATION_CONTENT_TYPE
from .wire.prelude import PreludeDecoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_fallback_noted = False


class BufferedResponder:
    """Keeps the response to one invocation. The sinks it gives out are itself.

    `chunks` has the body as it was written, `metadata` what the prelude said or None,
    `content_type` is None until the head was sent, `error` is what failed it after that.
    """

    def __init__(self) -> None:
        self.content_type: str | None = None
        self.metadata: dict[str, Any] | None = None
        self.chunks: list[bytes] = []
        self.ended = False
        self.error: BaseException | None = None
        self._prelude = PreludeDecoder()
        self._given = False

    def blocking_sink(self) -> BufferedResponder:
        """The sink of a blocking stream."""
        self._give()
        return self

    def async_sink(self) -> _AsyncSink:
        """The sink of an awaited stream."""
        self._give()
        return _AsyncSink(self)

    def begin(self, content_type: str, chunks: list[bytes]) -> None:
        """Take the head in."""
        self.content_type = content_type
        for data in chunks:
            self.send(data)

    def send(self, data: bytes) -> None:
        """Take one chunk in."""
        if self.content_type == INTEGRATION_CONTENT_TYPE:
            data = self._prelude.receive(data)
            self.metadata = self._prelude.metadata
        if data:
            self.chunks.append(data)

    def end(self) -> None:
        """The response is whole.

        Raises:
            PreludeError: its content type says that a prelude comes first, and none came.
        """
        if self._prelude.pending:
            raise PreludeError(
                f"the content type is {INTEGRATION_CONTENT_TYPE}, but what was written does "
                "not begin with JSON and eight NUL bytes; use HttpResponseStream.from_"
            )
        self.ended = True

    def fail(self, error: BaseException) -> None:
        """The response failed after its head."""
        self.error = error

    def proxy_response(self, event: Any) -> dict[str, Any]:
        """The whole response as the dict that a buffered integration wants.

        Text is given as text, everything else in base64. Cookies go into `cookies`
        (Function URLs and HTTP APIs), or into `multiValueHeaders` if `event` has that key
        (REST APIs and load balancers): a REST API refuses a response with `cookies`. It
        sends a header twice that is in both maps, so then it is in the lists alone.
        """
        metadata = self.metadata or {}
        headers = dict(metadata.get("headers", {}))
        if not any(name.lower() == "content-type" for name in headers) and not self.metadata:
            headers["content-type"] = self.content_type or "application/octet-stream"
        body, is_base64 = _as_text(b"".join(self.chunks), headers)
        response: dict[str, Any] = {
            "statusCode": metadata.get("statusCode", 200),
            "headers": headers,
            "body": body,
            "isBase64Encoded": is_base64,
        }
        multi = dict(metadata.get("multiValueHeaders", {}))
        cookies = metadata.get("cookies")
        if isinstance(event, dict) and "multiValueHeaders" in event:
            listed = {name.lower() for name in multi}
            for name in [name for name in headers if name.lower() in listed]:
                del headers[name]
            if cookies:
                # Beside those that are given as a header: they are others.
                given = [headers.pop(name) for name in [*headers] if name.lower() == "set-cookie"]
                for name in [name for name in multi if name.lower() == "set-cookie"]:
                    given += multi.pop(name)
                multi["set-cookie"] = [*given, *cookies]
        elif cookies:
            response["cookies"] = cookies
        if multi:
            response["multiValueHeaders"] = multi
        return response

    def _give(self) -> None:
        if self._given:
            raise StreamError("this invocation has a response stream already")
        self._given = True


class _AsyncSink:
    """The awaited face of a `BufferedResponder`."""

    def __init__(self, responder: BufferedResponder) -> None:
        self._responder = responder

    async def begin(self, content_type: str, chunks: list[bytes]) -> None:
        self._responder.begin(content_type, chunks)

    async def send(self, data: bytes) -> None:
        self._responder.send(data)

    async def end(self) -> None:
        self._responder.end()

    async def fail(self, error: BaseException) -> None:
        self._responder.fail(error)


def note_fallback() -> None:
    """Log, once per environment, that a streaming handler answers buffered on Lambda."""
    global _fallback_noted
    if _fallback_noted:
        return
    _fallback_noted = True
    import os

    if "AWS_LAMBDA_RUNTIME_API" in os.environ:
        import logging

        if os.environ.get("PENSTOCK_TAKEOVER") == "off":
            words = "PENSTOCK_TAKEOVER is off, so the response is sent buffered"
        else:
            words = (
                "this runtime client does not stream, so the response is sent buffered; "
                "Penstock's own runtime does: set AWS_LAMBDA_EXEC_WRAPPER to its wrapper, or "
                "start `python -m penstock.runtime`"
            )
        logging.getLogger("penstock").warning(words)


def _as_text(body: bytes, headers: dict[str, str]) -> tuple[str, bool]:
    """The body as text if it is text by evidence: not encoded, no NUL, valid UTF-8."""
    is_encoded = any(name.lower() == "content-encoding" for name in headers)
    if not is_encoded and b"\0" not in body:
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    from base64 import b64encode

    return b64encode(body).decode(), True
