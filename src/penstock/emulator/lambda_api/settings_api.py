"""Operations on what is said of a function besides: concurrency, event invokes, tags, account."""

from __future__ import annotations

import time

from .. import limits
from ..functions import LATEST
from ..invoke.destinations import FunctionDestination, read_destination
from ..invoke.event_invokes import EventInvokeConfig
from .control_plane import ControlPlane
from .errors import ApiError, invalid, not_found
from .names import read_name
from .paging import page
from .records import FunctionRecord, Json, Record
from .zip_files import UNZIPPED, ZIPPED

# What of the account's concurrency cannot be reserved. (Lambda quotas)
_UNRESERVED = 100

_TAGS = 50
_EVENT_SETTINGS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds")


def put_concurrency(plane: ControlPlane, request: Json) -> Json:
    """`PutFunctionConcurrency`."""
    record = _whole_function(plane, request)
    wanted: int = request["ReservedConcurrentExecutions"]
    before = record.reserved_concurrency or 0
    account = plane.registry.account_concurrency
    left = account - (plane.reserved_concurrency - before) - wanted
    least = min(_UNRESERVED, account)
    # An account that was larger may have less left already: the way back is open.
    if wanted > before and left < least:
        raise ApiError(
            400,
            "InvalidParameterValueException",
            {
                "message": "Specified ReservedConcurrentExecutions for function decreases "
                "account's UnreservedConcurrentExecution below its minimum value of "
                f"[{least}]."
            },
        )
    with plane.change(record) as changed:
        changed.reserved_concurrency = wanted
    plane.configure(changed)
    return {"ReservedConcurrentExecutions": wanted}


def get_concurrency(plane: ControlPlane, request: Json) -> Json:
    """`GetFunctionConcurrency`."""
    record = plane.get(plane.read(request).name, shown=False)
    reserved = record.reserved_concurrency
    return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}


def delete_concurrency(plane: ControlPlane, request: Json) -> None:
    """`DeleteFunctionConcurrency`."""
    record = _whole_function(plane, request)
    with plane.change(record) as changed:
        changed.reserved_concurrency = None
    plane.configure(changed)


def put_event_invoke_config(plane: ControlPlane, request: Json) -> Json:
    """`PutFunctionEventInvokeConfig`: all of it anew."""
    record, key = _event_target(plane, request)
    return _set_event_config(plane, record, key, {}, request)


def update_event_invoke_config(plane: ControlPlane, request: Json) -> Json:
    """`UpdateFunctionEventInvokeConfig`: what is not said stays."""
    record, key = _event_target(plane, request)
    if key not in record.event_invoke_configs:
        raise _no_event_config(plane, record.name, key)
    return _set_event_config(plane, record, key, record.event_invoke_configs[key], request)


def get_event_invoke_config(plane: ControlPlane, request: Json) -> Json:
    """`GetFunctionEventInvokeConfig`."""
    record, key = _known_event_config(plane, request)
    return _event_view(plane, record, key)


def delete_event_invoke_config(plane: ControlPlane, request: Json) -> None:
    """`DeleteFunctionEventInvokeConfig`."""
    record, key = _known_event_config(plane, request)
    with plane.change(record) as changed:
        del changed.event_invoke_configs[key]


def _known_event_config(plane: ControlPlane, request: Json) -> tuple[FunctionRecord, str]:
    """The function and the key of a configuration that is there."""
    written = plane.read(request)
    record, key = plane.find(written.name), written.qualifier or LATEST
    if record is None or key not in record.event_invoke_configs:
        raise _no_event_config(plane, written.name, key)
    return record, key


def list_event_invoke_configs(plane: ControlPlane, request: Json) -> Json:
    """`ListFunctionEventInvokeConfigs`."""
    record = plane.find(plane.read(request).name)
    if record is None:
        raise not_found("The function doesn't exist.")
    found = [_event_view(plane, record, key) for key in sorted(record.event_invoke_configs)]
    return page("FunctionEventInvokeConfigs", found, request, default=50)


def event_invoke_config(plane: ControlPlane, name: str, qualifier: str | None) -> EventInvokeConfig:
    """What is said of asynchronous invocations by this name and qualifier."""
    record = plane.find(name)
    if record is None:
        return EventInvokeConfig()
    said = record.event_invoke_configs.get(qualifier or LATEST, {})
    version = record.version_of(qualifier or LATEST)
    configuration = record.versions.get(version or LATEST, {})
    destinations = said.get("DestinationConfig", {})
    given = {
        "maximum_retry_attempts": said.get("MaximumRetryAttempts"),
        "maximum_event_age_in_seconds": said.get("MaximumEventAgeInSeconds"),
        "on_success": destinations.get("OnSuccess", {}).get("Destination"),
        "on_failure": destinations.get("OnFailure", {}).get("Destination"),
        "dead_letter": configuration.get("DeadLetterConfig", {}).get("TargetArn"),
    }
    return EventInvokeConfig(**{key: value for key, value in given.items() if value is not None})


