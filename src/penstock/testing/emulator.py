"""`emulator`: a function on a local Lambda, in this process, for as long as a test needs it."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import EmulatorError
from .invoking import Invoked, invoke

if TYPE_CHECKING:
    from ..emulator.emulator import Emulator
    from ..emulator.functions import Function

INVOKE_MODES = ("RESPONSE_STREAM", "BUFFERED")

# Beside the function's own timeout: the start of an environment (10 seconds on Lambda), and
# time for the answer.
_INVOKE_GRACE = 15.0


class LocalFunction:
    """A function that an emulator in this process serves.

    `function_name` is its name; `function_url` the address of its Function URL, without a
    slash at the end; `endpoint_url` that of the Lambda API, for AWS clients, with any
    credentials and the region `region`.
    """

    def __init__(self, emulator: Emulator, log: _LogText) -> None:
        self._emulator = emulator
        self._log = log
        self.function_name = emulator.function.name
        self.region = emulator.function.region
        self.function_url = emulator.url
        self.endpoint_url = emulator.url

    def invoke(self, event: Any = None) -> Invoked:
        """Invoke it and wait for the answer; `event` defaults to an empty object.

        Raises:
            FunctionError: the function failed before its first byte.
            InvokeError: it was not run: it is busy, or the event is no JSON.
        """
        return invoke(
            self.endpoint_url,
            self.function_name,
            {} if event is None else event,
            timeout=self._emulator.function.timeout + _INVOKE_GRACE,
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
    def environment_pids(self) -> list[int]:
        """The process ids of the execution environments."""
        return self._emulator.environment_pids

    def __repr__(self) -> str:
        return f"<LocalFunction {self.function_name} at {self.function_url}>"


@contextmanager
def emulator(
    target: str,
    *,
    function: str | None = None,
    folder: str | Path | None = None,
    invoke_mode: str = "RESPONSE_STREAM",
    timeout: float = 60,
    max_environments: int = 10,
    environment: Mapping[str, str] | None = None,
    allow_origin: Collection[str] = (),
) -> Iterator[LocalFunction]:
    """Serve a function on a free port of this machine's loopback, and end everything after.

    `target` is `module:handler` or `path/file.py:handler`, found from `folder` (default: the
    working directory). The function runs as on Lambda, in processes of its own, which are
    started by the calls. The other options are those of `penstock dev`: `function` is the
    function's name, `timeout` is in seconds, `environment` holds variables for it.

    Raises:
        EmulatorError: an option or the target cannot be used, or what the emulator needs is
            not installed.
    """
    started, log = _start(
        _function(
            target,
            name=function,
            folder=folder,
            invoke_mode=invoke_mode,
            timeout=timeout,
            max_environments=max_environments,
            environment=environment,
        ),
        allow_origin,
    )
    with started:
        yield LocalFunction(started, log)


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


def _function(
    target: str, *, folder: str | Path | None, invoke_mode: str, **options: Any
) -> Function:
    from dataclasses import replace

    from ..emulator.functions import function_from_target

    if invoke_mode not in INVOKE_MODES:
        raise EmulatorError(
            f"the invoke mode is {' or '.join(INVOKE_MODES)}, not {invoke_mode!r}"
        )
    for name, value in (options["environment"] or {}).items():
        if not isinstance(value, str):
            raise EmulatorError(f"a variable is text: {name} is {value!r:.80}")
    root = Path.cwd() if folder is None else Path(folder).resolve()
    if not root.is_dir():
        raise EmulatorError(f"there is no folder {root}, where {target!r} was looked for")
    file, colon, attribute = target.rpartition(":")
    if not (colon and file.endswith(".py")):
        found = function_from_target(target, invoke_mode=invoke_mode, **options)
        return replace(found, folder=root)
    path = root / file
    if not path.is_file():
        raise EmulatorError(f"there is no file {file} (looked from {root})")
    return function_from_target(f"{path}:{attribute}", invoke_mode=invoke_mode, **options)


def _start(function: Function, origins: Collection[str]) -> tuple[Emulator, _LogText]:
    try:
        from ..emulator.emulator import Emulator
    except ModuleNotFoundError as exc:
        if exc.name not in ("h11", "watchfiles"):
            raise
        raise EmulatorError(
            f"the emulator needs {exc.name}, which is not installed; "
            "install the extra: pip install 'penstock-lambda[local]'"
        ) from exc
    log = _LogText()
    started = Emulator(function, host="127.0.0.1", origins=origins, write_log=log.write)
    return started, log
