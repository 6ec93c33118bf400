"""The door of the Lambda API: from a request to an operation, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs

from ...errors import EmulatorError
from ..api_errors import platform_headers, refuse
from ..function_urls import FunctionUrl
from ..functions import LATEST, Function
from ..http.http_server import BodyTooLargeError, Exchange
from ..invocations import new_request_id
from ..invoke.event_invokes import EventInvokeConfig
from ..invoke.invoke_requests import find_operation
from ..registry import Registry
from . import functions_api, layers_api, policies_api, settings_api, urls_api, versions_api
from .control_plane import ControlPlane, Operation
from .errors import ApiError, conflict, not_emulated, not_readable, not_valid, too_large
from .names import read_name
from .policies import commands_for_url, missing_for_url
from .records import FunctionRecord, Json
from .routes import route
from .runtimes import Runtimes
from .settings import ApiSettings
from .shapes import REQUESTS
from .store import Store
from .validation import check, without_nulls

# What AWS takes (recorded in its error text).
_REQUEST = 70167211

_STOP_SECONDS = 1.0

# JSON can have halves of characters, which no variable of a process can have.
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

# A Function URL's function, qualifier and type of authorization.
_UrlKey = tuple[str, str | None, str]

#: By name: what runs it, and the status of its success.
OPERATIONS: Final[dict[str, tuple[Operation, int]]] = {
    "CreateFunction": (functions_api.create_function, 201),
    "GetFunction": (functions_api.get_function, 200),
    "GetFunctionConfiguration": (functions_api.get_function_configuration, 200),
    "ListFunctions": (functions_api.list_functions, 200),
    "UpdateFunctionCode": (functions_api.update_function_code, 200),
    "UpdateFunctionConfiguration": (functions_api.update_function_configuration, 200),
    "DeleteFunction": (functions_api.delete_function, 204),
    "PublishVersion": (versions_api.publish_version, 201),
    "ListVersionsByFunction": (versions_api.list_versions, 200),
    "CreateAlias": (versions_api.create_alias, 201),
    "UpdateAlias": (versions_api.update_alias, 200),
    "GetAlias": (versions_api.get_alias, 200),
    "ListAliases": (versions_api.list_aliases, 200),
    "DeleteAlias": (versions_api.delete_alias, 204),
    "CreateFunctionUrlConfig": (urls_api.create_url, 201),
    "UpdateFunctionUrlConfig": (urls_api.update_url, 200),
    "GetFunctionUrlConfig": (urls_api.get_url, 200),
    "DeleteFunctionUrlConfig": (urls_api.delete_url, 204),
    "ListFunctionUrlConfigs": (urls_api.list_urls, 200),
    "AddPermission": (policies_api.add_permission, 201),
    "GetPolicy": (policies_api.get_policy, 200),
    "RemovePermission": (policies_api.remove_permission, 204),
    "PutFunctionConcurrency": (settings_api.put_concurrency, 200),
    "GetFunctionConcurrency": (settings_api.get_concurrency, 200),
    "DeleteFunctionConcurrency": (settings_api.delete_concurrency, 204),
    "PutFunctionEventInvokeConfig": (settings_api.put_event_invoke_config, 200),
    "UpdateFunctionEventInvokeConfig": (settings_api.update_event_invoke_config, 200),
    "GetFunctionEventInvokeConfig": (settings_api.get_event_invoke_config, 200),
    "DeleteFunctionEventInvokeConfig": (settings_api.delete_event_invoke_config, 204),
    "ListFunctionEventInvokeConfigs": (settings_api.list_event_invoke_configs, 200),
    "ListTags": (settings_api.list_tags, 200),
    "TagResource": (settings_api.tag_resource, 204),
    "UntagResource": (settings_api.untag_resource, 204),
    "GetAccountSettings": (settings_api.get_account_settings, 200),
    "PublishLayerVersion": (layers_api.publish_layer_version, 201),
    "GetLayerVersion": (layers_api.get_layer_version, 200),
    "GetLayerVersionByArn": (layers_api.get_layer_version_by_arn, 200),
    "DeleteLayerVersion": (layers_api.delete_layer_version, 204),
    "ListLayers": (layers_api.list_layers, 200),
    "ListLayerVersions": (layers_api.list_layer_versions, 200),
}

_WITH_ZIP_FILE = ("CreateFunction", "UpdateFunctionCode", "PublishLayerVersion")

CODE_PATH = "/_penstock/code/"


class LambdaApi:
    """The Lambda API, but for the calls of functions: what it has goes into `registry`.

    `say` gets lines for the log; `port` tells where the emulator listens.
    """

    def __init__(
        self,
        registry: Registry,
        say: Callable[[str], object],
        *,
        region: str,
        port: Callable[[], int],
        settings: ApiSettings,
    ) -> None:
        self._registry = registry
        self._say = say
        self._region = region
        self._port = port
        self._settings = settings
        self._enforces = settings.enforce_permissions
        self._plane = self._make_plane(Store(None, say))
        # What URLs lack, each with the record that says so, and what of it was told.
        self._missing: dict[_UrlKey, tuple[FunctionRecord, tuple[str, ...]]] = {}
        self._told: set[tuple[str, ...]] = set()

    def start(self, function: Function | None) -> None:
        """Have what is kept, and `function`, which is served from its source.

        Raises:
            EmulatorError: the folder cannot be used, or both have a function of one name.
        """
        if self._settings.state is not None:
            self._plane = self._make_plane(Store(self._settings.state.resolve(), self._say))
        if function is not None:
            self._plane.hold(function)
        with self._plane.lock:
            self._plane.start()

    def stop(self) -> None:
        """Let go of the folder; may be repeated."""
        # An operation under way may take long; without a store it fails.
        has_lock = self._plane.lock.acquire(timeout=_STOP_SECONDS)
        try:
            self._plane.store.close()
        finally:
            if has_lock:
                self._plane.lock.release()

    def event_invoke_config(self, name: str, qualifier: str | None) -> EventInvokeConfig:
        """What is said of asynchronous invocations by this name and qualifier."""
        return settings_api.event_invoke_config(self._plane, name, qualifier)

    def refuses_call(self, exchange: Exchange) -> bool:
        """Refuse the call of a function that exists and cannot be run; whether that was so."""
        found = find_operation(exchange.path) if self._plane.has_failures else None
        if found is None:
            return False
        qualifier = parse_qs(exchange.query).get("Qualifier", [None])[0]
        try:
            written = read_name(found[1], qualifier, region=self._region)
        except ApiError:
            return False
        record = self._plane.find(written.name)
        version = record.version_of(written.qualifier or LATEST) if record is not None else None
        failure = self._plane.failure(written.name, version) if version is not None else None
        if failure is None:
            return False
        self._say(f"{written.name} cannot be called: {failure.reason}")
        error = conflict(
            "The operation cannot be performed at this time. "
            "The function is currently in the following state: Failed"
        )
        refuse(exchange, error.status, error.error_type, error.body)
        return True

    def refuses_url(self, exchange: Exchange, url: FunctionUrl) -> bool:
        """Refuse a request to a URL that lacks permissions, or say so; whether it was refused."""
        record = self._plane.find(url.function)
        key = url.qualifier or ""
        if record is None or key not in record.urls:
            return False
        version = record.version_of(url.qualifier or LATEST)
        failure = self._plane.failure(record.name, version) if version is not None else None
        if failure is not None:
            self._say(f"{record.name} cannot be called: {failure.reason}")
        missing = self._missing_for(record, url)
        if not missing:
            return False
        told = (url.function, key, *missing)
        if self._enforces or told not in self._told:
            self._told.add(told)
            policy = self._plane.policy(record, key)
            commands = commands_for_url(policy, missing, url.function, url.qualifier)
            does = "is refused, as by AWS" if self._enforces else "is served; AWS would refuse it"
            self._say(
                f"a request to {self._plane.address(url)} {does}: its policy does not let "
                f"everybody in; this does: {'; '.join(commands)}"
            )
        if self._enforces:
            message = (
                "Forbidden. For troubleshooting Function URL authorization issues, see: "
                "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
            )
            refuse(exchange, 403, "AccessDeniedException", {"Message": message})
        return self._enforces

    def _missing_for(self, record: FunctionRecord, url: FunctionUrl) -> tuple[str, ...]:
        """What the URL lacks. It is found out again after each change of its function."""
        key = (url.function, url.qualifier, url.auth_type)
        known = self._missing.get(key)
        # Whoever changes a function puts another record in the place of this one.
        if known is None or known[0] is not record:
            policy = self._plane.policy(record, url.qualifier or "")
            known = self._missing[key] = record, missing_for_url(policy, url.auth_type)
        return known[1]

    def handle(self, exchange: Exchange) -> None:
        """Answer one request."""
        try:
            status, answer = self._answer(exchange)
        except ApiError as exc:
            refuse(exchange, exc.status, exc.error_type, exc.body)
            return
        except EmulatorError as exc:
            self._plane.say(f"{exchange.method} {exchange.path}: {exc}")
            body = {"Type": "Service", "Message": str(exc)}
            refuse(exchange, 500, "ServiceException", body)
            return
        headers = platform_headers(new_request_id())
        if answer is None:
            exchange.respond(status, headers)
            return
        headers.append(("Content-Type", "application/json"))
        exchange.respond(status, headers, json.dumps(answer, separators=(",", ":")).encode())

    def send_code(self, exchange: Exchange) -> None:
        """Answer a request to the `Location` of a function's or a layer's code."""
        name = exchange.path.removeprefix(CODE_PATH)
        stem, dot, ending = name.partition(".")
        try:
            if exchange.method not in ("GET", "HEAD") or (dot, ending) != (".", "zip"):
                raise ValueError(name)
            data = self._plane.code(bytes.fromhex(stem))
        except (ValueError, OSError, EmulatorError):
            exchange.respond(404, [("Content-Type", "text/plain")], b"There is nothing here.\n")
            return
        exchange.respond(200, [("Content-Type", "application/zip")], data)

    def _make_plane(self, store: Store) -> ControlPlane:
        runtimes = Runtimes(self._say, region=self._region, settings=self._settings)
        return ControlPlane(
            self._registry,
            store,
            runtimes,
            region=self._region,
            say=self._say,
            port=self._port,
        )

    def _answer(self, exchange: Exchange) -> tuple[int, Json | None]:
        found = route(exchange.method, exchange.path, exchange.query)
        if found is None:
            raise not_emulated(f"{exchange.method} {exchange.path}")
        if exchange.headers.get("authorization") is None:
            # Every AWS client signs; a web page cannot without being asked first.
            raise ApiError(
                403,
                "MissingAuthenticationTokenException",
                {"Message": "Missing Authentication Token: use an AWS client, or sign"},
            )
        if found.operation not in OPERATIONS:
            raise not_emulated(found.operation)
        request = {**self._body(exchange, found.operation), **found.members}
        if problems := check(REQUESTS[found.operation], request):
            raise not_valid(problems)
        request = without_nulls(REQUESTS[found.operation], request)
        if found.operation in _WITH_ZIP_FILE:
            functions_api.read_zip_file(request)
        run, status = OPERATIONS[found.operation]
        with self._plane.lock:
            if host := exchange.headers.get("host"):
                self._plane.origin = f"http://{host}"
            return status, self._plane.run(run, request)

    def _body(self, exchange: Exchange, operation: str) -> Json:
        try:
            data = exchange.read_body(_REQUEST)
        except BodyTooLargeError as exc:
            raise too_large(
                f"Request must be smaller than {_REQUEST} bytes for the {operation} operation"
            ) from exc
        if not data:
            return {}
        try:
            value: Any = json.loads(data)
            if _SURROGATE.search(data):
                json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as exc:
            raise not_readable(f"the body is no JSON: {exc}") from exc
        if not isinstance(value, dict):
            raise not_readable("the body is no JSON object")
        return value
