"""A process under its guardian."""

from __future__ import annotations

import subprocess
import sys

from tests.tools import PATIENCE

# Room for one pipe and a half.
OUT_OF_DESCRIPTORS = """
import os, resource
from pathlib import Path
from penstock.emulator.environments.worker_process import WorkerProcess

def all_there_are():
    taken = []
    while True:
        try:
            taken.append(os.dup(0))
        except OSError:
            return taken

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
for descriptor in all_there_are()[:3]:
    os.close(descriptor)
try:
    WorkerProcess(
        ["true"],
        folder=Path("/"),
        environment={},
        temporary=None,
        on_output=print,
        on_exit=print,
    )
except OSError as exc:
    print(exc.strerror, len(all_there_are()))
"""


def test_what_cannot_be_started_for_want_of_descriptors_takes_none():
    done = subprocess.run(
        [sys.executable, "-c", OUT_OF_DESCRIPTORS], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.stdout == "Too many open files 3\n", done.stderr
