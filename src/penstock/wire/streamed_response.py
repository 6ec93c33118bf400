"""The POST that carries a streamed response, as bytes in the order they must leave."""

from __future__ import annotations

from ..errors import LocalProtocolError
from .chunked import CRLF, LAST_CHUNK, chunk
from .response_states import Event, State, next_state
from .runtime_api import RuntimeApiRequests
from .trailers import error_trailers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# Looking up a member of an enumeration takes longer than making a chunk.
_STREAMING = State.STREAMING


class StreamedResponseWriter:
    """Turns the moves of one response into buffers to send.

    Every method checks its move against the table of `response_states` and raises
    `LocalProtocolError` if it is not allowed now. Nothing is copied or held back.
    """

    def __init__(
        self,
        requests: RuntimeApiRequests,
        request_id: str,
        invocation_id: str | None = None,
    ) -> None:
        self.state = State.WAITING
        self._requests = requests
        self._request_id = request_id
        self._invocation_id = invocation_id

    def head(self, content_type: str, chunks: Iterable[bytes] = ()) -> list[bytes]:
        """The request's head, and the first chunks with it."""
        following = next_state(self.state, Event.HEAD)
        buffers = [
            self._requests.streamed_response_head(
                self._request_id, content_type, self._invocation_id
            )
        ]
        for data in chunks:
            buffers.extend(chunk(data))
        self.state = following
        return buffers

    def body(self, data: bytes) -> tuple[bytes, ...]:
        """One chunk; `data` must not be empty."""
        if self.state is not _STREAMING:
            next_state(self.state, Event.BODY)
        return chunk(data)

    def end(self) -> tuple[bytes, ...]:
        """The end of a response that is whole."""
        self.state = next_state(self.state, Event.END)
        return (LAST_CHUNK + CRLF,)

    def failure(self, error_type: str, message: str, stack_trace: Iterable[str]) -> list[bytes]:
        """The end of a response that failed after its head."""
        if self.state is State.WAITING:
            raise LocalProtocolError("before the head a failure is a POST to /error")
        self.state = next_state(self.state, Event.FAILURE)
        return [LAST_CHUNK, error_trailers(error_type, message, stack_trace)]