def list_tags(plane: ControlPlane, request: Json) -> Json:
    """`ListTags`."""
    return {"Tags": _tagged(plane, request).tags}


def tag_resource(plane: ControlPlane, request: Json) -> None:
    """`TagResource`."""
    record = _tagged(plane, request)
    if not request["Tags"]:
        raise invalid("An error occurred and the request cannot be processed.")
    with plane.change(record) as changed:
        changed.tags |= request["Tags"]
        if len(changed.tags) > _TAGS:
            raise invalid("Number of tags exceeds resource tag limit.")


def untag_resource(plane: ControlPlane, request: Json) -> None:
    """`UntagResource`."""
    with plane.change(_tagged(plane, request)) as changed:
        for key in request["TagKeys"]:
            changed.tags.pop(key, None)


def get_account_settings(plane: ControlPlane, request: Json) -> Json:
    """`GetAccountSettings`."""
    account = plane.registry.account_concurrency
    functions, layers = plane.store.functions.values(), plane.store.layers.values()
    records: list[Record] = [*functions, *layers]
    versions = [version for record in records for version in record.versions.values()]
    return {
        "AccountLimit": {
            "TotalCodeSize": 75 * 1024 * limits.MIB,
            "CodeSizeUnzipped": UNZIPPED,
            "CodeSizeZipped": ZIPPED,
            "ConcurrentExecutions": account,
            "UnreservedConcurrentExecutions": max(0, account - plane.reserved_concurrency),
        },
        "AccountUsage": {
            "TotalCodeSize": sum(version["CodeSize"] for version in versions),
            "FunctionCount": len(functions),
        },
    }


def _whole_function(plane: ControlPlane, request: Json) -> FunctionRecord:
    written = plane.read(request)
    if written.qualifier is not None:
        raise invalid(
            "This operation is permitted on Lambda functions only. Aliases and versions do not "
            "support this operation. Please specify either a function name or an unqualified "
            "function ARN."
        )
    return plane.get(written.name, LATEST)


def _event_target(plane: ControlPlane, request: Json) -> tuple[FunctionRecord, str]:
    written = plane.read(request)
    record, key = plane.find(written.name), written.qualifier or LATEST
    if record is None or record.version_of(key) is None:
        raise not_found("The function doesn't exist.")
    return record, key


def _set_event_config(
    plane: ControlPlane, record: FunctionRecord, key: str, before: Json, request: Json
) -> Json:
    said = {name: request[name] for name in _EVENT_SETTINGS if request.get(name) is not None}
    destinations = request.get("DestinationConfig")
    if not said and destinations is None:
        raise invalid("You must specify at least one of error handling or destination setting.")
    merged: Json = {"DestinationConfig": {}, **before, **said, "LastModified": time.time()}
    if destinations is not None:
        merged["DestinationConfig"] = {
            kind: {"Destination": _destination(plane, record, each["Destination"])}
            for kind, each in destinations.items()
            if each and each.get("Destination")
        }
    with plane.change(record) as changed:
        changed.event_invoke_configs[key] = merged
    return _event_view(plane, changed, key)


def _destination(plane: ControlPlane, record: FunctionRecord, destination: str) -> str:
    where = read_destination(destination)
    if isinstance(where, FunctionDestination):
        if where.name == record.name:
            raise invalid("You can't specify the function as a destination for itself.")
        if plane.find(where.name) is None:
            raise invalid(f"The destination ARN {destination} is invalid.")
    elif isinstance(where, str):
        # It is taken, for the same configuration is good on AWS.
        plane.say(f"{record.name}: {where}")
    return destination


def _event_view(plane: ControlPlane, record: FunctionRecord, key: str) -> Json:
    said = record.event_invoke_configs[key]
    destinations = {"OnSuccess": {}, "OnFailure": {}, **said.get("DestinationConfig", {})}
    arn = plane.arn(record.name, key)
    return {**said, "FunctionArn": arn, "DestinationConfig": destinations}


def _no_event_config(plane: ControlPlane, name: str, key: str) -> ApiError:
    return not_found(f"The function {plane.arn(name, key)} doesn't have an EventInvokeConfig")


def _tagged(plane: ControlPlane, request: Json) -> FunctionRecord:
    kind = request["Resource"].split(":")[5]
    if kind != "function":
        raise invalid(f"tags of a {kind} are not kept here; those of functions are")
    written = read_name(request["Resource"], None, region=plane.region)
    if written.qualifier is not None:
        raise invalid(
            "Tags on function aliases and versions are not supported. "
            "Please specify a function ARN."
        )
    return plane.get(written.name)
