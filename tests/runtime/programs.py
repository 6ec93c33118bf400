"""Programs with a log of their own: what sets up `logging` does so for a whole process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

# The time of a record in a text log.
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def log_of(program, *, log_format=None, log_level=None, **environment):
    """What `program` prints, with the log of the invocation "8476a536" installed."""
    before = f"""
import sys
from penstock.runtime.logs import FunctionLog
log = FunctionLog({log_format!r}, {log_level!r})
log.install()
log.request_id = "8476a536"
"""
    ended = subprocess.run(
        [sys.executable, "-c", before + textwrap.dedent(program)],
        env={name: os.environ.get(name, "") for name in ("PATH", "PYTHONPATH")} | environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return ended.stdout
