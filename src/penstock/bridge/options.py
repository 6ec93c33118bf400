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


def checked_sources(sources: Any) -> list[EventSource]:
    """The sources as a list.

    Raises:
        AppError: one is none, or comes from within AWS and yet wants to be streamed to: its
            answer is how AWS knows whether to try again.
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
    return checked


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
        AppError: `mode` is unknown, or a source is named that cannot be streamed to.
    """
    if mode not in ("auto", "stream", "buffer"):
        raise AppError(f"mode is 'auto', 'stream' or 'buffer', not {mode!r}")
    possible = {source.name for source in sources if source.can_stream}
    where, named = "stream", stream
    if named is None and (variable := os.environ.get("PENSTOCK_STREAM")) is not None:
        where, named = "PENSTOCK_STREAM", filter(None, variable.split(","))
    names = possible & {"function_url"} if named is None else checked_names(where, named)
    if unknown := names - possible:
        raise AppError(
            f"{where} names {', '.join(sorted(unknown))}, which cannot be streamed to; those "
            f"that can: {', '.join(sorted(possible))}"
        )
    return {"auto": names, "stream": possible, "buffer": set()}[mode]


def checked_margin(margin_ms: Any) -> int | None:
    """The margin before the deadline.

    Raises:
        AppError: it is no number of milliseconds.
    """
    if margin_ms is not None and (
        isinstance(margin_ms, bool) or not isinstance(margin_ms, int) or margin_ms < 0
    ):
        raise AppError(f"deadline_margin_ms is a number, 0 or more, not {margin_ms!r}")
    return margin_ms
