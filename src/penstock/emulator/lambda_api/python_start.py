"""Starts Penstock's runtime in a process that sees the function's code and nothing else.

A program of its own: `python -S python_start.py`, under the Python of the function, without
any site-packages. The `penstock` that the function or its layers bring is used if there is one,
else that of the emulator. Its `exec_wrapper.py` does the rest.
"""

from __future__ import annotations

import os
import sys


def find_penstock() -> str:
    """The folder with the package that the function would import, else the emulator's."""
    task_root = os.environ["LAMBDA_TASK_ROOT"]
    layers = os.path.join(task_root.removesuffix("/var/task"), "opt/python")
    library = f"{layers}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    named = os.environ.get("PYTHONPATH", "")
    for place in (task_root, *(named.split(os.pathsep) if named else ()), library, layers):
        if os.path.isfile(f"{place}/penstock/__init__.py"):
            return f"{place}/penstock"
    here = os.path.abspath(__file__)
    return os.path.dirname(os.path.dirname(os.path.dirname(here)))


def behave_like_site() -> None:
    """What Python's start without `-S` does besides finding site-packages."""
    import site

    site.setquit()
    site.setcopyright()
    site.sethelper()


if __name__ == "__main__":
    behave_like_site()
    # As if Python had been started with it: this file's folder, too, it takes for its own.
    __file__ = f"{find_penstock()}/runtime/exec_wrapper.py"
    with open(__file__, "rb") as program:
        code = compile(program.read(), __file__, "exec")
    exec(code)  # noqa: S102 (it is the runtime, or what the function has in its place)
