"""A client for the HTTP servers behind REST APIs: one request, and its answer as it comes.

h11 on a blocking socket, because nothing may be read ahead of the caller, and each wait has
two limits: one for silence and one for the whole.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from urllib.parse import urlsplit

import h11

from ...errors import PenstockError

_RECEIVE_SIZE = 65536
_HEAD_SIZE = 64 * 1024

_CLOSED = "it closed the connection before its answer was whole"


class BackendError(PenstockError):
    """The backend cannot be asked, or does not answer as it should."""


class UnknownBackendError(BackendError):
    """There is no server of that name."""


class UnreachableBackendError(BackendError):
    """The server cannot be connected to, or closes without an answer."""


class BackendTimeoutError(BackendError):
    """The server is silent for too long, or takes too long for all of it."""

    def __init__(self, message: str, *, is_idle: bool) -> None:
        super().__init__(message)
        self.is_idle = is_idle


class Backend:
    """One request to the server of `url`.

    `timeout` is for everything and `idle` for each wait, in seconds from now. `clock` counts
    seconds. Close it in the end, whatever happened.

    Raises:
        BackendError: it cannot be connected to.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float,
        idle: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._timeout = timeout
        #: When its time is up.
        self.ends_at = clock() + timeout
        self._idle = idle
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as exc:
            raise UnknownBackendError(f"{url} is no address: {exc}") from exc
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UnknownBackendError(f"{url} is no address of an HTTP server")
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._host = parts.netloc.rpartition("@")[2]
        self._socket = self._connected(parts.hostname, port, is_tls=parts.scheme == "https")
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_SIZE)

    def ask(self, method: str, headers: list[tuple[str, str]], body: bytes) -> h11.Response:
        """Send the request, and wait for the head of the answer: all of it.

        `headers` lack what frames the body. A `Host` among them goes before the address's.

        Raises:
            BackendError: there is none.
        """
        has_host = any(name.lower() == "host" for name, _ in headers)
        fields = [*headers] if has_host else [("Host", self._host), *headers]
        if body or method not in ("GET", "HEAD", "OPTIONS", "DELETE"):
            fields.append(("Content-Length", str(len(body))))
        try:
            request = h11.Request(
                method=method,
                target=self._target,
                headers=[(name.encode("ascii"), value.encode("utf-8")) for name, value in fields],
            )
            data = [request, h11.Data(data=body), h11.EndOfMessage()]
            sent = b"".join(self._h11.send(event) or b"" for event in data)
        except (h11.LocalProtocolError, UnicodeEncodeError) as exc:
            raise BackendError(f"the request cannot be sent: {exc}") from exc
        self._wait_for(lambda: self._socket.sendall(sent))
        while True:
            event = self._next_event()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise UnreachableBackendError(_CLOSED)

    def body(self) -> Iterator[bytes]:
        """The body, in the pieces in which it comes; reads only when asked for more.

        Raises:
            BackendError: it does not come whole.
        """
        while isinstance(event := self._next_event(), h11.Data):
            yield bytes(event.data)
        if not isinstance(event, h11.EndOfMessage):
            raise UnreachableBackendError(_CLOSED)

    def close(self) -> None:
        """Close the connection; may be repeated."""
        self._socket.close()

    def abort(self) -> None:
        """End the connection from another thread: whoever waits for the server need not."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _connected(self, name: str, port: int, *, is_tls: bool) -> socket.socket:
        try:
            name.encode("idna")  # no label of a host is empty, or over 63 characters long
        except UnicodeError as exc:
            raise UnknownBackendError(f"there is no host {name}: {exc}") from exc
        # Browsers and curl know that these are this machine; the system may not.
        is_here = name == "localhost" or name.endswith(".localhost")
        names = ("127.0.0.1", "::1") if is_here else (name,)
        failure: OSError | None = None
        for each in names:
            try:
                connected = socket.create_connection((each, port), timeout=self._patience())
            except socket.gaierror as exc:
                raise UnknownBackendError(f"there is no host {name}: {exc.strerror}") from exc
            except TimeoutError as exc:
                raise self._too_late() from exc
            except (OSError, OverflowError) as exc:
                failure = failure or (exc if isinstance(exc, OSError) else OSError(str(exc)))
                continue
            try:
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if is_tls:
                    connected = _tls().wrap_socket(connected, server_hostname=name)
            except TimeoutError as exc:
                connected.close()
                raise self._too_late() from exc
            except OSError as exc:
                connected.close()
                raise UnreachableBackendError(f"no TLS with {name}: {exc}") from exc
            return connected
        raise UnreachableBackendError(f"cannot connect to {name}:{port}: {failure}")

    def _next_event(self) -> object:
        while True:
            try:
                event = self._h11.next_event()
                if event is not h11.NEED_DATA:
                    return event
                self._wait_for(lambda: self._h11.receive_data(self._socket.recv(_RECEIVE_SIZE)))
            except h11.RemoteProtocolError as exc:
                is_closed = self._h11.trailing_data[1]
                if is_closed:
                    raise UnreachableBackendError(_CLOSED) from exc
                raise BackendError(f"what it answers is no HTTP: {exc}") from exc

    def _wait_for(self, call: Callable[[], object]) -> None:
        self._socket.settimeout(self._patience())
        try:
            call()
        except TimeoutError as exc:
            raise self._too_late() from exc
        except OSError as exc:
            raise UnreachableBackendError(f"the connection broke: {exc}") from exc

    def _patience(self) -> float:
        left = self.ends_at - self._clock()
        if left <= 0:
            raise self._too_late()
        return min(left, self._idle)

    def _too_late(self) -> BackendTimeoutError:
        if self._clock() < self.ends_at:
            return BackendTimeoutError(f"no byte came for {self._idle:g} seconds", is_idle=True)
        return BackendTimeoutError(
            f"it took longer than the integration's timeout, {self._timeout:g} seconds",
            is_idle=False,
        )


# To read the system's certificates takes longer than many a request.
@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
