"""The events that a REST API makes of a request: for a function, and for an authorizer.

Keys, their order apart, nulls, the trailing slash and the encoding of paths are as
recorded on AWS (localstack/localstack, tests marked as validated there, 2024-07-10).
Authorizers' events: AWS documentation, "Input to an API Gateway Lambda authorizer".
What edge-optimized APIs add (`CloudFront-*`, `Via`) is left out: this is a regional one.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..messages import Request

# As recorded: these do not reach the function. The body arrives whole, so how it was
# framed is no longer true of it.
_NOT_PASSED_ON = frozenset({"connection", "content-length", "transfer-encoding"})

# As recorded, REST APIs write these with capitals, however they were sent.
_CAPITALIZED = {"authorization": "Authorization", "user-agent": "User-Agent"}

# What a method without IAM authorization knows of its caller: nothing.
_NOBODY = (
    "accessKey",
    "accountId",
    "caller",
    "cognitoAuthenticationProvider",
    "cognitoAuthenticationType",
    "cognitoIdentityId",
    "cognitoIdentityPoolId",
    "principalOrgId",
    "user",
    "userArn",
)


def event_from_request(
    request: Request,
    *,
    resource: str,
    path_parameters: dict[str, str],
    account_id: str,
    domain_name: str,
    deployment_id: str,
    resource_id: str,
    request_id: str,
    extended_request_id: str,
    trace_id: str,
    port: int,
    at: float,
    is_binary: bool,
    stage_variables: Mapping[str, str] | None = None,
    authorizer: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The event that a REST API's method makes of `request`.

    `authorizer` is what a Lambda authorizer has said, if the method has one.

    The request's root path is the stage. `at` is when the request came, in seconds since
    1970. `is_binary` says that its type is among the API's binary media types: only then
    is the body in base64. A body that is neither that nor UTF-8 arrives damaged, as on
    AWS. What a client says about itself in `x-forwarded-*` and `x-amzn-trace-id` is
    replaced by what is true.
    """
    headers = headers_of_request(request, port=port, trace_id=trace_id)
    query = query_of_request(request.query)
    user_agent = headers.get("User-Agent")
    return {
        "resource": resource,
        "path": request.path[len(request.root_path) :] or "/",
        "httpMethod": request.method,
        "headers": _last_of_each(headers),
        "multiValueHeaders": headers,
        "queryStringParameters": _last_of_each(query) or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": path_parameters or None,
        "stageVariables": dict(stage_variables) if stage_variables else None,
        "requestContext": {
            "resourceId": resource_id,
            **({"authorizer": dict(authorizer)} if authorizer is not None else {}),
            "resourcePath": resource,
            "httpMethod": request.method,
            "extendedRequestId": extended_request_id,
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(at)),
            "path": request.path,
            "accountId": account_id,
            "protocol": request.protocol,
            "stage": request.root_path[1:],
            "domainPrefix": domain_name.partition(".")[0],
            "requestTimeEpoch": int(at * 1000),
            "requestId": request_id,
            "identity": {
                **dict.fromkeys(_NOBODY),
                "sourceIp": request.source_ip,
                "userAgent": user_agent[-1] if user_agent else None,
            },
            "domainName": domain_name,
            "deploymentId": deployment_id,
            "apiId": domain_name.partition(".")[0],
        },
        "body": _body(request.body, is_binary=is_binary),
        "isBase64Encoded": bool(request.body) and is_binary,
    }


def token_event(token: str, *, method_arn: str) -> dict[str, Any]:
    """The event for an authorizer of the type TOKEN."""
    return {"type": "TOKEN", "methodArn": method_arn, "authorizationToken": token}


def authorizer_event(event: dict[str, Any], *, method_arn: str) -> dict[str, Any]:
    """The event for an authorizer of the type REQUEST, made of the function's.

    It has no body, and empty maps where the other has none.
    """
    maps = ("queryStringParameters", "multiValueQueryStringParameters", "pathParameters")
    kept = {key: value for key, value in event.items() if key not in ("body", "isBase64Encoded")}
    empty = {key: kept[key] or {} for key in (*maps, "stageVariables")}
    return {"type": "REQUEST", "methodArn": method_arn, **kept, **empty}


def headers_of_request(request: Request, *, port: int, trace_id: str) -> dict[str, list[str]]:
    """Every header with its values; of spellings that differ, under the first."""
    ours = {
        "X-Amzn-Trace-Id": trace_id.partition(";")[0],
        "X-Forwarded-For": request.source_ip,
        "X-Forwarded-Port": str(port),
        "X-Forwarded-Proto": "http",
    }
    replaced = {name.lower() for name in ours}
    spellings: dict[str, str] = {}
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        key = name.lower()
        if key in _NOT_PASSED_ON or key in replaced:
            continue
        spelling = spellings.setdefault(key, _CAPITALIZED.get(key, name))
        headers.setdefault(spelling, []).append(value)
    headers.update((name, [value]) for name, value in ours.items())
    return headers


def query_of_request(query: str) -> dict[str, list[str]]:
    """Every parameter with its values, decoded; a plus sign is a blank."""
    if not query:
        return {}
    from urllib.parse import unquote_plus

    parameters: dict[str, list[str]] = {}
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            parameters.setdefault(unquote_plus(name), []).append(unquote_plus(value))
    return parameters


def _last_of_each(lists: dict[str, list[str]]) -> dict[str, str]:
    return {name: values[-1] for name, values in lists.items()}


def _body(body: bytes, *, is_binary: bool) -> str | None:
    if not body:
        return None
    if not is_binary:
        return body.decode("utf-8", "replace")
    from base64 import b64encode

    return b64encode(body).decode()
