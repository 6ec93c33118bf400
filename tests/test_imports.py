"""Who imports whom, what travels into Lambda, and what a cold start pays for.

The arrows are those of the architecture: a module may import its own part, `errors`,
`messages`, the package itself, and what the table below says.
"""

from __future__ import annotations

import ast
import functools
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import pytest

import penstock
from penstock import errors

PACKAGE = Path(penstock.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

EVERYBODY = {"errors", "messages", "penstock"}

# Part of the package -> the other parts it may import.
ARROWS = {
    "errors": set(),
    "messages": set(),
    "wire": set(),
    "transports": set(),
    "event_loop": set(),
    "event_sources": set(),
    "stream": {"wire"},
    "buffered": {"wire"},
    "handler": {"stream"},
    "joining": {"stream", "handler"},
    "heartbeats": set(),
    "event_streams": {"stream", "handler", "heartbeats"},
    "server_sent_events": set(),
    "event_handlers": {"stream", "handler", "event_streams", "server_sent_events"},
    "deadline": {"deadline_signal"},
    "deadline_signal": {"deadline"},
    "pipelines": {"stream"},
    "bridge": {
        "stream",
        "handler",
        "event_sources",
        "deadline",
        "event_handlers",
        "event_streams",
        "server_sent_events",
    },
    "mangum": {"bridge", "event_sources"},
    "runtime": {"stream", "wire", "transports"},
    "emulator": {"wire", "event_sources"},
    "testing": {"stream", "handler", "event_sources", "buffered"},
}

# The same between the folders of the emulator. What stands above them puts them together, or
# is what they share.
EMULATOR_ARROWS = {
    "http": set(),
    "environments": {"http"},
    "fronts": {"http", "environments"},
    "invoke": {"http", "environments", "lambda_api"},
    # Events go to destinations that the API's settings name, and calls by its names.
    "lambda_api": {"http", "invoke"},
}

# What may be imported inside a function only: what not every function of a user needs.
LAZY_ARROWS = {
    "bridge": {"buffered", "event_loop"},
    "handler": {"buffered", "deadline", "event_loop", "joining", "runtime.takeover"},
    "testing": {"emulator", "bridge.options"},
}

# What never runs in Lambda and may have dependencies.
NOT_IN_LAMBDA = {"emulator", "cli", "testing"}


class Import(NamedTuple):
    """`name` is dotted and absolute, `is_lazy` says that it stands inside a function."""

    name: str
    is_lazy: bool
    line: int


@functools.cache
def imports_of(path, source=None):
    """Every import of a file, also those for type checkers."""
    package = ["penstock", *path.relative_to(PACKAGE).parts[:-1]]
    tree = ast.parse(path.read_text(encoding="utf-8") if source is None else source)
    found = []

    def visit(node, is_lazy):
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, is_lazy, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            # `from . import errors` imports a module, `from .errors import X` a name.
            found.extend(
                Import(f"{module}.{alias.name}", is_lazy, node.lineno) for alias in node.names
            )
        inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            visit(child, is_lazy or inside)

    visit(tree, False)
    return found


def part_of(path):
    """The part of the package that a file belongs to: its folder, or itself."""
    first = path.relative_to(PACKAGE).parts[0]
    return "penstock" if first == "__init__.py" else first.removesuffix(".py")


PARTS = {part_of(path) for path in MODULES}


def part_that_is_imported(name):
    """The part that a dotted name is in; None for what is not ours."""
    first, *rest = name.split(".")
    if first != "penstock":
        return None
    return rest[0] if rest and rest[0] in PARTS else "penstock"


def is_lazy_arrow(part, found):
    return found.is_lazy and any(
        f"{found.name}.".startswith(f"penstock.{target}.") for target in LAZY_ARROWS.get(part, ())
    )


def wrong_arrows(path, source=None):
    """What a file imports that it may not."""
    part = part_of(path)
    allowed = EVERYBODY | ARROWS[part] | {part}
    return [
        f"{part} imports {imported} in line {found.line}"
        for found in imports_of(path, source)
        if (imported := part_that_is_imported(found.name)) is not None
        and imported not in allowed
        and not is_lazy_arrow(part, found)
    ]


def named(path):
    return str(path.relative_to(PACKAGE))


def test_every_folder_of_the_emulator_has_its_arrows():
    folders = {path.parent.name for path in PACKAGE.glob("emulator/*/__init__.py")}
    assert folders == set(EMULATOR_ARROWS)


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("emulator/*/*.py")), ids=named)
def test_the_arrows_inside_the_emulator(path):
    folder = path.parent.name
    imported = {
        parts[2]
        for found in imports_of(path)
        if len(parts := found.name.split(".")) > 2 and parts[:2] == ["penstock", "emulator"]
    }
    assert imported & set(EMULATOR_ARROWS) <= EMULATOR_ARROWS[folder] | {folder}


def test_every_part_has_its_arrows():
    assert PARTS - {"penstock", "cli"} == set(ARROWS)


