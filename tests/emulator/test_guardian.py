"""Nothing of an environment outlives it, whichever of its processes is killed first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from penstock.emulator.environments import guardian
from penstock.emulator.environments.worker_process import WorkerProcess
from tests.tools import PATIENCE, is_running, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are read from /proc")

LONER = ("sh", "-c", "setsid sleep 600 & echo $!; wait")


def test_an_emulator_that_is_gone_before_it_hears_of_the_process_leaves_none():
    control, ours = os.pipe()
    theirs, report = os.pipe()
    os.close(ours)
    os.close(theirs)
    command = [sys.executable, "-I", "-S", guardian.__file__, str(control), str(report), "", *LONER]
    with subprocess.Popen(
        command,
        pass_fds=(control, report),
        stdout=subprocess.PIPE,
        env={**os.environ, "PENSTOCK_ENVIRONMENT": "token of this test"},
        start_new_session=True,
    ) as started:
        os.close(control)
        os.close(report)
        output, _ = started.communicate(timeout=PATIENCE)
    assert started.returncode == -signal.SIGKILL
    wait_for(lambda: not any(is_running(int(pid)) for pid in output.split()), "their end")


def test_what_has_the_mark_is_killed_however_it_was_started():
    environment = {**os.environ, "PENSTOCK_ENVIRONMENT": "another token"}
    # A process that becomes another again and again has no variables now and then.
    becoming = "exec sh -c 'exec sh -c \"exec sleep 600\"'"
    started = [
        subprocess.Popen(["sh", "-c", becoming], env=environment, start_new_session=True)
        for _ in range(20)
    ]
    guardian.kill_marked("another token")
    assert [process.wait(PATIENCE) for process in started] == [-signal.SIGKILL] * 20


def test_what_has_another_mark_lives_on():
    environment = {**os.environ, "PENSTOCK_ENVIRONMENT": "a third token and more"}
    with subprocess.Popen(["sleep", "600"], env=environment) as started:
        wait_for(lambda: b"third" in environ_of(started.pid), "its variables")
        guardian.kill_marked("a third token")
        assert started.poll() is None
        started.kill()


def environ_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def test_a_guardian_that_is_killed_takes_what_it_has_guarded_along(serve):
    function = serve(
        """
        import subprocess

        loner = subprocess.Popen(["sleep", "600"], start_new_session=True)

        def handler(event, context):
            return [os.getppid(), os.getpid(), loner.pid]
        """
    )
    pids = httpx.get(function.url, timeout=PATIENCE).json()
    os.kill(pids[0], signal.SIGKILL)
    wait_for(lambda: not any(map(is_running, pids)), "the end of them all")
    again = httpx.get(function.url, timeout=PATIENCE).json()
    assert not {*again} & {*pids}


def test_a_folder_that_the_function_s_own_variables_name_stays(serve, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    function = serve(
        "def handler(event, context): return os.getppid()",
        environment={"TMPDIR": str(kept), "PENSTOCK_TEMPORARY": str(kept)},
    )
    guardian_pid = httpx.get(function.url, timeout=PATIENCE).json()
    function.emulator.stop()
    wait_for(lambda: not is_running(guardian_pid), "the end of the guardian")
    assert kept.is_dir()


def test_the_folder_for_temporary_files_goes_with_all_that_is_in_it_and_nothing_else(tmp_path):
    elsewhere, temporary = tmp_path / "elsewhere", tmp_path / "temporary"
    for folder in (elsewhere, temporary / "inner"):
        folder.mkdir(parents=True)
        (folder / "file").touch()
    (temporary / "to a folder").symlink_to(elsewhere)
    (temporary / "inner" / "to nothing").symlink_to("nothing")
    process = WorkerProcess(
        ["sleep", "600"],
        folder=tmp_path,
        environment=os.environ,
        temporary=str(temporary),
        on_output=lambda data: None,
        on_exit=lambda status: None,
    )
    process.kill()
    wait_for(lambda: not temporary.exists(), "the end of the folder")
    assert (elsewhere / "file").exists()


def test_a_process_that_is_killed_alone_leaves_the_folder_to_the_others(tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    ended = threading.Event()
    alone, other = (
        WorkerProcess(
            ["sleep", "600"],
            folder=tmp_path,
            environment=os.environ,
            temporary=str(temporary),
            on_output=lambda data: None,
            on_exit=on_exit,
        )
        for on_exit in (lambda status: ended.set(), lambda status: None)
    )
    alone.kill_alone()
    assert ended.wait(PATIENCE)
    assert temporary.exists()
    other.kill()
    wait_for(lambda: not temporary.exists(), "the end of the folder")
