"""Calls a function through the Lambda API of an emulator, and reads what it answered."""

from __future__ import annotations

import http.client
import json
from base64 import b64decode
from typing import Any
from urllib.parse import quote, urlsplit

from ..errors import PenstockError

# The emulator wants to see that a caller signs, as every AWS client does.
_AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, "
    "SignedHeaders=host, Signature=0"
)


class InvokeError(PenstockError):
    """There is no answer: the function was not run, or its answer did not arrive whole."""


class FunctionError(PenstockError):
    """The function failed.

    `error_type`, `error_message` and `stack_trace` (a list of lines) are what the runtime
    reported, `payload` is all of it, and `log` is the end of the function's log.
    """

    def __init__(self, function_name: str, payload: bytes, log: str) -> None:
        report = _report_in(payload)
        self.error_type = str(report.get("errorType") or "Error")
        self.error_message = str(report.get("errorMessage") or "")
        lines = report.get("stackTrace")
        self.stack_trace = [str(line) for line in lines] if isinstance(lines, list) else []
        self.payload = payload
        self.log = log
        told = f"{self.error_type}: {self.error_message}".removesuffix(": ")
        super().__init__(f"{function_name} failed: {told}")


class Invoked:
    """What `Invoke` gave: the `payload`, and the end of the function's `log` (4 KB)."""

    def __init__(self, payload: bytes, log: str) -> None:
        self.payload = payload
        self.log = log

    @property
    def text(self) -> str:
        """The payload, as UTF-8."""
        return self.payload.decode()

    def json(self) -> Any:
        """The payload, parsed."""
        return json.loads(self.payload)

    def __repr__(self) -> str:
        return f"<Invoked {self.payload!r:.80}>"


def invoke(endpoint_url: str, function_name: str, event: Any, *, timeout: float) -> Invoked:
    """Invoke a function and wait for its answer, at most `timeout` seconds.

    `event` is anything that can be written as JSON. An answer that was streamed is in the
    payload as it was sent, its prelude included.

    Raises:
        FunctionError: the function failed before its first byte. After that the Lambda API
            tells of no failure; the log does.
        InvokeError: there is no emulator, no such function, or it was not run; or its answer
            did not come in time, or broke off.
    """
    address = urlsplit(endpoint_url if "//" in endpoint_url else f"//{endpoint_url}")
    try:
        host, port = address.hostname, address.port or 80
    except ValueError as exc:
        raise InvokeError(f"{endpoint_url!r} is no address: {exc}") from exc
    if address.scheme not in ("", "http") or not host or address.path.strip("/"):
        raise InvokeError(
            f"{endpoint_url!r} is no emulator's address; write http://HOST:PORT, as in "
            "http://localhost:9000"
        )
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request(
            "POST",
            f"/2015-03-31/functions/{quote(function_name, safe='')}/invocations",
            body=_as_json(event),
            headers={"Authorization": _AUTHORIZATION, "X-Amz-Log-Type": "Tail"},
        )
        try:
            response = connection.getresponse()
            payload = response.read()
        except (ConnectionError, http.client.IncompleteRead) as exc:
            so_far = len(exc.partial) if isinstance(exc, http.client.IncompleteRead) else 0
            raise InvokeError(
                f"the answer of {function_name} at {endpoint_url} broke off"
                + (f" after {so_far} bytes" if so_far else "")
                + "; the function may have been run to its end, which its log tells"
            ) from exc
    except TimeoutError as exc:
        raise InvokeError(
            f"{function_name} at {endpoint_url} has not answered within {timeout:g} seconds"
        ) from exc
    except ConnectionRefusedError as exc:
        raise InvokeError(
            f"nothing listens at {endpoint_url}; start the function: penstock dev TARGET"
        ) from exc
    except OSError as exc:
        reason = exc.strerror or repr(exc)
        raise InvokeError(f"cannot invoke {function_name} at {endpoint_url}: {reason}") from exc
    except http.client.HTTPException as exc:
        raise InvokeError(f"cannot invoke {function_name} at {endpoint_url}: {exc!r}") from exc
    finally:
        connection.close()
    log = b64decode(response.getheader("X-Amz-Log-Result") or "").decode("utf-8", "replace")
    if response.status != 200:
        told = _refusal(function_name, endpoint_url, response, payload)
        if response.status == 404 and "ResourceNotFoundException" in told:
            told += _functions_at(host, port, timeout)
        raise InvokeError(told)
    if response.getheader("X-Amz-Function-Error"):
        raise FunctionError(function_name, payload, log)
    return Invoked(payload, log)


def _as_json(event: Any) -> bytes:
    try:
        return json.dumps(event).encode()
    except (TypeError, ValueError) as exc:
        raise InvokeError(f"the event cannot be written as JSON: {exc}") from exc


def _report_in(payload: bytes) -> dict[str, Any]:
    try:
        report = json.loads(payload)
    except ValueError:
        report = None
    if isinstance(report, dict):
        return report
    return {"errorMessage": payload.decode("utf-8", "replace")}


def _refusal(
    function_name: str, endpoint_url: str, response: http.client.HTTPResponse, payload: bytes
) -> str:
    kind = response.getheader("x-amzn-ErrorType")
    report = _report_in(payload)
    message = report.get("Message") or report.get("message") or report.get("errorMessage") or ""
    if kind is None:
        # A page is not to be read in a terminal.
        text = "" if payload.lstrip().startswith(b"<") else f": {message!s:.200}"
        return f"{endpoint_url} answered with status {response.status}, as no emulator does{text}"
    return f"{function_name} at {endpoint_url} was not invoked: {kind}: {message!s:.500}"


def _functions_at(host: str, port: int, timeout: float) -> str:
    """The names that could have been meant."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", "/_penstock/health")
        names = _report_in(connection.getresponse().read()).get("functions")
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()
    if not isinstance(names, list):
        return ""
    return f"; the functions there are: {', '.join(map(str, names))}" if names else "; it has none"
