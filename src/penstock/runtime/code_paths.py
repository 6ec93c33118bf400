"""Where modules are looked for: the folders of Lambda's file system, in the order AWS has them.

AWS's bootstrap.py makes this order (read in the image of python3.11):

    /var/task                                    the function; its `.pth` files are heeded
    /opt/python/lib/python3.X/site-packages      layers; so are theirs
    /opt/python                                  layers
    /var/lang/lib/python3.X/site-packages        boto3, and what else the image has
    /var/runtime
    the standard library

When PYTHONPATH is set it leaves the layers out, which is a trap: OpenTelemetry's wrapper sets
that variable (opentelemetry-lambda#1714). Here the folders of PYTHONPATH come after the
function's, and the layers after those.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping


def set_code_paths(environ: MutableMapping[str, str]) -> None:
    """Put the folders of the code, as `environ` tells them, in front of `sys.path`.

    Layers, and what the image has, are looked for beside a LAMBDA_TASK_ROOT that is called
    /var/task. Without a LAMBDA_TASK_ROOT nothing changes.
    """
    task_root = environ.get("LAMBDA_TASK_ROOT", "").rstrip("/")
    if not task_root:
        return
    layers: list[str] = []
    image: list[str] = []
    runtime = ""
    if task_root.endswith("/var/task"):
        root = task_root.removesuffix("/var/task")
        library = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
        layers = _existing(f"{root}/opt/python/{library}", f"{root}/opt/python")
        runtime = f"{root}/var/runtime"
        image = _existing(f"{root}/var/lang/{library}", runtime)
    named = [
        folder
        for folder in map(os.path.abspath, _python_path(environ))
        # With -E or -I Python has not heeded PYTHONPATH. And what the image has comes last
        # also where a wrapper has named it.
        if folder in sys.path and folder not in image
    ]
    first = list(dict.fromkeys([task_root, *named, *layers, *image]))
    sys.path[:] = [*first, *(folder for folder in sys.path if folder not in first)]

    from site import addsitedir

    for folder in (task_root, *layers):
        addsitedir(folder)
    if runtime in image:
        # As AWS documents it; it is for processes that the handler starts.
        environ.setdefault("PYTHONPATH", runtime)


def _existing(*folders: str) -> list[str]:
    """Those of the folders that exist."""
    return [folder for folder in folders if os.path.isdir(folder)]


def _python_path(environ: MutableMapping[str, str]) -> list[str]:
    value = environ.get("PYTHONPATH")
    return value.split(os.pathsep) if value else []
