"""One small HTTP/1.1 server for the Runtime API and the front doors.

A thread serves each connection with blocking sockets: whoever reads slowly holds back
whoever sends, through nothing but TCP. h11 parses and frames; no ASGI server would do, for
none shows request trailers, aborts a body half-way or keeps the timing of chunks.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import TypeAlias

import h11

from ..errors import RemoteProtocolError
from ..messages import Headers

_log = logging.getLogger("penstock.emulator")

HeaderList: TypeAlias = list[tuple[str, str]]

_RECEIVE_SIZE = 65536

_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}

# How much of an unread request is thrown away to keep the connection, and for how long a
# refused sender is listened to, so that it can read the refusal.
_DISCARDED = 1024 * 1024
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 64 * 1024 * 1024

_PORTS_TRIED = 20


class ClientGoneError(ConnectionError):
    """The client closed the connection before it had its whole answer."""


class BodyTooLargeError(Exception):
    """A request's body is larger than the caller of `read_body` takes."""


class Exchange:
    """One request, and the one answer to it.

    `method`, `path` and `query` are as sent (percent-encoded, query without `?`);
    `trailers` is filled when the body has been read to its end.
    """

    def __init__(self, connection: _Connection, request: h11.Request) -> None:
        self._connection = connection
        target = request.target.decode("latin-1")
        if not target.startswith("/"):
            # The absolute form that proxies send: http://host/path
            target = "/" + target.partition("://")[2].partition("/")[2]
        self.path, _, self.query = target.partition("?")
        self.method = request.method.decode("latin-1")
        self.protocol = f"HTTP/{request.http_version.decode('latin-1')}"
        self.headers = Headers(
            (name.decode("latin-1"), _text(value)) for name, value in request.headers.raw_items()
        )
        self.trailers = Headers()
        self.client_address = connection.client_address
        #: Whether the head of the answer has been sent.
        self.answered = False

    def read_body(self, limit: int) -> bytes:
        """The whole body.

        Raises:
            BodyTooLargeError: it is over `limit` bytes.
            RemoteProtocolError, OSError: it did not arrive whole.
        """
        length = self.headers.get("content-length", "0") or "0"
        if length.isdecimal() and int(length) > limit:
            raise BodyTooLargeError
        body = bytearray()
        for data in self.body():
            body += data
            if len(body) > limit:
                raise BodyTooLargeError
        return bytes(body)

    def body(self) -> Iterator[bytes]:
        """The body as it arrives; reads only when asked for more.

        Raises:
            RemoteProtocolError: malformed, or closed before its end.
            OSError: the connection broke.
        """
        while True:
            event = self._connection.next_event()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            else:
                if isinstance(event, h11.EndOfMessage):
                    self.trailers = Headers(
                        (name.decode("latin-1"), _text(value))
                        for name, value in event.headers.raw_items()
                    )
                return

    def is_connected(self) -> bool:
        """Whether the client is still there, as far as can be told without waiting."""
        return self._connection.is_open()

    def respond(self, status: int, headers: HeaderList, body: bytes = b"") -> None:
        """Send a whole answer.

        Raises:
            ClientGoneError: nobody is there to take it.
        """
        framed = [*headers, ("Content-Length", str(len(body)))]
        if status in (204, 304) or status < 200:
            framed = headers
        self.begin(status, framed)
        if body and self.method != "HEAD":
            self.send(body)
        self.end()

    def begin(self, status: int, headers: HeaderList) -> None:
        """Send the head.

        Without a `Content-Length` the body is chunked, or, to an HTTP/1.0 client, ends
        with the connection.

        Raises:
            ValueError: a header that cannot be sent; nothing was.
            ClientGoneError: nobody is there to take it.
        """
        try:
            response = h11.Response(
                status_code=status,
                reason=_REASONS.get(status, b""),
                headers=[
                    (name.encode("latin-1"), value.encode("utf-8")) for name, value in headers
                ],
            )
        except (h11.LocalProtocolError, UnicodeEncodeError) as exc:
            raise ValueError(f"the response's head cannot be sent: {exc}") from exc
        self.answered = True
        self._connection.send(response)

    def send(self, data: bytes) -> None:
        """Send a part of the body; blocks while the client reads slowly.

        Raises:
            ClientGoneError: nobody is there to take it.
        """
        self._connection.send(h11.Data(data=data))

    def end(self) -> None:
        """The answer is whole.

        Raises:
            ClientGoneError: nobody is there to take it.
        """
        self._connection.send(h11.EndOfMessage())

    def abort(self) -> None:
        """Close the connection in mid-answer, so that it cannot pass for a whole one."""
        if self.protocol == "HTTP/1.0":
            # There the end of the connection is the end of the body, unless it is reset.
            self._connection.reset_when_closed()
        self._connection.abort()


