"""What the fronts share about heads, bodies, and failures, on their way to a client."""

from __future__ import annotations

import json
from typing import Final

from ...errors import PreludeError
from ...messages import check_field
from ..http.http_server import Exchange, HeaderList
from ..relay import Ending, Outcome

#: The statuses of answers that have no body.
BODILESS: Final = (204, 304)

#: What to do about cuts that nobody sees.
END_MARK: Final = "only an end mark in the body itself tells a client for certain that it is whole"

#: What to do about a failure before the first byte of a stream, if it may be caught.
CATCH_MEND: Final = "catch it and send a Prelude with status_code=500"

#: The same for a function that answers whole.
CATCH_WHOLE_MEND: Final = "catch it and answer with a statusCode that tells it"

#: What to do with a request that is too large.
INTO_S3: Final = "have the client put it into S3, by a presigned URL, and send its key"

# What to do about a failure that no handler catches.
_OWN_LINES: Final = "the function's own lines in the log may tell more"

#: What to do about a response whose type announces a prelude that is none.
PRELUDE_MEND: Final = (
    "yield a Prelude first, or use HttpResponseStream.from_; in Node.js call write() before end(), "
    "which alone sends no prelude"
)

_MODE_MEND: Final = (
    "the runtime's header Lambda-Runtime-Function-Response-Mode must be streaming, or not there"
)

#: How the log's line begins for a response of which no source tells what AWS makes.
REFUSED_HERE: Final = "Penstock answers 502 to this (what AWS does is not known), because"


def no_end_of_prelude(size: int) -> str:
    """That a response of `size` bytes has no prelude, which it says it has; and what to do."""
    return (
        f"{size} bytes came and no eight NUL bytes among them, which end a prelude; {PRELUDE_MEND}"
    )


def begin(exchange: Exchange, status: int, fields: HeaderList) -> None:
    """Send a head.

    Raises:
        ValueError: HTTP cannot carry it; the text says what would be right. Nothing was sent.
        ClientGoneError: nobody is there to take it.
    """
    check_final(status)
    try:
        exchange.begin(status, fields)
    except ValueError:
        raise ValueError(_why_unsendable(fields)) from None


def respond(exchange: Exchange, status: int, fields: HeaderList, body: bytes) -> None:
    """Send a whole answer, without a body that its status has no place for.

    Raises what `begin` does.
    """
    check_final(status)
    try:
        exchange.respond(status, fields, b"" if status in BODILESS else body)
    except ValueError:
        raise ValueError(_why_unsendable(fields)) from None


def check_head(status: int, fields: HeaderList) -> None:
    """Raise `ValueError` for a head that HTTP cannot carry; the text says what would be right."""
    check_final(status)
    for name, value in fields:
        check_field(name, value)


def check_final(status: int) -> None:
    """Raise `ValueError` for a status with which no response ends (RFC 9110, 15.2)."""
    if status < 200:
        raise ValueError(
            f"the status is {status}, after which another response would have to come; "
            "write a number from 200 to 599"
        )


def _why_unsendable(fields: HeaderList) -> str:
    for name, value in fields:
        try:
            check_field(name, value)
        except PreludeError as exc:
            return str(exc)
    return "its headers contradict each other; leave out those that frame a body"


def may_be_caught(outcome: Outcome) -> bool:
    """Whether code in the handler could catch the failure.

    It cannot if the platform or the runtime has found it (`Runtime.` in front of its type),
    if it came before the first event (AWS's and our Python runtimes then give no request id),
    or if no code of the function was running: a handler with the wrong parameters.
    """
    if outcome.ending is not Ending.ERROR or outcome.error_type.startswith("Runtime."):
        return False
    try:
        report = json.loads(outcome.payload)
    except (ValueError, RecursionError):
        return False
    if not isinstance(report, dict) or report.get("requestId") == "":
        return False
    # Python's name for it, or that of Node.js.
    return bool(report.get("stackTrace") or report.get("trace"))


def mend_of_failure(outcome: Outcome, catch: str) -> str:
    """What to do about a function that failed: `catch`, if code in the handler can do that."""
    if outcome.ending is Ending.TIMEOUT:
        return "give the function a longer timeout, or less to do"
    if outcome.error_type == "Runtime.InvalidResponseModeHeader":
        return _MODE_MEND
    return catch if may_be_caught(outcome) else _OWN_LINES
