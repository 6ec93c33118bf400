"""What the script `exec-wrapper` starts, by its path: the runtime of the package it is in.

Not by `-m penstock.runtime`, for that would need the package's folder, which is also that of
the function or of its layers, on PYTHONPATH: in front of the standard library while Python
itself starts (a `types.py` there is fatal), and in the environment of every child process.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 (called python3, it may be any)
        sys.exit(f"penstock exec-wrapper: Penstock needs Python 3.11 or newer, not {sys.version}")
    # In place of this file's folder, which Python has put there, for one import: all parts
    # of the package are found through the package.
    package = __file__.rpartition("/")[0].rpartition("/")[0]
    if not sys.flags.safe_path:
        del sys.path[0]
    sys.path.insert(0, package.rpartition("/")[0])
    import penstock  # noqa: F401

    del sys.path[0]
    from penstock.runtime.bootstrap import main

    sys.exit(main([]))
