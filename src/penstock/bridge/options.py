"""What is handed to `adapt`, checked: what is wrong is said there, not at the first event."""

from __future__ import annotations

import os

from ..errors import AppError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from ..event_sources.contract import EventSource

_TEXTS = ("name", "looks_for", "path")
_FLAGS = ("can_stream", "is_internal")
_METHODS = ("matches", "request", "result")

# As AWS has it: no invocation takes longer.
_LONGEST_MS = 900_000


def checked_sources(sources: Any) -> list[EventSource]:
    """The sources as a list.

    Raises:
        AppError: one is none, two have the same name, or one comes from within AWS and yet
            wants to be streamed to: its answer is how AWS knows whether to try again.
    """
    if not hasattr(sources, "__iter__") or isinstance(sources, (str, dict)):
        raise AppError(f"sources is a list, as in [Sqs('/orders')], not {sources!r:.80}")
    checked: list[EventSource] = list(sources)
    for source in checked:
        if isinstance(source, type):
            raise AppError(
                f"sources has the class {source.__name__}; make an object of it: "
                f"{source.__name__}()"
            )
        if wrong := _missing_in(source):
            raise AppError(
                f"{source!r:.80} in sources is no event source, for want of {', '.join(wrong)}; "
                "see penstock.event_sources.contract, and penstock.testing.check_event_source"
            )
        if source.can_stream and source.is_internal:
            raise AppError(
                f"the source {source.name} has both can_stream and is_internal: who streams "
                "cannot tell AWS that an event was not handled; set one of them to False"
            )
        if [other.name for other in checked].count(source.name) > 1:
            raise AppError(
                f"sources has two of the name {source.name}, of which one would take the "
                "other's place; give one of them another name"
            )
    return checked


def check_paths(sources: Iterable[EventSource]) -> None:
    """Check that the events of each source from within AWS come to paths of their own.

    Raises:
        AppError: two have the same path, one has its path below another's, or the paths below
            one's are all that there are.
    """
    taken: dict[str, EventSource] = {}
    for source in sources:
        if not source.is_internal:
            continue
        path = source.path.rstrip("/")
        if not path and getattr(source, "has_paths_below", False):
            raise AppError(
                f"the source {source.name} has the path {source.path!r} and has_paths_below, so "
                "every path would be its own; give it one like '/websocket'"
            )
        for other in taken.values():
            if _is_at_or_below(path, other) or _is_at_or_below(other.path.rstrip("/"), source):
                raise AppError(
                    f"the sources {other.name} and {source.name} both deliver to "
                    f"{source.path!r:.80}, where nobody could tell their events apart; give one "
                    "another path, as in Sqs('/orders') or default_path='/invoke'"
                )
        taken[source.name] = source


def _is_at_or_below(path: str, other: EventSource) -> bool:
    above = other.path.rstrip("/")
    return path == above or (
        getattr(other, "has_paths_below", False) and path.startswith(above + "/")
    )


def _missing_in(source: Any) -> list[str]:
    return [
        *(key for key in _TEXTS if not isinstance(getattr(source, key, None), str)),
        *(key for key in _FLAGS if not isinstance(getattr(source, key, None), bool)),
        *(key for key in _METHODS if not callable(getattr(source, key, None))),
    ]


def checked_names(option: str, names: Any) -> set[str]:
    """The names of sources that an option has.

    Raises:
        AppError: it is no list of texts.
    """
    is_list = hasattr(names, "__iter__") and not isinstance(names, (str, bytes))
    found = list(names) if is_list else []
    if not is_list or not all(isinstance(name, str) for name in found):
        raise AppError(f"{option} is a list of names, as in ['rest_api'], not {names!r:.80}")
    return {name.strip() for name in found}


def streaming_names(
    mode: str, stream: Iterable[str] | None, sources: Sequence[EventSource]
) -> set[str]:
    """The sources whose events are answered with a stream.

    Raises:
        AppError: `mode` is unknown, a source is named that cannot be streamed to, or there is
            one, or `mode` leaves nothing to be said.
    """
    if mode not in ("auto", "stream", "buffer"):
        raise AppError(f"mode is 'auto', 'stream' or 'buffer', not {mode!r}")
    possible = {source.name for source in sources if source.can_stream}
    where, named = "stream", stream
    if named is None and (variable := os.environ.get("PENSTOCK_STREAM")) is not None:
        where, named = "PENSTOCK_STREAM", filter(str.strip, variable.split(","))
    names = possible & {"function_url"} if named is None else checked_names(where, named)
    those = f"those that can: {', '.join(sorted(possible))}"
    known = {source.name for source in sources}
    if unknown := names - known:
        raise AppError(
            f"{where} names {', '.join(map(repr, sorted(unknown)))}, which is no source and "
            f"cannot be streamed to; {those}"
        )
    if others := names - possible:
        raise AppError(
            f"{where} names {', '.join(sorted(others))}, which cannot be streamed to; {those}"
        )
    if stream is not None and mode != "auto":
        says = "streams to all that can take it" if mode == "stream" else "streams to nobody"
        raise AppError(
            f"mode={mode!r} {says}, so stream has nothing to say beside it; leave one of them out"
        )
    return {"auto": names, "stream": possible, "buffer": set()}[mode]


def checked_margin(margin_ms: Any) -> int | None:
    """The margin before the deadline.

    Raises:
        AppError: it is no number of milliseconds, or more than any invocation has.
    """
    if margin_ms is not None and (
        isinstance(margin_ms, bool) or not isinstance(margin_ms, int) or margin_ms < 0
    ):
        raise AppError(f"deadline_margin_ms is a number, 0 or more, not {margin_ms!r}")
    if margin_ms is not None and margin_ms > _LONGEST_MS:
        raise AppError(
            f"deadline_margin_ms is in milliseconds, and no invocation has more than "
            f"{_LONGEST_MS} of them: {margin_ms} would be before its start"
        )
    return margin_ms
