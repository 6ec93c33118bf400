"""The functions that there are: their versions, aliases and Function URLs."""

from __future__ import annotations

import dataclasses
import random
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from ..errors import EmulatorError
from .concurrency import ACCOUNT_CONCURRENCY, Concurrency
from .deadlines import Deadlines
from .environments.environments import Environments
from .function_urls import FunctionUrl
from .functions import LATEST, Function
from .log import Log


@dataclasses.dataclass(frozen=True)
class _Alias:
    """Leads to `main`, but for the part of the calls that the weights of others are."""

    main: str
    weights: Mapping[str, float]

    def version(self, draw: Callable[[], float]) -> str:
        if self.weights:
            left = draw()
            for version, weight in self.weights.items():
                if left < weight:
                    return version
                left -= weight
        return self.main


class Registry:
    """Finds what a name and a qualifier lead to. From any thread.

    `draw` gives a number from 0 up to, but not, 1: of aliases that lead to two versions it
    decides which. All functions share `account_concurrency`.
    """

    def __init__(
        self,
        log: Log,
        deadlines: Deadlines,
        *,
        draw: Callable[[], float] = random.random,
        account_concurrency: int = ACCOUNT_CONCURRENCY,
    ) -> None:
        self._concurrency = Concurrency(account_concurrency)
        self._draw = draw
        self._log = log
        self._deadlines = deadlines
        self._lock = threading.Lock()
        self._versions: dict[str, dict[str, Environments]] = {}
        self._aliases: dict[str, dict[str, _Alias]] = {}
        self._urls: dict[str, FunctionUrl] = {}
        # Of deleted functions: what they work on goes on to its end.
        self._stopped = False
        self._deleted: list[Environments] = []

    @property
    def names(self) -> list[str]:
        """The functions' names, in order."""
        with self._lock:
            return sorted(self._versions)

    @property
    def urls(self) -> list[FunctionUrl]:
        """All Function URLs, in the order of their hosts."""
        with self._lock:
            return [url for _, url in sorted(self._urls.items())]

    @property
    def environments(self) -> list[Environments]:
        """Those of all functions and versions, deleted ones with work left included."""
        with self._lock:
            found = [each for versions in self._versions.values() for each in versions.values()]
            return [*found, *self._deleted]

    @property
    def account_concurrency(self) -> int:
        """How many invocations of all functions may run at once."""
        return self._concurrency.account

    @property
    def folders(self) -> set[Path]:
        """The folders whose code can be called, or still runs."""
        with self._lock:
            found = [each for versions in self._versions.values() for each in versions.values()]
            found += [each for each in self._deleted if each.has_work]
        return {function.folder for environments in found for function in environments.functions}

    def find(self, name: str, qualifier: str | None = None) -> Environments | None:
        """What a call of the function is for; the qualifier is a version or an alias.

        An alias with weights may lead elsewhere each time.
        """
        with self._lock:
            version = qualifier or LATEST
            alias = self._aliases.get(name, {}).get(version)
            if alias is not None:
                version = alias.version(self._draw)
            return self._versions.get(name, {}).get(version)

    def find_url(self, url_id: str) -> FunctionUrl | None:
        """The Function URL whose host begins so, in any case."""
        with self._lock:
            return self._urls.get(url_id.lower())

    def put(self, function: Function) -> None:
        """Have this version of the function from now on. What is running goes on as it was.

        Raises:
            EmulatorError: the registry has stopped.
        """
        with self._lock:
            if self._stopped:
                raise EmulatorError("the emulator is shutting down")
            versions = self._versions.setdefault(function.name, {})
            known = versions.get(function.version)
            if known is None:
                versions[function.version] = Environments(
                    function, self._log, self._deadlines, self._concurrency
                )
        if known is not None:
            known.replace(function)
        self._concurrency.reserve(function.name, function.reserved_concurrency)

    def configure(self, name: str, version: str, reserved_concurrency: int | None) -> None:
        """Have this reserved concurrency from the next call on, in the same environments."""
        with self._lock:
            environments = self._versions.get(name, {}).get(version)
        if environments is not None:
            environments.reserve(reserved_concurrency)
            self._concurrency.reserve(name, reserved_concurrency)

    def put_alias(
        self,
        name: str,
        alias: str,
        version: str,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        """Let calls of the alias go to this version from now on.

        `weights` has other versions, with the part of the calls that is theirs.
        """
        with self._lock:
            self._aliases.setdefault(name, {})[alias] = _Alias(version, dict(weights or {}))

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
            if not self._versions.get(name):
                self._concurrency.reserve(name, None)  # it is gone
            deleted = [each for each in self._deleted if each.has_work]
            self._deleted = [*deleted, *gone]
        for environments in gone:
            environments.retire()

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
        with self._lock:
            self._stopped = True
        ending = self.environments
        for environments in ending:
            environments.begin_stop()
        for environments in ending:
            environments.stop()
