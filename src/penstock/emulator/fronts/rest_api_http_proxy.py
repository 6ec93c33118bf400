"""`HTTP_PROXY` integrations: any HTTP server answers, a Function URL of the emulator too.

BUFFERED gives the whole answer, up to 10 MB, after its last byte. STREAM gives each part as
it comes, once all of the head is there ("API Gateway waits for the full header block": AWS
documentation, "Set up an HTTP proxy integration with payload response streaming").
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import h11

from .. import limits
from ..bandwidth import Bandwidth
from ..deadlines import Deadlines
from ..http.http_backend import (
    Backend,
    BackendError,
    BackendTimeoutError,
    UnknownBackendError,
    UnreachableBackendError,
)
from ..http.http_server import HeaderList
from ..own_requests import OwnRequests
from .answering import BODILESS, END_MARK, REFUSED_HERE, begin, respond
from .rest_api_answers import sent_fields
from .rest_api_call import Call, RefusedError, Target, failed, is_text
from .rest_api_mapping import backend_request


def answer_with_backend(
    call: Call,
    target: Target,
    authorizer: Mapping[str, Any] | None,
    *,
    own_requests: OwnRequests,
    deadlines: Deadlines,
    open_backends: set[Backend],
) -> None:
    """Pass the request on, and answer with what comes back.

    While it waits for the backend that is one of `open_backends`.

    Raises:
        RefusedError: nothing was sent, API Gateway has to answer by itself.
    """
    integration = target.method.integration
    body = call.read_body(target)
    method, url, headers = backend_request(
        integration,
        call.request(target, body),
        stage=target.stage,
        path_parameters=target.path_parameters,
        context=call.event(target, authorizer=authorizer)["requestContext"],
        api_id=target.api.id,
        port=call.port,
        trace_id=call.trace_id,
        say=call.say,
    )
    url = own_requests.address(url)
    # As in an event, what is neither binary to the API nor UTF-8 gets on damaged.
    if not call.is_binary(target):
        body = body.decode("utf-8", "replace").encode()
    idle = target.api.idle_timeout if integration.streams else integration.timeout
    with _explained(url), contextlib.ExitStack() as stack:
        backend = Backend(url, timeout=integration.timeout, idle=idle)
        stack.callback(backend.close)
        open_backends.add(backend)
        stack.callback(open_backends.discard, backend)
        response = backend.ask(method, [*headers, *own_requests.marks(url)], body)
        if integration.streams:
            _begin(call, response)

            def too_late() -> None:
                _cut(call, "the client is so slow that the integration's timeout has passed")

            deadline = deadlines.at(backend.ends_at, too_late)
            stack.callback(deadline.cancel)
            _stream(call, target, backend, response)
        else:
            _send_whole(call, target, backend, response)


def _stream(call: Call, target: Target, backend: Backend, response: h11.Response) -> None:
    exchange = call.exchange
    if exchange.method == "HEAD" or response.status_code in BODILESS:
        exchange.end()
        return
    bandwidth = Bandwidth(limits.API_BURST, limits.API_RATE) if target.api.bandwidth else None
    try:
        for data in backend.body():
            if bandwidth is not None:
                bandwidth.take(len(data))
            exchange.send(data)
    except BackendError as exc:
        _cut(call, str(exc))
        return
    exchange.end()


def _cut(call: Call, reason: str) -> None:
    call.say(f"the connection is cut in the middle of the body, because {reason}; {END_MARK}")
    call.exchange.abort()


def _begin(call: Call, response: h11.Response) -> None:
    fields = sent_fields(_fields(response), keeps_length=True)
    try:
        begin(call.exchange, response.status_code, [*call.headers, *fields])
    except ValueError as exc:
        raise failed(502, f"{REFUSED_HERE} of the backend's answer: {exc}") from exc


def _send_whole(call: Call, target: Target, backend: Backend, response: h11.Response) -> None:
    body = bytearray()
    for data in backend.body():
        body += data
        if len(body) > limits.API_RESPONSE:
            raise failed(
                500,
                f"the backend's answer is over {limits.API_RESPONSE} bytes, and AWS answers 500; "
                "a STREAM integration has no such limit",
            )
    content = bytes(body)
    fields = _fields(response)
    content_type = response_field(fields, "content-type")
    is_binary = target.api.is_binary(content_type) or call.accepts_binary(target)
    if not is_binary and not is_text(content):
        call.say(
            "the backend's answer is no UTF-8 and arrives damaged, as on AWS: its type "
            f"({content_type}) is none of the API's binaryMediaTypes; a STREAM integration "
            "passes bytes as they are"
        )
        content = content.decode("utf-8", "replace").encode()
    try:
        respond(
            call.exchange,
            response.status_code,
            [*call.headers, *sent_fields(fields, keeps_length=False)],
            content,
        )
    except ValueError as exc:
        raise failed(502, f"{REFUSED_HERE} of the backend's answer: {exc}") from exc


def response_field(fields: HeaderList, name: str) -> str | None:
    """The first value of a header, if it is there."""
    return next((value for field, value in fields if field.lower() == name), None)


def _fields(response: h11.Response) -> HeaderList:
    fields = [
        (name.decode("latin-1"), value.decode("utf-8", "replace"))
        for name, value in response.headers.raw_items()
    ]
    if response_field(fields, "transfer-encoding") is None:
        return fields
    # The body ends where its chunks do, so a length beside them is wrong (RFC 9112, 6.3).
    return [field for field in fields if field[0].lower() != "content-length"]


@contextlib.contextmanager
def _explained(url: str) -> Iterator[None]:
    """Make API Gateway's answers of a backend's failures.

    Texts: execution logs and answers in users' reports; which of them is for what, AWS
    documentation, "Gateway response types" (INTEGRATION_FAILURE, INTEGRATION_TIMEOUT,
    API_CONFIGURATION_ERROR). An answer that is no HTTP is not among them.
    """
    try:
        yield
    except BackendTimeoutError as exc:
        raise failed(504, f"AWS answers 504, because of {url}: {exc}") from exc
    except UnknownBackendError as exc:
        raise failed(500, f"AWS answers 500 (Invalid endpoint address): {exc}") from exc
    except UnreachableBackendError as exc:
        raise RefusedError(
            504,
            "InternalServerErrorException",
            b'{"message": "Network error communicating with endpoint"}',
            f"AWS answers 504, because of {url}: {exc}",
        ) from exc
    except BackendError as exc:
        raise failed(502, f"AWS answers 502, because of {url}: {exc}") from exc
