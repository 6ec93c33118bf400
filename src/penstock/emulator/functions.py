"""A function as the emulator knows it, and how a TARGET on the command line names one."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import EmulatorError
from . import limits

REGION_DEFAULT = "us-east-1"
ACCOUNT = "123456789012"

#: `AWS_EXECUTION_ENV` on the Python that runs the emulator.
PYTHON_EXECUTION_ENV = f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}"

#: The version that can change.
LATEST = "$LATEST"

# Of the variables that Lambda reserves, those with which a process would not find its work
# or not know who and where it is. (AWS documentation, "Defined runtime environment variables")
_SET_BY_LAMBDA = {
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
}
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")

_EXECUTION_ENV = "AWS_EXECUTION_ENV"
_EXEC_WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"

#: How many invocations an environment of Managed Instances has at once. Runtimes ask for so many.
MAX_CONCURRENCY = "AWS_LAMBDA_MAX_CONCURRENCY"

# Our runtime as a program, which is what a wrapper takes. It reads `_HANDLER`.
_RUNTIME = Path(__file__).parents[1] / "runtime" / "exec_wrapper.py"

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True)
class Function:
    """Code and configuration of one version of a function.

    `command` starts its runtime client, `handler` is what that client is told to load.
    The process gets `inherited`, then Lambda's own variables, then `environment`, where
    the later wins. `timeout` is in seconds, `memory` in MB. `execution_env` is the variable
    `AWS_EXECUTION_ENV`; None, as for OS-only runtimes: there is none. With `max_concurrency`
    an environment has as many invocations at once, as on Lambda Managed Instances; where it is
    not given, `AWS_LAMBDA_MAX_CONCURRENCY` in `environment` says it, if it is there.
    The programs in `extensions_folder` are its external extensions, as in `/opt/extensions`.
    With `freezes` its processes are stopped between invocations, as Lambda does.
    With `snap_start` environments are started ahead, and wait as snapshots do. With
    `enforces_memory` what uses more than `memory` is killed.
    `reserved_concurrency` is for all versions of the function together.
    """

    name: str
    handler: str
    folder: Path
    command: tuple[str, ...]
    inherited: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 60
    memory: int = 128
    max_environments: int = 10
    region: str = REGION_DEFAULT
    version: str = LATEST
    execution_env: str | None = PYTHON_EXECUTION_ENV
    max_concurrency: int | None = None
    extensions_folder: Path | None = None
    freezes: bool = False
    snap_start: bool = False
    enforces_memory: bool = False
    reserved_concurrency: int | None = None

    def __post_init__(self) -> None:
        """Heed the variable, and refuse what Lambda has not."""
        if MAX_CONCURRENCY in self.environment:
            number = concurrency_of(self.environment[MAX_CONCURRENCY])
            if self.max_concurrency is None:
                # The one way to set a field of what is frozen.
                object.__setattr__(self, "max_concurrency", number)
        if self.snap_start and self.max_concurrency is not None:
            raise EmulatorError(
                "SnapStart and several invocations at once (--snap-start and --max-concurrency, "
                f"or the variable {MAX_CONCURRENCY}) do not go together, as on Lambda"
            )

    @property
    def arn(self) -> str:
        """The function's ARN, unqualified."""
        return f"arn:aws:lambda:{self.region}:{ACCOUNT}:function:{self.name}"

    def variables(self, runtime_api: str, log_stream: str) -> dict[str, str]:
        """The whole environment of a process."""
        inherited = dict(self.inherited)
        inherited.pop(_EXECUTION_ENV, None)
        inherited.pop(MAX_CONCURRENCY, None)
        variables = {
            **inherited,
            **self._lambda_variables(runtime_api, log_stream),
            **self.environment,
        }
        if self.max_concurrency is not None:
            # With another number the runtime would ask for more than it gets, or for less.
            variables[MAX_CONCURRENCY] = str(self.max_concurrency)
        return variables

    def _lambda_variables(self, runtime_api: str, log_stream: str) -> dict[str, str]:
        """What Lambda itself puts into the environment of a process.

        Source: AWS documentation, "Defined runtime environment variables".
        """
        execution_env = {_EXECUTION_ENV: self.execution_env} if self.execution_env else {}
        return {
            **execution_env,
            **self._initialization_variables(),
            "AWS_LAMBDA_RUNTIME_API": runtime_api,
            "_HANDLER": self.handler,
            "LAMBDA_TASK_ROOT": str(self.folder),
            "LAMBDA_RUNTIME_DIR": str(self.folder),
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": self.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "TZ": ":UTC",
            "LANG": "en_US.UTF-8",
            # A compiled file is matched by its second: a quick edit would not be seen. And
            # the code folder is read-only on Lambda, too.
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def _initialization_variables(self) -> dict[str, str]:
        if self.max_concurrency is None:
            kind = "snap-start" if self.snap_start else "on-demand"
            return {"AWS_LAMBDA_INITIALIZATION_TYPE": kind}
        # Managed Instances log JSON only. (AWS documentation, "Python runtime for Lambda
        # Managed Instances")
        return {
            "AWS_LAMBDA_INITIALIZATION_TYPE": "lambda-managed-instances",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
        }


def concurrency_of(text: str) -> int:
    """How many invocations at once `AWS_LAMBDA_MAX_CONCURRENCY` asks for.

    Raises:
        EmulatorError: it is no number from 1 on.
    """
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}", text):
        raise EmulatorError(
            f"{MAX_CONCURRENCY} is a number of invocations, 1 or more, not {text!r}"
        )
    return int(text)


