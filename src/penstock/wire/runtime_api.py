"""The Lambda Runtime API as bytes: requests written, responses read.

Source: AWS documentation, "Using the Lambda runtime API for custom runtimes". The paths
start with the version of the API, `/2018-06-01`.
"""

from __future__ import annotations

from ..errors import RemoteProtocolError
from .chunked import ChunkedDecoder
from .trailers import ERROR_BODY, ERROR_TYPE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = "/2018-06-01"
NEXT = VERSION + "/runtime/invocation/next"
INIT_ERROR = VERSION + "/runtime/init/error"
RESTORE_NEXT = VERSION + "/runtime/restore/next"
RESTORE_ERROR = VERSION + "/runtime/restore/error"

# Lower-case: responses are looked up that way.
REQUEST_ID = "lambda-runtime-aws-request-id"
DEADLINE_MS = "lambda-runtime-deadline-ms"
FUNCTION_ARN = "lambda-runtime-invoked-function-arn"
TRACE_ID = "lambda-runtime-trace-id"
CLIENT_CONTEXT = "lambda-runtime-client-context"
COGNITO_IDENTITY = "lambda-runtime-cognito-identity"
TENANT_ID = "lambda-runtime-aws-tenant-id"
INVOCATION_ID = "lambda-runtime-invocation-id"
RESPONSE_MODE = "Lambda-Runtime-Function-Response-Mode"
XRAY_ERROR_CAUSE = "Lambda-Runtime-Function-XRay-Error-Cause"

JSON = "application/json"

# AWS's own clients leave the X-Ray cause out from 1 MiB on.
MAX_XRAY_ERROR_CAUSE = 1024 * 1024

# A response head of the Runtime API carries client context (3,583 bytes) and little else.
MAX_RESPONSE_HEAD = 256 * 1024

# Both trailers are always declared: a name that was not is lost on the way.
_STREAMING_HEADERS = (
    f"{RESPONSE_MODE}: streaming\r\n"
    "Transfer-Encoding: chunked\r\n"
    f"Trailer: {ERROR_TYPE}, {ERROR_BODY}\r\n"
).encode()

# Of a length; int() refuses to read more than 4300.
_MAX_DIGITS = 18


class RuntimeApiRequests:
    """Writes the requests of one runtime to one Runtime API.

    `address` is the value of `AWS_LAMBDA_RUNTIME_API`, `user_agent` what to call ourselves.
    """

    def __init__(self, address: str, user_agent: str) -> None:
        self._common = f"Host: {address}\r\nUser-Agent: {user_agent}\r\n".encode()
        self.next_invocation = self._get(NEXT)
        self.restore_next = self._get(RESTORE_NEXT)

    def response(
        self,
        request_id: str,
        body: bytes,
        content_type: str = JSON,
        invocation_id: str | None = None,
    ) -> list[bytes]:
        """A buffered response, whole."""
        head = self._post(
            f"{VERSION}/runtime/invocation/{request_id}/response",
            {"Content-Type": content_type, "Content-Length": str(len(body))},
            invocation_id,
        )
        return [head, body]

    def streamed_response_head(
        self, request_id: str, content_type: str, invocation_id: str | None = None
    ) -> bytes:
        """The head of a streamed response; chunks and perhaps trailers follow."""
        return (
            b"POST %s/runtime/invocation/%s/response HTTP/1.1\r\n%sContent-Type: %s\r\n%s\r\n"
            % (
                VERSION.encode(),
                request_id.encode(),
                self._common,
                _one_line(content_type).encode("utf-8", "replace"),
                _STREAMING_HEADERS + _invocation_id_header(invocation_id),
            )
        )

    def error(
        self,
        request_id: str,
        body: bytes,
        xray_error_cause: str = "",
        invocation_id: str | None = None,
    ) -> list[bytes]:
        """The failure of an invocation whose response has not begun."""
        headers = {"Content-Type": JSON, "Content-Length": str(len(body))}
        if 0 < len(xray_error_cause.encode("utf-8", "backslashreplace")) < MAX_XRAY_ERROR_CAUSE:
            headers[XRAY_ERROR_CAUSE] = xray_error_cause
        head = self._post(
            f"{VERSION}/runtime/invocation/{request_id}/error", headers, invocation_id
        )
        return [head, body]

    def init_error(self, body: bytes, error_type: str) -> list[bytes]:
        """The failure of the runtime's start; the process exits after it."""
        return self._fault(INIT_ERROR, body, error_type)

    def restore_error(self, body: bytes, error_type: str) -> list[bytes]:
        """The failure of what was to run after a restore; the process exits after it."""
        return self._fault(RESTORE_ERROR, body, error_type)

    def _fault(self, path: str, body: bytes, error_type: str) -> list[bytes]:
        headers = {
            "Content-Type": JSON,
            "Content-Length": str(len(body)),
            ERROR_TYPE: "".join(c if " " < c < "\x7f" else "_" for c in error_type),
        }
        return [self._post(path, headers, None), body]

    def _get(self, path: str) -> bytes:
        return b"GET %s HTTP/1.1\r\n%s\r\n" % (path.encode(), self._common)

    def _post(self, path: str, headers: Mapping[str, str], invocation_id: str | None) -> bytes:
        lines = "".join([f"{name}: {_one_line(value)}\r\n" for name, value in headers.items()])
        return b"POST %s HTTP/1.1\r\n%s%s%s\r\n" % (
            path.encode(),
            self._common,
            # Half of a character, in a cause for X-Ray: so it is written in JSON.
            lines.encode("utf-8", "backslashreplace"),
            _invocation_id_header(invocation_id),
        )


