"""One invocation as the Runtime API hands it out, and the context object made of it."""

from __future__ import annotations

import os
import time

from ..errors import MarshalError, RemoteProtocolError
from ..wire import runtime_api

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ..wire.runtime_api import Response


class Invocation:
    """The event and what came with it. Header values that were absent are None, or "" (ARN)."""

    __slots__ = (
        "client_context",
        "cognito_identity",
        "content_type",
        "deadline_ms",
        "event",
        "function_arn",
        "invocation_id",
        "request_id",
        "tenant_id",
        "trace_id",
    )

    def __init__(self, request_id: str, event: bytes) -> None:
        self.request_id = request_id
        self.event = event
        self.content_type = runtime_api.JSON
        self.deadline_ms = 0
        self.function_arn = ""
        self.trace_id: str | None = None
        self.client_context: str | None = None
        self.cognito_identity: str | None = None
        self.tenant_id: str | None = None
        self.invocation_id: str | None = None

    @classmethod
    def from_response(cls, response: Response) -> Invocation:
        """Read the answer to `GET /runtime/invocation/next`.

        Raises:
            RemoteProtocolError: it names no request, so nothing could be answered.
        """
        headers = response.headers
        request_id = headers.get(runtime_api.REQUEST_ID)
        if not request_id:
            raise RemoteProtocolError(
                "the Runtime API gave an invocation without Lambda-Runtime-Aws-Request-Id"
            )
        invocation = cls(request_id, response.body)
        invocation.content_type = headers.get("content-type", runtime_api.JSON)
        deadline = headers.get(runtime_api.DEADLINE_MS, "")
        invocation.deadline_ms = int(deadline) if deadline.isdecimal() and len(deadline) < 19 else 0
        # An empty header means the same as none (Managed Instances send them all).
        invocation.function_arn = headers.get(runtime_api.FUNCTION_ARN, "")
        trace_id = headers.get(runtime_api.TRACE_ID, "")
        # It goes into the environment of the process.
        invocation.trace_id = trace_id if trace_id and trace_id.isprintable() else None
        invocation.client_context = headers.get(runtime_api.CLIENT_CONTEXT) or None
        invocation.cognito_identity = headers.get(runtime_api.COGNITO_IDENTITY) or None
        invocation.tenant_id = headers.get(runtime_api.TENANT_ID) or None
        invocation.invocation_id = headers.get(runtime_api.INVOCATION_ID) or None
        return invocation


class _Slots:
    """An object with the attributes of `__slots__`, each None unless the JSON has it.

    They are in AWS's order, which `repr` shows.
    """

    __slots__: tuple[str, ...] = ()

    def __init__(self, values: dict[str, Any]) -> None:
        for name in self.__slots__:
            setattr(self, name, values.get(name))

    def __repr__(self) -> str:
        fields = ",".join(f"{name}={getattr(self, name)}" for name in self.__slots__)
        return f"{type(self).__name__}([{fields}])"


class Client(_Slots):
    """The application that invoked, as the mobile SDKs describe it."""

    __slots__ = (  # noqa: RUF023
        "installation_id",
        "app_title",
        "app_version_name",
        "app_version_code",
        "app_package_name",
    )


class ClientContext(_Slots):
    """What the caller sent as `X-Amz-Client-Context`: `custom`, `env`, `client`."""

    __slots__ = ("custom", "env", "client")  # noqa: RUF023

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        client = values.get("client")
        self.client = Client(client) if isinstance(client, dict) else None


class CognitoIdentity:
    """Who invoked: `cognito_identity_id` and `cognito_identity_pool_id`, or None each."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, values: dict[str, Any]) -> None:
        self.cognito_identity_id = values.get("cognitoIdentityId")
        self.cognito_identity_pool_id = values.get("cognitoIdentityPoolId")

    def __repr__(self) -> str:
        return (
            f"CognitoIdentity([cognito_identity_id={self.cognito_identity_id},"
            f"cognito_identity_pool_id={self.cognito_identity_pool_id}])"
        )


class LambdaContext:
    """The `context` argument of a handler, with everything AWS's own has.

    Source: AWS documentation, "Using the Lambda context object to retrieve Python function
    information", and `awslambdaric` 4.2.2 for `tenant_id` and `w3c`.
    """

    log_group_name: str | None
    log_stream_name: str | None
    function_name: str | None
    memory_limit_in_mb: str | None
    function_version: str | None
    _now: Callable[[], float] = staticmethod(time.time)

    def __init__(
        self,
        invocation: Invocation,
        now: Callable[[], float] | None = None,
        function: Mapping[str, str | None] | None = None,
    ) -> None:
        self.__dict__.update(function or function_attributes())
        self.aws_request_id = invocation.request_id
        self.invoked_function_arn = invocation.function_arn
        self.tenant_id = invocation.tenant_id
        client_context = _parsed(invocation.client_context, "Client Context")
        self._w3c_fields = _w3c_fields(client_context)
        self.client_context = ClientContext(client_context) if client_context is not None else None
        identity = _parsed(invocation.cognito_identity, "Cognito Identity")
        self.identity = CognitoIdentity(identity or {})
        self._epoch_deadline_time_in_ms = invocation.deadline_ms
        if now is not None:
            self._now = now

    def get_remaining_time_in_millis(self) -> int:
        """How long the platform lets this invocation go on, in milliseconds, never < 0."""
        return max(0, self._epoch_deadline_time_in_ms - int(self._now() * 1000))

    def w3c(self) -> dict[str, str]:
        """The W3C trace context at invoke time: `traceparent`, `tracestate`, `baggage`."""
        return dict(self._w3c_fields)

    def log(self, message: object) -> None:
        """Write `message` to the function's log as it is, without a line end."""
        from . import logs

        logs.current_sink.log(str(message))

    def __repr__(self) -> str:
        fields = ",".join(
            f"{name}={getattr(self, name)}"
            for name in (
                "aws_request_id",
                "log_group_name",
                "log_stream_name",
                "function_name",
                "memory_limit_in_mb",
                "function_version",
                "invoked_function_arn",
                "client_context",
                "identity",
                "tenant_id",
            )
        )
        return f"LambdaContext([{fields}])"


def function_attributes() -> dict[str, str | None]:
    """The attributes of a context that are the same for each invocation."""
    environ = os.environ.get
    return {
        "log_group_name": environ("AWS_LAMBDA_LOG_GROUP_NAME"),
        "log_stream_name": environ("AWS_LAMBDA_LOG_STREAM_NAME"),
        "function_name": environ("AWS_LAMBDA_FUNCTION_NAME"),
        "memory_limit_in_mb": environ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
        "function_version": environ("AWS_LAMBDA_FUNCTION_VERSION"),
    }


def _parsed(header: str | None, name: str) -> dict[str, Any] | None:
    if header is None:
        return None
    from json import loads

    try:
        value = loads(header)
    except Exception as exc:
        raise MarshalError(
            "Runtime.LambdaContextUnmarshalError", f"Unable to parse {name} JSON: {exc}"
        ) from exc
    return value if value is None or isinstance(value, dict) else {}


def _w3c_fields(client_context: dict[str, Any] | None) -> dict[str, str]:
    """Take `w3c` out of the client context, as AWS's client does since 4.1."""
    w3c = client_context.pop("w3c", None) if client_context else None
    if not isinstance(w3c, dict):
        return {}
    wanted = ("traceparent", "tracestate", "baggage")
    return {name: w3c[name] for name in wanted if isinstance(w3c.get(name), str)}