@pytest.mark.parametrize(
    "path", [path for path in MODULES if part_of(path) not in ("penstock", "cli")], ids=named
)
def test_a_module_imports_only_where_an_arrow_goes(path):
    assert wrong_arrows(path) == []


@pytest.mark.parametrize("path", [p for p in MODULES if part_of(p) != "cli"], ids=named)
def test_nothing_imports_the_command_line(path):
    assert "cli" not in [part_that_is_imported(found.name) for found in imports_of(path)]


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("wire/chunked.py", "from ..stream import x", ["wire imports stream in line 1"]),
        ("wire/chunked.py", "from .trailers import x\nfrom ..errors import y", []),
        ("wire/chunked.py", "import penstock.runtime.loop", ["wire imports runtime in line 1"]),
        ("runtime/loop.py", "from .. import __version__, stream", []),
        ("runtime/loop.py", "from .. import emulator", ["runtime imports emulator in line 1"]),
        ("handler.py", "from .buffered import x", ["handler imports buffered in line 1"]),
        ("handler.py", "def f():\n    from .buffered import x", []),
        ("handler.py", "def f():\n    from .runtime.takeover import x", []),
        (
            "handler.py",
            "async def f():\n    from .runtime.loop import x",
            ["handler imports runtime in line 2"],
        ),
        ("emulator/fronts/function_url.py", "from ...event_sources import x", []),
        ("emulator/fronts/function_url.py", "from ..relay import x", []),
        (
            "emulator/fronts/function_url.py",
            "if TYPE_CHECKING:\n    from ...handler import x",
            ["emulator imports handler in line 2"],
        ),
    ],
)
def test_a_wrong_arrow_would_be_noticed(module, source, wrong):
    assert wrong_arrows(PACKAGE / module, source) == wrong


@pytest.mark.parametrize(
    "path", [path for path in MODULES if part_of(path) not in NOT_IN_LAMBDA], ids=named
)
def test_what_runs_in_lambda_needs_the_standard_library_only(path):
    needed = {found.name.partition(".")[0] for found in imports_of(path)}

    assert needed - sys.stdlib_module_names - {"penstock"} == set()


# What a cold start pays for.

EXPENSIVE = {
    "asyncio",
    "dataclasses",
    "email",
    "http.client",
    "inspect",
    "logging",
    "ssl",
    "traceback",
    "typing",
}

BLOCKING_HANDLER = """
from penstock import streamify_response

@streamify_response
def handler(event, response_stream, context):
    response_stream.content_type = "text/plain"
    response_stream.write("one")
"""

GENERATOR = """
from penstock import Prelude, streamify_response

@streamify_response
def handler(event, context):
    yield Prelude(404)
    yield "not here"
"""

PIPELINE = """
from penstock import HttpResponseStream, pipeline, streamify_response

@streamify_response
def handler(event, response_stream, context):
    HttpResponseStream.from_(response_stream, {"statusCode": 200})
    pipeline(["one", "two"], response_stream)
"""

ASYNC_HANDLER = """
from penstock import streamify_response

@streamify_response
async def handler(event, response_stream, context):
    await response_stream.write("one")
"""

NOT_STREAMING = """
def handler(event, context):
    return {"statusCode": 200}
"""

# -S: what site and its .pth files import is no business of ours.
RUN_ONCE = """
import sys
sys.path[:0] = {path!r}
before = set(sys.modules)
from penstock.runtime.bootstrap import main
main(["app.handler"])
print(*sorted(set(sys.modules) - before))
"""

NEXT = (
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: application/json\r\n"
    b"Lambda-Runtime-Aws-Request-Id: 8476a536\r\n"
    b"Lambda-Runtime-Deadline-Ms: 1789473345381\r\n"
    b"Lambda-Runtime-Trace-Id: Root=1-5759e988\r\n"
    b"Content-Length: 2\r\n"
    b"\r\n"
    b"{}"
)
ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{"status":"OK"}\n'
GONE = b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"


# How each request of one invocation ends (a streamed or a JSON response), and its answer.
EXCHANGES = [((b"\r\n\r\n",), NEXT), ((b"0\r\n\r\n", b"}"), ACCEPTED), ((b"\r\n\r\n",), GONE)]


def give_one_invocation(server, received):
    """A Runtime API that has one invocation, takes its answer, and then has no more."""
    connection, _ = server.accept()
    with connection:
        connection.settimeout(30)
        for ends, answer in EXCHANGES:
            data = b""
            while not data.endswith(ends):
                piece = connection.recv(65536)
                if not piece:
                    return
                data += piece
            received.append(data)
            connection.sendall(answer)


def modules_after_one_invocation(handler, folder):
    """What the runtime has imported when `handler` has answered one invocation."""
    (folder / "app.py").write_text(handler)
    received = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        thread = threading.Thread(target=give_one_invocation, args=(server, received))
        thread.start()
        ended = subprocess.run(
            [
                sys.executable,
                "-S",
                "-c",
                RUN_ONCE.format(path=[str(PACKAGE.parent), str(folder)]),
            ],
            env={
                "PATH": os.environ.get("PATH", ""),
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.getsockname()[1]}",
            },
            capture_output=True,
            text=True,
            timeout=30,
        )
        thread.join()
    assert ended.returncode == 0, ended.stderr
    assert len(received) == 3, ended.stderr
    assert b"/8476a536/response HTTP/1.1\r\n" in received[1]
    return set(ended.stdout.split())


