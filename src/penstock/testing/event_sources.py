"""`check_event_source`: whether an event source of your own keeps the contract."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import AppError, EventError
from ..event_sources.common import has_line_break, is_sendable, is_token
from ..event_sources.detect import all_sources
from ..event_sources.step_functions import StepFunctions
from ..messages import Headers, Request
from .event_samples import EVENTS
from .source_calls import called, check_error, fail
from .source_results import check_by_record, check_results

if TYPE_CHECKING:
    from ..event_sources.contract import EventSource

# Values that no source expects: of wrong types, and texts that could become something else.
_WRONG: tuple[Any, ...] = (
    *(None, True, 5, -1.5, [], [None], [[]], {}),
    *("", "x\r\ny: z", "\0", "\ud83d", "../%2e%2e"),
)
_NOBODYS: tuple[Any, ...] = (
    *_WRONG,
    *({"Records": [None]}, {"Records": [{}]}, {"requestContext": None}, {"a": {}}),
)


def check_event_source(
    source: Any, events: Sequence[Any], others: Iterable[EventSource] = ()
) -> None:
    """Check an event source against `penstock.event_sources.contract.EventSource`.

    `events` are events that it takes, of each kind one; `others` are the sources beside it
    in `adapt(sources=...)`, for which all that Penstock knows are taken as well, but those of
    its own name. The events are also tried with each of their values replaced or removed.

    Raises:
        AssertionError: what was asked, what was found and what would be right.
    """
    _check_attributes(source)
    if not events:
        fail("there are no events; give at least one that the source takes")
    beside = {other.name: other for other in (*all_sources(), *others)}
    beside.pop(source.name, None)
    _check_matches(source, events, list(beside.values()))
    _check_path(source, list(beside.values()))
    for event in events:
        _check_delivery(source, event)
        check_results(source, event)
        for changed, where in _changed(event):
            if _matches(source, changed, where):
                _check_delivery(source, changed, where)


def _check_delivery(source: Any, event: Any, where: str = "") -> None:
    _check_request(source, event, where)
    if getattr(source, "per_record", False):
        check_by_record(source, event, where, lambda part: _check_request(source, part, where))


def _check_attributes(source: Any) -> None:
    wanted = {"name": str, "looks_for": str, "path": str, "can_stream": bool, "is_internal": bool}
    for key, kind in wanted.items():
        if not hasattr(source, key):
            fail(f"the source has no {key}; it should be a {kind.__name__}")
        value = getattr(source, key)
        if not isinstance(value, kind):
            fail(f"{key} is {value!r:.80}; it should be a {kind.__name__}")
    for key in ("is_fallback", "has_paths_below", "per_record"):
        if not isinstance(getattr(source, key, False), bool):
            fail(f"{key} is {getattr(source, key)!r:.80}; it should be a bool, or not be there")
    name, path = source.name, source.path
    if not name or "," in name or name != name.strip():
        fail(
            f"name is {name!r}; it should be usable in PENSTOCK_STREAM=a,b: "
            "not empty, without a comma or blanks around it"
        )
    if not source.looks_for:
        fail("looks_for is empty; it should say by what the source knows its events")
    if not source.is_internal and path:
        fail(f'path is {path!r}; of a source that is not internal it should be ""')
    if source.is_internal and source.can_stream:
        fail(
            "can_stream and is_internal are both true; who streams cannot tell AWS that an event "
            "was not handled"
        )
    for other in all_sources():
        if source.is_internal and path == other.path and name != other.name:
            fail(f"path is {path!r}, which is that of the source {other.name}; it should differ")
    if source.is_internal and (
        not path.startswith("/") or path.startswith("//") or not is_sendable(path, "?#")
    ):
        fail(f"path is {path!r}; of an internal source it should be like '/queue'")
    if getattr(source, "has_paths_below", False) and not path.strip("/"):
        fail(f"path is {path!r} with has_paths_below; it should not be that of every request")
    methods = ["matches", "request", "result"]
    if getattr(source, "per_record", False):
        methods.append("result_by_record")
    for key in methods:
        if not callable(getattr(source, key, None)):
            fail(f"the source has no method {key}; see penstock.event_sources.contract")


def _check_path(source: Any, beside: Sequence[EventSource]) -> None:
    from ..bridge.options import check_paths

    try:
        check_paths([*beside, source])
    except AppError as exc:
        fail(f"path is {source.path!r}, and adapt would say: {exc}", exc)


def _check_matches(source: Any, events: Sequence[Any], beside: Sequence[EventSource]) -> None:
    for number, event in enumerate(events):
        if not _matches(source, event, f"events[{number}]"):
            fail(f"matches(events[{number}]) is false; it should be true for the source's events")
        if getattr(source, "is_fallback", False) or source.name == StepFunctions.name:
            continue  # whatever others say
        for other in beside:
            if not getattr(other, "is_fallback", False) and other.matches(event):
                fail(
                    f"the source {other.name} takes events[{number}] as well, by "
                    f"{other.looks_for}; exactly one source should"
                )
    if getattr(source, "is_fallback", False):
        return
    for value in _NOBODYS:
        if _matches(source, value, f"{value!r:.80}"):
            fail(f"matches({value!r:.80}) is true; that is no event of any source")
    for name in {other.name for other in beside} & set(EVENTS):
        for event in EVENTS[name]:
            if _matches(source, event, f"an event of {name}"):
                fail(f"matches() is true for an event of {name}; it should be false")


def _matches(source: Any, event: Any, what: str) -> bool:
    answer = called(event, what, lambda: source.matches(event), "matches")
    if not isinstance(answer, bool):
        fail(f"matches() is {answer!r:.80} for {what}; it should be True or False")
    return answer


def _check_request(source: Any, event: Any, where: str = "") -> None:
    what = f"an event {where}" if where else "an event"
    try:
        request = called(event, what, lambda: source.request(event), "request", EventError)
    except EventError as exc:
        check_error(source, exc, event, what)
        if not where:
            fail(f"request() raised EventError for an event that it should take: {exc}", exc)
        return
    if not isinstance(request, Request):
        fail(f"request() gave {request!r:.80} for {what}; it should be a penstock Request")
    for wrong in _wrong_in(request):
        fail(f"request() for {what}: {wrong}")
    if source.is_internal:
        is_below = getattr(source, "has_paths_below", False) and request.path.startswith(
            source.path.rstrip("/") + "/"
        )
        if request.path != source.path and not is_below:
            fail(
                f"request() for {what}: its path is {request.path!r:.80}; it should be "
                f"{source.path!r}, which outside callers are refused, or below it with "
                "has_paths_below = True"
            )


def _wrong_in(request: Request) -> Iterator[str]:
    if not isinstance(request.method, str) or not is_token(request.method):
        yield f"its method is {request.method!r:.80}; it should be like 'GET'"
    for key in ("path", "query", "root_path", "source_ip", "protocol"):
        value = getattr(request, key)
        if not isinstance(value, str) or has_line_break(value):
            yield f"its {key} is {value!r:.80}; it should be text without line breaks"
            return
    if not request.path.startswith("/"):
        yield f"its path is {request.path!r:.80}; it should begin with /"
    for key, unless in (("path", "?#"), ("query", "#")):
        value = getattr(request, key)
        if not is_sendable(value, unless):
            yield (
                f"its {key} is {value!r:.80}; it should be as in a URL, percent-encoded, as "
                "urllib.parse.quote does it"
            )
    root = request.root_path
    if root and not (root.startswith("/") and (request.path + "/").startswith(root + "/")):
        yield f"its root_path is {root!r:.80}; its path should begin with that"
    if not isinstance(request.body, bytes):
        yield f"its body is a {type(request.body).__name__}; it should be bytes"
    if not isinstance(request.headers, Headers):
        yield f"its headers are a {type(request.headers).__name__}; they should be Headers"
        return
    for name, value in request.headers:
        if not is_token(name) or has_line_break(value):
            yield (
                f"it has the header {name!r:.80}: {value!r:.80}; a name should be a token "
                "and a value without line breaks"
            )


def _changed(event: Any) -> Iterator[tuple[Any, str]]:
    """The event with each of its values replaced by wrong ones, or removed."""
    for path in _paths(event):
        for value in (..., *_WRONG):
            changed = copy.deepcopy(event)
            inner = changed
            for key in path[:-1]:
                inner = inner[key]
            if value is ...:
                del inner[path[-1]]
            else:
                inner[path[-1]] = copy.deepcopy(value)
            where = ".".join(map(str, path))
            yield changed, f"without {where}" if value is ... else f"with {where} = {value!r}"


def _paths(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield (*above, key)
        yield from _paths(inner, (*above, key))
