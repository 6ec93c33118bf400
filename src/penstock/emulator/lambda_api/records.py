"""What is kept of each function and layer, as values that become JSON and come from it."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeAlias

from ..functions import LATEST
from .errors import ApiError
from .validation import Flag, Number, Pairs, Several, Shape, Structure, Text, check

#: A `FunctionConfiguration` of the API, or another structure of it.
Json: TypeAlias = dict[str, Any]

# What differs between two looks at the same code and configuration.
_VOLATILE = ("LastModified", "RevisionId")


_CODE = Text(r"[A-Za-z0-9+/]{43}=")
_CONFIGURATION = Structure(
    {
        "CodeSha256": _CODE,
        "CodeSize": Number(0),
        "Runtime": Text(),
        "Handler": Text(),
        "RevisionId": Text(),
        "Version": Text(),
        "LastModified": Text(),
        "Timeout": Number(1),
        "MemorySize": Number(1),
        "Environment": Structure({"Variables": Pairs()}),
        "SnapStart": Structure({"ApplyOn": Text()}, ("ApplyOn",)),
        "LoggingConfig": Structure(
            {"LogFormat": Text(), "ApplicationLogLevel": Text()}, ("LogFormat",)
        ),
        "DeadLetterConfig": Structure({"TargetArn": Text()}),
    },
    (
        *("CodeSha256", "CodeSize", "Runtime", "Handler", "RevisionId", "Version"),
        *("Timeout", "MemorySize", "SnapStart", "LoggingConfig"),
    ),
)
_LAYER = Structure({"Arn": Text(r"(.*:)?[^:]+:[0-9]+"), "CodeSize": Number(0)}, ("Arn",))
_LAYER_VERSION = Structure(
    {
        "CodeSha256": _CODE,
        "CodeSize": Number(0),
        "Version": Number(1),
        "CompatibleRuntimes": Several(Text()),
        "CompatibleArchitectures": Several(Text()),
    },
    ("CodeSha256", "CodeSize", "Version"),
)
_ALIAS = Structure(
    {
        "FunctionVersion": Text(),
        "RevisionId": Text(),
        "RoutingConfig": Structure(
            {"AdditionalVersionWeights": Pairs(value=Number(0.0, 1.0, is_float=True))}
        ),
    },
    ("FunctionVersion", "RevisionId"),
)
_URL = Structure(
    {
        "AuthType": Text(values=("NONE", "AWS_IAM")),
        "InvokeMode": Text(values=("BUFFERED", "RESPONSE_STREAM")),
        "Cors": Structure(
            {
                "AllowCredentials": Flag(),
                "AllowHeaders": Several(Text()),
                "AllowMethods": Several(Text()),
                "AllowOrigins": Several(Text()),
                "ExposeHeaders": Several(Text()),
                "MaxAge": Number(0),
            }
        ),
    },
    ("AuthType",),
)
_PERMISSION = Structure(
    {
        **{
            key: Text()
            for key in (
                *("statement_id", "action", "principal", "source_arn", "source_account"),
                *("principal_org_id", "function_url_auth_type", "event_source_token"),
            )
        },
        "invoked_via_function_url": Flag(),
    },
    ("statement_id", "action", "principal"),
)
_DESTINATION = Structure({"Destination": Text()})
_EVENT_INVOKE_CONFIG = Structure(
    {
        "MaximumRetryAttempts": Number(0, 2),
        "MaximumEventAgeInSeconds": Number(60),
        "LastModified": Number(is_float=True),
        "DestinationConfig": Structure({"OnSuccess": _DESTINATION, "OnFailure": _DESTINATION}),
    }
)


class DamagedRecordError(ValueError):
    """What was read is no record."""


@dataclass
class FunctionRecord:
    """Everything about one function.

    `versions` has the configuration of `$LATEST` and of each published version, without ARN
    and state; `published_from` tells of which state of `$LATEST` a version was made. Under a
    qualifier, which is "" for the function itself, stand URLs, the permissions of policies, and
    what is said of event invokes.
    """

    name: str
    versions: dict[str, Json]
    published_from: dict[str, str] = field(default_factory=dict)
    next_version: int = 1
    aliases: dict[str, Json] = field(default_factory=dict)
    urls: dict[str, Json] = field(default_factory=dict)
    policies: dict[str, list[Json]] = field(default_factory=dict)
    event_invoke_configs: dict[str, Json] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    reserved_concurrency: int | None = None

    @property
    def latest(self) -> Json:
        """The configuration of `$LATEST`."""
        return self.versions[LATEST]

    def version_of(self, qualifier: str) -> str | None:
        """The version that a qualifier leads to; None if to none."""
        if qualifier in self.aliases:
            qualifier = self.aliases[qualifier]["FunctionVersion"]
        return qualifier if qualifier in self.versions else None

    def touch(self, version: str = LATEST) -> None:
        """This version has changed: a new revision, now."""
        self.versions[version]["RevisionId"] = new_revision()
        self.versions[version]["LastModified"] = timestamp()

    def fingerprint(self) -> str:
        """Tells one code and configuration of `$LATEST` from another."""
        kept = {key: value for key, value in self.latest.items() if key not in _VOLATILE}
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


@dataclass
class LayerRecord:
    """Everything about one layer. Its versions' numbers are strings, as JSON's keys are."""

    name: str
    versions: dict[str, Json] = field(default_factory=dict)
    next_version: int = 1


Record: TypeAlias = FunctionRecord | LayerRecord


def to_json(record: Record) -> bytes:
    """A record as it is kept."""
    return json.dumps(asdict(record), indent=1).encode()


def function_from_json(data: bytes) -> FunctionRecord:
    """The record that `to_json` wrote.

    Raises:
        DamagedRecordError: it did not.
    """
    record = FunctionRecord(**_members(data, FunctionRecord))
    needed = ("CodeSha256", "Runtime", "RevisionId", "Version", "Timeout", "MemorySize")
    for version, configuration in {LATEST: None, **record.versions}.items():
        if not isinstance(configuration, dict) or any(key not in configuration for key in needed):
            raise DamagedRecordError(f"the configuration of version {version} is not whole")
        _check(_CONFIGURATION, configuration, f"versions.{version}")
        layers = configuration.get("Layers", [])
        _check(Several(_LAYER), layers, f"versions.{version}.Layers")
        for layer in layers:
            _check(_LAYER, layer, f"versions.{version}.Layers")
    for members, shape, name in (
        (record.aliases, _ALIAS, "aliases"),
        (record.urls, _URL, "urls"),
        (record.event_invoke_configs, _EVENT_INVOKE_CONFIG, "event_invoke_configs"),
    ):
        for key, member in members.items():
            _check(shape, member, f"{name}.{key}")
    for alias, configuration in record.aliases.items():
        if configuration["FunctionVersion"] not in record.versions:
            raise DamagedRecordError(f"aliases.{alias} leads to no version")
    for key, permissions in record.policies.items():
        _check(Several(_PERMISSION), permissions, f"policies.{key}")
        for permission in permissions:
            _check(_PERMISSION, permission, f"policies.{key}")
    _check(Pairs(), record.tags, "tags")
    _check(Pairs(), record.published_from, "published_from")
    _check(Number(1), record.next_version, "next_version")
    if record.reserved_concurrency is not None:
        _check(Number(0), record.reserved_concurrency, "reserved_concurrency")
    return record


def layer_from_json(data: bytes) -> LayerRecord:
    """The record that `to_json` wrote.

    Raises:
        DamagedRecordError: it did not.
    """
    record = LayerRecord(**_members(data, LayerRecord))
    for number, version in record.versions.items():
        if not isinstance(version, dict) or "CodeSha256" not in version:
            raise DamagedRecordError(f"version {number} is not whole")
        _check(_LAYER_VERSION, version, f"versions.{number}")
    _check(Number(1), record.next_version, "next_version")
    return record


def next_version_to_json(record: FunctionRecord) -> bytes:
    """What is kept of a function that is deleted."""
    return json.dumps({"name": record.name, "next_version": record.next_version}).encode()


def next_version_from_json(data: bytes, name: str) -> int:
    """What `next_version_to_json` wrote of the function with this name.

    Raises:
        DamagedRecordError: it did not.
    """
    value = _object(data)
    if value.get("name") != name:
        raise DamagedRecordError(f"it is of {value.get('name')!r}, not of {name!r}")
    number = value.get("next_version")
    _check(Number(1), number, "next_version")
    assert isinstance(number, int)
    return number


def _check(shape: Shape, value: Any, path: str) -> None:
    try:
        problems = check(shape, value, path)
    except ApiError as exc:
        raise DamagedRecordError(f"{path}: {exc}") from exc
    if problems:
        raise DamagedRecordError(problems[0])


def _object(data: bytes) -> Json:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise DamagedRecordError(f"it is no JSON: {exc}") from exc
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise DamagedRecordError("it is no JSON object with a name")
    return value


def _members(data: bytes, kind: type) -> Json:
    value = _object(data)
    known = {each.name: each for each in fields(kind)}
    odd = value.keys() - known.keys()
    if odd:
        raise DamagedRecordError(f"it has {', '.join(sorted(odd))}, which nobody knows")
    if not isinstance(value.get("versions"), dict):
        raise DamagedRecordError("it has no versions")
    for name, each in known.items():
        expected = "dict" if str(each.type).startswith("dict") else None
        if expected and name in value and not isinstance(value[name], dict):
            raise DamagedRecordError(f"{name} is no JSON object")
    return value


def new_revision() -> str:
    """A new `RevisionId`."""
    return str(uuid.uuid4())


def timestamp() -> str:
    """Now, as in `LastModified`."""
    now = time.time()
    return (
        f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now * 1000) % 1000:03}+0000"
    )
