"""The functions that there are: their versions, aliases and Function URLs."""

from __future__ import annotations

import threading

from .deadlines import Deadlines
from .environments import Environments
from .function_urls import FunctionUrl
from .functions import LATEST, Function
from .log import Log


class Registry:
    """Finds what a name and a qualifier lead to. From any thread."""

    def __init__(self, log: Log, deadlines: Deadlines) -> None:
        self._log = log
        self._deadlines = deadlines
        self._lock = threading.Lock()
        self._versions: dict[str, dict[str, Environments]] = {}
        self._aliases: dict[str, dict[str, str]] = {}
        self._urls: dict[str, FunctionUrl] = {}
        # Of deleted functions: what they work on goes on to its end.
        self._deleted: list[Environments] = []

    @property
    def names(self) -> list[str]:
        """The functions' names, in order."""
        with self._lock:
            return sorted(self._versions)

    @property
    def environments(self) -> list[Environments]:
        """Those of all functions and versions, deleted ones with work left included."""
        with self._lock:
            found = [each for versions in self._versions.values() for each in versions.values()]
            return [*found, *self._deleted]

    def find(self, name: str, qualifier: str | None = None) -> Environments | None:
        """What a call of the function is for; the qualifier is a version or an alias."""
        with self._lock:
            versions = self._versions.get(name, {})
            version = qualifier or LATEST
            return versions.get(self._aliases.get(name, {}).get(version, version))

    def find_url(self, url_id: str) -> FunctionUrl | None:
        """The Function URL whose host begins so, in any case."""
        with self._lock:
            return self._urls.get(url_id.lower())

    def put(self, function: Function) -> None:
        """Have this version of the function from now on. What is running goes on as it was."""
        with self._lock:
            versions = self._versions.setdefault(function.name, {})
            known = versions.get(function.version)
            if known is None:
                versions[function.version] = Environments(function, self._log, self._deadlines)
        if known is not None:
            known.replace(function)

    def put_alias(self, name: str, alias: str, version: str) -> None:
        """Let calls of the alias go to this version from now on."""
        with self._lock:
            self._aliases.setdefault(name, {})[alias] = version

    def put_url(self, url: FunctionUrl) -> None:
        """Have this Function URL, in place of one with the same host."""
        with self._lock:
            self._urls[url.id] = url

    def remove(self, name: str, version: str | None = None) -> None:
        """Delete a version, or, without one, the whole function; running work goes on."""
        with self._lock:
            versions = self._versions.get(name, {})
            if version is None:
                gone = list(versions.values())
                self._versions.pop(name, None)
                self._aliases.pop(name, None)
                self._urls = {key: url for key, url in self._urls.items() if url.function != name}
            else:
                gone = [versions.pop(version)] if version in versions else []
            self._deleted = [each for each in self._deleted if each.pids] + gone
        for environments in gone:
            environments.recycle()

    def remove_alias(self, name: str, alias: str) -> None:
        """Delete an alias; harmless if there is none."""
        with self._lock:
            self._aliases.get(name, {}).pop(alias, None)

    def remove_url(self, url: FunctionUrl) -> None:
        """Delete a Function URL; harmless if there is none."""
        with self._lock:
            self._urls.pop(url.id, None)

    def stop(self) -> None:
        """End all environments and wait until their processes are gone."""
        ending = self.environments
        for environments in ending:
            environments.begin_stop()
        for environments in ending:
            environments.stop()