class HttpServer:
    """Serves `handle` on `host` and `port` (0: any free one) from construction on.

    `handle` runs on the connection's own thread and must answer the exchange. An error
    from it closes the connection. For "localhost" it listens on IPv4 and IPv6.

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
    ) -> None:
        self._handle = handle
        self._max_header_size = max_header_size
        self._name = name
        self._lock = threading.Condition()
        self._open: set[_Connection] = set()
        self._stopping = False
        self._listeners = _listen(host, port)
        self.port: int = self._listeners[0].getsockname()[1]
        for listener in self._listeners:
            threading.Thread(
                target=self._accept, args=(listener,), name=f"{name}-accept", daemon=True
            ).start()

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
                connection = _Connection(accepted, str(address[0]), self._max_header_size)
                with self._lock:
                    if self._stopping:
                        accepted.close()
                        return
                    self._open.add(connection)
                threading.Thread(
                    target=self._serve, args=(connection,), name=self._name, daemon=True
                ).start()
            except (OSError, RuntimeError):
                # Reset already, or no thread to be had: this one is lost, others are not.
                accepted.close()

    def _serve(self, connection: _Connection) -> None:
        try:
            while exchange := connection.next_exchange():
                try:
                    self._handle(exchange)
                except RemoteProtocolError as exc:
                    connection.refuse(exc)
                    break
                except ClientGoneError:
                    raise
                except Exception:
                    _log.exception("%s %s could not be answered", exchange.method, exchange.path)
                    if not exchange.answered:
                        exchange.respond(500, [], b"Internal Server Error\n")
                    break
                if not connection.ready_for_next():
                    break
            connection.close()
        except (OSError, RemoteProtocolError):
            connection.abort()
        finally:
            connection.abort()
            with self._lock:
                self._open.discard(connection)
                self._lock.notify_all()


class _Connection:
    """A socket with h11 on top."""

    def __init__(self, connected: socket.socket, address: str, max_header_size: int) -> None:
        self._socket = connected
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=max_header_size)
        self._closed = False
        self._resets = False
        self.client_address = address

    def next_exchange(self) -> Exchange | None:
        """The next request on this connection, or None if there will be none."""
        try:
            event = self.next_event()
        except RemoteProtocolError as exc:
            self.refuse(exc)
            return None
        return Exchange(self, event) if isinstance(event, h11.Request) else None

    def next_event(self) -> object:
        while True:
            try:
                event = self._h11.next_event()
                if event is not h11.NEED_DATA:
                    return event
                if self._h11.they_are_waiting_for_100_continue:
                    self.send(h11.InformationalResponse(status_code=100, headers=[]))
                self._h11.receive_data(self._socket.recv(_RECEIVE_SIZE))
            except h11.RemoteProtocolError as exc:
                raise RemoteProtocolError(str(exc)) from exc

    def send(self, event: h11.Event) -> None:
        buffers = self._h11.send_with_data_passthrough(event)
        try:
            rest: list[bytes | memoryview] = [buffer for buffer in buffers or () if buffer]
            while rest:
                sent = self._socket.sendmsg(rest)
                while rest and sent >= len(rest[0]):
                    sent -= len(rest.pop(0))
                if rest and sent:
                    rest[0] = memoryview(rest[0])[sent:]
        except OSError as exc:
            raise ClientGoneError(str(exc)) from exc

    def is_open(self) -> bool:
        try:
            return bool(self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def ready_for_next(self) -> bool:
        """Prepare for another request on this connection; whether there can be one."""
        if self._h11.our_state is not h11.DONE:
            return False
        discarded = 0
        while self._h11.their_state is h11.SEND_BODY and discarded < _DISCARDED:
            event = self.next_event()
            discarded += len(event.data) if isinstance(event, h11.Data) else 0
        if self._h11.their_state is not h11.DONE:
            return False
        self._h11.start_next_cycle()
        return True

    def reset_when_closed(self) -> None:
        """Let `abort` reset the connection instead of closing it in order."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._resets = True

    def close(self) -> None:
        """Close when the other side has read what was sent, and not much later."""
        if self._closed:
            return
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            # Closing with unread input resets the connection, and the answer would be lost.
            self._socket.settimeout(_LINGER_SECONDS)
            left = _LINGER_BYTES
            while left > 0 and (data := self._socket.recv(_RECEIVE_SIZE)):
                left -= len(data)
        self.abort()

    def abort(self) -> None:
        """Close at once; may be called from any thread, and repeated."""
        if self._closed:
            return
        self._closed = True
        if not self._resets:
            # Wakes a thread that reads or writes it, which closing would not.
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def refuse(self, reason: RemoteProtocolError) -> None:
        """Answer that what was received is no HTTP, if there is no answer yet."""
        if self._h11.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        text = f"Bad Request: {reason}\n".encode()
        with contextlib.suppress(ClientGoneError):
            self.send(
                h11.Response(
                    status_code=400,
                    reason=_REASONS[400],
                    headers=[
                        (b"Content-Type", b"text/plain"),
                        (b"Content-Length", b"%d" % len(text)),
                        (b"Connection", b"close"),
                    ],
                )
            )
            self.send(h11.Data(data=text))
            self.send(h11.EndOfMessage())


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
    except OSError:
        listener.close()
        raise
    return listener


def _text(value: bytes) -> str:
    """A header's value: UTF-8 where it is, else byte for byte."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
