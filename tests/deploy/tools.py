"""The tools that scripts/deploy-tools installs, and where the examples are built."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools import missing

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples/deploy"
TOOLS = ROOT / ".tools/deploy"
PYTHON = TOOLS / "venv/bin/python3.13"


class Workshop:
    """A folder with copies of the examples, in which the real tools work on them.

    They find no AWS credentials, and of packages only the wheel of this checkout.
    """

    def __init__(self, folder: Path) -> None:
        if not (TOOLS / ".ready").exists():
            missing("the toolbox .tools/deploy is not there")
        self.folder = folder
        wheels = folder / "wheels"
        path = [
            TOOLS / "venv/bin",
            TOOLS / "node/node_modules/.bin",
            Path(sys.executable).parent,
            *os.get_exec_path(),
        ]
        self.environment = {
            "PATH": os.pathsep.join(map(str, path)),
            "HOME": str(TOOLS / "home"),  # the CDK unpacks itself there, once
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "SAM_CLI_TELEMETRY": "0",
        }
        self.run(
            f"python3 -m pip wheel --no-deps --no-build-isolation --wheel-dir {wheels} {ROOT}",
            folder,
        )

    def copy(self, example: str, name: str | None = None) -> Path:
        """A copy of an example without what may have been built in it."""
        ignored = shutil.ignore_patterns("build", "cdk.out", ".aws-sam", ".serverless", "*.zip")
        return shutil.copytree(EXAMPLES / example, self.folder / (name or example), ignore=ignored)

    def run(self, command: str, folder: Path, **environment: str) -> str:
        """What a command prints; the test fails with that if the command fails."""
        return self._run(shlex.split(command), folder, environment)

    def python(self, code: str, folder: Path) -> str:
        """What these lines print when the tools' Python, 3.13, runs them in a folder."""
        return self._run([str(PYTHON), "-c", code], folder, {})

    def _run(self, command: list[str], folder: Path, environment: dict[str, str]) -> str:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        if done.returncode != 0:
            pytest.fail(f"{shlex.join(command)}: status {done.returncode}\n{done.stdout}")
        return done.stdout
