"""Which operation a request is for: the paths of the Lambda API, those of no use here included.

Source: botocore's model of the API (lambda/2015-03-31/service-2.json).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import parse_qs, unquote

_F = "/functions/{FunctionName}"
_QUALIFIED = {"Qualifier": "Qualifier"}
_PAGE = {"Marker": "Marker", "MaxItems": "MaxItems"}
_CONFIG = "/code-signing-configs/{CodeSigningConfigArn}"
_MAPPING = "/event-source-mappings/{UUID}"
_LAYER = "/2018-10-31/layers/{LayerName}/versions"
_PROVISIONED = f"/2019-09-30{_F}/provisioned-concurrency"
_PROVIDER = "/2025-11-30/capacity-providers"

#: Members that the query writes as numbers.
_NUMBERS = {"MaxItems", "VersionNumber"}


@dataclass(frozen=True)
class Route:
    """One operation of the API.

    In `path` names in braces stand for a segment, and are members of the request; `query` has
    those of the query, by their names there. `needs` must be in the query as it is.
    """

    operation: str
    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    needs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Match:
    """An operation, and the members of its request in path and query."""

    operation: str
    members: dict[str, object]


ROUTES = (
    Route("CreateFunction", "POST", "/2015-03-31/functions"),
    Route(
        "ListFunctions",
        "GET",
        "/2015-03-31/functions",
        {"FunctionVersion": "FunctionVersion", **_PAGE},
    ),
    Route("GetFunction", "GET", f"/2015-03-31{_F}", _QUALIFIED),
    Route("DeleteFunction", "DELETE", f"/2015-03-31{_F}", _QUALIFIED),
    Route("UpdateFunctionCode", "PUT", f"/2015-03-31{_F}/code"),
    Route("GetFunctionConfiguration", "GET", f"/2015-03-31{_F}/configuration", _QUALIFIED),
    Route("UpdateFunctionConfiguration", "PUT", f"/2015-03-31{_F}/configuration"),
    Route("PublishVersion", "POST", f"/2015-03-31{_F}/versions"),
    Route("ListVersionsByFunction", "GET", f"/2015-03-31{_F}/versions", _PAGE),
    Route("CreateAlias", "POST", f"/2015-03-31{_F}/aliases"),
    Route(
        "ListAliases",
        "GET",
        f"/2015-03-31{_F}/aliases",
        {"FunctionVersion": "FunctionVersion", **_PAGE},
    ),
    Route("GetAlias", "GET", f"/2015-03-31{_F}/aliases/{{Name}}"),
    Route("UpdateAlias", "PUT", f"/2015-03-31{_F}/aliases/{{Name}}"),
    Route("DeleteAlias", "DELETE", f"/2015-03-31{_F}/aliases/{{Name}}"),
    Route("AddPermission", "POST", f"/2015-03-31{_F}/policy", _QUALIFIED),
    Route("GetPolicy", "GET", f"/2015-03-31{_F}/policy", _QUALIFIED),
    Route(
        "RemovePermission",
        "DELETE",
        f"/2015-03-31{_F}/policy/{{StatementId}}",
        {**_QUALIFIED, "RevisionId": "RevisionId"},
    ),
    Route("GetAccountSettings", "GET", "/2016-08-19/account-settings"),
    Route("ListTags", "GET", "/2017-03-31/tags/{Resource}"),
    Route("TagResource", "POST", "/2017-03-31/tags/{Resource}"),
    Route("UntagResource", "DELETE", "/2017-03-31/tags/{Resource}", {"tagKeys": "TagKeys"}),
    Route("PutFunctionConcurrency", "PUT", f"/2017-10-31{_F}/concurrency"),
    Route("DeleteFunctionConcurrency", "DELETE", f"/2017-10-31{_F}/concurrency"),
    Route("GetFunctionConcurrency", "GET", f"/2019-09-30{_F}/concurrency"),
    Route(
        "GetLayerVersionByArn",
        "GET",
        "/2018-10-31/layers",
        {"Arn": "Arn"},
        {"find": "LayerVersion"},
    ),
    Route(
        "ListLayers",
        "GET",
        "/2018-10-31/layers",
        {
            "CompatibleRuntime": "CompatibleRuntime",
            "CompatibleArchitecture": "CompatibleArchitecture",
            **_PAGE,
        },
    ),
    Route(
        "ListLayerVersions",
        "GET",
        _LAYER,
        {
            "CompatibleRuntime": "CompatibleRuntime",
            "CompatibleArchitecture": "CompatibleArchitecture",
            **_PAGE,
        },
    ),
    Route("PublishLayerVersion", "POST", _LAYER),
    Route("GetLayerVersion", "GET", f"{_LAYER}/{{VersionNumber}}"),
    Route("DeleteLayerVersion", "DELETE", f"{_LAYER}/{{VersionNumber}}"),
    Route(
        "PutFunctionEventInvokeConfig", "PUT", f"/2019-09-25{_F}/event-invoke-config", _QUALIFIED
    ),
    Route(
        "UpdateFunctionEventInvokeConfig",
        "POST",
        f"/2019-09-25{_F}/event-invoke-config",
        _QUALIFIED,
    ),
    Route(
        "GetFunctionEventInvokeConfig", "GET", f"/2019-09-25{_F}/event-invoke-config", _QUALIFIED
    ),
    Route(
        "DeleteFunctionEventInvokeConfig",
        "DELETE",
        f"/2019-09-25{_F}/event-invoke-config",
        _QUALIFIED,
    ),
    Route(
        "ListFunctionEventInvokeConfigs", "GET", f"/2019-09-25{_F}/event-invoke-config/list", _PAGE
    ),
    Route("CreateFunctionUrlConfig", "POST", f"/2021-10-31{_F}/url", _QUALIFIED),
    Route("GetFunctionUrlConfig", "GET", f"/2021-10-31{_F}/url", _QUALIFIED),
    Route("UpdateFunctionUrlConfig", "PUT", f"/2021-10-31{_F}/url", _QUALIFIED),
    Route("DeleteFunctionUrlConfig", "DELETE", f"/2021-10-31{_F}/url", _QUALIFIED),
    Route("ListFunctionUrlConfigs", "GET", f"/2021-10-31{_F}/urls", _PAGE),
    # Not emulated; here so that they can be named.
    Route("CreateEventSourceMapping", "POST", "/2015-03-31/event-source-mappings"),
    Route("ListEventSourceMappings", "GET", "/2015-03-31/event-source-mappings"),
    Route("GetEventSourceMapping", "GET", f"/2015-03-31{_MAPPING}"),
    Route("UpdateEventSourceMapping", "PUT", f"/2015-03-31{_MAPPING}"),
    Route("DeleteEventSourceMapping", "DELETE", f"/2015-03-31{_MAPPING}"),
    Route("AddLayerVersionPermission", "POST", f"{_LAYER}/{{VersionNumber}}/policy"),
    Route("GetLayerVersionPolicy", "GET", f"{_LAYER}/{{VersionNumber}}/policy"),
    Route(
        "RemoveLayerVersionPermission",
        "DELETE",
        f"{_LAYER}/{{VersionNumber}}/policy/{{StatementId}}",
    ),
    Route("ListProvisionedConcurrencyConfigs", "GET", _PROVISIONED, needs={"List": "ALL"}),
    Route("GetProvisionedConcurrencyConfig", "GET", _PROVISIONED),
    Route("PutProvisionedConcurrencyConfig", "PUT", _PROVISIONED),
    Route("DeleteProvisionedConcurrencyConfig", "DELETE", _PROVISIONED),
    Route("CreateCodeSigningConfig", "POST", "/2020-04-22/code-signing-configs"),
    Route("ListCodeSigningConfigs", "GET", "/2020-04-22/code-signing-configs"),
    Route("GetCodeSigningConfig", "GET", f"/2020-04-22{_CONFIG}"),
    Route("UpdateCodeSigningConfig", "PUT", f"/2020-04-22{_CONFIG}"),
    Route("DeleteCodeSigningConfig", "DELETE", f"/2020-04-22{_CONFIG}"),
    Route("ListFunctionsByCodeSigningConfig", "GET", f"/2020-04-22{_CONFIG}/functions"),
    Route("GetFunctionCodeSigningConfig", "GET", f"/2020-06-30{_F}/code-signing-config"),
    Route("PutFunctionCodeSigningConfig", "PUT", f"/2020-06-30{_F}/code-signing-config"),
    Route("DeleteFunctionCodeSigningConfig", "DELETE", f"/2020-06-30{_F}/code-signing-config"),
    Route("GetRuntimeManagementConfig", "GET", f"/2021-07-20{_F}/runtime-management-config"),
    Route("PutRuntimeManagementConfig", "PUT", f"/2021-07-20{_F}/runtime-management-config"),
    Route("GetFunctionRecursionConfig", "GET", f"/2024-08-31{_F}/recursion-config"),
    Route("PutFunctionRecursionConfig", "PUT", f"/2024-08-31{_F}/recursion-config"),
    Route("GetFunctionScalingConfig", "GET", f"/2025-11-30{_F}/function-scaling-config"),
    Route("PutFunctionScalingConfig", "PUT", f"/2025-11-30{_F}/function-scaling-config"),
    Route("CreateCapacityProvider", "POST", _PROVIDER),
    Route("ListCapacityProviders", "GET", _PROVIDER),
    Route("GetCapacityProvider", "GET", f"{_PROVIDER}/{{CapacityProviderName}}"),
    Route("UpdateCapacityProvider", "PUT", f"{_PROVIDER}/{{CapacityProviderName}}"),
    Route("DeleteCapacityProvider", "DELETE", f"{_PROVIDER}/{{CapacityProviderName}}"),
    Route(
        "ListFunctionVersionsByCapacityProvider",
        "GET",
        f"{_PROVIDER}/{{CapacityProviderName}}/function-versions",
    ),
)


def route(method: str, path: str, query: str) -> Match | None:
    """The operation that a request is for; None if there is none.

    `path` and `query` are percent-encoded, as sent; a slash at the end of the path counts for
    nothing.
    """
    given = parse_qs(query, keep_blank_values=True)
    path = path.rstrip("/")
    for each, pattern in _patterns():
        if each.method != method:
            continue
        found = pattern.fullmatch(path)
        if found is None or any(given.get(key) != [value] for key, value in each.needs.items()):
            continue
        members: dict[str, object] = {
            name: _value(name, unquote(text)) for name, text in found.groupdict().items()
        }
        for key, name in each.query.items():
            if key in given:
                several = name == "TagKeys"
                members[name] = given[key] if several else _value(name, given[key][0])
        return Match(each.operation, members)
    return None


def _value(name: str, text: str) -> object:
    is_number = name in _NUMBERS and text.removeprefix("-").isdecimal() and len(text) < 19
    return int(text) if is_number else text


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))


@cache
def _patterns() -> list[tuple[Route, re.Pattern[str]]]:
    """Made at the first request: most emulators get none of this API."""
    return [(each, _pattern(each.path)) for each in ROUTES]
