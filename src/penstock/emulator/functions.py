"""A function as the emulator knows it, and how a TARGET on the command line names one."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import EmulatorError
from . import limits

REGION_DEFAULT = "us-east-1"
ACCOUNT = "123456789012"

#: The version that can change.
LATEST = "$LATEST"

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True)
class Function:
    """Code and configuration of one version of a function.

    `command` starts its runtime client, `handler` is what that client is told to load.
    The process gets `inherited`, then Lambda's own variables, then `environment`, where
    the later wins. `timeout` is in seconds, `memory` in MB.
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

    @property
    def arn(self) -> str:
        """The function's ARN, unqualified."""
        return f"arn:aws:lambda:{self.region}:{ACCOUNT}:function:{self.name}"

    def variables(self, runtime_api: str, log_stream: str) -> dict[str, str]:
        """The whole environment of a process."""
        return {
            **self.inherited,
            **self._lambda_variables(runtime_api, log_stream),
            **self.environment,
        }

    def _lambda_variables(self, runtime_api: str, log_stream: str) -> dict[str, str]:
        """What Lambda itself puts into the environment of a process.

        Source: AWS documentation, "Defined runtime environment variables".
        """
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return {
            "AWS_LAMBDA_RUNTIME_API": runtime_api,
            "_HANDLER": self.handler,
            "LAMBDA_TASK_ROOT": str(self.folder),
            "LAMBDA_RUNTIME_DIR": str(self.folder),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{version}",
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": self.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
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
    if name is None:
        name = re.sub(r"[^a-zA-Z0-9_-]", "-", module.rpartition(".")[2])[:64]
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
    handler = f"{module}.{attribute}"
    return Function(
        name=name,
        handler=handler,
        folder=folder,
        command=(sys.executable, "-m", "penstock.runtime", handler),
        inherited=dict(os.environ),
        environment=environment or {},
        timeout=timeout,
        max_environments=max_environments,
        region=os.environ.get("AWS_REGION")
        or os.environ.get("AWS_DEFAULT_REGION")
        or REGION_DEFAULT,
    )
