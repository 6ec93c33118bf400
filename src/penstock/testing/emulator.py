"""`emulator`: a function on a local Lambda, in this process, for as long as a test needs it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import EmulatorError

if TYPE_CHECKING:
    from .invoking import Invoked

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

    def __init__(
        self,
        function_name: str,
        url: str,
        *,
        region: str,
        timeout: float,
        log: _LogText,
        pids: Callable[[], list[int]],
    ) -> None:
        self.function_name = function_name
        self.function_url = url
        self.endpoint_url = url
        self.region = region
        self._timeout = timeout
        self._log = log
        self._pids = pids

    def invoke(self, event: Any = None) -> Invoked:
        """Invoke it and wait for the answer; `event` defaults to an empty object.

        Raises:
            FunctionError: the function failed before its first byte.
            InvokeError: it was not run: it is busy, or the event is no JSON.
        """
        from .invoking import invoke

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
    if sys.platform == "win32":
        raise EmulatorError("the emulator needs Linux or macOS; on Windows run it inside WSL")
    try:
        from ..emulator.emulator import Emulator
        from ..emulator.function_urls import FunctionUrl
        from ..emulator.functions import function_from_target
    except ModuleNotFoundError as exc:
        if exc.name not in ("h11", "watchfiles"):
            raise
        raise EmulatorError(
            f"the emulator needs {exc.name}, which is not installed; "
            "install the extra: pip install 'penstock-lambda[local]'"
        ) from exc
    _check(invoke_mode, environment or {})
    root = _folder(folder)
    served = function_from_target(
        _absolute(target, root),
        name=function,
        timeout=timeout,
        max_environments=max_environments,
        environment=environment,
    )
    if not _names_file(target):
        from dataclasses import replace

        served = replace(served, folder=root)
    log = _LogText()
    with Emulator(
        served,
        function_url=FunctionUrl(served.name, invoke_mode=invoke_mode),
        host="127.0.0.1",
        origins=allow_origin,
        write_log=log.write,
    ) as started:
        yield LocalFunction(
            served.name,
            started.url,
            region=served.region,
            timeout=served.timeout,
            log=log,
            pids=lambda: started.environment_pids,
        )


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


def _check(invoke_mode: str, environment: Mapping[str, Any]) -> None:
    if invoke_mode not in INVOKE_MODES:
        raise EmulatorError(f"the invoke mode is {' or '.join(INVOKE_MODES)}, not {invoke_mode!r}")
    for name, value in environment.items():
        if not isinstance(value, str):
            raise EmulatorError(f"a variable is text, but {name} is {value!r:.80}")


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
