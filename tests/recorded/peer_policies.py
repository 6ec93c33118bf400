"""What Penstock does where the recorded peer's way is no model: one check for each row of
docs/reference/peer-decisions.md, "Decided by policy".
"""

from __future__ import annotations

import pytest

from penstock import adapt
from penstock.errors import AppError, DeliveryError, EventError
from penstock.event_sources.detect import all_sources
from penstock.event_sources.sqs import Sqs
from penstock.testing import Context, run

from .peer import App, answer_form, event_of, function_url_event_of, streamed_form


class _Again(Sqs):
    name = "again"
    path = "/again"


def check_head(record, found):
    assert answer_form(found.result)["body"] == b""
    assert answer_form(found.result)["status"] == found.app.status


def check_text(record, found):
    encoding = found.result.get("isBase64Encoded") or found.result.get("bodyEncoding") == "base64"
    assert encoding
    assert answer_form(found.result)["body"] == b"".join(found.app.chunks)


def check_connection(record, found):
    fields = found.result.get("headers") or found.result["multiValueHeaders"]
    assert "date" in fields
    assert not {"connection", "keep-alive"} & set(fields)


def check_partial(record, found):
    form = answer_form(found.result)
    assert (form["status"], form["body"]) == (500, b"Internal Server Error")


def check_cookies(record, found):
    sent = [value for name, value in found.app.headers if name == "set-cookie"]
    assert answer_form(found.result)["cookies"] == sorted(sent)
    assert len({name.lower() for name in found.result["headers"]}) < len(found.result["headers"])


def check_streamed_error(record, found):
    form = streamed_form(found.streamed)
    assert (form["status"], form["body"]) == (500, b"Internal Server Error")


def check_event_in_error(record, found):
    assert isinstance(found.error, DeliveryError)
    assert str(found.app.status) in str(found.error)
    for text in texts_in(record["event"]):
        assert len(text) < 8 or text not in str(found.error)


def check_too_large(record, found):
    form = answer_form(found.result)
    assert form["status"] == 500
    assert len(form["body"]) < 1000


def check_ambiguous(record, found):
    twice = adapt(App("asgi", {}).callable, sources=[_Again()])
    with pytest.raises(EventError, match="several sources take this event for theirs: sqs, again"):
        twice(event_of(record), Context())


def check_cloudfront_json(record, found):
    kind = record["event"]["Records"][0]["cf"]["config"]["eventType"]
    names = [source.name for source in all_sources() if source.matches(event_of(record))]
    assert names == (["lambda_edge"] if kind.endswith("-request") else [])


def check_interface(record, found):
    with pytest.raises(AppError, match="neither an ASGI"):
        adapt(lambda: None)
    with pytest.raises(AppError, match="mode is"):
        adapt(App("wsgi", {}).callable, mode="callback")


def check_no_answer(record, found):
    async def app(scope, receive, send):
        assert (await receive())["type"] == "http.request"
        while (await receive())["type"] != "http.disconnect":
            pass

    event = function_url_event_of(record)
    answer = run(adapt(app), event, Context(remaining_seconds=0.2))
    assert answer.prelude.status_code == 504


def texts_in(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inside in value.values():
            yield from texts_in(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from texts_in(inside)


# By the record's reason: the row in the docs, and the check.
POLICIES = {
    "Node drops the body of a HEAD answer; "
    "in Python that is the server's (so the adapter's) duty": (
        "the answer to HEAD has a body",
        check_head,
    ),
    "caller asked for text; bytes that are not UTF-8 are lost": (
        "a body that is no UTF-8",
        check_text,
    ),
    "connection and keep-alive are passed on": ("fields of a connection", check_connection),
    "partial body discarded, 500 answered": (
        "the app fails in the middle, buffered",
        check_partial,
    ),
    "two Set-Cookie values squeezed into one comma-joined header; "
    "single-value formats have no clean way": (
        "two cookies, and a load balancer without lists",
        check_cookies,
    ),
    "no 500 is produced: respondWithErrors and adapter error mapping are bypassed": (
        "the app fails before a stream begins",
        check_streamed_error,
    ),
    "hang until the platform timeout is unavoidable without a watchdog": (
        "the app never answers",
        check_no_answer,
    ),
    'message dumps the whole event into the exception; only "raises" carries over': (
        "what an error tells of an event",
        check_event_in_error,
    ),
    "over-limit response only logged": (
        "more than Lambda@Edge can send",
        check_too_large,
    ),
    "ambiguity is an error at invocation time; message lists all adapters": (
        "an event of two sources",
        check_ambiguous,
    ),
    "adapter the author says he never tested on AWS; app must answer CloudFront JSON": (
        "CloudFront's own JSON",
        check_cloudfront_json,
    ),
    "API-specific": ("how the parts are put together", check_interface),
}
# Nothing is to be given to our app: the check does that, or there is no event.
WITHOUT_OUTCOME = {check_no_answer, check_ambiguous, check_cloudfront_json, check_interface}
