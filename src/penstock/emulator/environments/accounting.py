"""What an environment uses of memory and of the room for temporary files."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection

from ..functions import Function
from .memory import MemoryWatch, memory_of_groups

#: What Lambda's `/tmp` has unless more was ordered, in MB. (Lambda quotas)
TEMPORARY_FILES = 512

# How often children and files are looked for, in seconds.
_LOOK_EVERY = 1.0

# One for all environments of this process: each look goes through all of /proc.
_MEMORY_WATCH = MemoryWatch()


class Accounting:
    """Keeps a folder for temporary files, and tells once when more is used than there is."""

    def __init__(self, function: Function, say: Callable[[str], None]) -> None:
        self._function = function
        self._say = say
        #: The folder for temporary files, once it is made; None if the function has its own.
        self.folder: str | None = None
        self._told: set[str] = set()
        self._children_mb = 0
        self._watched_mb: int | None = None
        self._next_look = 0.0
        self._is_over = False

    def variables(self) -> dict[str, str]:
        """Make the folder, and give what tells the processes of it.

        Raises:
            OSError: it cannot be made.
        """
        if "TMPDIR" in self._function.environment:
            return {}
        self.folder = tempfile.mkdtemp(prefix="penstock-tmp-")
        return {"TMPDIR": self.folder}

    def remove(self) -> None:
        """Delete the folder."""
        self._is_over = True
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def memory_used(self, pids: Collection[int], peaks: tuple[int, int] | None) -> int | None:
        """The most that processes and their children have used, in MB.

        `peaks` are their own, without and with what is known of the ends of processes. The
        latter may be a child's that was counted already, so there children are not added.

        The runtime's and the extensions': they share what the function has. (AWS documentation,
        "Lambda extensions", "Impact on performance and resources")

        Tells what is over its limit, each once. For children and files it looks now and then
        only: that takes long.
        """
        if self._watched_mb is not None:
            return self._watched_mb  # for which it was killed; nobody else has seen that
        if peaks is None:
            return None
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK_EVERY
            found = memory_of_groups(pids, "VmHWM", without=pids)
            self._children_mb = max(self._children_mb, sum(found.values()))
            self._check_files()
        looked_at, known = peaks
        used = max(looked_at + self._children_mb, known)
        function = self._function
        if used > function.memory:
            self._tell(
                "memory",
                f"{function.name} has used {used} MB of memory and has "
                f"{function.memory}: Lambda kills it then (Runtime.ExitError, signal: killed)",
            )
        return used

    def watch(self, pids: Callable[[], Collection[int]], on_used_up: Callable[[], None]) -> None:
        """Where the limit is enforced, tell and call `on_used_up` when more memory is used.

        That is by all processes that `pids` gives when it is asked, and their children. It
        ends when the folder is removed.
        """
        function = self._function

        def look(used: int) -> bool:
            if self._is_over:
                return False
            if used <= function.memory:
                return True
            self._watched_mb = used
            self._say(f"{function.name} uses {used} MB of memory and has {function.memory}: killed")
            on_used_up()
            return False

        if function.enforces_memory:
            _MEMORY_WATCH.add(pids, look)

    def _check_files(self) -> None:
        function = self._function
        used = self.temporary_files_mb()
        if used > TEMPORARY_FILES:
            self._tell(
                "files",
                f"the temporary files of {function.name} take {used} MB; Lambda's /tmp has "
                f"{TEMPORARY_FILES} unless the function orders more",
            )

    def temporary_files_mb(self) -> int:
        """What is in the folder, in MB."""
        if self.folder is None:
            return 0
        size = 0
        folders = [self.folder]
        while folders:
            try:
                entries = list(os.scandir(folders.pop()))
            except OSError:
                continue
            for entry in entries:
                try:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        size += entry.stat(follow_symlinks=False).st_blocks * 512
                except OSError:
                    continue
        return -(-size // (1024 * 1024))

    def _tell(self, kind: str, text: str) -> None:
        if kind not in self._told:
            self._told.add(kind)
            self._say(text)
