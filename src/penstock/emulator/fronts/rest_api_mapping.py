"""The request that an `HTTP_PROXY` integration makes of a client's.

What the backend gets of headers is as recorded on AWS (localstack/localstack,
test_http_integration_with_lambda, 2024-03-28): the client's own, with `Host` for the backend
and what API Gateway adds. Parameters are decoded and encoded again (AWS documentation,
"Important notes": "REST APIs decode URL-encoded request parameters").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlencode

from ...event_sources.rest_api_events import headers_of_request, query_of_request
from ...messages import HOP_BY_HOP, Request
from ..http.http_server import HeaderList
from ..rest_apis import Integration, Stage
from .rest_api_call import RefusedError, last_of, value_in

# Framing is between two neighbours; these three are answered, or used up, on the way.
_NOT_PASSED_ON = HOP_BY_HOP | {"host", "expect", "max-forwards", "via"}

# Tells the backend which API has asked; a client has no say in it.
_API_ID = "x-amzn-apigateway-api-id"

_IN_A_PATH = "/:@!$&'()*+,;=~"


def backend_request(
    integration: Integration,
    request: Request,
    *,
    stage: Stage,
    path_parameters: Mapping[str, str],
    context: Mapping[str, Any],
    api_id: str,
    port: int,
    trace_id: str,
    say: Callable[[str], object],
) -> tuple[str, str, HeaderList]:
    """Method, address and headers for the backend; `say` gets a line for what AWS refuses.

    `context` is the event's `requestContext`. There is a `Host` if one is mapped.

    Raises:
        RefusedError: a mapped value cannot be a header's.
    """
    query = query_of_request(request.query)
    headers = headers_of_request(request, port=port, trace_id=trace_id)
    sources: dict[str, Callable[[str], str | None]] = {
        "method.request.path": lambda name: _decoded(path_parameters.get(name)),
        "method.request.querystring": lambda name: last_of(query.get(name)),
        "method.request.header": lambda name: request.headers.get(name),
        "stageVariables": stage.variables.get,
        "context": lambda name: value_in(context, name),
    }
    mapped: dict[str, dict[str, str]] = {"path": {}, "querystring": {}, "header": {}}
    for key, expression in integration.request_parameters.items():
        kind, _, name = key.removeprefix("integration.request.").partition(".")
        value = _evaluated(expression, sources)
        if kind == "header" and name.lower() in HOP_BY_HOP:
            say(
                f"the request parameter {key!r} is ignored: how a request is framed is between "
                "API Gateway and the backend"
            )
        elif value is not None:
            mapped[kind][name] = _header_value(name, value) if kind == "header" else value
    left_out = _NOT_PASSED_ON | {_API_ID} | {each.lower() for each in mapped["header"]}
    # A header that `Connection` names is for the next neighbour alone (RFC 9110, 7.6.1).
    for listed in request.headers.get_all("connection"):
        left_out |= {each.strip().lower() for each in listed.split(",")}
    fields = [
        (name, value)
        for name, values in headers.items()
        for value in values
        if name.lower() not in left_out
    ]
    fields += list(mapped["header"].items())
    fields.append((_API_ID, api_id))
    for name, value in mapped["querystring"].items():
        query[name] = [value]
    uri = _with_path(stage.filled_in(integration.uri), mapped["path"], path_parameters, say)
    pairs = urlencode(query, doseq=True, quote_via=quote, safe="")
    if pairs:
        uri += ("&" if "?" in uri else "?") + pairs
    method = integration.integration_http_method
    return (request.method if method in ("", "ANY") else method), uri, fields


def _header_value(name: str, value: str) -> str:
    if value != value.strip(" \t") or re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
        raise RefusedError(
            400,
            "BadRequestException",
            b'{"message": "Bad Request"}',
            f"the request makes the backend's header {name} {value!r:.80}: no header may have "
            "control characters, or blanks at its ends",
        )
    return value


def _with_path(
    uri: str,
    mapped: Mapping[str, str],
    path_parameters: Mapping[str, str],
    say: Callable[[str], object],
) -> str:
    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name not in mapped and name in path_parameters:
            say(
                f"{{{name}}} in the integration's URI is filled in here; AWS does so only with "
                f"the request parameter integration.request.path.{name}: "
                f"method.request.path.{name}"
            )
        text = mapped.get(name) or _decoded(path_parameters.get(name)) or ""
        return quote(text, safe=_IN_A_PATH)

    return re.sub(r"\{([A-Za-z0-9._-]+)\+?\}", value, uri)


def _evaluated(expression: str, sources: Mapping[str, Callable[[str], str | None]]) -> str | None:
    if len(expression) >= 2 and expression[0] == expression[-1] == "'":
        return expression[1:-1]
    for prefix, source in sources.items():
        if expression.startswith(f"{prefix}."):
            return source(expression.removeprefix(f"{prefix}."))
    return None


def _decoded(value: str | None) -> str | None:
    return None if value is None else unquote(value)
