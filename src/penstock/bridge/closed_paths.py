"""The paths of events from within AWS, which outside callers are refused.

Frameworks do not agree on what a path is: some decode it and drop what cannot be decoded,
some match without regard to case, to a line break at the end, to doubled slashes, some
resolve dots. A caller is refused if one of them might take its path for a closed one.
"""

from __future__ import annotations

from ..errors import AppError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..event_sources.contract import EventSource
    from ..messages import Request


class ClosedPaths:
    """The paths of `sources`, but for those that `open_paths` names.

    They are closed below `base_path` as well, which this package takes off a request's path,
    and below each of `roots`, which the app itself takes off, also one that a source's path
    begins with.

    Raises:
        AppError: `open_paths` names no source from within AWS.
    """

    def __init__(
        self,
        sources: Sequence[EventSource],
        open_paths: Iterable[str],
        base_path: str = "",
        roots: Iterable[str] = (),
    ) -> None:
        internal = {source.name: source for source in sources if source.is_internal}
        is_open = set(open_paths)
        if unknown := is_open - set(internal):
            raise AppError(
                f"{', '.join(sorted(unknown))} in open_paths: not one of the sources that have "
                f"a path of their own, {', '.join(sorted(internal))}"
            )
        own_roots = {reading for root in roots for reading in readings(root)} - {"/"}
        self._roots = own_roots | (readings(base_path) if base_path else set())
        self._names: dict[str, str] = {}
        self._below: dict[str, str] = {}
        for name, source in internal.items():
            if name in is_open or not source.path:
                continue
            for reading in readings(source.path):
                for start in _starts(reading, own_roots):
                    self._names[reading[start:]] = name
                    if getattr(source, "has_paths_below", False):
                        self._below[reading[start:] + "/"] = name
        self._longest = max(map(len, self._names), default=0)

    def source_at(self, request: Request) -> str | None:
        """The name of the source whose path the request may be taken to ask for, or None."""
        roots = self._roots
        if request.root_path:
            roots = roots | readings(request.root_path)
        for reading in readings(request.path):
            for start in _starts(reading, roots):
                name = self._name_at(reading, start)
                if name is not None:
                    return name
        return None

    def _name_at(self, reading: str, start: int) -> str | None:
        # What callers send may be long, and is not copied for each start.
        if len(reading) - start <= self._longest:
            name = self._names.get(reading[start:])
            if name is not None:
                return name
        for below, source in self._below.items():
            if reading.startswith(below, start):
                return source
        return None


def _starts(reading: str, roots: Iterable[str]) -> set[int]:
    """Where a path may begin for an app: as it is, and behind roots, one or several."""
    starts, waiting = {0}, [0]
    while waiting:
        start = waiting.pop()
        for root in roots:
            behind = start + len(root)
            if behind not in starts and reading.startswith(root + "/", start):
                starts.add(behind)
                waiting.append(behind)
    return starts


def readings(path: str) -> set[str]:
    """What routers may make of a path: with its dots, and with them resolved.

    Each of them twice: with all but ASCII dropped, and with what regular expressions that
    ignore case take for a letter of ASCII (`re`: "also match" for IGNORECASE) as that letter.
    """
    if _is_plain(path):
        return {path.rstrip("/") or "/"}
    from posixpath import normpath
    from urllib.parse import unquote_to_bytes

    sent = unquote_to_bytes(path)
    found = set()
    for text in (
        sent.decode("ascii", "ignore").lower(),
        sent.decode("utf-8", "ignore").casefold().replace("\u0131", "i"),
    ):
        visible = "".join(character for character in text if "!" <= character <= "~")
        segments = visible.replace("\\", "/").split("/")
        as_sent = "/" + "/".join(segment for segment in segments if segment)
        found |= {as_sent, normpath(as_sent)}
    return found


def _is_plain(path: str) -> bool:
    return (
        path[:1] == "/"
        and not ("%" in path or "//" in path or "/." in path or "\\" in path or " " in path)
        and path.isascii()
        and path.isprintable()
        and path == path.lower()
    )
