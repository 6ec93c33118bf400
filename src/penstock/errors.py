"""Every exception Penstock raises, in one tree. ::

    PenstockError
    ├── HandlerShapeError        a function that is none of the four shapes of handler
    ├── EventError               an event that no source knows, or that is malformed
    ├── DeliveryError            an app did not handle an event that was delivered to it
    ├── AppError                 an ASGI or WSGI app that broke its protocol
    ├── FaultError               a failure that AWS has a name for
    │   ├── HandlerLoadError     the handler's module or name could not be loaded
    │   └── MarshalError         an event, context or return value that is not JSON
    ├── PreludeError             a status, header or cookie that cannot be sent
    ├── DeadlineApproaching      the handler's time is nearly up (if it asked to hear of it)
    ├── StreamError
    │   ├── StreamEndedError     written to after its end
    │   ├── HeadSentError        content type or prelude set after the first byte
    │   └── StreamBrokenError    the other end is gone, or refused the rest
    ├── ProtocolError
    │   ├── LocalProtocolError   we, or the handler, broke the protocol
    │   └── RemoteProtocolError  the other end broke it
    ├── RuntimeApiError          the Runtime API answered with an error status
    └── EmulatorError            the emulator could not start or was asked the impossible

Most also derive from the builtin that a caller would expect (`TypeError`, `ValueError`,
`ConnectionError`), so code that knows nothing of Penstock can still handle them.
"""

from __future__ import annotations


class PenstockError(Exception):
    """The root: catches everything Penstock raises on purpose."""


class HandlerShapeError(PenstockError, TypeError):
    """A function given to `streamify_response` fits none of the four shapes."""


class EventError(PenstockError, ValueError):
    """An event is of no source that was asked, or is not made as its source makes it.

    `status` is what a client is told, if there is one.
    """

    status = 400


class DeliveryError(PenstockError):
    """An event was delivered to an app, whose answer says that it did not handle it."""


class AppError(PenstockError, RuntimeError):
    """An application did not keep to ASGI or WSGI."""


class FaultError(PenstockError):
    """A failure that AWS has a name for.

    `error_type` is that name (`Runtime.HandlerNotFound`, ...), which travels to the
    platform; `stack_trace` is a list of lines or None.
    """

    def __init__(self, error_type: str, message: str, stack_trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.stack_trace = stack_trace


class HandlerLoadError(FaultError):
    """The handler could not be loaded."""


class MarshalError(FaultError):
    """An event, a context or what a handler returned is nothing that JSON can carry."""


class PreludeError(PenstockError, ValueError):
    """The HTTP head of a streamed response holds something that cannot be sent."""


class DeadlineApproaching(PenstockError):
    """The invocation is about to run out of time: end the response now.

    Raised once in a handler decorated with `streamify_response(deadline_margin_ms=...)`, and
    in WSGI apps; an ASGI app hears of it as `http.disconnect` and is cancelled later.
    It is no `TimeoutError`: HTTP clients would take it for one of their own, and try again.
    """


class StreamError(PenstockError):
    """A response stream was used in a way, or at a time, that is not allowed."""


class StreamEndedError(StreamError):
    """Something was written to a response stream after its end."""


class HeadSentError(StreamError):
    """The content type or prelude was set after the first byte had left."""


class StreamBrokenError(StreamError, ConnectionError):
    """The rest of the response cannot be delivered: the other end closed or refused it."""


class ProtocolError(PenstockError):
    """The bytes on the wire, or the order of moves, broke a protocol."""


class LocalProtocolError(ProtocolError):
    """This side tried a move that the protocol does not allow now."""


class RemoteProtocolError(ProtocolError, ConnectionError):
    """The other side sent something that the protocol does not allow."""


class RuntimeApiError(PenstockError):
    """The Runtime API answered a request with an error status.

    Attributes: `method`, `path`, `status` (int), `body` (bytes).
    """

    def __init__(self, method: str, path: str, status: int, body: bytes) -> None:
        self.method = method
        self.path = path
        self.status = status
        self.body = body
        text = body[:500].decode("utf-8", "replace").strip()
        super().__init__(f"{method} {path} was answered {status}: {text}")


class EmulatorError(PenstockError):
    """The emulator could not start, or was asked for something it cannot do."""
