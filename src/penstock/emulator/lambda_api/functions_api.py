"""Operations on functions: create, read, update, delete."""

from __future__ import annotations

import binascii
import json
import os
from base64 import b64decode
from typing import Any

from ...errors import EmulatorError
from ..functions import LATEST, MAX_CONCURRENCY, concurrency_of
from . import zip_files
from .control_plane import ControlPlane, new_configuration
from .errors import check_revision, conflict, invalid, not_emulated, not_found
from .paging import page
from .records import FunctionRecord, Json, new_revision
from .runtimes import check_runtime, check_snap_start
from .versions_api import publish
from .views import configuration_view, updating_view

# What of a function's configuration is taken as it comes.
_PLAIN = ("Role", "Runtime", "Handler", "Description", "Timeout", "MemorySize", "KMSKeyArn")
_KEPT = ("TracingConfig", "EphemeralStorage", "DeadLetterConfig", "VpcConfig")
_NOT_EMULATED = (
    "FileSystemConfigs",
    "CodeSigningConfigArn",
    "ImageConfig",
    "TenancyConfig",
    "CapacityProviderConfig",
    "DurableConfig",
    "RuntimeConfig",
    "AcceleratorConfig",
    "PublishTo",
)

# AWS documentation, "Defined runtime environment variables": those that cannot be set.
_RESERVED = {
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
}
_VARIABLES_SIZE = 4096
_LAYERS = 5


def create_function(plane: ControlPlane, request: Json) -> Json:
    """`CreateFunction`."""
    _refuse_not_emulated(request)
    written = plane.read(request)
    name = written.name
    if len(name) > 64:
        raise invalid(
            f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy "
            "constraint: Member must have length less than or equal to 64"
        )
    if request.get("PackageType") == "Image" or "ImageUri" in request["Code"]:
        raise not_emulated("CreateFunction with a container image (ImageUri)")
    check_runtime(request.get("Runtime"))
    if not request.get("Handler"):
        if not request["Runtime"].startswith("provided"):
            raise invalid(
                "Runtime and Handler are mandatory parameters for functions created with "
                "deployment packages."
            )
        request["Handler"] = ""
    if plane.find(name) is not None:
        raise conflict(f"Function already exist: {name}")
    damaged = plane.store.damaged_record(name)
    if damaged is not None:
        raise conflict(f"Function already exist: {name}, but {damaged} cannot be read")
    configuration = new_configuration(name, request["Handler"], request["Runtime"])
    configuration["Architectures"] = request.get("Architectures") or [_architecture()]
    _configure(plane, configuration, request)
    configuration |= _code(plane, request["Code"])
    record = FunctionRecord(name, {LATEST: configuration}, tags=dict(request.get("Tags") or {}))
    # Unpacked now, so that what is too large or damaged is refused.
    plane.root_of(configuration)
    record.next_version = plane.store.next_version(name)
    created = updating_view(plane, record, LATEST, is_new=True)
    plane.deploy(record)
    record.latest["RevisionId"] = new_revision()
    if request.get("Publish"):
        version = publish(plane, record)
        created = updating_view(plane, record, version, is_new=True)
        created["FunctionArn"] = plane.arn(name)
    try:
        plane.store.save(record)
    except EmulatorError:
        plane.forget(name)
        raise
    plane.sweep()
    return created


def get_function(plane: ControlPlane, request: Json) -> Json:
    """`GetFunction`."""
    written = plane.read(request)
    record, version = plane.version(written)
    configuration = record.versions[version]
    answer: Json = {
        "Configuration": configuration_view(plane, record, version, written.qualifier),
        "Code": {"RepositoryType": "S3"},
    }
    if configuration["CodeSha256"]:
        stem = plane.store.zip_path(configuration["CodeSha256"]).name
        answer["Code"]["Location"] = f"{plane.origin}/_penstock/code/{stem}"
    if record.tags:
        answer["Tags"] = record.tags
    if record.reserved_concurrency is not None:
        answer["Concurrency"] = {"ReservedConcurrentExecutions": record.reserved_concurrency}
    return answer


def get_function_configuration(plane: ControlPlane, request: Json) -> Json:
    """`GetFunctionConfiguration`."""
    written = plane.read(request)
    record, version = plane.version(written)
    return configuration_view(plane, record, version, written.qualifier)


