"""How much memory groups of processes use."""

from __future__ import annotations

import subprocess
import sys

import pytest

from penstock.emulator.environments.memory import memory_of_groups

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


def test_a_process_counts_whose_name_the_kernel_has_cut_within_a_letter(tmp_path):
    # It keeps 15 bytes; the last letter here has the 15th and the 16th.
    program = tmp_path / "fourteen-bytesä"
    program.write_text("#!/bin/sh\nread line\n")
    program.chmod(0o755)
    with subprocess.Popen([program], stdin=subprocess.PIPE, start_new_session=True) as started:
        assert memory_of_groups([started.pid], "VmHWM")[started.pid] > 0
