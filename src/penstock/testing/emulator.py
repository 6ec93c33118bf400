"""`emulator`: a function on a local Lambda, in this process, for as long as a test needs it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import EmulatorError
from .faults import Injector, InjectsFaults

if TYPE_CHECKING:
    from .invoking import Invoked

INVOKE_MODES = ("RESPONSE_STREAM", "BUFFERED")
TRANSFER_MODES = ("STREAM", "BUFFERED")
AUTH_TYPES = ("NONE", "AWS_IAM")

# Beside the function's own timeout: the start of an environment (10 seconds on Lambda), and
# time for the answer.
_INVOKE_GRACE = 15.0


class LocalFunction(InjectsFaults):
    """A function that an emulator in this process serves.

    `function_name` is its name; `function_url` the address of its Function URL, without a
    slash at the end; `endpoint_url` that of the Lambda API, for AWS clients, with any
    credentials and the region `region`. `rest_api_urls` has the address of each REST API,
    by its id: with its first stage, at a port of its own, without a slash at the end.
    """

    def __init__(
        self,
        function_name: str,
        url: str,
        *,
        region: str,
        timeout: float,
        log: _LogText,
        pids: Callable[[], list[int]],
        faults: Injector,
        events: _Events,
        rest_api_urls: Mapping[str, str],
    ) -> None:
        self.function_name = function_name
        self.function_url = url
        self.endpoint_url = url
        self.region = region
        self.rest_api_urls = dict(rest_api_urls)
        self._timeout = timeout
        self._log = log
        self._pids = pids
        self._faults = faults
        self._events = events
        self._has_ended = False

    @property
    def rest_api_url(self) -> str:
        """The address of its REST API, with the stage and without a slash at the end.

        Raises:
            EmulatorError: it has none.
        """
        for url in self.rest_api_urls.values():
            return url
        raise EmulatorError(
            f'{self.function_name} has no REST API; ask for one, as with rest_api="STREAM"'
        )

    def invoke(self, event: Any = None) -> Invoked:
        """Invoke it and wait for the answer; `event` defaults to an empty object.

        Raises:
            FunctionError: the function failed before its first byte.
            InvokeError: it was not run: it is busy, or the event is no JSON. Or its answer
                broke off.
        """
        from .invoking import InvokeError, invoke

        if self._has_ended:
            raise InvokeError(
                f"the emulator of {self.function_name} has ended: invoke it within the with "
                "block, or the test, that has it"
            )
        return invoke(
            self.endpoint_url,
            self.function_name,
            {} if event is None else event,
            timeout=self._timeout + _INVOKE_GRACE,
        )

    @property
    def log(self) -> str:
        """What the function and the platform have logged so far.

        The REPORT of an invocation may come a moment after its answer.
        """
        return self._log.text()

    def clear_log(self) -> None:
        """Forget the log up to now."""
        self._log.clear()

    @property
    def events(self) -> list[dict[str, Any]]:
        """What has happened so far: events of AWS's Telemetry API, of all environments.

        Each has `time`, `type` and `record`, and of ours `function` and `environment`, an id.
        """
        return self._events.so_far()

    def clear_events(self) -> None:
        """Forget the events up to now."""
        self._events.clear()

    @property
    def environment_pids(self) -> list[int]:
        """The process ids of the execution environments."""
        return self._pids()

    def __repr__(self) -> str:
        return f"<LocalFunction {self.function_name} at {self.function_url}>"


@contextmanager
def emulator(
    target: str,
    *,
    function: str | None = None,
    folder: str | Path | None = None,
    invoke_mode: str = "RESPONSE_STREAM",
    auth_type: str = "NONE",
    credentials: Collection[str] = (),
    timeout: float = 60,
    max_environments: int = 10,
    max_concurrency: int | None = None,
    snap_start: bool = False,
    freeze: bool = False,
    environment: Mapping[str, str] | None = None,
    allow_origin: Collection[str] = (),
    strict: bool = False,
    quirks: Mapping[str, bool] | None = None,
    retry_delay: float = 0,
    rest_api: str | None = None,
    rest_apis: Collection[Any] = (),
    functions: Mapping[str, str] | None = None,
) -> Iterator[LocalFunction]:
    """Serve a function on a free port of this machine's loopback, and end everything after.

    `target` is `module:handler` or `path/file.py:handler`, found from `folder` (default: the
    working directory); a module imports from there, a file from its own folder. The function
    runs as on Lambda, in processes of its own, which are started by the calls. The other
    options are those of `penstock dev`: `function` is the function's name, `timeout` and
    `retry_delay` are in seconds, `environment` holds variables for it, `credentials` are
    access keys as ID:SECRET; `quirks` switches AWS's oddities on and off by their names, after
    `strict`.

    `rest_api` is STREAM or BUFFERED: a REST API all of whose requests are the function's.
    `rest_apis` are others, each a `penstock.emulator.rest_apis.RestApi`. `functions` are more
    functions, targets by name, with the same timeout and variables. Each has a Function URL
    that streams to everybody, at its own host: `http://NAME.lambda-url.localhost` and a port.

    Raises:
        EmulatorError: an option or the target cannot be used, or what the emulator needs is
            not installed.
    """
    if sys.platform == "win32":
        raise EmulatorError("the emulator needs Linux or macOS; on Windows run it inside WSL")
    try:
        from ..emulator.credentials import credentials_from
        from ..emulator.emulator import Emulator
        from ..emulator.function_urls import FunctionUrl
        from ..emulator.functions import Function, check_variables, function_from_target
        from ..emulator.quirks import STRICT, Quirks
        from ..emulator.rest_apis import RestApi, api_of_function
    except ModuleNotFoundError as exc:
        if exc.name not in ("h11", "watchfiles"):
            raise
        raise EmulatorError(
            f"the emulator needs {exc.name}, which is not installed; "
            "install Penstock with its extra: pip install 'path/to/the/clone/of/penstock[local]'"
        ) from exc
    from .emulator_options import (
        check_choice,
        check_count,
        check_flag,
        check_folder,
        check_list,
        check_mapping,
        check_name,
        check_number,
        check_target,
        checked_variables,
        errors_in_python,
    )

    check_target("the target", target)
    check_name("function", function)
    check_folder("folder", folder)
    check_flag("strict", strict)
    check_flag("snap_start", snap_start)
    check_flag("freeze", freeze)
    check_choice("invoke_mode", invoke_mode, INVOKE_MODES)
    check_choice("auth_type", auth_type, AUTH_TYPES)
    check_choice("rest_api", rest_api, (None, *TRANSFER_MODES))
    check_number("timeout", timeout)
    check_number("retry_delay", retry_delay, 0)
    check_count("max_environments", max_environments)
    if max_concurrency is not None:
        check_count("max_concurrency", max_concurrency)
    check_list("credentials", credentials, str, '["ID:SECRET"]')
    check_list("allow_origin", allow_origin, str, '["http://localhost:5173"]')
    check_list("rest_apis", rest_apis, RestApi, '[RestApi("shop", methods)]')
    check_mapping("quirks", quirks, '{"error-is-200": False}')
    for quirk, is_on in (quirks or {}).items():
        check_flag(f"{quirk!r:.80} of quirks", is_on)
    check_mapping("functions", functions, '{"pets": "app.py:pets"}')
    for name, its_target in (functions or {}).items():
        check_target(f"{name!r:.80} of functions", its_target)
    environment = checked_variables(environment)
    check_variables(environment)
    root = _folder(folder)

    def function_of(target: str, name: str | None) -> Function:
        found = function_from_target(
            _absolute(target, root),
            name=name,
            timeout=timeout,
            max_environments=max_environments,
            environment=environment,
        )
        with errors_in_python():
            return replace(
                found,
                folder=found.folder if _names_file(target) else root,
                max_concurrency=max_concurrency,
                snap_start=snap_start,
                freezes=freeze,
            )

    served = function_of(target, function)
    if served.name in (functions or {}):
        raise EmulatorError(
            f"functions has {served.name!r}, which is the name of the function of {target}; give "
            "one of them another name, that of the target with function="
        )
    more = [function_of(each, name) for name, each in (functions or {}).items()]
    own = [api_of_function(served.name, rest_api)] if rest_api is not None else []
    with errors_in_python():
        keys = credentials_from(credentials, os.environ)
    names = quirks or {}
    log, events = _LogText(), _Events()
    with Emulator(
        served,
        function_url=FunctionUrl(served.name, invoke_mode=invoke_mode, auth_type=auth_type),
        credentials=keys,
        quirks=(STRICT if strict else Quirks()).switched(
            on=[name for name, value in names.items() if value],
            off=[name for name, value in names.items() if not value],
        ),
        retry_delay=retry_delay,
        host="127.0.0.1",
        origins=allow_origin,
        write_log=log.write,
        rest_apis=[*own, *rest_apis],
        listener=events.add,
    ) as started:
        for each in more:
            started.registry.put(each)
            started.registry.put_url(FunctionUrl(each.name))
        local = LocalFunction(
            served.name,
            started.url,
            region=served.region,
            timeout=served.timeout,
            log=log,
            pids=lambda: started.environment_pids,
            faults=started.faults,
            events=events,
            rest_api_urls={
                api.id: f"http://127.0.0.1:{started.open_port(api.id)}/{api.stages[0].stage_name}"
                for api in started.rest_apis
            },
        )
        try:
            yield local
        finally:
            local._has_ended = True


class _LogText:
    """A log that is written by many threads and read while it is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: list[str] = []

    def write(self, text: str) -> None:
        with self._lock:
            self._parts.append(text)

    def text(self) -> str:
        with self._lock:
            self._parts = ["".join(self._parts)]
            return self._parts[0]

    def clear(self) -> None:
        with self._lock:
            self._parts = []


class _Events:
    """What has happened, noted by many threads and read while it is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: list[Any] = []

    def add(self, event: Any) -> None:
        with self._lock:
            self._events.append(event)

    def so_far(self) -> list[dict[str, Any]]:
        with self._lock:
            events = list(self._events)
        return [event.fields() for event in events]

    def clear(self) -> None:
        with self._lock:
            self._events = []


def _folder(folder: str | Path | None) -> Path:
    root = Path(folder or "").resolve()
    if not root.is_dir():
        raise EmulatorError(f"there is no folder {root}, in which the target was looked for")
    return root


def _names_file(target: str) -> bool:
    return target.rpartition(":")[0].endswith(".py")


def _absolute(target: str, root: Path) -> str:
    """The target with the whole path of its file, if it names one."""
    if not _names_file(target):
        return target
    file, _, attribute = target.rpartition(":")
    if not (root / file).is_file():
        raise EmulatorError(f"there is no file {file} (looked from {root})")
    return f"{root / file}:{attribute}"
