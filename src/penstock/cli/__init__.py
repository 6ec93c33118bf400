"""The command `penstock`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .. import __version__
from ..errors import PenstockError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Returns the exit status: 0, 1 for a failure, 2 for bad usage."""
    if sys.platform == "win32":
        print(
            "penstock: the emulator needs Linux or macOS; on Windows run it inside WSL "
            "(https://learn.microsoft.com/windows/wsl)",
            file=sys.stderr,
        )
        return 1
    from . import dev, package, send

    parser = argparse.ArgumentParser(
        prog="penstock",
        description="AWS Lambda functions in Python that stream their responses.",
        epilog="`penstock COMMAND --help` shows examples.",
    )
    parser.add_argument("--version", action="version", version=f"penstock {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    dev.add_command(commands)
    package.add_command(commands)
    send.add_command(commands)
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        # Said by the command's own parser, with its usage.
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except PenstockError as exc:
        print(f"penstock: {exc}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Who read what is printed has had enough, as `head` does. Python would try again at
        # its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status