@pytest.mark.parametrize(
    "handler",
    [BLOCKING_HANDLER, GENERATOR, PIPELINE, NOT_STREAMING],
    ids=["blocking", "generator", "pipeline", "not streaming"],
)
def test_a_plain_handler_pays_for_nothing_that_is_expensive(handler, tmp_path):
    modules = modules_after_one_invocation(handler, tmp_path)

    assert "penstock.runtime.loop" in modules
    assert modules & EXPENSIVE == set()


def test_a_plain_handler_loads_nothing_that_is_for_others(tmp_path):
    modules = modules_after_one_invocation(BLOCKING_HANDLER, tmp_path)

    assert (
        modules
        & {
            "penstock.buffered",
            "penstock.deadline",
            "penstock.event_loop",
            "penstock.event_sources",
            "penstock.joining",
            "penstock.pipelines",
            "penstock.testing",
            "penstock.emulator",
            "penstock.transports.asyncio_streams",
            "penstock.wire.eventstream",
        }
        == set()
    )


ASYNCIO_ALONE = """
import sys
before = set(sys.modules)
import asyncio
print(*sorted(set(sys.modules) - before))
"""


def test_an_async_handler_pays_for_asyncio_and_what_asyncio_needs(tmp_path):
    modules = modules_after_one_invocation(ASYNC_HANDLER, tmp_path)
    asyncio_alone = subprocess.run(
        [sys.executable, "-S", "-c", ASYNCIO_ALONE], capture_output=True, text=True, check=True
    ).stdout.split()

    assert "asyncio" in modules
    assert (modules & EXPENSIVE) - set(asyncio_alone) == set()


# Public names.


def python(program):
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("name", penstock.__all__)
def test_every_public_name_can_be_imported_on_its_own(name):
    assert python(f"from penstock import {name}; print({name} is not None)") == "True\n"


def test_all_public_names_can_be_imported_at_once():
    program = "from penstock import *; print(sorted(set(dir()) - set(dir(__builtins__))))"
    expected = {name for name in penstock.__all__ if not name.startswith("__")}

    assert expected <= set(ast.literal_eval(python(program)))


def test_the_public_names_are_these():
    assert penstock.__all__ == [
        "AsyncResponseStream",
        "HttpResponseStream",
        "Prelude",
        "ResponseStream",
        "ServerSentEvent",
        "__version__",
        "adapt",
        "errors",
        "pipeline",
        "sse",
        "streamify_response",
    ]
    assert dir(penstock) == sorted(penstock.__all__)


def test_a_public_name_is_the_one_of_its_module():
    from penstock import handler, messages, pipelines, stream

    assert penstock.streamify_response is handler.streamify_response
    assert penstock.pipeline is pipelines.pipeline
    assert penstock.Prelude is messages.Prelude
    assert penstock.ResponseStream is stream.ResponseStream
    assert penstock.AsyncResponseStream is stream.AsyncResponseStream
    assert penstock.HttpResponseStream is stream.HttpResponseStream


def test_the_package_alone_loads_nothing():
    program = """
import sys
before = set(sys.modules)
import penstock
print(sorted(set(sys.modules) - before))
"""

    assert python(program) == "['__future__', 'penstock']\n"


def test_errors_and_testing_are_there_when_they_are_asked_for():
    program = """
import penstock
print(issubclass(penstock.errors.PreludeError, ValueError), callable(penstock.testing.run))
"""

    assert python(program) == "True True\n"


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError) as caught:
        penstock.no_such_name  # noqa: B018 - it fails

    assert str(caught.value) == "module 'penstock' has no attribute 'no_such_name'"


# The tree of errors.


def tree_that_is_drawn():
    """Name -> name of the parent, as the docstring of `errors` draws it."""
    parents = {"PenstockError": "Exception"}
    above = ["PenstockError"]
    for line in errors.__doc__.splitlines():
        branch = re.match(r"    ([│ ]   )*[├└]── (\w+)", line)
        if branch:
            depth = line.index("── ") // 4
            above[depth:] = [branch[2]]
            parents[branch[2]] = above[depth - 1]
    return parents


def test_the_tree_of_errors_is_drawn_as_it_is():
    defined = {
        name: value.__bases__[0].__name__
        for name, value in vars(errors).items()
        if isinstance(value, type)
    }

    assert tree_that_is_drawn() == defined


@pytest.mark.parametrize(
    "path", [path for path in MODULES if part_of(path) not in NOT_IN_LAMBDA], ids=named
)
def test_every_error_of_what_runs_in_lambda_is_in_the_tree(path):
    classes = [
        node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)
    ]

    assert {node.name for node in classes if node.name.endswith("Error")} <= set(
        tree_that_is_drawn()
    )