def list_functions(plane: ControlPlane, request: Json) -> Json:
    """`ListFunctions`."""
    records = [plane.store.functions[name] for name in sorted(plane.store.functions)]
    if request.get("FunctionVersion") == "ALL":
        found = [
            configuration_view(plane, record, version, version, in_list=True)
            for record in records
            for version in record.versions
        ]
    else:
        found = [configuration_view(plane, each, LATEST, None, in_list=True) for each in records]
    return page("Functions", found, request, default=50)


def _to_update(plane: ControlPlane, request: Json) -> FunctionRecord:
    """The function that a request is to change, if it may."""
    _refuse_not_emulated(request)
    name = plane.read(request).name
    record = plane.get(name)
    plane.refuse_held(name)
    check_revision(request.get("RevisionId"), record.latest["RevisionId"], "GetFunction/GetAlias")
    return record


def update_function_code(plane: ControlPlane, request: Json) -> Json:
    """`UpdateFunctionCode`."""
    record = _to_update(plane, request)
    if "ImageUri" in request:
        raise invalid(
            "Please don't provide ImageUri when updating a function with packageType Zip."
        )
    code = _code(plane, request)
    if request.get("DryRun"):
        plane.sweep()
        return {**configuration_view(plane, record, LATEST, None), **code}
    with plane.change(record) as changed:
        changed.latest.update(code)
        if request.get("Architectures"):
            changed.latest["Architectures"] = request["Architectures"]
        plane.root_of(changed.latest)
        updated = _updated(plane, changed, publishes=bool(request.get("Publish")))
    plane.sweep()
    return updated


def update_function_configuration(plane: ControlPlane, request: Json) -> Json:
    """`UpdateFunctionConfiguration`."""
    record = _to_update(plane, request)
    if request.get("Runtime") is not None:
        check_runtime(request["Runtime"])
    with plane.change(record) as changed:
        _configure(plane, changed.latest, request)
        plane.root_of(changed.latest)
        updated = _updated(plane, changed)
    plane.sweep()
    return updated


def delete_function(plane: ControlPlane, request: Json) -> None:
    """`DeleteFunction`."""
    written = plane.read(request)
    version = written.qualifier
    if version == LATEST:
        raise invalid("$LATEST version cannot be deleted without deleting the function.")
    if version is not None and not version.isdecimal() and "$" not in version:
        raise invalid("Deletion of aliases is not currently supported.")
    record = plane.get(written.name, shown=False)
    plane.refuse_held(record.name)
    if version is None:
        plane.store.remove(record)
        plane.forget(record.name)
        plane.sweep()
        return
    if version not in record.versions:
        raise not_found(f"Function not found: {plane.arn(record.name)}")
    pointing = [
        name
        for name, alias in record.aliases.items()
        if alias["FunctionVersion"] == version
        or version in alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
    ]
    if pointing:
        raise conflict(
            "Unable to delete version because the following aliases reference it: "
            f"[{', '.join(pointing)}]"
        )
    with plane.change(record) as changed:
        del changed.versions[version]
        for kept in (changed.published_from, changed.policies, changed.event_invoke_configs):
            kept.pop(version, None)
    plane.forget(record.name, version)
    plane.sweep()


def _updated(plane: ControlPlane, record: FunctionRecord, *, publishes: bool = False) -> Json:
    """Have the changed record run from now on; what the operation answers with."""
    record.touch()
    answer = updating_view(plane, record, LATEST)
    plane.deploy(record)
    record.latest["RevisionId"] = new_revision()
    if publishes:
        version = publish(plane, record)
        answer = updating_view(plane, record, version, is_new=True)
    return answer


def _configure(plane: ControlPlane, configuration: Json, request: Json) -> None:
    """Put what the request says into the configuration."""
    for key in _PLAIN:
        if request.get(key) is not None:
            configuration[key] = request[key]
    if "\0" in configuration["Handler"]:
        raise invalid("the name of a handler cannot have a NUL character in it")
    for key in _KEPT:
        if request.get(key) is not None:
            configuration[key] = request[key]
    environment = request.get("Environment")
    if environment is not None:
        variables = environment.get("Variables") or {}
        _check_variables(variables)
        configuration["Environment"] = {"Variables": variables}
    if request.get("SnapStart") is not None:
        apply_on = request["SnapStart"].get("ApplyOn", "None")
        configuration["SnapStart"] = {"ApplyOn": apply_on, "OptimizationStatus": "Off"}
    check_snap_start(configuration)
    _check_concurrency(configuration)
    if request.get("LoggingConfig") is not None:
        _configure_logging(configuration["LoggingConfig"], request["LoggingConfig"])
    if request.get("Layers") is not None:
        configuration["Layers"] = _layers(plane, request["Layers"])
        if not configuration["Layers"]:
            del configuration["Layers"]