def _is_module(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


def function_from_target(
    target: str,
    *,
    name: str | None = None,
    timeout: float = 60,
    max_environments: int = 10,
    environment: Mapping[str, str] | None = None,
) -> Function:
    """The function that `module:handler` or `path/file.py:handler` names.

    It is called like the file, or the module's last name, unless `name` says otherwise,
    and inherits this process's environment, with `environment` on top.

    Raises:
        EmulatorError: the target or the name cannot be used.
    """
    module, colon, attribute = target.rpartition(":")
    is_file = module.endswith(".py")
    if "." in attribute and _is_module(attribute) and (is_file or _is_module(module)):
        raise EmulatorError(
            f"the handler in {target!r} is no plain name; give {attribute} one in the module, as "
            "in handler = ..., and write that"
        )
    if not colon or not attribute.isidentifier() or not (is_file or _is_module(module)):
        example = target if target.endswith(".py") else "app.py"
        raise EmulatorError(
            f"{target!r} names no handler; write module:handler or path/file.py:handler, "
            f"as in {example}:handler"
        )
    if is_file:
        path = Path(module)
        if not path.is_file():
            raise EmulatorError(f"there is no file {path} (looked from {Path.cwd()})")
        if "." in path.stem:
            raise EmulatorError(f"{path.name} cannot be imported: its name has a dot in it")
        folder, module = path.resolve().parent, path.stem
    else:
        folder = Path.cwd()
    handler = f"{module}.{attribute}"
    return local_function(
        name_like(module.rpartition(".")[2]) if name is None else name,
        handler,
        folder,
        _command(handler, folder, {**os.environ, **(environment or {})}),
        timeout=timeout,
        max_environments=max_environments,
        environment=environment,
    )


def local_function(
    name: str,
    handler: str,
    folder: Path,
    command: tuple[str, ...],
    *,
    timeout: float,
    max_environments: int,
    environment: Mapping[str, str] | None,
    execution_env: str | None = PYTHON_EXECUTION_ENV,
) -> Function:
    """A function that inherits this process's environment, with `environment` on top.

    Raises:
        EmulatorError: one of the values cannot be used.
    """
    if not _NAME.fullmatch(name):
        raise EmulatorError(
            f"{name!r} cannot be a function's name: 1 to 64 letters, digits, - and _ are allowed"
        )
    if not 0 < timeout <= limits.FUNCTION_TIMEOUT:
        raise EmulatorError(
            f"a timeout is over 0 and at most {limits.FUNCTION_TIMEOUT} seconds, not {timeout:g}"
        )
    if max_environments < 1:
        raise EmulatorError(f"--max-environments must be at least 1, not {max_environments}")
    return Function(
        name=name,
        handler=handler,
        folder=folder,
        command=command,
        inherited=dict(os.environ),
        environment=environment or {},
        timeout=timeout,
        max_environments=max_environments,
        region=region_here(),
        execution_env=execution_env,
    )


def check_variables(environment: Iterable[str]) -> None:
    """Refuse variables, of these names, that a function's configuration cannot set.

    Raises:
        EmulatorError: one of them is Lambda's own.
    """
    for name in environment:
        if name in _SET_BY_LAMBDA:
            where = (
                "; the function's Region is the AWS_REGION of the process that serves it"
                if name in _REGIONS
                else ""
            )
            raise EmulatorError(
                f"a function's variables cannot set {name}: Lambda itself does, and refuses "
                f"others{where}"
            )


def region_here() -> str:
    """The AWS region that the variables of this process name."""
    given = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return given or REGION_DEFAULT


def name_like(text: str) -> str:
    """`text` as a function may be called."""
    return re.sub(r"[^a-zA-Z0-9_-]", "-", text)[:64]


def _command(handler: str, folder: Path, variables: Mapping[str, str]) -> tuple[str, ...]:
    """What starts our runtime, by the wrapper in `AWS_LAMBDA_EXEC_WRAPPER` if there is one.

    A wrapper gets the interpreter and the program that it is to start in the end, as on
    managed runtimes. Source: AWS documentation, "Modifying the runtime environment".
    """
    wrapper = variables.get(_EXEC_WRAPPER)
    if not wrapper:
        return (sys.executable, "-m", "penstock.runtime", handler)
    path = folder / wrapper
    if not path.is_file():
        raise EmulatorError(
            f"{_EXEC_WRAPPER} names {wrapper}, and there is no file {path}; on Lambda every "
            "call would fail with exit status 127"
        )
    if not os.access(path, os.X_OK):
        raise EmulatorError(f"{_EXEC_WRAPPER} names {path}, which is not executable: chmod +x it")
    return (str(path), sys.executable, str(_RUNTIME))
