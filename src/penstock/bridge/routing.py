"""From an event to the request that an app is to answer, or is not to see."""

from __future__ import annotations

from ..errors import AppError, EventError
from ..event_sources.detect import source_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from ..event_sources.contract import EventSource
    from ..messages import Request

NOT_FOUND = (404, b"Not Found")


class Call:
    """One event on its way: as the request it tells of, or with the answer that refuses it."""

    def __init__(self, event: Any, context: Any, source: EventSource) -> None:
        self.event = event
        self.context = context
        self.source = source
        self.request: Request | None = None
        self.refusal: tuple[int, bytes] | None = None

    @property
    def is_by_record(self) -> bool:
        """Whether it is no request itself, but each of its records is to be one."""
        return getattr(self.source, "per_record", False)

    def part(self, event: Any) -> Call:
        """The same for an event that holds one of the records.

        Raises:
            EventError: it cannot be written as JSON.
        """
        call = Call(event, self.context, self.source)
        call.request = self.source.request(event)
        return call

    @property
    def method(self) -> str:
        """The request's method, if there is a request."""
        return self.request.method.upper() if self.request is not None else ""

    def marks(self) -> dict[str, Any]:
        """What the app finds of Lambda in its scope or environ."""
        return {
            "aws.event": self.event,
            "aws.context": self.context,
            "aws.source": self.source.name,
        }


class Router:
    """Knows whose event it is, below which path the app is, and what outsiders may not call.

    Raises:
        AppError: `base_path` is no path, or `open_paths` names no source from within AWS.
    """

    def __init__(
        self, sources: Sequence[EventSource], base_path: str, open_paths: Iterable[str]
    ) -> None:
        self._sources = sources
        self._base_path = _checked_base(base_path)
        internal = {source.name: source.path for source in sources if source.is_internal}
        is_open = set(open_paths)
        if unknown := is_open - set(internal):
            raise AppError(
                f"{', '.join(sorted(unknown))} in open_paths: not one of the sources that have "
                f"a path of their own, {', '.join(sorted(internal))}"
            )
        self._refused = {
            _normal(path) for name, path in internal.items() if path and name not in is_open
        }
        self._refused_below = tuple(
            _normal(source.path) + "/"
            for source in sources
            if getattr(source, "has_paths_below", False) and source.name not in is_open
        )

    def call(self, event: Any, context: Any) -> Call:
        """Find out what `event` asks for.

        Raises:
            EventError: no source knows it, or it comes from within AWS and is malformed.
        """
        source = source_of(event, self._sources)
        call = Call(event, context, source)
        if call.is_by_record:
            return call
        try:
            request = source.request(event)
        except EventError as exc:
            if source.is_internal:
                raise
            log("the event cannot be made a request", exc)
            from http import HTTPStatus

            call.refusal = exc.status, HTTPStatus(exc.status).phrase.encode()
            return call
        call.request = request
        if not source.is_internal:
            self._put_below(request)
            if self._refused and self._is_refused(request):
                call.refusal = NOT_FOUND
        return call

    def _put_below(self, request: Request) -> None:
        base = self._base_path
        if base:
            path = request.path[len(request.root_path) :]
            if path == base or path.startswith(base + "/"):
                request.root_path += base

    def _is_refused(self, request: Request) -> bool:
        # Whether a framework looks at the root path or not, it does not get there.
        return self._is_closed(request.path) or (
            bool(request.root_path) and self._is_closed(request.path[len(request.root_path) :])
        )

    def _is_closed(self, path: str) -> bool:
        normal = _normal(path)
        return normal in self._refused or normal.startswith(self._refused_below)


def log(what: str, exc: BaseException) -> None:
    """Log an error that is answered, not raised."""
    import logging

    logging.getLogger("penstock").error(what, exc_info=exc)


def _checked_base(path: str) -> str:
    if path in ("", "/"):
        return ""
    if not isinstance(path, str) or not path.startswith("/") or path.startswith("//"):
        raise AppError(f"base_path is like '/api', not {path!r:.80}")
    return path.rstrip("/")


def _normal(path: str) -> str:
    """A path as routers may read it: decoded, without dots, doubled or last slashes."""
    if path[:1] == "/" and not ("%" in path or "//" in path or "/." in path):
        return path.rstrip("/") or "/"
    from posixpath import normpath
    from urllib.parse import unquote

    return normpath("/" + unquote(path).strip("/"))
