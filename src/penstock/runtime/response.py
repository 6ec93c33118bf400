"""One streamed response on its way to the Runtime API.

`StreamedResponse` is the responder of one invocation: it gives the handler's stream a sink
that sends on the connection, and remembers how the response ended.
"""

from __future__ import annotations

import os
from _thread import allocate_lock

from ..errors import RemoteProtocolError, RuntimeApiError, StreamBrokenError, StreamError
from ..wire.response_states import State
from ..wire.runtime_api import ResponseReader
from ..wire.streamed_response import StreamedResponseWriter
from .failure_report import FailureReport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..transports.asyncio_streams import AsyncioConnection
    from ..transports.blocking import BlockingConnection
    from ..wire.runtime_api import Response
    from .api_client import RuntimeApiClient
    from .invocation import Invocation
    from .stream_log import LoggedAsyncSink, LoggedBlockingSink, StreamLog

_LOGS_STREAMS = os.environ.get("PENSTOCK_LOG_STREAMS") == "1"


class StreamedResponse:
    """Answers `invocation` through `api`, once, piece by piece."""

    def __init__(self, api: RuntimeApiClient, invocation: Invocation) -> None:
        self._api = api
        self._path = f"/runtime/invocation/{invocation.request_id}/response"
        self._writer = StreamedResponseWriter(
            api.requests, invocation.request_id, invocation.invocation_id
        )
        self._given = False
        self._connection: BlockingConnection | None = None
        self._log: StreamLog | None = None
        if _LOGS_STREAMS:
            from .stream_log import StreamLog

            self._log = StreamLog(invocation.request_id)
        #: The answer of the Runtime API that refused the response, if one did.
        self.refusal: RuntimeApiError | None = None

    @property
    def started(self) -> bool:
        """Whether the head has left: then there is no other way to answer any more."""
        return self._writer.state is not State.WAITING

    def blocking_sink(self) -> BlockingSink | LoggedBlockingSink:
        """The sink of a blocking stream."""
        self._give()
        sink = BlockingSink(self)
        return sink if self._log is None else self._log.blocking_sink(sink)

    def async_sink(self) -> AsyncSink | LoggedAsyncSink:
        """The sink of a stream that is awaited on the running event loop."""
        self._give()
        sink = AsyncSink(self)
        return sink if self._log is None else self._log.async_sink(sink)

    def abandon(self) -> None:
        """Close the connection if the response never came to an end: it then counts as cut."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._log is not None:
            self._log.write("cut")

    def _give(self) -> None:
        if self._given:
            raise StreamError("this invocation has a response stream already")
        self._given = True

    def _open(self) -> BlockingConnection:
        self._connection = self._api.take_connection()
        return self._connection

    def _taken(self, response: Response) -> None:
        """Look at the final answer; a refusal means that the caller lacks something."""
        connection, self._connection = self._connection, None
        if connection is not None:
            if response.status < 300 and response.keeps_alive:
                self._api.keep(connection)
            else:
                connection.close()
        if response.status >= 300:
            self.refusal = RuntimeApiError("POST", self._path, response.status, response.body)
            raise StreamBrokenError(str(self.refusal)) from self.refusal

    def _broken(self, cause: Exception) -> StreamBrokenError:
        """The connection failed. The other side may have said why before it closed."""
        connection, self._connection = self._connection, None
        reason = str(cause) or type(cause).__name__
        if connection is not None:
            early = connection.receive_ready()
            connection.close()
            try:
                response = ResponseReader().receive(early)
            except RemoteProtocolError:
                response = None
            if response is not None:
                self.refusal = RuntimeApiError("POST", self._path, response.status, response.body)
                reason = str(self.refusal)
        error = StreamBrokenError(f"the rest of the response cannot be delivered: {reason}")
        error.__cause__ = cause
        return error


class BlockingSink:
    """Sends a response with blocking calls: `stream.Sink`."""

    def __init__(self, response: StreamedResponse) -> None:
        self._response = response
        self._writer = response._writer
        # Two threads that write at once must not mix their chunks.
        self._sending = allocate_lock()

    def begin(self, content_type: str, chunks: list[bytes]) -> None:
        """Send the head and `chunks`."""
        with self._sending:
            try:
                self._connection = self._response._open()
                self._connection.send(self._writer.head(content_type, chunks))
            except OSError as exc:
                raise self._response._broken(exc) from exc

    def send(self, data: bytes) -> None:
        """Send one chunk."""
        with self._sending:
            try:
                rest = self._connection.send_ready(self._writer.body(data))
                if rest:
                    self._connection.send(rest)
            except OSError as exc:
                raise self._response._broken(exc) from exc

    def end(self) -> None:
        """Send the end and wait until the response is taken."""
        self._finish(self._writer.end())

    def fail(self, error: BaseException) -> None:
        """Send the failure as trailers."""
        report = FailureReport(error)
        self._finish(self._writer.failure(report.error_type, report.message, report.stack_trace))

    def _finish(self, buffers: Sequence[bytes]) -> None:
        try:
            with self._sending:
                self._connection.send(buffers)
            reader = ResponseReader()
            response = None
            while response is None:
                data = self._connection.receive()
                response = reader.receive(data) if data else reader.receive_eof()
        except (OSError, RemoteProtocolError) as exc:
            raise self._response._broken(exc) from exc
        self._response._taken(response)


class AsyncSink:
    """Sends a response without blocking the event loop: `stream.AsyncSink`.

    What the kernel takes at once leaves without a coroutine of its own.
    """

    _connection: AsyncioConnection

    def __init__(self, response: StreamedResponse) -> None:
        self._response = response
        self._writer = response._writer

    async def begin(self, content_type: str, chunks: list[bytes]) -> None:
        """Send the head and `chunks`."""
        from ..transports.asyncio_streams import AsyncioConnection

        try:
            # Connecting to loopback, and only after an error: it does not block for long.
            self._connection = connection = AsyncioConnection(self._response._open())
            buffers = self._writer.head(content_type, chunks)
            rest = connection.send_ready(buffers)
            if rest:
                await connection.send_rest(rest, buffers)
        except OSError as exc:
            raise self._response._broken(exc) from exc

    async def send(self, data: bytes) -> None:
        """Send one chunk."""
        connection = self._connection
        try:
            buffers = self._writer.body(data)
            rest = connection.send_ready(buffers)
            if rest:
                await connection.send_rest(rest, buffers)
        except OSError as exc:
            raise self._response._broken(exc) from exc

    async def end(self) -> None:
        """Send the end and wait until the response is taken."""
        await self._finish(self._writer.end())

    async def fail(self, error: BaseException) -> None:
        """Send the failure as trailers."""
        report = FailureReport(error)
        await self._finish(
            self._writer.failure(report.error_type, report.message, report.stack_trace)
        )

    async def _finish(self, buffers: Sequence[bytes]) -> None:
        connection = self._connection
        try:
            rest = connection.send_ready(buffers)
            if rest:
                await connection.send_rest(rest, buffers)
            reader = ResponseReader()
            response = None
            while response is None:
                data = connection.receive_soon()
                if data is None:
                    data = await connection.receive()
                response = reader.receive(data) if data else reader.receive_eof()
        except (OSError, RemoteProtocolError) as exc:
            raise self._response._broken(exc) from exc
        self._response._taken(response)
