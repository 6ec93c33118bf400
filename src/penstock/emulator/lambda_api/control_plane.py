"""What all operations work on: the records, and the functions made of them."""

from __future__ import annotations

import copy
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...errors import EmulatorError
from ..function_urls import DOMAIN, Cors, FunctionUrl
from ..functions import LATEST, Function
from ..registry import Registry
from .errors import ApiError, not_found
from .names import Written, function_arn, read_name
from .policies import Permission, Policy
from .records import FunctionRecord, Json, new_revision, timestamp
from .runtimes import NoRuntimeError, Runtimes
from .store import Store

# `StateReasonCode`, by what has happened.
_REASON_CODES: dict[type[Exception], str] = {
    NoRuntimeError: "InvalidRuntime",
    ApiError: "InvalidZipFileException",
}


@dataclass(frozen=True)
class Failure:
    """Why a version cannot be run, as `StateReasonCode` and `StateReason` have it."""

    code: str
    reason: str


class NotUnpackedError(Exception):
    """An operation needs code that is not unpacked; the arguments are those of `Store.root`."""


#: What an operation of the API does to the control plane with its request, and its answer.
Operation = Callable[["ControlPlane", Json], "Json | None"]


class ControlPlane:
    """Records in `store`, and what `registry` has of them. Operations hold `lock`.

    `port` tells where the emulator listens.
    """

    def __init__(
        self,
        registry: Registry,
        store: Store,
        runtimes: Runtimes,
        *,
        region: str,
        say: Callable[[str], object],
        port: Callable[[], int],
    ) -> None:
        self.registry = registry
        self.store = store
        self.region = region
        self.say = say
        self.lock = threading.RLock()
        self._runtimes = runtimes
        self._port = port
        #: Where the emulator is, for the client of the operation.
        self.origin = ""
        self._unpacking = 0
        # What could not be made ready to run, and which update had no effect.
        self._failures: dict[tuple[str, str], Failure] = {}
        self._failed_updates: dict[str, Failure] = {}

    def start(self) -> None:
        """Have everything that the store has ready to be called."""
        for record in list(self.store.functions.values()):
            if self.store.is_held(record.name):
                continue
            try:
                self._start(record)
            except (KeyError, TypeError, ValueError, AttributeError) as exc:
                self.forget(record.name)
                self.store.leave_out(record, exc)
        account = self.registry.account_concurrency
        if self.reserved_concurrency >= account:
            self.say(
                f"functions have reserved {self.reserved_concurrency} of the account's "
                f"concurrency of {account}: calls of every other function are answered 429. "
                "Raise --account-concurrency, or lower a reservation (PutFunctionConcurrency)"
            )
        self.sweep()

    def _start(self, record: FunctionRecord) -> None:
        for version in record.versions:
            self.deploy(record, version)
        for alias in record.aliases:
            self.deploy_alias(record, alias)
        for qualifier in record.urls:
            self.registry.put_url(self.url_of(record, qualifier))
        for qualifier in record.policies:
            self.policy(record, qualifier)

    def run(self, operation: Operation, request: Json) -> Json | None:
        """Run an operation, which has the lock. To be called with it, held once.

        Unpacking takes long. So an operation that needs code which is not unpacked ends there,
        having changed nothing, and begins anew when that is done, without the lock: others may
        have changed everything meanwhile.
        """
        has_unpacked = False
        try:
            while True:
                try:
                    return operation(self, request)
                except NotUnpackedError as exc:
                    has_unpacked = True
                    self._unpack(*exc.args)
        finally:
            if has_unpacked:
                self.sweep()

    def _unpack(self, code_sha256: str, layers: list[str]) -> None:
        self._unpacking += 1
        self.lock.release()
        try:
            self.store.root(code_sha256, layers)
        finally:
            self.lock.acquire()
            self._unpacking -= 1

    @property
    def reserved_concurrency(self) -> int:
        """What functions have reserved of the account's concurrency together.

        More than it has, if what is kept was made with a larger one.
        """
        return sum(each.reserved_concurrency or 0 for each in self.store.functions.values())

    def read(self, parameters: Json) -> Written:
        """The function that `FunctionName`, and `Qualifier`, of a request name."""
        qualifier: str | None = parameters.get("Qualifier")
        return read_name(parameters["FunctionName"], qualifier, region=self.region)

    def find(self, name: str) -> FunctionRecord | None:
        """The record of a function, not to be changed."""
        return self.store.functions.get(name)

    def get(self, name: str, qualifier: str | None = None, *, shown: bool = True) -> FunctionRecord:
        """The record of a function, not to be changed.

        Raises:
            ApiError: there is none; its ARN is qualified if that is to be `shown`.
        """
        record = self.find(name)
        if record is None:
            raise not_found(f"Function not found: {self.arn(name, qualifier if shown else None)}")
        return record

    def version(self, written: Written) -> tuple[FunctionRecord, str]:
        """The record and the version that a name and a qualifier lead to.

        Raises:
            ApiError: there is none.
        """
        record = self.get(written.name, written.qualifier)
        version = record.version_of(written.qualifier or LATEST)
        if version is None:
            raise not_found(f"Function not found: {self.arn(written.name, written.qualifier)}")
        return record, version

    @contextmanager
    def change(self, record: FunctionRecord) -> Iterator[FunctionRecord]:
        """A copy of the record, which takes its place when the block has ended well."""
        changed = copy.deepcopy(record)
        yield changed
        try:
            self.store.save(changed)
        except EmulatorError:
            # What is called is what is kept.
            for version in changed.versions:
                if version in record.versions:
                    self.deploy(record, version)
                else:
                    self.forget(record.name, version)
            raise

    def refuse_held(self, name: str) -> None:
        """Refuse to change a function that is served from its source.

        Raises:
            ApiError: it is.
        """
        if self.store.is_held(name):
            raise ApiError(
                409,
                "ResourceConflictException",
                {
                    "Type": "User",
                    "message": f"{name} is served from its source by penstock dev; "
                    "change it there, or give this function another name",
                },
            )

    def arn(self, name: str, qualifier: str | None = None) -> str:
        """The ARN of a function, or of its version or alias."""
        return function_arn(self.region, name, qualifier)

    def deploy(self, record: FunctionRecord, version: str = LATEST) -> bool:
        """Have calls of this version run it from now on; whether that is possible."""
        key = (record.name, version)
        was_failed = key in self._failures
        try:
            function = self._function(record, version)
        except (NoRuntimeError, ApiError, EmulatorError) as exc:
            failure = Failure(_REASON_CODES.get(type(exc), "InternalError"), str(exc))
            self.say(f"{record.name}: {failure.reason}")
            is_running = self.registry.find(record.name, version) is not None
            if is_running and not was_failed:
                self._failed_updates[record.name] = failure
            else:
                self._failures[key] = failure
            return False
        self._failures.pop(key, None)
        if version == LATEST:
            self._failed_updates.pop(record.name, None)
        self.registry.put(function)
        return True

    def configure(self, record: FunctionRecord) -> None:
        """Heed the function's reserved concurrency in all of its versions."""
        for version in record.versions:
            self.registry.configure(record.name, version, record.reserved_concurrency)

    def deploy_alias(self, record: FunctionRecord, alias: str) -> None:
        """Have calls of this alias go where it points from now on."""
        configuration = record.aliases[alias]
        weights = configuration.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        self.registry.put_alias(record.name, alias, configuration["FunctionVersion"], weights)

    def forget(self, name: str, version: str | None = None) -> None:
        """Have no more calls of a version, or of the whole function."""
        self.registry.remove(name, version)
        for key in list(self._failures):
            if key[0] == name and version in (None, key[1]):
                del self._failures[key]
        if version is None:
            self._failed_updates.pop(name, None)

    def failure(self, name: str, version: str) -> Failure | None:
        """Why the version cannot be called, if it cannot."""
        return self._failures.get((name, version))

    @property
    def has_failures(self) -> bool:
        """Whether there is a version that cannot be called."""
        return bool(self._failures)

    def failed_update(self, name: str) -> Failure | None:
        """Why the last update had no effect, if it had none."""
        return self._failed_updates.get(name)

    def sweep(self) -> None:
        """Delete code that nothing has, and nothing runs on, any more.

        While some is being unpacked it is not known what it is for: that operation sweeps.
        """
        if self._unpacking:
            return
        in_use = {folder.parent.parent for folder in self.registry.folders}
        self.store.sweep(in_use)

    def url_of(self, record: FunctionRecord, qualifier: str) -> FunctionUrl:
        """The Function URL under a qualifier, which is "" for that of the function."""
        configuration = record.urls[qualifier]
        cors = configuration.get("Cors")
        return FunctionUrl(
            record.name,
            qualifier or None,
            invoke_mode=configuration.get("InvokeMode", "BUFFERED"),
            auth_type=configuration["AuthType"],
            cors=None
            if cors is None
            else Cors(
                allow_origins=tuple(cors.get("AllowOrigins", ())),
                allow_methods=tuple(cors.get("AllowMethods", ())),
                allow_headers=tuple(cors.get("AllowHeaders", ())),
                expose_headers=tuple(cors.get("ExposeHeaders", ())),
                allow_credentials=cors.get("AllowCredentials", False),
                max_age=cors.get("MaxAge", 0),
            ),
        )

    def address(self, url: FunctionUrl) -> str:
        """The address of a Function URL."""
        return f"http://{url.id}{DOMAIN}:{self._port()}/"

    def policy(self, record: FunctionRecord, qualifier: str) -> Policy:
        """The policy under a qualifier, which is "" for that of the function."""
        return Policy(tuple(Permission(**each) for each in record.policies.get(qualifier, ())))

    def code(self, sha256: bytes) -> bytes:
        """The zip file with this hash. Not to be called with the lock, for it may take long.

        Raises:
            OSError, EmulatorError: there is none.
        """
        with self.lock:
            path = self.store.zip_path(b64encode(sha256).decode())
        return path.read_bytes()

    def root_of(self, configuration: Json, *, unpacks: bool = False) -> Path:
        """The folder with a version's code and its layers, unpacked.

        Raises:
            NotUnpackedError: they are not yet; unless it `unpacks` them.
            ApiError: they are too large together, or damaged.
            EmulatorError: the folder cannot be made, or a layer is gone.
        """
        layers = [self._layer_code(each["Arn"]) for each in configuration.get("Layers", ())]
        code = configuration["CodeSha256"]
        if not unpacks and not self.store.has_root(code, layers):
            raise NotUnpackedError(code, layers)
        return self.store.root(code, layers)

    def hold(self, function: Function) -> None:
        """Have a record of a function that is served from its source."""
        runtime = (function.execution_env or "").removeprefix("AWS_Lambda_")
        configuration = new_configuration(function.name, function.handler, runtime)
        configuration |= {"Timeout": int(function.timeout), "MemorySize": function.memory}
        if function.environment:
            configuration["Environment"] = {"Variables": dict(function.environment)}
        record = FunctionRecord(function.name, {LATEST: configuration})
        record.reserved_concurrency = function.reserved_concurrency
        self.store.hold(record)

    def _function(self, record: FunctionRecord, version: str) -> Function:
        root = self.root_of(record.versions[version], unpacks=True)
        return self._runtimes.function(record, version, root)

    def _layer_code(self, arn: str) -> str:
        *_, name, number = arn.split(":")
        layer = self.store.layers.get(name)
        if layer is None or number not in layer.versions:
            raise EmulatorError(f"there is no layer {arn}")
        code: str = layer.versions[number]["CodeSha256"]
        return code


def new_configuration(name: str, handler: str, runtime: str) -> Json:
    """The configuration of a new function, with what AWS has where nothing is said."""
    return {
        "FunctionName": name,
        "Runtime": runtime or "provided.al2023",
        "Role": "arn:aws:iam::123456789012:role/penstock-local",
        "Handler": handler,
        "CodeSize": 0,
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "LastModified": timestamp(),
        "CodeSha256": "",
        "Version": LATEST,
        "TracingConfig": {"Mode": "PassThrough"},
        "RevisionId": new_revision(),
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
    }
