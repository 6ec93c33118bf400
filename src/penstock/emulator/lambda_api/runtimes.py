"""What starts a function's code: its `Runtime` on this machine.

Python runs alone: the interpreter of the version that is asked for, without any site-packages,
and Penstock's runtime. Nothing of the emulator's own environment reaches the process. The
interpreter is never that of a virtual environment: what the function starts with its
`sys.executable` would find what is installed there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..functions import LATEST, Function
from .errors import ApiError, invalid
from .records import FunctionRecord, Json
from .settings import ApiSettings

# What CreateFunction takes on AWS, by AWS's own error (recorded).
_TAKEN = (
    *(f"nodejs{n}.x" for n in (16, 18, 20, 22, 24)),
    *(f"python3.{n}" for n in range(8, 15)),
    *("java8.al2", "java11", "java17", "java21", "java25", "dotnet6", "dotnet8", "dotnet10"),
    *("ruby3.2", "ruby3.3", "ruby3.4", "provided.al2", "provided.al2023"),
)
_DEPRECATED = re.compile(
    r"nodejs|nodejs\d\.\d+(-edge)?|nodejs(10|12|14)\.x|python2\.7|python3\.[67]|java8|go1\.x|"
    r"dotnetcore\d\.\d|ruby2\.[57]|provided"
)

# AWS documentation, "Improving startup performance with Lambda SnapStart": Java 11, Python 3.12,
# .NET 8 and later, and 512 MB of ephemeral storage.
_SNAP_STARTED = re.compile(r"java(?!8)\d+|python3\.1[2-9]|dotnet(8|\d\d)")
_SNAP_START_STORAGE = 512

# Penstock needs this one.
_OLDEST_PYTHON = (3, 11)

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
# The second line is the interpreter that a virtual environment was made of, or itself.
_WHO_ARE_YOU = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys._base_executable)"
_START = Path(__file__).with_name("python_start.py")


class NoRuntimeError(Exception):
    """A runtime that this machine has not."""


@dataclass(frozen=True)
class _Program:
    """What to start, and the folder with its interpreter, if it has one."""

    command: tuple[str, ...]
    interpreter_folder: str | None = None


class Runtimes:
    """Makes functions that can be started. `say` gets a line for what is not as on AWS."""

    def __init__(
        self,
        say: Callable[[str], object],
        *,
        region: str,
        settings: ApiSettings,
    ) -> None:
        self._say = say
        self._region = region
        self._settings = settings
        self._pythons: dict[str, str] = {}
        # The version of Node.js, by path.
        self._nodes: dict[str, str] = {}
        self._told: set[str] = set()

    def function(self, record: FunctionRecord, version: str, root: Path) -> Function:
        """The function of this version, whose code is in `root`.

        Raises:
            NoRuntimeError: this machine cannot run it.
        """
        configuration = record.versions[version]
        runtime: str = configuration["Runtime"]
        task, opt = root / "var/task", root / "opt"
        variables: dict[str, str] = (configuration.get("Environment") or {}).get("Variables", {})
        program = self._program(record.name, configuration, task, opt)
        command = program.command
        wrapper = variables.get("AWS_LAMBDA_EXEC_WRAPPER")
        if wrapper and not runtime.startswith("provided"):
            command = (_moved(wrapper, task, opt), *command)
        path = [program.interpreter_folder, _SYSTEM_PATH, str(opt / "bin")]
        return Function(
            name=record.name,
            handler=configuration.get("Handler", ""),
            folder=task,
            command=command,
            inherited={
                "PATH": ":".join(part for part in path if part),
                "LD_LIBRARY_PATH": f"{task}:{task}/lib:{opt}/lib",
                "HOME": "/tmp",  # noqa: S108 (the folder that a function may write to)
                # Nobody's: no account may come to harm by what is tried here.
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "NODE_PATH": f"{opt}/nodejs/node_modules:{task}/node_modules",
                **_log_variables(configuration),
            },
            environment=variables,
            timeout=configuration["Timeout"],
            memory=configuration["MemorySize"],
            max_environments=self._settings.max_environments,
            region=self._region,
            version=version,
            execution_env=None if runtime.startswith("provided") else f"AWS_Lambda_{runtime}",
            extensions_folder=opt / "extensions" if (opt / "extensions").is_dir() else None,
            freezes=self._settings.freezes,
            snap_start=is_snap_started(configuration),
            enforces_memory=self._settings.enforces_memory,
            reserved_concurrency=record.reserved_concurrency,
        )

    def _program(self, name: str, configuration: Json, task: Path, opt: Path) -> _Program:
        runtime: str = configuration["Runtime"]
        if runtime.startswith("python"):
            python = self._python(runtime)
            return _Program((python, "-S", str(_START)), str(Path(python).parent))
        if runtime.startswith("provided."):
            found = [path for path in (task / "bootstrap", opt / "bootstrap") if path.is_file()]
            if not found:
                # As on AWS, every call fails.
                self._say(
                    f"{name}: there is no bootstrap in the zip file or a layer: calls will fail"
                )
            elif not os.access(found[0], os.X_OK):
                self._say(
                    f"{name}: {found[0].name} is not executable in the zip file: calls will fail"
                )
            return _Program((str((found or [task / "bootstrap"])[0]),))
        if runtime.startswith("nodejs"):
            return self._node(runtime, task, configuration.get("Handler", ""))
        raise NoRuntimeError(f"the emulator runs python3.x, nodejs and provided, not {runtime}")

    def _node(self, runtime: str, task: Path, handler: str) -> _Program:
        try:
            node, client = _find_node(task)
        except NoRuntimeError as exc:
            raise NoRuntimeError(f"functions of {runtime} cannot run here: {exc}") from exc
        wanted = runtime.removeprefix("nodejs").removesuffix(".x")
        version = self._nodes.get(node) or _output(node, "-p", "process.versions.node")
        self._nodes[node] = version
        if version.partition(".")[0] != wanted and runtime not in self._told:
            self._told.add(runtime)
            self._say(
                f"Node.js {wanted} is not the one here: functions of {runtime} run on {version}"
            )
        return _Program((node, str(client), handler), str(Path(node).parent))

    def _python(self, runtime: str) -> str:
        known = self._pythons.get(runtime)
        if known is not None and Path(known).exists():
            return known
        version = runtime.removeprefix("python")
        python = find_python(version) if _is_new_enough(version) else None
        if python is None:
            why = "is not installed" if _is_new_enough(version) else "is too old for Penstock"
            self._say(
                f"Python {version} {why} here: functions of {runtime} run on Python "
                f"{sys.version_info[0]}.{sys.version_info[1]}"
            )
            python = own_python()
        self._pythons[runtime] = python
        return python


def check_runtime(runtime: str | None) -> None:
    """Refuse a `Runtime` that AWS refuses.

    Raises:
        ApiError: it does, with its words.
    """
    if runtime is None:
        raise invalid(
            "Runtime and Handler are mandatory parameters for functions created with "
            "deployment packages."
        )
    if _DEPRECATED.fullmatch(runtime):
        raise invalid(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating "
            "AWS Lambda functions. We recommend you use a supported runtime while creating or "
            "updating functions."
        )
    if runtime not in _TAKEN:
        raise _not_taken(runtime)


def check_snap_start(configuration: Json) -> None:
    """Refuse SnapStart where AWS refuses it.

    Raises:
        ApiError: it does; of a runtime in its words, as others have quoted them.
    """
    if configuration["SnapStart"]["ApplyOn"] != "PublishedVersions":
        return
    runtime: str = configuration["Runtime"]
    if not _SNAP_STARTED.fullmatch(runtime):
        raise invalid(f"{runtime} is not supported for SnapStart enabled functions.")
    storage: int = configuration.get("EphemeralStorage", {}).get("Size", _SNAP_START_STORAGE)
    if storage > _SNAP_START_STORAGE:
        raise invalid(
            f"SnapStart takes at most {_SNAP_START_STORAGE} MB of EphemeralStorage, not {storage}"
        )


def is_snap_started(configuration: Json) -> bool:
    """Whether this version is one that SnapStart is for: a published one."""
    is_wanted: bool = configuration["SnapStart"]["ApplyOn"] == "PublishedVersions"
    return is_wanted and bool(configuration["Version"] != LATEST)


def find_python(version: str) -> str | None:
    """The interpreter of this version ("3.12"), if one is installed, of no virtual environment.

    It is looked for on the PATH, then in the folders of pyenv and uv. The scripts that pyenv
    puts on the PATH are passed over: they fail for versions that are not selected.
    """
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        return own_python()
    name = f"python{version}"
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv")
    on_path = [Path(folder, name) for folder in os.get_exec_path() if "shims" not in folder]
    others = [
        *sorted(pyenv.glob(f"versions/{version}.*/bin/{name}"), reverse=True),
        *sorted(home.glob(f".local/share/uv/python/cpython-{version}.*/bin/{name}"), reverse=True),
    ]
    for path in (*on_path, *others):
        if path.is_file():
            said, _, base = _output(path, "-I", "-S", "-c", _WHO_ARE_YOU).partition("\n")
            if said == version:
                return base if Path(base).is_file() else str(path)
    return None


def own_python() -> str:
    """The interpreter that runs the emulator, outside its virtual environment."""
    base: str | None = getattr(sys, "_base_executable", None)
    return base if base and Path(base).is_file() else sys.executable


def _output(program: str | Path, *arguments: str) -> str:
    """What a program prints; nothing if it cannot be run."""
    try:
        ended = subprocess.run(
            [program, *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.strip()


def _find_node(task: Path) -> tuple[str, Path]:
    """Node.js and AWS's client for it, the one in the zip file first.

    Raises:
        NoRuntimeError: one of them is not there.
    """
    places = [str(task / "node_modules"), *os.environ.get("NODE_PATH", "").split(os.pathsep)]
    for place in filter(None, places):
        for program in ("index.mjs", "bin/index.mjs", "bin/index.js"):
            client = Path(place, "aws-lambda-ric", program)
            if client.is_file():
                # The package `node` of npm has one with it.
                node = shutil.which("node", path=f"{place}/.bin") or shutil.which("node")
                if node is None:
                    raise NoRuntimeError("there is no node on the PATH")
                return node, client
    raise NoRuntimeError(
        "AWS's client aws-lambda-ric is not there: npm install it, and name the node_modules "
        "folder that it is in with NODE_PATH, for the emulator; or put it into the zip file"
    )


def _log_variables(configuration: Json) -> dict[str, str]:
    logging: Json = configuration["LoggingConfig"]
    variables = {"AWS_LAMBDA_LOG_FORMAT": logging["LogFormat"]}
    if logging["LogFormat"] == "JSON":
        variables["AWS_LAMBDA_LOG_LEVEL"] = logging.get("ApplicationLogLevel", "INFO")
    return variables


def _moved(path: str, task: Path, opt: Path) -> str:
    """Where something of Lambda's file system is here."""
    for start, folder in (("/opt/", opt), ("/var/task/", task)):
        if path.startswith(start):
            return str(folder / path.removeprefix(start))
    return path


def _is_new_enough(version: str) -> bool:
    return tuple(map(int, version.split("."))) >= _OLDEST_PYTHON


def _not_taken(runtime: str) -> ApiError:
    return invalid(
        f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum "
        f"value set: [{', '.join(_TAKEN)}] or be a valid ARN"
    )
