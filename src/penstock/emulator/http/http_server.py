"""One small HTTP/1.1 server for the Runtime API and the front doors.

A thread serves each connection with blocking sockets: whoever reads slowly holds back
whoever sends, through nothing but TCP. No ASGI server would do, for none shows request
trailers, aborts a body half-way or keeps the timing of chunks.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator

from ...errors import RemoteProtocolError
from ...messages import Headers
from .http_connection import BadRequestError, ClientGoneError, Connection
from .http_forms import HeaderList, RequestHead

__all__ = ["BodyTooLargeError", "ClientGoneError", "Exchange", "HeaderList", "HttpServer"]

_log = logging.getLogger("penstock.emulator")

_PORTS_TRIED = 20


# How long the head of a request may take from its first byte, and how long a body that is
# read whole may pause, in seconds.
_PATIENCE = 30.0

_NO_TRAILERS = Headers()

# How long listening may take to end.
_STOP_SECONDS = 1.0


class BodyTooLargeError(Exception):
    """A request's body is larger than the caller of `read_body` takes."""


class Exchange:
    """One request, and the one answer to it.

    `method`, `path` and `query` are as sent (percent-encoded, query without `?`);
    `trailers` is filled when the body has been read to its end.
    """

    def __init__(self, connection: Connection, request: RequestHead, patience: float) -> None:
        self._connection = connection
        self._patience = patience
        target = request.target
        if not target.startswith("/"):
            # The absolute form that proxies send: http://host/path
            target = "/" + target.partition("://")[2].partition("/")[2]
        self.path, _, self.query = target.partition("?")
        self.method = request.method
        self.protocol = f"HTTP/{request.version}"
        self.headers = request.headers
        self.trailers = _NO_TRAILERS
        self.client_address = connection.client_address

    @property
    def answered(self) -> bool:
        """Whether the head of the answer has been sent."""
        return self._connection.has_begun_to_answer

    def read_body(self, limit: int) -> bytes:
        """The whole body.

        Raises:
            BodyTooLargeError: it is over `limit` bytes.
            RemoteProtocolError, OSError: it did not arrive whole.
        """
        length = self.headers.get("content-length", "0") or "0"
        if length.isdecimal() and int(length) > limit:
            raise BodyTooLargeError
        if self._connection.has_whole_body:
            return self._connection.read_whole()
        self._connection.limit_pauses(self._patience)
        try:
            body = bytearray()
            for data in self.body():
                body += data
                if len(body) > limit:
                    raise BodyTooLargeError
        except BlockingIOError as exc:
            message = f"nothing of the body came for {self._patience:g} seconds"
            raise BadRequestError(message, 408) from exc
        finally:
            self._connection.limit_pauses(0)
        return bytes(body)

    def body(self) -> Iterator[bytes]:
        """The body as it arrives; reads only when asked for more.

        Raises:
            RemoteProtocolError: malformed, or closed before its end.
            OSError: the connection broke.
        """
        if self._connection.has_whole_body:
            data = self._connection.read_whole()
            return iter((data,) if data else ())
        return self._parts()

    def _parts(self) -> Iterator[bytes]:
        while isinstance(part := self._connection.read(), bytes):
            yield part
        self.trailers = part

    def is_connected(self) -> bool:
        """Whether the client is still there, as far as can be told without waiting."""
        return self._connection.is_open()

    def respond(self, status: int, headers: HeaderList, body: bytes = b"") -> None:
        """Send a whole answer.

        Raises:
            ClientGoneError: nobody is there to take it.
        """
        framed = with_length(status, headers, body)
        if self.method == "HEAD":
            self._connection.begin_answer(status, framed)
            self.end()
        else:
            self._connection.answer(status, framed, body)

    def begin(self, status: int, headers: HeaderList) -> None:
        """Send the head.

        Without a `Content-Length` the body is chunked, or, to an HTTP/1.0 client, ends
        with the connection.

        Raises:
            ValueError: a header that cannot be sent; nothing was.
            ClientGoneError: nobody is there to take it.
        """
        self._connection.begin_answer(status, headers)

    def send(self, *pieces: bytes) -> None:
        """Send a part of the body, made of `pieces`; blocks while the client reads slowly.

        Raises:
            ClientGoneError: nobody is there to take it.
        """
        self._connection.send(*pieces)

    def end(self) -> None:
        """The answer is whole.

        Raises:
            ClientGoneError: nobody is there to take it.
        """
        self._connection.end_answer()

    def abort(self) -> None:
        """Close the connection in mid-answer, so that it cannot pass for a whole one."""
        if self.protocol == "HTTP/1.0":
            # There the end of the connection is the end of the body, unless it is reset.
            self._connection.reset_when_closed()
        self._connection.abort()


