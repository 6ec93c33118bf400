"""Starts one environment's process and sees to it that nothing of it stays behind.

Run as a program of its own: `guardian.py CONTROL REPORT FOLDER command...`. It holds the
reading end of a pipe (the descriptor CONTROL) whose other end only the emulator has. When
that end closes, because the emulator let go or was killed, the whole process group of the
environment is killed, frozen and forked children included, and on Linux also children that
have started a session of their own.

The process id goes out on the descriptor REPORT, or, if the command cannot be started, the
kernel's error, below zero; the exit status is the environment's own, or then 127. On a second
line, when it has ended, goes the most memory that it had resident, in kB.
A `T` on CONTROL asks the group to terminate, a `K` kills it. When the pipe closes, FOLDER, if
it is not empty text, is deleted as well. Nothing is imported that would slow the start.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def main(arguments: list[str]) -> int:
    """Start the command, wait for it, and return its exit status."""
    control, report = int(arguments[0]), int(arguments[1])
    # No variable names the folder: a function's own might, and it would be lost.
    folder, command = arguments[2], arguments[3:]
    os.set_inheritable(control, False)
    os.set_inheritable(report, False)
    try:
        process = os.posix_spawnp(command[0], command, os.environ, setpgroup=0)
    except OSError as exc:
        _tell(report, -(exc.errno or 1))
        return 127
    _thread.start_new_thread(_obey, (control, process))
    _tell(report, process)
    _, status, used = os.wait4(process, 0)
    # macOS counts bytes. Of what needed less than the guardian itself this is the guardian's.
    _tell(report, used.ru_maxrss // (1024 if sys.platform == "darwin" else 1))
    _kill_all(process)
    if _let_go:
        # Whether the emulator is still there to do it cannot be told: its descriptors are
        # closed before its children have another parent.
        _delete(folder)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        # Die in the same way, so that the emulator sees how the environment died.
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    return code


def _tell(report: int, number: int) -> None:
    try:
        os.write(report, b"%d\n" % number)
    except BrokenPipeError:
        pass  # the emulator was killed meanwhile: `_obey` sees to the rest


# Has an element when the pipe is closed.
_let_go: list[bool] = []


def _delete(folder: str) -> None:
    """Delete a folder that nobody else is left for; what cannot be deleted stays."""
    for path, folders, files in os.walk(folder, topdown=False) if folder else ():
        for name in files:
            _quietly(os.unlink, os.path.join(path, name))
        for name in folders:
            inner = os.path.join(path, name)
            # `walk` counts links to folders among them.
            _quietly(os.unlink if os.path.islink(inner) else os.rmdir, inner)
        _quietly(os.rmdir, path)


def _quietly(call: Callable[[str], None], path: str) -> None:
    try:
        call(path)
    except OSError:
        pass


def _obey(control: int, process: int) -> None:
    while command := os.read(control, 1):
        if command == b"T":
            _signal_group(process, signal.SIGTERM)
        else:
            _kill_all(process)
    _let_go.append(True)
    _kill_all(process)


def _kill_all(process: int) -> None:
    """Kill the group, and what has left it for a session of its own."""
    _signal_group(process, signal.SIGKILL)
    kill_marked(os.environ.get("PENSTOCK_ENVIRONMENT", ""))


def kill_marked(token: str) -> None:
    """Kill every other process that has inherited `token`. Linux only: it is found in /proc."""
    mark = f"PENSTOCK_ENVIRONMENT={token}\0".encode()
    try:
        _, started, _ = _stat("self")
    except OSError:
        return
    for _ in range(_PASSES):
        if _kill_found(mark, started):
            return
        time.sleep(_BETWEEN_PASSES)


# One pass is not enough: what is killed may have forked meanwhile, and a process that is
# becoming another program shows no variables for a moment.
_PASSES = 40
_BETWEEN_PASSES = 0.005

# A flag in /proc/PID/stat, from the kernel's sched.h.
_PF_KTHREAD = 0x00200000


def _kill_found(mark: bytes, started: int) -> bool:
    """Kill what has the mark now. Whether there was nothing, and nothing that may have it yet.

    What began before `started`, as this process did, never will.
    """
    is_clean = True
    for number in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/environ", "rb") as environ:
                variables = environ.read()
            if mark in variables and int(number) != os.getpid():
                os.kill(int(number), signal.SIGKILL)
                is_clean = False
            elif not variables and _is_becoming(number, started):
                is_clean = False
        except OSError:
            pass
    return is_clean


def _is_becoming(number: str, since: int) -> bool:
    """Whether a process without variables may have some in a moment: not dead, and no thread
    of the kernel's.
    """
    state, started, flags = _stat(number)
    return state not in "ZX" and not flags & _PF_KTHREAD and started >= since


def _stat(number: str) -> tuple[str, int, int]:
    """State, start time and flags of a process."""
    with open(f"/proc/{number}/stat", "rb") as stat:
        fields = stat.read().rpartition(b")")[2].split()
    return fields[0].decode(), int(fields[19]), int(fields[6])


def _signal_group(process: int, number: signal.Signals) -> None:
    try:
        os.killpg(process, number)
    except (ProcessLookupError, PermissionError):
        pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
