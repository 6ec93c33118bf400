"""The runtime's side of the Runtime API: requests out, answers in, one connection kept."""

from __future__ import annotations

from ..errors import RemoteProtocolError, RuntimeApiError
from ..transports.blocking import BlockingConnection
from ..wire.runtime_api import (
    INIT_ERROR,
    NEXT,
    RESTORE_ERROR,
    RESTORE_NEXT,
    ResponseReader,
    RuntimeApiRequests,
)
from .invocation import Invocation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..wire.runtime_api import Response


class RuntimeApiClient:
    """Speaks to the Runtime API at `address` ("host:port").

    One keep-alive connection serves everything; it is closed after any answer that is not
    a success and opened anew for the next request.
    """

    def __init__(
        self,
        address: str,
        user_agent: str,
        connect: Callable[[str], BlockingConnection] = BlockingConnection,
    ) -> None:
        self.requests = RuntimeApiRequests(address, user_agent)
        self._address = address
        self._user_agent = user_agent
        self._connect = connect
        self._kept: BlockingConnection | None = None
        #: How many have been opened.
        self.connections = 0

    def another(self) -> RuntimeApiClient:
        """A client of the same Runtime API with a connection of its own."""
        return RuntimeApiClient(self._address, self._user_agent, self._connect)

    def next_invocation(self) -> Invocation:
        """Wait for the next invocation, for as long as it takes.

        Raises:
            RuntimeApiError: the answer is not 200.
            OSError: the Runtime API is not there any more.
        """
        response = self._exchange([self.requests.next_invocation])
        if response.status != 200:
            raise RuntimeApiError("GET", NEXT, response.status, response.body)
        return Invocation.from_response(response)

    def post_response(self, invocation: Invocation, body: bytes, content_type: str) -> None:
        """Send a buffered response.

        Raises:
            RuntimeApiError: it was refused.
            OSError: the connection broke.
        """
        self._post(
            "response",
            self.requests.response(
                invocation.request_id, body, content_type, invocation.invocation_id
            ),
        )

    def post_error(self, invocation: Invocation, body: bytes, xray_error_cause: str) -> None:
        """Send the failure of an invocation; raises as `post_response` does."""
        self._post(
            "error",
            self.requests.error(
                invocation.request_id, body, xray_error_cause, invocation.invocation_id
            ),
        )

    def post_init_error(self, body: bytes, error_type: str) -> None:
        """Send the failure of the start; raises as `post_response` does."""
        self._post(INIT_ERROR, self.requests.init_error(body, error_type))

    def restore_next(self) -> None:
        """Wait until this environment has been restored from its snapshot (SnapStart).

        The connection is closed: what was opened before a snapshot is dead after it. Raises
        as `next_invocation` does.
        """
        response = self._exchange([self.requests.restore_next])
        if self._kept is not None:
            self._kept.close()
            self._kept = None
        if response.status != 200:
            raise RuntimeApiError("GET", RESTORE_NEXT, response.status, response.body)

    def post_restore_error(self, body: bytes, error_type: str) -> None:
        """Send the failure of what runs after a restore; raises as `post_response` does."""
        self._post(RESTORE_ERROR, self.requests.restore_error(body, error_type))

    def take_connection(self) -> BlockingConnection:
        """The connection, for a response that is streamed on it.

        To be given back with `keep` when it is clean, or closed.
        """
        connection, self._kept = self._kept, None
        if connection is None:
            connection = self._connect(self._address)
            self.connections += 1
        return connection

    def drop_stale(self) -> None:
        """Let go of a kept connection that the other side has closed while it was idle.

        For a response that is streamed without a `/next` of ours on the connection before.
        """
        if self._kept is not None and not self._kept.is_quiet():
            self._kept.close()
            self._kept = None

    def keep(self, connection: BlockingConnection) -> None:
        """Take back a connection on which the last answer was read whole."""
        self._kept = connection

    def _post(self, path: str, buffers: list[bytes]) -> None:
        response = self._exchange(buffers)
        if not 200 <= response.status < 300:
            raise RuntimeApiError("POST", path, response.status, response.body)

    def _exchange(self, buffers: list[bytes]) -> Response:
        was_kept = self._kept is not None
        reader = ResponseReader()
        try:
            return self._exchange_once(buffers, reader)
        except (OSError, RemoteProtocolError):
            # A kept connection may have died meanwhile, as after a thaw. To ask again is
            # safe: the Runtime API refuses a second answer to the same invocation.
            if not was_kept or reader.began:
                raise
        return self._exchange_once(buffers, ResponseReader())

    def _exchange_once(self, buffers: list[bytes], reader: ResponseReader) -> Response:
        connection = self.take_connection()
        response: Response | None = None
        try:
            try:
                connection.send(buffers)
            except OSError:
                # It may have been refused before it was read to its end.
                response = reader.receive(connection.receive_ready())
                if response is None:
                    raise
            while response is None:
                data = connection.receive()
                response = reader.receive(data) if data else reader.receive_eof()
        finally:
            if response is not None and response.status < 300 and response.keeps_alive:
                self.keep(connection)
            else:
                connection.close()
        return response
