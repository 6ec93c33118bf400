"""REST APIs as values: stages, methods of resources, integrations and authorizers.

Each is one of CloudFormation's `AWS::ApiGateway::...`, and its fields are the properties of
that, under the same names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from ..errors import EmulatorError
from . import limits
from .rest_api_paths import check_siblings, match, variables_of

DOMAIN = ".execute-api.localhost"

ENDPOINT_TYPES = ("REGIONAL", "EDGE", "PRIVATE")
TRANSFER_MODES = ("STREAM", "BUFFERED")

_STAGE_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_STAGE_VARIABLE = re.compile(r"\$\{stageVariables\.([A-Za-z0-9_]+)\}")

# What API Gateway writes for a function, in front of its ARN and behind it.
_INVOCATION_URI = re.compile(
    r"arn:[\w-]+:apigateway:[\w-]+:lambda:path/(?P<version>[\d-]+)/functions/"
    r"(?P<function>.+)/(?P<action>invocations|response-streaming-invocations)"
)
_FUNCTION = re.compile(
    r"(?:arn:[\w-]+:lambda:[\w-]*:\d*:function:)?"
    r"(?P<name>[A-Za-z0-9_-]{1,64})(?::(?P<qualifier>[A-Za-z0-9_$-]{1,128}))?"
)


@dataclass(frozen=True)
class Stage:
    """A stage, with its stage variables."""

    stage_name: str = "local"
    variables: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _STAGE_NAME.fullmatch(self.stage_name):
            raise EmulatorError(
                f"{self.stage_name!r} cannot be a stage's name: 1 to 128 letters, digits, - and _ "
                "are allowed"
            )

    def filled_in(self, uri: str) -> str:
        """`uri` with the values of the stage variables that it names as `${stageVariables.x}`."""
        return _STAGE_VARIABLE.sub(lambda found: self.variables.get(found[1], ""), uri)


@dataclass(frozen=True)
class Authorizer:
    """A Lambda authorizer: of the type TOKEN or REQUEST.

    `authorizer_uri` is API Gateway's URI for a function, a function's ARN or its name.
    """

    name: str
    type: str
    authorizer_uri: str
    identity_source: str = "method.request.header.Authorization"
    identity_validation_expression: str = ""
    authorizer_result_ttl_in_seconds: int = 300

    def __post_init__(self) -> None:
        if self.type not in ("TOKEN", "REQUEST"):
            raise EmulatorError(
                f"the authorizer {self.name} is of the type {self.type!r}; "
                "only TOKEN and REQUEST are emulated"
            )
        if not 0 <= self.authorizer_result_ttl_in_seconds <= 3600:
            raise EmulatorError(
                "authorizer_result_ttl_in_seconds is from 0 to 3600, "
                f"not {self.authorizer_result_ttl_in_seconds}"
            )
        if not self.identity_sources and (
            self.type == "TOKEN" or self.authorizer_result_ttl_in_seconds
        ):
            raise EmulatorError(
                f"the authorizer {self.name} needs an identity_source; only one of the type "
                "REQUEST with authorizer_result_ttl_in_seconds=0 may have none"
            )
        if self.type == "TOKEN" and not re.fullmatch(
            r"method\.request\.header\.[^,\s]+", self.identity_source
        ):
            raise EmulatorError(
                "the identity_source of a TOKEN authorizer is one header, as "
                f"method.request.header.Authorization, not {self.identity_source!r}"
            )
        try:
            re.compile(self.identity_validation_expression)
        except re.error as exc:
            raise EmulatorError(
                f"identity_validation_expression is no regular expression: {exc}"
            ) from exc
        function_of(self.authorizer_uri, Stage())

    @property
    def identity_sources(self) -> list[str]:
        """The single mapping expressions, as `method.request.header.Authorization`."""
        return [part.strip() for part in self.identity_source.split(",") if part.strip()]


@dataclass(frozen=True)
class Integration:
    """What a method leads to: a function (`AWS_PROXY`) or any HTTP server (`HTTP_PROXY`).

    `uri` is for a function as for `Authorizer`; `timeout_in_millis` is for all of a response.
    `request_parameters` and `integration_http_method` are heeded by `HTTP_PROXY` only.
    """

    type: str
    uri: str
    response_transfer_mode: str = "BUFFERED"
    timeout_in_millis: int = round(limits.API_BUFFERED * 1000)
    request_parameters: Mapping[str, str] = field(default_factory=dict)
    integration_http_method: str = "ANY"

    def __post_init__(self) -> None:
        for key, value in self.request_parameters.items():
            if not _MAPPED.fullmatch(key) or not _MAPPING.fullmatch(value):
                raise EmulatorError(
                    f"the request parameter {key}: {value} is none that AWS takes; write "
                    "integration.request.path, .querystring or .header with a name: "
                    "method.request..., context..., stageVariables... or 'text' in quotes"
                )
        if self.type not in ("AWS_PROXY", "HTTP_PROXY"):
            raise EmulatorError(
                f"an integration of the type {self.type!r} is not emulated; "
                "there are AWS_PROXY and HTTP_PROXY"
            )
        if self.response_transfer_mode not in TRANSFER_MODES:
            raise EmulatorError(
                f"response_transfer_mode is {' or '.join(TRANSFER_MODES)}, "
                f"not {self.response_transfer_mode!r}"
            )
        longest = round(limits.API_STREAM * 1000)
        if not 50 <= self.timeout_in_millis <= longest:
            raise EmulatorError(
                f"timeout_in_millis is from 50 to {longest}, not {self.timeout_in_millis}"
            )
        if self.type == "HTTP_PROXY":
            if not re.match(r"https?://[^/]|\$\{stageVariables\.", self.uri):
                raise EmulatorError(f"{self.uri!r} is no address; write http://... or https://...")
            return
        found = _INVOCATION_URI.fullmatch(self.uri)
        if found and (found["action"] == "invocations") is self.streams:
            # Source: AWS documentation, "Set up a Lambda proxy integration with payload
            # response streaming": neither is supported.
            raise EmulatorError(
                f"an integration that is {self.response_transfer_mode} has a URI that ends with "
                f"{'/response-streaming-invocations' if self.streams else '/invocations'}, "
                f"but this is {self.uri}"
            )
        function_of(self.uri, Stage())

    @property
    def streams(self) -> bool:
        """Whether chunks are passed on as they come."""
        return self.response_transfer_mode == "STREAM"

    @property
    def timeout(self) -> float:
        """How long all of a response may take, in seconds."""
        return self.timeout_in_millis / 1000


# What integration.requestParameters maps, and to what (API Gateway's API reference,
# "PutIntegration", and "Request and response data mapping reference").
_MAPPED = re.compile(r"integration\.request\.(path|querystring|header)\..+")
_MAPPING = re.compile(r"(method\.request|context|stageVariables)\..+|'.*'")
_OF_PATH = "method.request.path."

# What API Gateway's PutMethod takes.
_METHODS = ("ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


@dataclass(frozen=True)
class Method:
    """A resource's method, or ANY, and what it leads to.

    With an `authorizer` its type of authorization is CUSTOM. An API key is never asked for:
    `api_key_required` only has the emulator say so.
    """

    http_method: str
    resource_path: str
    integration: Integration
    authorizer: Authorizer | None = None
    api_key_required: bool = False

    def __post_init__(self) -> None:
        if self.http_method not in _METHODS:
            raise EmulatorError(
                f"a method is {', '.join(_METHODS)}, in capitals, not {self.http_method!r}"
            )
        names = variables_of(self.resource_path)
        if not isinstance(self.integration, Integration):
            raise EmulatorError(
                f'an integration is made as Integration("AWS_PROXY", "app"), and is not '
                f"{self.integration!r:.80}"
            )
        # "Invalid mapping expression parameter specified": seen on AWS, aws/aws-cdk#17318.
        for value in self.integration.request_parameters.values():
            if value.startswith(_OF_PATH) and value.removeprefix(_OF_PATH) not in names:
                raise EmulatorError(
                    f"{value} is mapped, and the resource {self.resource_path} has no such path "
                    f"parameter; it has {', '.join(names) or 'none'}"
                )

    @property
    def resource_id(self) -> str:
        """An id like those of API Gateway, the same for the same resource."""
        return _id(self.resource_path)


@dataclass(frozen=True)
class RestApi:
    """An API, at the host `<id>.execute-api.localhost`.

    `binary_media_types` are types as they stand in headers; `*` in them stands for anything.
    With `bandwidth` a response that streams gets what AWS gives it.
    """

    id: str
    methods: tuple[Method, ...]
    stages: tuple[Stage, ...] = (Stage(),)
    binary_media_types: tuple[str, ...] = ()
    endpoint_type: str = "REGIONAL"
    bandwidth: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", self.id):
            raise EmulatorError(f"{self.id!r} cannot be an API's id, which is part of a host name")
        if self.endpoint_type not in ENDPOINT_TYPES:
            raise EmulatorError(
                f"endpoint_type is one of {', '.join(ENDPOINT_TYPES)}, not {self.endpoint_type!r}"
            )
        if not self.stages:
            raise EmulatorError(f"the API {self.id} has no stage, so it could not be called")
        if not all(isinstance(each, Stage) for each in self.stages):
            raise EmulatorError(f'stages are made as (Stage("live"),), and not {self.stages!r:.80}')
        check_siblings(method.resource_path for method in self.methods)
        known = set()
        for method in self.methods:
            key = (method.http_method, method.resource_path)
            if key in known:
                raise EmulatorError(f"the API {self.id} has {' '.join(key)} twice")
            known.add(key)

    @property
    def domain_name(self) -> str:
        """The host that it is found at, without a port."""
        return f"{self.id}{DOMAIN}"

    @property
    def idle_timeout(self) -> float:
        """How long a stream may be silent, in seconds."""
        return limits.API_IDLE_EDGE if self.endpoint_type == "EDGE" else limits.API_IDLE

    def deployment_id(self, stage: Stage) -> str:
        """An id like those of API Gateway."""
        return _id(f"{self.id}/{stage.stage_name}")

    def split(self, path: str) -> tuple[Stage, str] | None:
        """The stage that a path begins with, and the rest; None if there is no such stage."""
        name, _, rest = path[1:].partition("/")
        for stage in self.stages:
            if stage.stage_name == name:
                return stage, f"/{rest}"
        return None

    def find(self, http_method: str, path: str) -> tuple[Method, dict[str, str]] | None:
        """The method for a path without the stage, with the path parameters.

        A resource hides less specific ones, also where it has no such method. Of its
        methods the request's own goes before ANY.
        """
        found = match((method.resource_path for method in self.methods), path)
        if found is None:
            return None
        of_resource = {
            method.http_method: method
            for method in self.methods
            if method.resource_path == found[0]
        }
        chosen = of_resource.get(http_method) or of_resource.get("ANY")
        return (chosen, found[1]) if chosen is not None else None

    def is_binary(self, media_type: str | None) -> bool:
        """Whether bodies of this type, as a header has it, are binary to this API."""
        if "*/*" in self.binary_media_types:
            return True
        plain = (media_type or "").partition(";")[0].strip().lower()
        return bool(plain) and any(
            re.fullmatch(re.escape(known.lower()).replace(r"\*", ".*"), plain)
            for known in self.binary_media_types
        )


def api_of_function(name: str, transfer_mode: str, *, bandwidth: bool = False) -> RestApi:
    """An API called like the function, all of whose requests are the function's."""
    seconds = limits.API_STREAM if transfer_mode == "STREAM" else limits.API_BUFFERED
    integration = Integration("AWS_PROXY", name, transfer_mode, round(seconds * 1000))
    methods = tuple(Method("ANY", path, integration) for path in ("/", "/{proxy+}"))
    return RestApi(name, methods, bandwidth=bandwidth)


def function_of(uri: str, stage: Stage) -> tuple[str, str | None]:
    """The name and the qualifier of the function that a URI means on this stage.

    Raises:
        EmulatorError: it means none.
    """
    whole = _INVOCATION_URI.fullmatch(uri)
    text = stage.filled_in(whole["function"] if whole else uri)
    found = _FUNCTION.fullmatch(text)
    if found is None:
        if _STAGE_VARIABLE.search(uri) and not stage.variables:
            return "", None  # to be asked again, with the variables of a request's stage
        raise EmulatorError(
            f"{uri!r} is no function's URI; write its name, its ARN, or "
            "arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/ARN/invocations"
        )
    return found["name"], found["qualifier"]


def _id(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:10]
