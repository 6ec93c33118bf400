"""What a report says about the machine and the moment."""

import datetime
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import c_programs


def cpus() -> list[int]:
    """The CPUs that we may use, by number; empty where the system does not say."""
    if sys.platform == "linux":
        return sorted(os.sched_getaffinity(0))
    return []


def facts() -> dict[str, str]:
    """Where and when."""
    machine = f"{platform.system()} {platform.release()}, {platform.machine()}, {_processor()}"
    found = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine,
        "CPUs": f"{len(cpus()) or os.cpu_count()} of {os.cpu_count()} usable",
        "C compiler": f"{c_programs.compiler()}",
        "Python": platform.python_version(),
    }
    if git := shutil.which("git"):
        found["commit"] = _commit(git)
    return found


def _commit(git: str) -> str:
    described = subprocess.run(
        [git, "describe", "--always", "--dirty", "--tags"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "none"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"
