"""Calls of an event source that is checked, and what is said of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any, NoReturn


def fail(text: str, cause: BaseException | None = None) -> NoReturn:
    """Say what was asked, what was found and what would be right."""
    raise AssertionError(text) from cause


def called(
    event: Any,
    what: str,
    call: Callable[[], Any],
    method: str,
    *allowed: type[Exception],
) -> Any:
    """What the call gives; it may raise what is allowed and may not change the event."""
    before = copy.deepcopy(event)
    try:
        return call()
    except allowed:
        raise
    except Exception as exc:
        right = " or ".join(kind.__name__ for kind in allowed) or "nothing"
        fail(f"{method}() raised {exc!r:.200} for {what}; it should raise {right}", exc)
    finally:
        if event != before:
            fail(f"{method}() has changed the event, for {what}; it should leave it as it is")


def check_error(source: Any, exc: Exception, event: Any, what: str) -> None:
    """Check that an error, which is logged, tells nothing of the event."""
    known = f"{source.name} {source.path} {source.looks_for}"
    for form in _forms(event):
        if form in str(exc) and form not in known:
            fail(
                f"the {type(exc).__name__} for {what} has {form!r:.80} of the event in its text; "
                "errors are logged, so it should tell nothing of the event",
                exc,
            )


def _forms(value: Any) -> Iterator[str]:
    """What is in an event, written in the usual ways.

    Only what is long enough not to be in an error by chance, as "object" or "base64" may be.
    """
    if isinstance(value, str) and len(value) > 7:
        yield from (value, repr(value)[1:-1], json.dumps(value)[1:-1])
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _forms(inner)
        yield from (form for form in (repr(value), json.dumps(value)) if len(form) > 7)
