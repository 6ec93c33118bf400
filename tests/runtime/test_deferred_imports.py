"""Modules that are loaded when they are first used: nobody else can tell."""

from __future__ import annotations

import subprocess
import sys

import pytest

INSTALL = (
    "import sys; from penstock.runtime.deferred_imports import install, _Deferred; install()\n"
)


def run(code):
    done = subprocess.run(
        [sys.executable, "-c", INSTALL + code], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_asyncio_is_imported_without_what_many_never_use():
    out = run(
        """
import asyncio
print(asyncio.run(asyncio.sleep(0, "works")))
print(*(name for name, module in sys.modules.items() if type(module) is _Deferred))
print("_ssl" in sys.modules, "dis" in sys.modules)
"""
    )
    works, deferred, loaded = out.splitlines()
    assert works == "works"
    assert set(deferred.split()) == {"ssl", "asyncio.sslproto", "inspect"}
    assert loaded == "False False"


@pytest.mark.parametrize(
    "use",
    [
        "import ssl; ssl.create_default_context()",
        "from ssl import SSLContext; assert SSLContext.__module__ == 'ssl'",
        "from inspect import signature; assert str(signature(lambda a: 0)) == '(a)'",
        "import ssl; assert 'SSLContext' in dir(ssl)",
        "import ssl; ssl.SSLContext = 5; ssl.SSLError; assert ssl.SSLContext == 5",
        "import dataclasses, enum; dataclasses.make_dataclass('A', ['b'])(1)",
        "asyncio.sslproto.SSLProtocol; import ssl; assert type(ssl) is type(sys)",
        "import importlib, ssl; importlib.reload(ssl).SSLContext",
        "import ssl; assert ssl.__name__ == 'ssl' and ssl.__file__.endswith('ssl.py')",
        "import ssl; assert not hasattr(ssl, 'no_such_name') and type(ssl) is type(sys)",
        "import pickle, inspect; assert pickle.loads(pickle.dumps(inspect.signature))",
    ],
)
def test_used_in_any_way_a_module_is_there(use):
    run(f"import asyncio\n{use}\n")


def test_several_threads_may_be_the_first():
    run(
        """
import asyncio, ssl, threading
start, missing = threading.Barrier(8), []
def use():
    start.wait()
    try:
        ssl.SSLContext, ssl.SSLError, ssl.create_default_context
    except AttributeError as exc:
        missing.append(exc)
threads = [threading.Thread(target=use) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not missing, missing
"""
    )


def test_what_is_there_already_stays():
    run("import ssl, inspect, asyncio\nassert type(ssl) is type(inspect) is type(sys)\n")


def test_a_python_without_tls_says_so_at_the_import():
    run(
        """
from importlib.machinery import PathFinder
find = PathFinder.find_spec
PathFinder.find_spec = classmethod(
    lambda cls, name, *rest: None if name == "_ssl" else find(name, *rest)
)
import asyncio
assert asyncio.sslproto.ssl is None
try:
    import ssl
except ImportError:
    print("none")
"""
    )
