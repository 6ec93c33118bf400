"""Running an installer, with what it says in a file."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

INSTALL_SECONDS: Final = 900
SHOWN_LINES: Final = 8


class ClientMissing(Exception):
    """A runtime client cannot be used here; the message says why."""


def run_installer(
    command: Sequence[str], *, client: str, needs: str, folder: Path, log: Path
) -> None:
    """Run `command` in `folder`. `client` and `needs` are for messages. Raises ClientMissing."""
    print(f"installing {client} (log: {log})", file=sys.stderr)
    with log.open("w") as output:
        try:
            subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=INSTALL_SECONDS,
                check=True,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as exc:
            last_lines = "\n".join(log.read_text().splitlines()[-SHOWN_LINES:])
            raise ClientMissing(
                f"{client} could not be installed (it needs {needs}): {exc}\n{last_lines}"
            ) from exc
