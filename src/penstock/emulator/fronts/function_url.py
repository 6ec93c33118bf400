"""Function URLs, in both invoke modes, with and without signatures.

How the live service maps every kind of response was captured (us-east-1, 2026-09-15); the
table is in docs/reference/what-happens-when.md.
"""

from __future__ import annotations

import json
from base64 import b32encode
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from ...errors import RemoteProtocolError
from ...event_sources.function_url_events import (
    UrlResponse,
    event_from_request,
    head_from_metadata,
    internal_server_error,
    response_from_result,
)
from ...messages import Request
from ...wire.prelude import CONTENT_TYPE as INTEGRATION_CONTENT_TYPE
from ...wire.prelude import PreludeDecoder
from .. import limits
from ..api_errors import too_many_requests
from ..bandwidth import Bandwidth
from ..credentials import AccessKey, Credentials
from ..environments.environments import Environments, TooManyRequestsError
from ..function_urls import FunctionUrl
from ..functions import ACCOUNT
from ..http.http_server import BodyTooLargeError, Exchange
from ..invocations import Invocation
from ..quirks import Quirks
from ..relay import OCTETS, BufferedReceiver, Ending, Outcome, ResponseHead
from .answering import (
    BODILESS,
    CATCH_WHOLE_MEND,
    INTO_S3,
    PRELUDE_MEND,
    REFUSED_HERE,
    check_head,
    mend_of_failure,
    no_end_of_prelude,
)
from .function_url_call import UrlCall
from .function_url_streaming import StreamingReceiver
from .sigv4 import NOT_SIGNED, SignatureError, verify

# Made once: to make one takes a sixth of the time of writing an event.
_json_of_event = json.JSONEncoder(separators=(",", ":")).encode


