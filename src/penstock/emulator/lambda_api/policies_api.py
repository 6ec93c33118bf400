"""Operations on the policies of functions, versions and aliases."""

from __future__ import annotations

from dataclasses import asdict

from ..functions import LATEST
from .control_plane import ControlPlane
from .errors import check_revision, invalid, not_found
from .names import Written
from .policies import Policy, permission_from_request
from .records import FunctionRecord, Json, new_revision


def add_permission(plane: ControlPlane, request: Json) -> Json:
    """`AddPermission`."""
    written = plane.read(request)
    permission = permission_from_request(request)
    if written.qualifier == LATEST:
        raise invalid("We currently do not support adding policies for $LATEST.")
    record, key = _target(plane, written)
    arn = plane.arn(record.name, key or None)
    with plane.change(record) as changed:
        check_revision(request.get("RevisionId"), _revision(record, key), "GetPolicy")
        _set_policy(changed, key, plane.policy(record, key).added(permission, arn))
        return {"Statement": permission.statement_json(arn)}


def get_policy(plane: ControlPlane, request: Json) -> Json:
    """`GetPolicy`."""
    written = plane.read(request)
    record, key = plane.find(written.name), written.qualifier or ""
    if record is None:
        raise not_found("The resource you requested does not exist.")
    document = plane.policy(record, key).document(plane.arn(record.name, key or None))
    return {"Policy": document, "RevisionId": _revision(record, key)}


def remove_permission(plane: ControlPlane, request: Json) -> None:
    """`RemovePermission`."""
    written = plane.read(request)
    record = plane.find(written.name)
    if record is None:
        raise not_found(f"No policy found for: {plane.arn(written.name, written.qualifier)}")
    key = written.qualifier or ""
    with plane.change(record) as changed:
        check_revision(request.get("RevisionId"), _revision(record, key), "GetPolicy")
        _set_policy(changed, key, plane.policy(record, key).removed(request["StatementId"]))


def _target(plane: ControlPlane, written: Written) -> tuple[FunctionRecord, str]:
    """What the policy is for; a policy of `$LATEST` is that of the function."""
    key = written.qualifier or ""
    record = plane.get(written.name)
    if key and record.version_of(key) is None:
        if key.isdecimal() or "$" in key:
            raise not_found(f"Function not found: {plane.arn(record.name, key)}")
        raise not_found(f"Cannot find alias arn: {plane.arn(record.name, key)}")
    return record, key


def _revision(record: FunctionRecord, key: str) -> str:
    """The revision of what has the policy: it is the policy's, too."""
    if key in record.aliases:
        revision: str = record.aliases[key]["RevisionId"]
    else:
        revision = record.versions.get(key or LATEST, record.latest)["RevisionId"]
    return revision


def _set_policy(record: FunctionRecord, key: str, policy: Policy) -> None:
    record.policies[key] = [asdict(permission) for permission in policy.permissions]
    owner = record.aliases[key] if key in record.aliases else record.versions[key or LATEST]
    owner["RevisionId"] = new_revision()
