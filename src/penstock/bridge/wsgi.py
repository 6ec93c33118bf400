"""A WSGI application: one request of it.

Source: PEP 3333.
"""

from __future__ import annotations

import sys

from ..errors import AppError, StreamBrokenError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeAlias

    from ..messages import Request
    from .answering import Kept, Streamed

    App: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def environ_of(request: Request, marks: dict[str, Any]) -> dict[str, Any]:
    """The environ of a request, with `marks` in it."""
    from io import BytesIO
    from urllib.parse import unquote_to_bytes

    headers = request.headers
    name, _, port = (headers.get("host") or "").partition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method.upper(),
        "SCRIPT_NAME": "",
        # As PEP 3333 has it: bytes as characters.
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "SERVER_NAME": name or "lambda",
        "SERVER_PORT": port or "443",
        "SERVER_PROTOCOL": request.protocol,
        "REMOTE_ADDR": request.source_ip,
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": (headers.get("x-forwarded-proto") or "https").partition(",")[0],
        "wsgi.input": BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        **marks,
    }
    if (content_type := headers.get("content-type")) is not None:
        environ["CONTENT_TYPE"] = content_type
    for name, value in headers:
        # With underscores it would be another header's name.
        if "_" in name or name.lower() in ("content-type", "content-length"):
            continue
        key = "HTTP_" + name.upper().replace("-", "_")
        joint = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{joint}{value}" if key in environ else value
    return environ


def answer(app: App, environ: dict[str, Any], into: Streamed | Kept) -> None:
    """Run the app for one request and give what it returns to `into`, part by part.

    Raises:
        AppError: the app did not call `start_response`, or not in its turn.
        BaseException: what the app raises.
    """
    start = _Start(into)
    parts = app(environ, start)
    try:
        for data in parts:
            if data:
                start.write(data)
        start.send_head()
        into.end()
    except StreamBrokenError:
        pass  # nobody is there any more who could be told
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()


class _Start:
    """`start_response`, and the `write` that it returns."""

    def __init__(self, into: Streamed | Kept) -> None:
        self._into = into
        self._head: tuple[int, list[tuple[str, str]]] | None = None

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """Take the head, which leaves with the first byte of the body."""
        try:
            if exc_info is not None and self._into.has_head:
                raise exc_info[1].with_traceback(exc_info[2])
            if exc_info is None and self._head is not None:
                raise AppError("start_response was called twice without exc_info")
        finally:
            exc_info = None  # a cycle of references otherwise
        code = status[:3]
        if not code.isdecimal() or len(code) != 3:
            raise AppError(f"a status is like '200 OK', not {status!r:.80}")
        self._head = int(code), list(headers)
        return self.write

    def write(self, data: bytes) -> None:
        """Send a part of the body."""
        self.send_head()
        self._into.body(data)

    def send_head(self) -> None:
        """Give the head, once."""
        if self._into.has_head:
            return
        if self._head is None:
            raise AppError("the WSGI app sent a body before it called start_response")
        self._into.head(*self._head)


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
