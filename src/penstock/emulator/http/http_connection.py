"""HTTP/1.1 on a server's socket: requests out of it, answers into it.

h11 parses and frames. For requests of the plainest form, which most are, `http_forms` does it
in a fraction of the time; where anything is out of the ordinary, h11 gets the request from its
head on and decides.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import time

import h11

from ...errors import RemoteProtocolError
from ...messages import Headers
from .http_forms import (
    REASONS,
    HeaderList,
    PlainBody,
    Received,
    RequestHead,
    plain_answer,
    plain_request,
)

# Whoever waits has room for so little; more where much comes, and most where that is filled: of
# 64 KiB chunks 1 MiB at once passes through faster than 256 KiB, and 2 MiB no faster than that.
_RECEIVED_AT_FIRST = 8192
_RECEIVED_OF_MUCH = 256 * 1024
_RECEIVED_AT_MOST = 1024 * 1024

# To copy so little is less work than to hand over two parts.
_COPIED = 16384

# How much of an unread request is thrown away to keep the connection, and for how long a
# refused sender is listened to, so that it can read the refusal.
_DISCARDED = 1024 * 1024
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 64 * 1024 * 1024


# A path, a whole address as proxies get it, or the server itself. (RFC 9112, section 3.2)
_TARGET = re.compile(r"/|[A-Za-z][A-Za-z0-9+.-]*://|\*\Z")

_NO_TRAILERS = Headers()

# Combined once: each time takes as long as the call that they are for.
_LOOK_ONLY = socket.MSG_PEEK | socket.MSG_DONTWAIT


class ClientGoneError(ConnectionError):
    """The client closed the connection before it had its whole answer."""


class BadRequestError(RemoteProtocolError):
    """What was received is no request; `status` is what its sender is told."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Connection:
    """A client's connection: one request after the other, each with its answer.

    `patience` is in seconds, how long the head of a request may take from its first byte.
    """

    def __init__(
        self, connected: socket.socket, address: str, *, max_header_size: int, patience: float
    ) -> None:
        self._socket = connected
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._max_header_size = max_header_size
        self._patience = patience
        self._closed = False
        self._resets = False
        self.client_address = address
        self._room = _RECEIVED_AT_FIRST
        self._received = Received(self._receive)
        # The request: its head for h11, and who reads its body.
        self._head = b""
        self._plain_body: PlainBody | None = None
        self._reader: h11.Connection | None = None
        self._given = 0  # to the reader, in bytes
        # The answer, and who writes it.
        self._answer = _PlainAnswer(self._socket)
        self._writer: h11.Connection | None = None

    # ------------------------------------------------------------------ the request

    def next_request(self) -> RequestHead | None:
        """The head of the next request on this connection, or None if there will be none.

        Raises:
            RemoteProtocolError: what came is no request.
            OSError: the connection broke.
        """
        self._reader = self._writer = self._plain_body = None
        self._answer = _PlainAnswer(self._socket)
        received = self._received
        if received.at == len(received.data) and not received.more():
            return None
        size = received.data.find(b"\r\n\r\n", received.at) + 4 - received.at
        if 4 <= size <= self._max_header_size:
            self._head = received.data[received.at : received.at + size]
            request = plain_request(self._head)
            if request is not None:
                received.at += size
                self._plain_body = PlainBody(request.length, received)
                return request
        self._head = b""
        self._reader = self._writer = self._handed_over()
        return self._unusual_request()

    def _unusual_request(self) -> RequestHead | None:
        event = self._next_event(time.monotonic() + self._patience)
        if not isinstance(event, h11.Request):
            return None
        assert self._reader is not None
        # h11 looks only at what it holds while something is missing.
        self._check_size(self._given - len(self._reader.trailing_data[0]))
        headers = _headers_of(event)
        if "transfer-encoding" in headers and "content-length" in headers:
            # They may mean different bodies: a way to smuggle requests past a proxy, which a
            # server may refuse. (RFC 9112, section 6.1)
            raise BadRequestError("there are both Content-Length and Transfer-Encoding")
        if not event.http_version.startswith(b"1."):
            raise BadRequestError("this is a server of HTTP/1.1", 505)
        method, target, version = (
            value.decode("latin-1") for value in (event.method, event.target, event.http_version)
        )
        if method != "CONNECT" and _TARGET.match(target) is None:
            raise BadRequestError(f"{target!r} is no target of a request; a path begins with /")
        return RequestHead(method, target, headers, version=version)

    def _check_size(self, size: int) -> None:
        if size > self._max_header_size:
            raise BadRequestError(
                f"the head of the request has {size} bytes or more; at most "
                f"{self._max_header_size} are taken",
                431,
            )

    def limit_pauses(self, seconds: float) -> None:
        """Let each pause in what is received be so long; 0 for any.

        A longer one is a `BlockingIOError`. Unlike `settimeout` it costs nothing where it is
        not used. (socket(7), SO_RCVTIMEO)
        """
        whole, microseconds = divmod(int(seconds * 1_000_000), 1_000_000)
        value = struct.pack("ll", whole, microseconds)
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)

    @property
    def has_whole_body(self) -> bool:
        """Whether the body was received already, as far as is known."""
        return self._plain_body is not None and self._plain_body.is_here

    def read_whole(self) -> bytes:
        """The body, if it is here whole: see `has_whole_body`."""
        assert self._plain_body is not None
        return self._plain_body.read() or b""

    def read(self) -> bytes | Headers:
        """The next part of the body, not empty; or, at its end, the trailers.

        Raises:
            RemoteProtocolError: malformed, or closed before its end.
            OSError: the connection broke.
        """
        if self._reader is None and self._plain_body is not None:
            data = self._plain_body.read()
            if data is not None:
                return data or _NO_TRAILERS
            self._reader = self._handed_over()
        event = self._next_event()
        if isinstance(event, h11.Data):
            return bytes(event.data)
        return _headers_of(event) if isinstance(event, h11.EndOfMessage) else Headers()

    def _handed_over(self) -> h11.Connection:
        """h11, which goes on from here: between chunks, if it is not at a head."""
        reader = self._new_h11()
        rest = self._received.take_all()
        self._given = len(rest)
        reader.receive_data(rest)
        return reader

    def _new_h11(self) -> h11.Connection:
        """h11, which has read the head of the request if that was plain."""
        reader = h11.Connection(h11.SERVER, max_incomplete_event_size=self._max_header_size)
        if self._head:
            reader.receive_data(self._head)
            reader.next_event()
        return reader

    def _next_event(self, deadline: float | None = None) -> object:
        reader = self._reader
        assert reader is not None
        try:
            while (event := reader.next_event()) is h11.NEED_DATA:
                if reader.they_are_waiting_for_100_continue:
                    self._send_event(h11.InformationalResponse(status_code=100, headers=[]))
                data = self._receive(deadline)
                self._given += len(data)
                reader.receive_data(data)
        except h11.RemoteProtocolError as exc:
            status = 431 if exc.error_status_hint == 431 else 400
            if status == 431 and deadline is not None:
                self._check_size(self._given)
            # What h11 shows of the bytes is Python's way to write them.
            reason = str(exc).partition(": bytearray(")[0]
            raise BadRequestError(reason, status) from exc
        return event

    def _receive(self, deadline: float | None = None) -> bytes:
        if deadline is None:
            data = self._socket.recv(self._room)
            if (size := len(data)) < _RECEIVED_AT_FIRST:
                self._room = _RECEIVED_AT_FIRST
            else:
                is_filled = size >= _RECEIVED_OF_MUCH
                self._room = _RECEIVED_AT_MOST if is_filled else _RECEIVED_OF_MUCH
            return data
        try:
            self.limit_pauses(max(0.001, deadline - time.monotonic()))
            return self._socket.recv(_RECEIVED_AT_FIRST)
        except BlockingIOError as exc:
            message = f"the head of the request took more than {self._patience:g} seconds"
            raise BadRequestError(message, 408) from exc
        finally:
            self.limit_pauses(0)

    # ------------------------------------------------------------------- the answer

    def begin_answer(self, status: int, headers: HeaderList, body: bytes = b"") -> None:
        """Send the head, and with it what there is of the body.

        Raises:
            ValueError: a header that cannot be sent; nothing was.
            ClientGoneError: nobody is there to take it.
        """
        if self._writer is None:
            plain = plain_answer(status, headers)
            if plain is not None:
                self._answer.begin(*plain, body)
                return
        try:
            response = h11.Response(
                status_code=status,
                reason=REASONS.get(status, "").encode(),
                headers=[
                    (name.encode("latin-1"), value.encode("utf-8")) for name, value in headers
                ],
            )
        except (h11.LocalProtocolError, UnicodeEncodeError) as exc:
            raise ValueError(f"the response's head cannot be sent: {exc}") from exc
        if self._writer is None:
            self._writer = self._new_h11()
        self._send_event(response)
        if body:
            self.send(body)

    def answer(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Send a whole answer, with all that `begin_answer` may raise."""
        if self._writer is None:
            plain = plain_answer(status, headers)
            if plain is not None and plain[1] == len(body):
                self._answer.send_whole(plain[0], body)
                return
        self.begin_answer(status, headers, body)
        self.end_answer()

    def send(self, *pieces: bytes) -> None:
        """Send a part of the body. Raises ClientGoneError."""
        if self._writer is None:
            self._answer.send(*pieces)
        else:
            self._send_event(h11.Data(data=b"".join(pieces)))

    def end_answer(self) -> None:
        """The answer is whole. Raises ClientGoneError."""
        if self._writer is None:
            self._answer.end()
        else:
            self._send_event(h11.EndOfMessage())

    def _send_event(self, event: h11.Event) -> None:
        assert self._writer is not None
        send_all(self._socket, *(self._writer.send_with_data_passthrough(event) or ()))

    @property
    def has_begun_to_answer(self) -> bool:
        """Whether anything was sent for this request."""
        if self._writer is not None:
            return self._writer.our_state not in (h11.IDLE, h11.SEND_RESPONSE)
        return self._answer.has_begun

    def refuse(self, reason: RemoteProtocolError) -> None:
        """Answer that what was received is no HTTP, if there is no answer yet."""
        if self.has_begun_to_answer:
            return
        status = reason.status if isinstance(reason, BadRequestError) else 400
        text = f"{REASONS[status]}: {reason}\n"
        head = (
            f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: text/plain\r\n"
            f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n"
        )
        with contextlib.suppress(ClientGoneError):
            send_all(self._socket, (head + text).encode("latin-1", "replace"))

    # --------------------------------------------------------------- the connection

    def is_open(self) -> bool:
        """Whether the client is still there, as far as can be told without waiting."""
        try:
            return bool(self._socket.recv(1, _LOOK_ONLY))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def ready_for_next(self) -> bool:
        """Prepare for another request on this connection; whether there can be one."""
        is_whole = self._answer.has_ended
        if self._writer is not None:
            is_whole = self._writer.our_state is h11.DONE
        if not is_whole or not self._discard_rest():
            return False
        if self._reader is not None:
            self._received.data, self._received.at = self._reader.trailing_data[0], 0
        return True

    def _discard_rest(self) -> bool:
        """Read the request to its end; False if there is too much of it."""
        if self._is_read:
            return self._reader is None or self._reader.their_state is h11.DONE
        discarded = 0
        self.limit_pauses(self._patience)
        while not self._is_read and discarded < _DISCARDED:
            data = self.read()
            discarded += len(data) if isinstance(data, bytes) else 0
        self.limit_pauses(0)
        return self._is_read and (self._reader is None or self._reader.their_state is h11.DONE)

    @property
    def _is_read(self) -> bool:
        """Whether nothing more of the request can come."""
        if self._reader is not None:
            return self._reader.their_state is not h11.SEND_BODY
        return self._plain_body is None or self._plain_body.has_ended

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
            deadline = time.monotonic() + _LINGER_SECONDS
            left = _LINGER_BYTES
            while left > 0 and (seconds := deadline - time.monotonic()) > 0:
                self._socket.settimeout(seconds)
                data = self._socket.recv(_RECEIVED_OF_MUCH)
                left -= len(data)
                if not data:
                    break
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


class _PlainAnswer:
    """An answer that needs no h11: `plain_answer` has made its head."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._left: int | None = 0
        self.has_begun = False
        self.has_ended = False

    def send_whole(self, head: bytes, body: bytes) -> None:
        self.has_begun = self.has_ended = True
        try:
            if len(body) <= _COPIED:
                self._socket.sendall(head + body)
                return
        except OSError as exc:
            raise ClientGoneError(str(exc)) from exc
        send_all(self._socket, head, body)

    def begin(self, head: bytes, length: int | None, body: bytes) -> None:
        self.has_begun = True
        self._left = length
        send_all(self._socket, head, *self._framed(body))

    def send(self, *pieces: bytes) -> None:
        send_all(self._socket, *self._framed(*pieces))

    def end(self) -> None:
        if self._left:
            raise h11.LocalProtocolError("Too little data for declared Content-Length")
        self.has_ended = True
        if self._left is None:
            send_all(self._socket, b"0\r\n\r\n")

    def _framed(self, *pieces: bytes) -> tuple[bytes, ...]:
        size = sum(map(len, pieces))
        if not size:
            return ()
        if self._left is None:
            return (b"%x\r\n" % size, *pieces, b"\r\n")
        if size > self._left:
            raise h11.LocalProtocolError("Too much data for declared Content-Length")
        self._left -= size
        return pieces


def send_all(connected: socket.socket, *parts: bytes) -> None:
    """Send all of them, together if possible. Raises ClientGoneError."""
    try:
        rest: list[bytes | memoryview] = [part for part in parts if part]
        while rest:
            sent = connected.sendmsg(rest)
            while rest and sent >= len(rest[0]):
                sent -= len(rest.pop(0))
            if rest and sent:
                rest[0] = memoryview(rest[0])[sent:]
    except OSError as exc:
        raise ClientGoneError(str(exc)) from exc


def _headers_of(event: h11.Request | h11.EndOfMessage) -> Headers:
    fields = event.headers.raw_items()
    return Headers((name.decode("latin-1"), _text(value)) for name, value in fields)


def _text(value: bytes) -> str:
    """A header's value: UTF-8 where it is, else byte for byte."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
