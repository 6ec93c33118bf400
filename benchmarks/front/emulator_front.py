"""Penstock's emulator with any runtime behind it: `emulator_front.py PORT command ...`.

BENCHMARK_ENVIRONMENTS and BENCHMARK_CONCURRENCY say how many environments there may be, and
how many invocations each may have at once. It ends when its standard input does.
"""

import os
import sys
from pathlib import Path

from penstock.emulator.emulator import Emulator
from penstock.emulator.functions import Function


def main() -> None:
    """Serve until nobody holds the other end of standard input."""
    concurrency = os.environ.get("BENCHMARK_CONCURRENCY")
    function = Function(
        name="function",
        handler=os.environ.get("_HANDLER", "handler"),
        folder=Path.cwd(),
        command=tuple(sys.argv[2:]),
        inherited=dict(os.environ),
        max_environments=int(os.environ.get("BENCHMARK_ENVIRONMENTS", "10")),
        max_concurrency=int(concurrency) if concurrency else None,
    )
    with Emulator(function, host="127.0.0.1", port=int(sys.argv[1])):
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
