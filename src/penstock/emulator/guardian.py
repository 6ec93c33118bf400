"""Starts one environment's process and sees to it that nothing of it stays behind.

Run as a program of its own: `guardian.py CONTROL REPORT command...`. It holds the reading
end of a pipe (the descriptor CONTROL) whose other end only the emulator has. When that
end closes, because the emulator let go or was killed, the whole process group of the
environment is killed, frozen and forked children included, and on Linux also children that
have started a session of their own.

The process id goes out on the descriptor REPORT; the exit status is the environment's own.
A `T` on CONTROL asks the group to terminate. Nothing is imported that would slow the start.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys


def main(arguments: list[str]) -> int:
    """Start the command, wait for it, and return its exit status."""
    control, report, command = int(arguments[0]), int(arguments[1]), arguments[2:]
    os.set_inheritable(control, False)
    os.set_inheritable(report, False)
    try:
        process = os.posix_spawnp(command[0], command, os.environ, setpgroup=0)
    except OSError as exc:
        print(f"cannot start {command[0]}: {exc.strerror}", file=sys.stderr)
        return 127
    os.write(report, b"%d" % process)
    os.close(report)
    _thread.start_new_thread(_obey, (control, process))
    _, status = os.waitpid(process, 0)
    _kill_all(process)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        # Die in the same way, so that the emulator sees how the environment died.
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    return code


def _obey(control: int, process: int) -> None:
    while os.read(control, 1) == b"T":
        _signal_group(process, signal.SIGTERM)
    _kill_all(process)


def _kill_all(process: int) -> None:
    """Kill the group, and what has left it for a session of its own."""
    _signal_group(process, signal.SIGKILL)
    # By the variable that all of them inherit; Linux only, elsewhere the group must do.
    mark = f"PENSTOCK_ENVIRONMENT={os.environ.get('PENSTOCK_ENVIRONMENT', '')}\0".encode()
    try:
        numbers = [name for name in os.listdir("/proc") if name.isdecimal()]
    except OSError:
        return
    for number in numbers:
        try:
            with open(f"/proc/{number}/environ", "rb") as environ:
                is_ours = mark in environ.read()
            if is_ours and int(number) != os.getpid():
                os.kill(int(number), signal.SIGKILL)
        except OSError:
            pass


def _signal_group(process: int, number: signal.Signals) -> None:
    try:
        os.killpg(process, number)
    except (ProcessLookupError, PermissionError):
        pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
