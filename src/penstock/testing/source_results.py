"""What an event source makes of an app's answers, checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ..errors import DeliveryError, EventError
from ..messages import Response
from .source_calls import called, check_error, fail

_BODIES = (b"", b"OK", b'{"ok": true}', b"\xff\0")


def check_results(source: Any, event: Any) -> None:
    """Check what the source answers, by the app's status and body."""
    found: list[str] = []
    headers = [("content-type", "text/plain"), ("set-cookie", "a=1"), ("Set-Cookie", "b=2")]
    for status, bodies in ((200, _BODIES), (204, [b""]), (404, _BODIES), (500, _BODIES)):
        results = [_check_result(source, event, Response(status, headers, it)) for it in bodies]
        if not source.is_internal and len(bodies) > 1 and len(set(results)) == 1:
            fail(
                f"result() gave {results[0]:.80} for answers with status {status}, whatever their "
                "body; the caller should get the body"
            )
        if status < 300:
            found += [result for result in results if result is not None]
    if not found:
        fail(
            "result() raised DeliveryError for every answer with status 200 or 204, so no event "
            "could ever be handled; it should give what the service wants to hear"
        )


def _check_result(source: Any, event: Any, response: Response) -> str | None:
    """The result as JSON, None if there is an error."""
    what = f"an answer with status {response.status} and the body {response.body!r}"
    try:
        result = called(
            event, what, lambda: source.result(response, event), "result", DeliveryError
        )
    except DeliveryError as exc:
        if not source.is_internal:
            fail(
                f"result() raised DeliveryError for {what}; that is for internal sources, "
                "others should give the caller an answer",
                exc,
            )
        check_error(source, exc, event, what)
        return None
    if source.is_internal and response.status == 500:
        fail(
            f"result() gave {result!r:.80} for {what}; of an internal source it should raise "
            "DeliveryError, so that AWS tries the event again"
        )
    return _json_of(result, f"result() for {what}")


def _json_of(result: Any, what: str) -> str:
    try:
        return json.dumps(result, allow_nan=False)
    except (TypeError, ValueError) as exc:
        fail(f"{what} is no JSON: {exc}", exc)


def check_by_record(source: Any, event: Any, where: str, check_part: Callable[[Any], None]) -> None:
    """Deliver an event's records as `adapt` does: all well, none well, and without time.

    `where` says what is wrong with the event, if anything; `check_part` checks what is
    delivered.
    """
    handled = [_by_record(source, event, where, check_part, 200, body) for body in _BODIES]
    failed = _by_record(source, event, where, check_part, 500, b"")
    late = _by_record(source, event, where, check_part, None, b"")
    if where:
        return
    known = {result for result in handled if result is not None}
    if not known:
        fail(
            "result_by_record() raised DeliveryError for every answer with status 200, so no "
            "record could ever be handled"
        )
    for result, when in ((failed, "status 500 for each record"), (late, "no time for any")):
        if result in known:
            fail(
                f"result_by_record() gave {result:.80} with {when}, as if all had been handled; it "
                "should report the records, or raise DeliveryError, so that AWS tries them again"
            )


def _by_record(
    source: Any,
    event: Any,
    where: str,
    check_part: Callable[[Any], None],
    status: int | None,
    body: bytes,
) -> str | None:
    """The result as JSON, None if there is an error."""
    parts = []

    def deliver(part: Any) -> Response | None:
        parts.append(part)
        return Response(status, [("content-type", "text/plain")], body) if status else None

    what = f"an event {where}" if where else "an event"
    try:
        result = called(
            event,
            what,
            lambda: source.result_by_record(event, deliver),
            "result_by_record",
            *(EventError, DeliveryError),
        )
    except (EventError, DeliveryError) as exc:
        check_error(source, exc, event, what)
        if isinstance(exc, EventError) and not where:
            fail(f"result_by_record() raised EventError for an event that is right: {exc}", exc)
        return None
    if not parts and not where:
        fail("result_by_record() has delivered nothing; it should call deliver for each record")
    for part in parts:
        check_part(part)
    return _json_of(result, f"result_by_record() for {what}")