class FunctionUrls:
    """Answers what is sent to Function URLs.

    Those with AWS_IAM take what `credentials` have signed. `write_line` takes lines for the
    log. With `is_slow` streams are held back as on AWS. `now` tells the time, with its zone.
    """

    def __init__(
        self,
        *,
        quirks: Quirks,
        credentials: Credentials,
        write_line: Callable[[str], object],
        is_slow: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._quirks = quirks
        self._credentials = credentials
        self._write_line = write_line
        self._is_slow = is_slow
        self._now = now

    def handle(
        self,
        exchange: Exchange,
        environments: Environments,
        url: FunctionUrl,
        *,
        port: int,
        trusted_origin: str | None = None,
    ) -> None:
        """Answer one request to `url`, whose function `environments` run.

        A page of `trusted_origin` may read the answer, as with the `Cors` of a Function URL.
        """
        call = UrlCall(exchange, url, write_line=self._write_line, trusted_origin=trusted_origin)
        if call.answer_preflight():
            return
        payload = self._payload(call, region=environments.function.region, port=port)
        if payload is not None:
            self._pass_on(call, environments, payload)

    def _payload(self, call: UrlCall, *, region: str, port: int) -> bytes | None:
        """The event, as JSON; None if the request was refused."""
        exchange = call.exchange
        try:
            body = exchange.read_body(limits.BUFFERED_PAYLOAD)
        except BodyTooLargeError:
            _refuse_size(call, "the request's body")
            return None
        request = Request(
            method=exchange.method,
            path=exchange.path,
            query=exchange.query,
            headers=exchange.headers,
            body=body,
            source_ip=exchange.client_address,
            protocol=exchange.protocol,
        )
        caller = None
        if call.url.auth_type == "AWS_IAM":
            key = self._signer(call, request, region)
            if key is None:
                return None
            caller = _identity(key)
        event = event_from_request(
            request,
            request_id=call.request_id,
            domain_name=call.url.domain_name,
            port=port,
            trace_id=call.trace_id,
            at=self._now().timestamp(),
            owner=ACCOUNT,
            caller=caller,
        )
        payload = _json_of_event(event).encode()
        if len(payload) > limits.BUFFERED_PAYLOAD:
            _refuse_size(call, f"the event, of {len(payload)} bytes with its body in base64,")
            return None
        return payload

    def _signer(self, call: UrlCall, request: Request, region: str) -> AccessKey | None:
        """The key that signed the request; None if it was refused."""
        try:
            return verify(request, self._credentials, region=region, now=self._now())
        except SignatureError as error:
            call.say(
                f"AWS answers 403, for the URL is AWS_IAM, and the request is not signed as it "
                f"must be: {error.hint or error.message}"
            )
            if error.error_type == NOT_SIGNED:
                # By report (2026); a request that is signed and not permitted gets more words.
                call.refuse(403, "AccessDeniedException", {"Message": "Forbidden"})
            else:
                call.refuse(403, error.error_type, {"message": error.message})
            return None

    def _pass_on(self, call: UrlCall, environments: Environments, payload: bytes) -> None:
        streams = call.url.invoke_mode == "RESPONSE_STREAM"
        receiver = self._streaming_receiver(call) if streams else BufferedReceiver()
        invocation = Invocation(
            environments.function,
            payload,
            receiver,
            is_streaming=streams,
            qualifier=call.url.qualifier,
            request_id=call.request_id,
            trace_id=call.trace_id,
        )
        try:
            environments.invoke(invocation)
        except TooManyRequestsError as exc:
            call.say(f"AWS answers 429 to this: {exc}")
            # What exactly a URL's 429 says is not known.
            call.refuse(429, "TooManyRequestsException", too_many_requests(exc.reason))
            return
        outcome = invocation.relay.wait()
        if outcome is None or invocation.relay.caller_gone:
            call.exchange.abort()
        elif isinstance(receiver, StreamingReceiver):
            receiver.finish(outcome)
        else:
            self._answer_buffered(call, receiver, outcome)

    def _streaming_receiver(self, call: UrlCall) -> StreamingReceiver:
        slow = Bandwidth(limits.STREAM_BURST, limits.STREAM_RATE) if self._is_slow else None
        return StreamingReceiver(call, self._quirks, slow)

    def _answer_buffered(self, call: UrlCall, receiver: BufferedReceiver, outcome: Outcome) -> None:
        response = self._buffered_response(call, receiver, outcome)
        if response is not None:
            call.answer(response)
        else:
            call.answer(response_from_result(receiver.content))

    def _buffered_response(
        self, call: UrlCall, receiver: BufferedReceiver, outcome: Outcome
    ) -> UrlResponse | None:
        """BUFFERED mode: what one gets of a whole response; None for a handler's result."""
        head = receiver.head
        if outcome.ending is Ending.TOO_LARGE:
            call.say(
                f"the response is over {limits.BUFFERED_PAYLOAD} bytes, and AWS answers 502; "
                "make the URL RESPONSE_STREAM, which takes 200 MiB, and stream it"
            )
        elif outcome.ending is not Ending.WHOLE and outcome.ending is not Ending.FAILED:
            # A timeout and a cut were not captured here.
            is_known = outcome.ending in (Ending.ERROR, Ending.EXITED)
            does = "AWS answers 502" if is_known else "AWS is taken to answer 502"
            mend = mend_of_failure(outcome, CATCH_WHOLE_MEND)
            call.say(f"{does} to this, because the function failed ({outcome.detail}); {mend}")
        if outcome.ending not in (Ending.WHOLE, Ending.FAILED) or head is None:
            return internal_server_error()
        if outcome.ending is Ending.FAILED:
            ends_cleanly = self._quirks.clean_end_after_failure
            here = "" if ends_cleanly else "here it is 502, for clean-end-after-failure is off; "
            when, what = (
                ("after", "with what there was of it")
                if receiver.content
                else ("before", "200 without a body")
            )
            call.say(
                f"the response failed {when} its first byte ({outcome.detail}), and AWS answers "
                f"{what}, as if it were whole; {here}answer with "
                "adapt(app, mode='buffer') or without a stream, and a failure is a 502"
            )
            if not ends_cleanly:
                return internal_server_error()
        if head.content_type == INTEGRATION_CONTENT_TYPE:
            decoder = PreludeDecoder()
            try:
                body = decoder.receive(receiver.content)
            except RemoteProtocolError as exc:
                return internal_server_error(f"{REFUSED_HERE} {exc}; {PRELUDE_MEND}")
            if decoder.metadata is not None:
                return self._after_prelude(call, head_from_metadata(decoder.metadata), body)
            if outcome.ending is Ending.WHOLE:
                self._say_no_prelude(call, len(receiver.content))
        if not receiver.content:
            return UrlResponse(200, [("content-type", "application/json")])
        if head.says_streaming or not (head.is_json or _is_result(head, receiver.content)):
            content_type = self._type_of_stream(call, head, outcome)
            return UrlResponse(200, [("content-type", content_type)], receiver.content)
        return None

    def _say_no_prelude(self, call: UrlCall, size: int) -> None:
        if size:
            call.say(
                f"the response passes as it is, and what AWS does with it at a BUFFERED URL is not "
                f"known (behind RESPONSE_STREAM it is a 502): {no_end_of_prelude(size)}"
            )
        else:
            call.say(
                "the response was to begin with a prelude and has not a byte, so AWS answers 200 "
                f"without the status and headers that it was to have; {PRELUDE_MEND}"
            )

    def _type_of_stream(self, call: UrlCall, head: ResponseHead, outcome: Outcome) -> str:
        """AWS drops the type of a stream without a prelude."""
        if not head.is_typed_stream:
            return OCTETS
        if not self._quirks.stream_type_dropped:
            return head.content_type
        if outcome.ending is Ending.WHOLE:
            call.say(
                "the URL is BUFFERED, and the answer is a stream without a Prelude: AWS drops its "
                f"type ({head.content_type}) and calls it {OCTETS}; make the URL RESPONSE_STREAM, "
                "or answer with adapt(app, mode='buffer') or without a stream"
            )
        return OCTETS

    def _after_prelude(self, call: UrlCall, response: UrlResponse, body: bytes) -> UrlResponse:
        """AWS applies the head and drops the body."""
        if response.refusal:
            return response
        if not self._quirks.stream_body_dropped:
            response.body = body
        elif body and _has_place_for_body(call, response):
            call.say(
                f"the URL is BUFFERED, and the answer is a stream: AWS takes its head and drops "
                f"its {len(body)} bytes of body; make the URL RESPONSE_STREAM, or answer with "
                "adapt(app, mode='buffer')"
            )
        return response


def _has_place_for_body(call: UrlCall, response: UrlResponse) -> bool:
    """Whether the client would get a body, were it not dropped."""
    try:
        check_head(response.status, response.headers)
    except ValueError:
        return False  # it gets a 502
    return response.status not in BODILESS and call.exchange.method != "HEAD"


def _is_result(head: ResponseHead, content: bytes) -> bool:
    """Whether a response that is not called JSON is a handler's result all the same.

    AWS's client for Rust names no type, and behind a BUFFERED URL its status and headers are
    heeded (aws/aws-lambda-rust-runtime#871). AWS's for Go says application/octet-stream for
    handlers of bytes, among them akrylysov/algnhsa, which is made for Function URLs. That is
    inferred from what works there, not captured, and so is where the line is drawn.
    """
    try:
        result = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return not head.content_type or (isinstance(result, dict) and "statusCode" in result)


def refuse_unknown(exchange: Exchange, host: str, known: list[str], port: int) -> str:
    """Answer as AWS does for a URL that does not exist; returns a line for the log."""
    exchange.respond(
        403,
        [("Content-Type", "application/json"), ("x-amzn-ErrorType", "AccessDeniedException")],
        b'{"Message":null}',
    )
    there = ", ".join(f"http://{domain}:{port}/" for domain in known) or "none"
    return f"there is no Function URL at {host!r}, and AWS answers 403; there is {there}"


def _refuse_size(call: UrlCall, what: str) -> None:
    # The limit is documented; what AWS says is not.
    message = f"Request must be smaller than {limits.BUFFERED_PAYLOAD} bytes"
    call.say(f"{what} is over the 6 MB that Lambda takes, and AWS answers 413; {INTO_S3}")
    call.refuse(413, "RequestEntityTooLargeException", {"Message": message})


def _identity(key: AccessKey) -> dict[str, Any]:
    """Who has signed, in the event: of a user, or, with a session token, of a role."""
    digest = b32encode(sha256(key.id.encode()).digest()).decode()[:17]
    if key.token is None:
        caller_id, arn = f"AIDA{digest}", f"arn:aws:iam::{ACCOUNT}:user/penstock"
    else:
        caller_id = f"AROA{digest}:penstock"
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/penstock/penstock"
    return {
        "accessKey": key.id,
        "accountId": ACCOUNT,
        "callerId": caller_id,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": arn,
        "userId": caller_id,
    }
