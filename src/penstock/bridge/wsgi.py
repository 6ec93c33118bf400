"""A WSGI application: one request of it.

Source: PEP 3333.
"""

from __future__ import annotations

import os
import sys
from contextvars import copy_context

from ..deadline import GuardedBlock
from ..errors import AppError, StreamBrokenError
from .answering import BodyLength
from .text import as_characters, host_and_port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeAlias

    from ..deadline import DeadlineGuard
    from ..messages import Request
    from ..stream import ResponseStream
    from .answering import Kept, Streamed
    from .server_sent_events import EventStreams

    App: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


# They have keys of their own.
_LEFT_OUT = frozenset(("content-type", "content-length"))


def environ_of(request: Request, marks: dict[str, Any]) -> dict[str, Any]:
    """The environ of a request, with `marks` in it."""
    from io import BytesIO
    from urllib.parse import unquote_to_bytes

    headers = request.headers
    scheme = (headers.get("x-forwarded-proto") or "https").partition(",")[0].strip()
    name, port = host_and_port(headers.get("host"), scheme)
    root_path = request.root_path
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method.upper(),
        # As PEP 3333 has it: bytes as characters.
        "SCRIPT_NAME": unquote_to_bytes(root_path).decode("latin-1"),
        "PATH_INFO": unquote_to_bytes(request.path[len(root_path) :]).decode("latin-1"),
        "QUERY_STRING": request.query,
        "SERVER_NAME": as_characters(name),
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": request.protocol,
        "REMOTE_ADDR": request.source_ip,
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": as_characters(scheme),
        "wsgi.input": BytesIO(request.body),
        # It ends by itself, also for a client that sent its body in chunks.
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": "AWS_LAMBDA_MAX_CONCURRENCY" in os.environ,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        **marks,
    }
    if (content_type := headers.get("content-type")) is not None:
        environ["CONTENT_TYPE"] = as_characters(content_type)
    for name, value in headers:
        # With underscores it would be another header's name.
        if "_" in name or name.lower() in _LEFT_OUT:
            continue
        key = "HTTP_" + name.upper().replace("-", "_")
        joint = "; " if key == "HTTP_COOKIE" else ","
        value = as_characters(value)
        environ[key] = f"{environ[key]}{joint}{value}" if key in environ else value
    return environ


def answer(
    app: App,
    environ: dict[str, Any],
    into: Streamed | Kept | EventStreams,
    guard: DeadlineGuard | None,
    stream: ResponseStream | None,
) -> None:
    """Run the app for one request and give what it returns to `into`, part by part.

    It runs with context variables of its own. When `guard` says that the time has come,
    `DeadlineApproaching` is raised in it; `stream` is what `into` writes to.

    Raises:
        AppError: the app did not call `start_response`, or not in its turn, or its body is not
            as long as its `content-length`.
        BaseException: what the app raises.
    """
    if guard is None:
        copy_context().run(_answer, app, environ, into)
    else:
        with GuardedBlock(guard, stream):
            copy_context().run(_answer, app, environ, into)


def _answer(app: App, environ: dict[str, Any], into: Streamed | Kept | EventStreams) -> None:
    start = _Start(into)
    parts: Any = None
    try:
        parts = app(environ, start)
        if parts is None or isinstance(parts, (bytes, str)):
            found = "None" if parts is None else type(parts).__name__
            raise AppError(
                f"the WSGI app returned {found}; it should return an iterable of bytes, "
                "a list of them for example"
            )
        for data in _each(parts):
            if data:
                start.write(data)
        start.check_head()
        start.check_end()
        into.end()
    except StreamBrokenError:
        pass  # nobody is there any more who could be told
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()


def _each(parts: Iterable[bytes]) -> Iterable[bytes]:
    # Of its own because the deadline may be raised here, where the app is waited for.
    for part in parts:  # noqa: UP028 - `yield from` would pass GeneratorExit on to the app
        yield part


class _Start:
    """`start_response`, and the `write` that it returns.

    The head is given to `into` at once, which does not send it: only so it is known that an
    event stream has begun before there is anything in it.
    """

    def __init__(self, into: Streamed | Kept | EventStreams) -> None:
        self._into = into
        self._head: tuple[int, list[tuple[str, str]]] | None = None
        self._length: BodyLength | None = None

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """Take the head, which leaves with the first byte of the body."""
        try:
            if exc_info is not None and self._into.has_started:
                raise exc_info[1].with_traceback(exc_info[2])
            if exc_info is None and self._head is not None:
                raise AppError("start_response was called twice without exc_info")
        finally:
            exc_info = None  # a cycle of references otherwise
        if not isinstance(status, str):
            raise AppError(f"a status is like '200 OK', not {status!r:.80}")
        code = status[:3]
        if not code.isdecimal() or len(code) != 3:
            raise AppError(f"a status is like '200 OK', not {status!r:.80}")
        self._head = int(code), [(name, value.strip(" \t")) for name, value in headers]
        self._give_head(*self._head)
        return self.write

    def write(self, data: bytes) -> None:
        """Send a part of the body; nothing of it if the body would be longer than it may be."""
        if not isinstance(data, bytes):
            raise AppError(f"a WSGI app's body is bytes, not {type(data).__name__}")
        if self._into.has_ended:
            raise AppError("write was called after the end of the response")
        self.check_head()
        if self._length is not None:
            self._length.add(data)
        self._into.body(data)

    def check_head(self) -> None:
        """Whether there is a head for what is sent.

        Raises:
            AppError, PreludeError: there is none, or only one that cannot be sent.
        """
        if self._into.has_head:
            return
        if self._head is None:
            raise AppError("the WSGI app sent a body before it called start_response")
        self._give_head(*self._head)

    def check_end(self) -> None:
        """Whether the body is as long as the head says.

        Raises:
            AppError: it is shorter, or the app wanted to send more.
        """
        if self._length is not None:
            self._length.check_end()

    def _give_head(self, status: int, headers: list[tuple[str, str]]) -> None:
        self._into.head(status, headers)
        self._length = BodyLength(headers) if self._into.takes_body else None


class FileWrapper:
    """`wsgi.file_wrapper`: reads a file in blocks."""

    def __init__(self, file: Any, block_size: int = 65536) -> None:
        self._file = file
        self._block_size = block_size
        self.close = getattr(file, "close", lambda: None)

    def __iter__(self) -> FileWrapper:
        return self

    def __next__(self) -> bytes:
        data: bytes = self._file.read(self._block_size)
        if not data:
            raise StopIteration
        return data
