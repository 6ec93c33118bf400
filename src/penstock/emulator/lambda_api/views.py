"""How functions are shown: `FunctionConfiguration` with its ARN and states."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ..functions import LATEST
from .records import FunctionRecord, Json

if TYPE_CHECKING:
    from .control_plane import ControlPlane

# Lambda says these of creations and of updates alike (recorded).
_REASON = "The function is being created."
_REASON_CODE = "Creating"


def configuration_view(
    plane: ControlPlane,
    record: FunctionRecord,
    version: str,
    qualifier: str | None,
    *,
    in_list: bool = False,
) -> Json:
    """A version as it is, called by this qualifier. Lists leave the states out."""
    shown = _base(plane, record, version, qualifier)
    if in_list:
        return shown
    shown["RuntimeVersionConfig"] = {"RuntimeVersionArn": _runtime_version(plane, record, version)}
    failure = plane.failure(record.name, version)
    if failure is not None:
        return {
            **shown,
            "State": "Failed",
            "StateReason": failure.reason,
            "StateReasonCode": failure.code,
        }
    shown |= {"State": "Active", "LastUpdateStatus": "Successful"}
    update = plane.failed_update(record.name) if version == LATEST else None
    if update is not None:
        shown |= {
            "LastUpdateStatus": "Failed",
            "LastUpdateStatusReason": update.reason,
            "LastUpdateStatusReasonCode": update.code,
        }
    return shown


def updating_view(
    plane: ControlPlane, record: FunctionRecord, version: str, *, is_new: bool = False
) -> Json:
    """A version in the answer to the operation that makes or changes it: not ready yet.

    It is by the time the answer has arrived.
    """
    shown = _base(plane, record, version, None if version == LATEST else version)
    shown["RuntimeVersionConfig"] = {"RuntimeVersionArn": _runtime_version(plane, record, version)}
    if is_new:
        return {
            **shown,
            "State": "Pending",
            "StateReason": _REASON,
            "StateReasonCode": _REASON_CODE,
        }
    return {
        **shown,
        "State": "Active",
        "LastUpdateStatus": "InProgress",
        "LastUpdateStatusReason": _REASON,
        "LastUpdateStatusReasonCode": _REASON_CODE,
    }


def _base(plane: ControlPlane, record: FunctionRecord, version: str, qualifier: str | None) -> Json:
    return {**record.versions[version], "FunctionArn": plane.arn(record.name, qualifier)}


def _runtime_version(plane: ControlPlane, record: FunctionRecord, version: str) -> str:
    digest = hashlib.sha256(record.versions[version]["Runtime"].encode()).hexdigest()
    return f"arn:aws:lambda:{plane.region}::runtime:{digest}"