def _configure_logging(logging: Json, wanted: Json) -> None:
    logging.update({key: value for key, value in wanted.items() if value is not None})
    levels = ("ApplicationLogLevel", "SystemLogLevel")
    if logging["LogFormat"] == "JSON":
        for level in levels:
            logging.setdefault(level, "INFO")
    elif any(wanted.get(level) for level in levels):
        raise invalid(
            "For functions with text log format, log levels can only be set to null, and cannot "
            "be set in the request."
        )
    else:
        for level in levels:
            logging.pop(level, None)


def _layers(plane: ControlPlane, arns: list[str]) -> list[Json]:
    if len(arns) > _LAYERS:
        raise invalid(f"Cannot reference more than {_LAYERS} layers.")
    layers: list[Json] = []
    seen: dict[str, str] = {}
    for arn in arns:
        *_, region, _account, _kind, name, number = arn.split(":")
        if region != plane.region:
            raise invalid(
                "Layers are not in the same region as the function. Layers are expected to be in "
                f"region {plane.region}."
            )
        layer = plane.store.layers.get(name)
        version = layer.versions.get(number) if layer is not None else None
        if version is None:
            raise invalid(f"Layer version {arn} does not exist.")
        if name in seen:
            raise invalid(
                "Two different versions of the same layer are not allowed to be referenced in the "
                f"same function. {seen[name]} and {arn} are versions of the same layer."
            )
        seen[name] = arn
        layers.append({"Arn": arn, "CodeSize": version["CodeSize"]})
    return layers


def _check_concurrency(configuration: Json) -> None:
    """Refuse SnapStart where an environment is to have several invocations at once."""
    variables = (configuration.get("Environment") or {}).get("Variables", {})
    if configuration["SnapStart"]["ApplyOn"] != "None" and MAX_CONCURRENCY in variables:
        raise invalid(
            f"SnapStart and the variable {MAX_CONCURRENCY}, several invocations at once, do not "
            "go together"
        )


def _check_variables(variables: dict[str, str]) -> None:
    reserved = [name for name in variables if name in _RESERVED]
    if reserved:
        raise invalid(
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided contains reserved keys that are currently not supported "
            f"for modification. Reserved keys used in this request: {', '.join(reserved)}"
        )
    if MAX_CONCURRENCY in variables:
        try:
            concurrency_of(variables[MAX_CONCURRENCY])
        except EmulatorError as exc:
            raise invalid(str(exc)) from exc
    if any("\0" in value for value in variables.values()):
        raise invalid("the value of an environment variable cannot have a NUL character in it")
    written = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    if len(written.encode()) > _VARIABLES_SIZE:
        raise invalid(
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided exceeded the 4KB limit. String measured: " + written
        )


def _code(plane: ControlPlane, code: Json) -> Json:
    """Take the zip file in; what the configuration says of it."""
    if "ZipFile" not in code:
        if any(key in code for key in ("S3Bucket", "S3Key")):
            raise invalid(
                "There is no S3 here: give the code as ZipFile "
                "(--zip-file fileb://function.zip, or --code ZipFile=...)"
            )
        raise invalid("Please provide a source for function code.")
    data: bytes = code["ZipFile"]
    return {"CodeSha256": plane.store.add_zip(data), "CodeSize": len(data)}


def read_zip_file(request: Json) -> None:
    """Have bytes in place of a request's base64. May take long, and needs nothing else.

    Raises:
        ApiError: it is none, or no zip file that Lambda takes.
    """
    for holder in (request, request.get("Code"), request.get("Content")):
        if holder is not None and "ZipFile" in holder:
            holder["ZipFile"] = _zip_data(holder["ZipFile"])
            zip_files.check_zip(holder["ZipFile"])


def _zip_data(encoded: str) -> bytes:
    """The zip file in a request's base64.

    Raises:
        ApiError: it is no base64.
    """
    try:
        return b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise invalid(f"ZipFile is no base64: {exc}") from exc


def _refuse_not_emulated(request: Json) -> None:
    for key in _NOT_EMULATED:
        value: Any = request.get(key)
        if value:
            raise not_emulated(key)


def _architecture() -> str:
    machine = os.uname().machine
    return "arm64" if machine in ("arm64", "aarch64") else "x86_64"