class Response:
    """An answer of the Runtime API: `status`, `headers` (lower-case names), `body`."""

    __slots__ = ("body", "headers", "keeps_alive", "status")

    def __init__(self, status: int, headers: Mapping[str, str], keeps_alive: bool) -> None:
        self.status = status
        self.headers = headers
        self.keeps_alive = keeps_alive
        self.body = b""

    def __repr__(self) -> str:
        return f"<Response {self.status}, {len(self.body)} bytes>"


class ResponseReader:
    """Reads one response, whatever the pieces it arrives in.

    `receive` returns the response once it is whole, None before. The end of the
    connection is its own call, `receive_eof`.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._response: Response | None = None
        self._length: int | None = None
        self._chunked: ChunkedDecoder | None = None
        self._body: list[bytes] = []
        self._received = 0

    @property
    def began(self) -> bool:
        """Whether anything of the response has arrived."""
        return bool(self._buffer) or self._response is not None

    def receive(self, data: bytes) -> Response | None:
        """Take `data` in.

        Raises:
            RemoteProtocolError: it is no HTTP/1.1 response, or more follows behind it.
        """
        if self._response is None:
            data = self._read_head(data)
        response = self._response
        if response is None:
            return None
        if self._chunked is not None:
            self._body.append(self._chunked.receive(data))
            whole, more = self._chunked.complete, len(self._chunked.rest)
        else:
            self._body.append(data)
            self._received += len(data)
            whole = self._length is not None and self._received >= self._length
            more = self._received - (self._length or 0) if whole else 0
        if more:
            raise RemoteProtocolError(f"{more} bytes follow behind a response of the Runtime API")
        if not whole:
            return None
        response.body = b"".join(self._body)
        return response

    def receive_eof(self) -> Response:
        """The connection was closed.

        Raises:
            RemoteProtocolError: the response is not whole.
        """
        if self._response is not None and self._chunked is None and self._length is None:
            self._response.body = b"".join(self._body)
            return self._response
        raise RemoteProtocolError("the Runtime API closed the connection in mid-response")

    def _read_head(self, data: bytes) -> bytes:
        """Take `data` in until the head is whole; returns what follows it."""
        if self._buffer:
            # A line end that is cut in two is in the last bytes of what was seen.
            seen = max(0, len(self._buffer) - 3)
            self._buffer += data
            if self._buffer.find(b"\r\n\r\n", seen) < 0:
                self._check_length(len(self._buffer))
                return b""
            data = bytes(self._buffer)
            self._buffer.clear()
        while True:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._check_length(len(data))
                self._buffer += data
                return b""
            lines = data[:end].decode("utf-8", "replace").split("\r\n")
            data = data[end + 4 :]
            status = _status(lines[0])
            if status >= 200:
                break
        del lines[0]
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise RemoteProtocolError(f"expected a header, found {line[:80]!r}")
            headers[name.lower()] = value.strip()
        self._response = Response(status, headers, headers.get("connection", "").lower() != "close")
        if "chunked" in headers.get("transfer-encoding", "").lower():
            self._chunked = ChunkedDecoder()
        elif status in (204, 304):
            self._length = 0
        elif "content-length" in headers:
            length = headers["content-length"]
            if not length.isdecimal() or len(length) > _MAX_DIGITS:
                raise RemoteProtocolError(f"expected a length, found {length[:40]!r}")
            self._length = int(length)
        return data

    def _check_length(self, length: int) -> None:
        if length > MAX_RESPONSE_HEAD:
            raise RemoteProtocolError(
                f"the head of a Runtime API response is over {MAX_RESPONSE_HEAD} bytes"
            )


def _status(line: str) -> int:
    version, _, rest = line.partition(" ")
    code = rest.partition(" ")[0]
    if not (version.startswith("HTTP/1.") and code.isdecimal() and len(code) == 3):
        raise RemoteProtocolError(f"expected an HTTP/1.1 status line, found {line[:80]!r}")
    return int(code)


def _one_line(value: str) -> str:
    return value.replace("\r", " ").replace("\n", " ")


def _invocation_id_header(invocation_id: str | None) -> bytes:
    if invocation_id is None:
        return b""
    return f"Lambda-Runtime-Invocation-Id: {_one_line(invocation_id)}\r\n".encode(
        "utf-8", "replace"
    )
