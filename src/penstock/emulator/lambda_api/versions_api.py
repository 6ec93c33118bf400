"""Operations on versions and aliases."""

from __future__ import annotations

import copy

from ..functions import LATEST
from .control_plane import ControlPlane
from .errors import check_revision, conflict, invalid, not_found
from .paging import page
from .records import FunctionRecord, Json, new_revision
from .runtimes import is_snap_started
from .views import configuration_view


def publish(plane: ControlPlane, record: FunctionRecord, description: str | None = None) -> str:
    """Make a version of `$LATEST`, unless the last one is the same; returns its number."""
    fingerprint = record.fingerprint()
    last = str(record.next_version - 1)
    if record.published_from.get(last) == fingerprint:
        return last
    version = str(record.next_version)
    record.next_version += 1
    record.published_from[version] = fingerprint
    record.versions[version] = copy.deepcopy(record.latest) | {
        "Version": version,
        "RevisionId": new_revision(),
    }
    if description:
        record.versions[version]["Description"] = description
    if is_snap_started(record.versions[version]):
        record.versions[version]["SnapStart"]["OptimizationStatus"] = "On"
    record.latest["RevisionId"] = new_revision()
    plane.deploy(record, version)
    return version


def publish_version(plane: ControlPlane, request: Json) -> Json:
    """`PublishVersion`."""
    name = plane.read(request).name
    record = plane.get(name)
    plane.refuse_held(name)
    check_revision(request.get("RevisionId"), record.latest["RevisionId"], "GetFunction/GetAlias")
    sha, current = request.get("CodeSha256"), record.latest["CodeSha256"]
    if sha not in (None, "", current):
        raise invalid(
            f"CodeSHA256 ({sha}) is different from current CodeSHA256 in $LATEST ({current}). "
            "Please try again with the CodeSHA256 in $LATEST."
        )
    with plane.change(record) as changed:
        version = publish(plane, changed, request.get("Description"))
    return configuration_view(plane, changed, version, version)


def list_versions(plane: ControlPlane, request: Json) -> Json:
    """`ListVersionsByFunction`."""
    record = plane.get(plane.read(request).name)
    versions = [
        configuration_view(plane, record, version, version, in_list=True)
        for version in sorted(record.versions, key=_order)
    ]
    return page("Versions", versions, request, default=50)


def create_alias(plane: ControlPlane, request: Json) -> Json:
    """`CreateAlias`."""
    name, alias = plane.read(request).name, request["Name"]
    version = request["FunctionVersion"]
    record = plane.get(name, version)
    if alias in record.aliases:
        raise conflict(f"Alias already exists: {plane.arn(name, alias)}")
    with plane.change(record) as changed:
        configuration: Json = {"Name": alias, "RevisionId": new_revision()}
        configuration["Description"] = request.get("Description") or ""
        changed.aliases[alias] = configuration
        _point(plane, changed, configuration, version, request.get("RoutingConfig"))
    plane.deploy_alias(changed, alias)
    return _view(plane, changed, alias)


def update_alias(plane: ControlPlane, request: Json) -> Json:
    """`UpdateAlias`."""
    name, alias = plane.read(request).name, request["Name"]
    record = plane.get(name)
    if alias not in record.aliases:
        raise not_found(f"Alias not found: {plane.arn(name, alias)}")
    current = record.aliases[alias]["RevisionId"]
    check_revision(request.get("RevisionId"), current, "GetFunction/GetAlias")
    with plane.change(record) as changed:
        configuration = changed.aliases[alias]
        configuration["RevisionId"] = new_revision()
        if request.get("Description") is not None:
            configuration["Description"] = request["Description"]
        routing = request.get("RoutingConfig") or configuration.get("RoutingConfig")
        version = request.get("FunctionVersion") or configuration["FunctionVersion"]
        _point(plane, changed, configuration, version, routing)
    plane.deploy_alias(changed, alias)
    return _view(plane, changed, alias)


def get_alias(plane: ControlPlane, request: Json) -> Json:
    """`GetAlias`."""
    name, alias = plane.read(request).name, request["Name"]
    record = plane.find(name)
    if record is None or alias not in record.aliases:
        raise not_found(f"Cannot find alias arn: {plane.arn(name, alias)}")
    return _view(plane, record, alias)


def list_aliases(plane: ControlPlane, request: Json) -> Json:
    """`ListAliases`."""
    record = plane.get(plane.read(request).name)
    version = request.get("FunctionVersion")
    aliases = [
        _view(plane, record, alias)
        for alias, configuration in sorted(record.aliases.items())
        if version in (None, configuration["FunctionVersion"])
    ]
    return page("Aliases", aliases, request, default=50)


def delete_alias(plane: ControlPlane, request: Json) -> None:
    """`DeleteAlias`; as on AWS it does not mind if there is no such alias."""
    record = plane.find(plane.read(request).name)
    alias = request["Name"]
    if record is None or alias not in record.aliases:
        return
    url = plane.url_of(record, alias) if alias in record.urls else None
    with plane.change(record) as changed:
        del changed.aliases[alias]
        changed.urls.pop(alias, None)
        changed.policies.pop(alias, None)
        changed.event_invoke_configs.pop(alias, None)
    plane.registry.remove_alias(record.name, alias)
    if url is not None:
        plane.registry.remove_url(url)


def _point(
    plane: ControlPlane,
    record: FunctionRecord,
    configuration: Json,
    version: str,
    routing: Json | None,
) -> None:
    """Have the alias lead to `version`, and to others by their weights."""
    if version not in record.versions:
        raise not_found(f"Function not found: {plane.arn(record.name, version)}")
    weights = (routing or {}).get("AdditionalVersionWeights") or {}
    if len(weights) > 1:
        raise invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
    if weights and version == LATEST:
        raise invalid("$LATEST is not supported for an alias pointing to more than 1 version")
    for other in weights:
        if other == version:
            raise invalid(
                f"Invalid function version {version}. Function version {version} is already "
                "included in routing configuration."
            )
        if other not in record.versions:
            raise not_found(f"Function not found: {plane.arn(record.name, other)}")
    configuration["FunctionVersion"] = version
    if weights:
        configuration["RoutingConfig"] = {"AdditionalVersionWeights": weights}
    else:
        configuration.pop("RoutingConfig", None)


def _view(plane: ControlPlane, record: FunctionRecord, alias: str) -> Json:
    return {**record.aliases[alias], "AliasArn": plane.arn(record.name, alias)}


def _order(version: str) -> int:
    return 0 if version == LATEST else int(version)