def with_length(status: int, headers: HeaderList, body: bytes) -> HeaderList:
    """The headers of a whole answer: with the length of its body, if its status has one."""
    if status in (204, 304) or status < 200:
        return headers
    return [*headers, ("Content-Length", str(len(body)))]


class HttpServer:
    """Serves `handle` on `host` and `port` (0: any free one) from construction on.

    `handle` runs on the connection's own thread and must answer the exchange. An error
    from it closes the connection. For "localhost" it listens on IPv4 and IPv6.

    `patience`, in seconds, is how long the head of a request may take from its first byte,
    and how long a body that is read whole may pause: the answer is 408.

    Raises:
        OSError: the port is taken.
    """

    def __init__(
        self,
        handle: Callable[[Exchange], None],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        max_header_size: int = 65536,
        name: str = "http",
        patience: float = _PATIENCE,
    ) -> None:
        self._patience = patience
        self._handle = handle
        self._max_header_size = max_header_size
        self._name = name
        self._lock = threading.Condition()
        self._open: set[Connection] = set()
        self._stopping = False
        self._listeners = _listen(host, port)
        self.port: int = self._listeners[0].getsockname()[1]
        self._accepting = [
            threading.Thread(
                target=self._accept, args=(listener,), name=f"{name}-accept", daemon=True
            )
            for listener in self._listeners
        ]
        for thread in self._accepting:
            thread.start()

    def stop(self, *, keep_connections: bool = False) -> None:
        """Stop listening, and close every connection unless they may end by themselves."""
        with self._lock:
            connections = [] if keep_connections else list(self._open)
            was_stopping, self._stopping = self._stopping, True
        for listener in () if was_stopping else self._listeners:
            # A thread in accept() is not woken by close() everywhere, but by a caller.
            with contextlib.suppress(OSError):
                address = listener.getsockname()
                with socket.socket(listener.family, socket.SOCK_STREAM) as waker:
                    waker.settimeout(0.5)
                    waker.connect(address)
            listener.close()
        for connection in connections:
            connection.abort()
        for thread in () if was_stopping else self._accepting:
            # As long as it is in accept(), others can connect.
            thread.join(_STOP_SECONDS)

    def wait_until_unused(self, seconds: float) -> bool:
        """Wait until no connection is open, for at most `seconds`; whether that came true."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._open, seconds)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                accepted, address = listener.accept()
            except OSError:
                if self._stopping:
                    return
                time.sleep(0.01)  # out of file descriptors: let others close theirs
                continue
            try:
                connection = Connection(
                    accepted,
                    str(address[0]),
                    max_header_size=self._max_header_size,
                    patience=self._patience,
                )
            except OSError:
                accepted.close()  # reset already
                continue
            with self._lock:
                if self._stopping:
                    accepted.close()
                    return
                self._open.add(connection)
            try:
                threading.Thread(
                    target=self._serve, args=(connection,), name=self._name, daemon=True
                ).start()
            except RuntimeError:
                # No thread to be had: this one is lost, others are not.
                connection.abort()
                self._forget(connection)

    def _serve(self, connection: Connection) -> None:
        try:
            while request := self._next_request(connection):
                exchange = Exchange(connection, request, self._patience)
                try:
                    self._handle(exchange)
                except RemoteProtocolError as exc:
                    if exchange.answered:
                        exchange.abort()
                    else:
                        connection.refuse(exc)
                    break
                except ClientGoneError:
                    raise
                except Exception:
                    _log.exception("%s %s could not be answered", exchange.method, exchange.path)
                    if exchange.answered:
                        exchange.abort()
                    else:
                        exchange.respond(500, [], b"Internal Server Error\n")
                    break
                if not connection.ready_for_next():
                    break
            connection.close()
        except (OSError, RemoteProtocolError):
            connection.abort()
        finally:
            connection.abort()
            self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        with self._lock:
            self._open.discard(connection)
            self._lock.notify_all()

    def _next_request(self, connection: Connection) -> RequestHead | None:
        try:
            return connection.next_request()
        except RemoteProtocolError as exc:
            connection.refuse(exc)
            return None


def _listen(host: str, port: int) -> list[socket.socket]:
    if host != "localhost":
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return [_listener(family, host, port)]
    for _ in range(_PORTS_TRIED):
        first = _listener(socket.AF_INET, "127.0.0.1", port)
        try:
            # Browsers try ::1 first, so it must be ours as well.
            second = _listener(socket.AF_INET6, "::1", first.getsockname()[1])
        except OSError as exc:
            if exc.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                return [first]  # a machine without IPv6
            first.close()
            if port != 0:
                raise
        else:
            return [first, second]
    raise OSError(errno.EADDRINUSE, "no port is free on both loopback addresses")


def _listener(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except (OSError, OverflowError):
        listener.close()
        raise
    return listener
