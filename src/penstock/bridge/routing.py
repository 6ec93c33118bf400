"""From an event to the request that an app is to answer, or is not to see."""

from __future__ import annotations

from ..errors import AppError, EventError
from ..event_sources.detect import source_of
from ..messages import Headers
from .closed_paths import ClosedPaths
from .wrapped_apps import roots_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from ..event_sources.contract import EventSource
    from ..messages import Request

NOT_FOUND = (404, b"Not Found")

# In `X-Vhm-Root` a proxy says below which path an app is. Pyramid's traversal puts that in front
# of the path, also in an ASGI app that it is mounted in, so a client could choose a closed one.
# No front door of Lambda sets it or takes it away. Adapters take `_` for `-`.
_ROOT_FIELDS = frozenset(f"x{first}vhm{second}root" for first in "-_" for second in "-_")


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
        self,
        sources: Sequence[EventSource],
        base_path: str = "",
        open_paths: Iterable[str] = (),
        app: Any = None,
    ) -> None:
        self._sources = sources
        self._base_path = _checked_base(base_path)
        self._closed = ClosedPaths(sources, open_paths, self._base_path, roots_of(app))

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
            _drop_root_field(request)
            self._put_below(request)
            name = self._closed.source_at(request)
            if name is not None:
                call.refusal = NOT_FOUND
                _log().warning(
                    "refused an outside caller the path of events of %s; "
                    "adapt(open_paths=[%r]) opens it to everybody",
                    *(name, name),
                )
        return call

    def _put_below(self, request: Request) -> None:
        base = self._base_path
        if base:
            path = request.path[len(request.root_path) :]
            if path == base or path.startswith(base + "/"):
                request.root_path += base


def _drop_root_field(request: Request) -> None:
    if any(name in request.headers for name in _ROOT_FIELDS):
        request.headers = Headers(
            field for field in request.headers if field[0].lower() not in _ROOT_FIELDS
        )


def log(what: str, exc: BaseException) -> None:
    """Log an error that is answered, not raised."""
    _log().error(what, exc_info=exc)


def _log() -> Any:
    import logging

    return logging.getLogger("penstock")


def _checked_base(path: str) -> str:
    if path in ("", "/"):
        return ""
    if not isinstance(path, str) or not path.startswith("/") or path.startswith("//"):
        raise AppError(f"base_path is like '/api', not {path!r:.80}")
    if not path.isascii() or not path.isprintable() or any(mark in path for mark in " ?#"):
        from urllib.parse import quote

        encoded = quote(path, safe="/%!$&'()*+,;=:@", errors="replace")
        raise AppError(
            f"base_path is the start of a path as it is in a URL, like {encoded!r:.80}, and "
            f"{path!r:.80} never is"
        )
    return path.rstrip("/")
