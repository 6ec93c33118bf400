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
from .answering import (
    BODILESS,
    CATCH_MEND,
    END_MARK,
    PRELUDE_MEND,
    REFUSED_HERE,
    may_be_caught,
    mend_of_failure,
    no_end_of_prelude,
)
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
        self._nothing = "the body is empty"
        self._mend = "send at least one byte"

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
                self._refuse(f"{exc}; {PRELUDE_MEND}")
                return
            if self._prelude.metadata is None:
                return
            self._begin(head_from_metadata(self._prelude.metadata))
        self._send(data)

    def finish(self, outcome: Outcome) -> None:
        """End the answer in the way that the response has ended."""
        if self._lacks_its_prelude(outcome):
            self._begin_without_prelude(outcome)
        if self._result is not None and outcome.ending is Ending.WHOLE:
            self._answer_result(bytes(self._result))
        elif not self._exchange.answered:
            self._answer_failure(outcome)
        elif outcome.ending in (Ending.CUT, Ending.TIMEOUT):
            # What AWS does here was never captured, so the truth is told: it is not whole.
            self._cut(
                "the connection is cut in the middle of the body: it "
                f"{_CUT[outcome.ending]} ({outcome.detail}), and what AWS does then is not known"
            )
        elif outcome.ending is Ending.WHOLE:
            self._end()
        else:
            self._end_failed(outcome)

    def _lacks_its_prelude(self, outcome: Outcome) -> bool:
        """Whether a prelude was announced, and the response ended without a byte."""
        if self._exchange.answered or self._prelude is None or self._pending:
            return False
        ends_cleanly = outcome.ending is Ending.FAILED and self._quirks.clean_end_after_failure
        return outcome.ending is Ending.WHOLE or ends_cleanly

    @property
    def _pending(self) -> bytes:
        """What there is of a prelude that is not whole."""
        return self._prelude.pending if self._prelude is not None else b""

    def _begin_without_prelude(self, outcome: Outcome) -> None:
        """The type of the response is all that AWS had of its head, and it passes on another.

        By report: aws/aws-lambda-nodejs-runtime-interface-client#97, and the head itself in
        middyjs/middy#1189. In Node.js `HttpResponseStream.from` and `end()` alone come to it.
        """
        if outcome.ending is Ending.WHOLE:
            self._nothing = (
                "the response was to begin with a prelude and has not a byte, so AWS answers 200 "
                "without the status and headers that it was to have"
            )
            self._mend = "send at least one byte, in Node.js with write() before end()"
        else:
            self._nothing, self._mend = _failed_at_once(outcome), CATCH_MEND
        self._begin(UrlResponse(200, [("content-type", "application/octet-stream")]))
        if not self._has_body:
            self._call.say(f"{self._nothing}; {self._mend}")

    def _answer_result(self, payload: bytes) -> None:
        self._result = None
        self._has_body = False
        is_proxy_response = _is_proxy_response(payload)
        if is_proxy_response and not self._quirks.proxy_response_as_body:
            self._call.answer(response_from_result(payload))
            return
        response = streamed_response_from_result(payload)
        has_body = response.status not in BODILESS
        if is_proxy_response and has_body and not response.refusal:
            self._call.say(
                "the handler answers with a proxy response, and the URL is RESPONSE_STREAM: AWS "
                "takes status and headers of it and sends all of its JSON as the body; make the "
                "URL BUFFERED, or stream the body after a Prelude"
            )
        self._call.answer(response)

    def _answer_failure(self, outcome: Outcome) -> None:
        if outcome.ending is Ending.FAILED and self._prelude is not None and not self._pending:
            here = "here it is 502, for clean-end-after-failure is off"
            self._call.say(f"{_failed_at_once(outcome)}; {here}; {CATCH_MEND}")
            self._answer_whole(internal_server_error())
        elif outcome.ending is Ending.WHOLE:
            # By report: aws/aws-lambda-nodejs-runtime-interface-client#97.
            reason = no_end_of_prelude(len(self._pending))
            refused = internal_server_error(f"AWS answers 502 to this, because {reason}")
            self._answer_whole(refused)
        elif outcome.ending is Ending.FAILED:
            what = "within its prelude" if self._prelude is not None else "before it was whole"
            self._refuse(f"the response failed {what} ({outcome.detail}); {CATCH_MEND}")
        elif not outcome.payload:
            # There are no words that could be a body.
            mend = mend_of_failure(outcome, CATCH_MEND)
            self._call.say(
                f"the runtime gave no answer to pass on ({outcome.detail}), and a 502 stands "
                f"for what AWS answers, which is not known; {mend}"
            )
            self._answer_whole(internal_server_error())
        else:
            self._say_error_is_200(outcome)
            # As captured for /error: a 200 whose body is the error.
            headers = [("content-type", "application/json")]
            error = UrlResponse(200, headers, outcome.payload)
            self._answer_whole(error if self._quirks.error_is_200 else internal_server_error())

    def _say_error_is_200(self, outcome: Outcome) -> None:
        what = (
            "the response was cut off before its head was whole"
            if outcome.ending is Ending.CUT
            else "the function failed before its first byte"
        )
        here = "" if self._quirks.error_is_200 else "here it is 502, for error-is-200 is off; "
        catch = f"{CATCH_MEND}, or "
        # A timeout and a cut were not captured here.
        is_known = outcome.ending in (Ending.ERROR, Ending.EXITED)
        does = "AWS answers" if is_known else "AWS is taken to answer"
        self._call.say(
            f"{what} ({outcome.detail}), and {does} 200 with the error as the body; {here}"
            f"{catch if may_be_caught(outcome) else ''}make the URL BUFFERED, which answers 502"
        )

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
                f"{self._nothing}, and on AWS the end of such an answer does not come at times "
                f"(empty-body-hang); {self._mend}"
            )
        self._exchange.end()

    def _hang(self) -> None:
        """Let the client wait for its end of the answer, as long as it, or the server, is there."""
        self._call.say(
            f"{self._nothing}, and the connection is left open, as AWS does at times "
            f"(empty-body-hang); {self._mend}"
        )
        while self._exchange.is_connected():
            time.sleep(_HANGING_LOOK)
        self._exchange.abort()

    def _cut(self, why: str, mend: str = END_MARK) -> None:
        if self._has_body:
            self._call.say(f"{why}; {mend}")
            self._exchange.abort()

    def _end_failed(self, outcome: Outcome) -> None:
        """The runtime has told of a failure, or the response is too large."""
        what, mend = self._failure(outcome)
        if not self._quirks.clean_end_after_failure:
            here = "here the connection is cut, for clean-end-after-failure is off"
            self._cut(f"{what}; {here}", mend)
            return
        if self._is_empty:
            self._nothing, self._mend = what, mend
        elif self._has_body:
            self._call.say(f"{what}; {mend}")
        self._end()

    def _failure(self, outcome: Outcome) -> tuple[str, str]:
        """What AWS makes of it, and what to do."""
        if outcome.ending is Ending.TOO_LARGE:
            failed = f"passed the 200 MiB that Lambda streams ({outcome.detail})"
        elif not self._is_empty:
            failed = f"failed after its first byte ({outcome.detail})"
        elif self._prelude is not None and self._prelude.metadata is not None:
            what = f"the response failed after its prelude ({outcome.detail})"
            return f"{what}, and AWS sends its head with an empty body", END_MARK
        else:
            return _failed_at_once(outcome), CATCH_MEND
        return f"the response {failed}, and AWS ends the body like a whole one", END_MARK

    def _refuse(self, reason: str) -> None:
        """Answer 502 to a head that is none; no source tells what AWS does."""
        self._answer_whole(internal_server_error(f"{REFUSED_HERE} {reason}"))

    def _answer_whole(self, response: UrlResponse) -> None:
        self._result = None
        self._has_body = False
        self._call.answer(response)


_CUT = {Ending.CUT: "came no further", Ending.TIMEOUT: "was out of time"}


def _failed_at_once(outcome: Outcome) -> str:
    return (
        f"the response failed before its first byte ({outcome.detail}), and AWS answers 200 with "
        "an empty body"
    )


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
