"""A Function URL in RESPONSE_STREAM mode: every part of a response as it comes."""

from __future__ import annotations

import json
import time

from ...errors import RemoteProtocolError
from ...event_sources.function_url_events import (
    UrlResponse,
    head_from_metadata,
    internal_server_error,
    response_from_result,
    streamed_response_from_result,
)
from ...wire.prelude import CONTENT_TYPE as INTEGRATION_CONTENT_TYPE
from ...wire.prelude import PreludeDecoder
from .. import limits
from ..bandwidth import Bandwidth
from ..quirks import Quirks
from ..relay import Ending, Outcome, ResponseHead
from .answering import BODILESS, END_MARK, REFUSED_HERE, may_be_caught
from .function_url_call import UrlCall

# How often it is looked whether a client that is left hanging is still there, in seconds.
_HANGING_LOOK = 0.1


class StreamingReceiver:
    """Decodes the prelude, if there is one, then passes every chunk on."""

    def __init__(self, call: UrlCall, quirks: Quirks, bandwidth: Bandwidth | None = None) -> None:
        self._call = call
        self._exchange = call.exchange
        self._quirks = quirks
        self._bandwidth = bandwidth
        self._prelude: PreludeDecoder | None = None
        self._result: bytearray | None = None
        self._has_body = True
        self._is_empty = True

    def begin(self, head: ResponseHead) -> None:
        """Send the head now, unless a prelude or a JSON result is still to tell it."""
        if head.content_type == INTEGRATION_CONTENT_TYPE:
            self._prelude = PreludeDecoder()
        elif head.is_json and not head.says_streaming:
            # A plain handler's JSON: a proxy response in it decides on the head.
            self._result = bytearray()
        else:
            content_type = head.content_type or "application/octet-stream"
            self._begin(UrlResponse(200, [("content-type", content_type)]))

    def body(self, data: bytes) -> None:
        """Pass a part of the body on."""
        if not self._has_body:
            # What comes after the end of the answer is read all the same: the function runs on.
            return
        if self._result is not None:
            self._result += data
            if len(self._result) > limits.BUFFERED_PAYLOAD:
                whole, self._result = bytes(self._result), None
                if whole.startswith(b"{"):
                    self._call.say(_UNREAD)
                self._begin(UrlResponse(200, [("content-type", "application/json")]))
                self._send(whole)
            return
        if self._prelude is not None and self._prelude.metadata is None:
            try:
                data = self._prelude.receive(data)
            except RemoteProtocolError as exc:
                self._refuse(str(exc))
                return
            if self._prelude.metadata is None:
                return
            self._begin(head_from_metadata(self._prelude.metadata))
        self._send(data)

    def finish(self, outcome: Outcome) -> None:
        """End the answer in the way that the response has ended."""
        if self._result is not None and outcome.ending is Ending.WHOLE:
            self._answer_result(bytes(self._result))
        elif not self._exchange.answered:
            self._answer_failure(outcome)
        elif outcome.ending in (Ending.CUT, Ending.TIMEOUT):
            # What AWS does here was never captured, so the truth is told: it is not whole.
            self._cut(f"it {_CUT[outcome.ending]} ({outcome.detail})")
        elif outcome.ending is Ending.WHOLE:
            self._end()
        elif self._quirks.clean_end_after_failure:
            self._say_clean_end(outcome)
            self._end()
        else:
            self._cut(f"it {_FAILED.get(outcome.ending, 'failed')} ({outcome.detail})")

    def _answer_result(self, payload: bytes) -> None:
        self._result = None
        self._has_body = False
        if not self._quirks.proxy_response_as_body:
            self._call.answer(response_from_result(payload))
            return
        response = streamed_response_from_result(payload)
        if not response.refusal and _is_proxy_response(payload):
            self._call.say(
                "the handler answers with a proxy response, and the URL is RESPONSE_STREAM: AWS "
                "takes status and headers of it and sends all of its JSON as the body; make the "
                "URL BUFFERED, or stream the body after a Prelude"
            )
        self._call.answer(response)

    def _answer_failure(self, outcome: Outcome) -> None:
        if outcome.ending in (Ending.WHOLE, Ending.FAILED) or not outcome.payload:
            # A failure that nobody has words for, or one within the prelude.
            self._refuse(f"the response ended within its prelude ({outcome.detail or 'no error'})")
        elif self._quirks.error_is_200:
            what = (
                "the response was cut off before its head was whole"
                if outcome.ending is Ending.CUT
                else "the function failed before its first byte"
            )
            catch = "catch it and send a Prelude with status_code=500, or "
            self._call.say(
                f"{what} ({outcome.detail}), and AWS answers 200 with the error as the body; "
                f"{catch if may_be_caught(outcome) else ''}make the URL BUFFERED, which answers 502"
            )
            # As captured for /error: a 200 whose body is the error.
            self._answer_whole(
                UrlResponse(200, [("content-type", "application/json")], outcome.payload)
            )
        else:
            self._call.say(
                "Penstock answers 502 to this (AWS: 200 with the error as the body, error-is-200), "
                f"because the function failed before its first byte ({outcome.detail})"
            )
            self._answer_whole(internal_server_error())

    def _begin(self, response: UrlResponse) -> None:
        if response.refusal:
            self._answer_whole(response)
            return
        method = self._exchange.method
        self._has_body = response.status not in BODILESS and method != "HEAD"
        is_head = method == "HEAD" and response.status not in BODILESS
        try:
            self._call.begin(response, *([("content-length", "0")] if is_head else ()))
        except ValueError as exc:
            self._refuse(str(exc))
            return
        if not self._has_body:
            # As captured for HEAD: the answer is sent before the function has finished.
            self._exchange.end()

    def _send(self, data: bytes) -> None:
        if not self._has_body or not data:
            return
        self._is_empty = False
        if self._bandwidth is not None:
            self._bandwidth.take(len(data))
        self._exchange.send(data)

    def _end(self) -> None:
        if not self._has_body:
            return
        self._has_body = False
        if self._is_empty and self._quirks.empty_body_hang:
            self._hang()
            return
        if self._is_empty:
            self._call.say(
                "the body is empty, and on AWS the end of such an answer does not come at times "
                "(empty-body-hang); send at least one byte"
            )
        self._exchange.end()

    def _hang(self) -> None:
        """Let the client wait for its end of the answer, as long as it, or the server, is there."""
        self._call.say(
            "the body is empty, and the connection is left open, as AWS does at times "
            "(empty-body-hang); send at least one byte"
        )
        while self._exchange.is_connected():
            time.sleep(_HANGING_LOOK)
        self._exchange.abort()

    def _cut(self, reason: str) -> None:
        if self._has_body:
            self._call.say(f"the connection is cut in the middle of the body: {reason}; {END_MARK}")
            self._exchange.abort()

    def _say_clean_end(self, outcome: Outcome) -> None:
        if self._has_body:
            self._call.say(
                f"the response {_FAILED.get(outcome.ending, 'failed')} ({outcome.detail}), and AWS "
                f"ends the body like a whole one; {END_MARK}"
            )

    def _refuse(self, reason: str) -> None:
        """Answer 502 to a head that is none; no source tells what AWS does."""
        self._answer_whole(internal_server_error(f"{REFUSED_HERE} {reason}"))

    def _answer_whole(self, response: UrlResponse) -> None:
        self._result = None
        self._has_body = False
        self._call.answer(response)


_CUT = {Ending.CUT: "came no further", Ending.TIMEOUT: "was out of time"}
_FAILED = {
    Ending.FAILED: "failed after its first byte",
    Ending.TOO_LARGE: "passed the 200 MiB that Lambda streams",
}


_UNREAD = (
    f"the handler returns an object of more than {limits.BUFFERED_PAYLOAD} bytes, which is passed "
    "on as it comes: of a proxy response status and headers are lost so, and what AWS does with "
    "one of this size is not known; stream the body after a Prelude"
)


def _is_proxy_response(payload: bytes) -> bool:
    try:
        result = json.loads(payload)
    except (ValueError, RecursionError):
        return False
    return isinstance(result, dict) and "statusCode" in result
