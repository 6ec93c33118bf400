"""AWS's Python client, from PyPI, in a virtual environment with nothing else in it.

pip stays outside of that environment: it installs into it from the Python that runs this.
"""

import re
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

from installing import ClientMissing, run_installer

REQUIREMENTS: Final = Path(__file__).parent.resolve() / "python" / "requirements.txt"


def install(build_folder: Path) -> str:
    """The Python that has it; installed first if need be. Raises ClientMissing."""
    folder = build_folder / "awslambdaric"
    python = str(folder / "bin" / "python")
    # What is there is good as long as neither the pinned versions nor this Python changed.
    wanted = f"{sys.executable} {sys.version}\n{REQUIREMENTS.read_text()}"
    installed = folder / "installed.txt"
    if not installed.exists() or installed.read_text() != wanted:
        _check_pip()
        venv.create(folder, clear=True, with_pip=False, symlinks=True)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        run_installer(
            [*pip, "--python", python, "install", "--requirement", str(REQUIREMENTS)],
            client="AWS's Python client",
            needs="PyPI, and a C++ compiler where there is no wheel",
            folder=build_folder,
            log=build_folder / "pip.log",
        )
        installed.write_text(wanted)
    return python


def version() -> str:
    """The version that is pinned, and so installed."""
    found = re.search(r"^awslambdaric==(.+)$", REQUIREMENTS.read_text(), re.MULTILINE)
    return found[1] if found else "unknown"


def _check_pip() -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "--version"], capture_output=True, check=False
    )
    if asked.returncode:
        raise ClientMissing(f"{sys.executable} has no pip to install AWS's Python client with")
