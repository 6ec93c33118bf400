"""`AWS_PROXY` integrations: a function answers, in chunks or in one piece."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from .. import limits
from ..bandwidth import Bandwidth
from ..environments.environments import Environments, TooManyRequestsError
from ..invocations import Invocation
from ..relay import BufferedReceiver, Ending, Outcome
from ..rest_apis import Stage, function_of
from .answering import CATCH_WHOLE_MEND, INTO_S3, REFUSED_HERE, mend_of_failure, respond
from .rest_api_answers import MalformedResponseError, response_from_result
from .rest_api_call import Call, RefusedError, Target, failed
from .rest_api_streaming import StreamingReceiver, wait_for_stream

#: Finds a function by its name and its qualifier.
Find = Callable[[str, str | None], Environments | None]


def environments_of(find: Find, uri: str, stage: Stage) -> tuple[Environments, str | None]:
    """The function that a URI means on this stage, and the qualifier.

    Raises:
        RefusedError: there is no such function.
    """
    name, qualifier = function_of(uri, stage)
    environments = find(name, qualifier) if name else None
    if environments is None:
        called = f"{name}:{qualifier}" if qualifier else name or stage.filled_in(uri)
        raise failed(500, f"there is no function {called}, and AWS answers 500")
    return environments, qualifier


def answer_with_function(
    call: Call,
    target: Target,
    find: Find,
    authorizer: Mapping[str, Any] | None,
    *,
    failed_stream_succeeds: bool,
) -> None:
    """Invoke the function of the method, and answer with its response.

    `failed_stream_succeeds` is the quirk of that name, for BUFFERED.

    Raises:
        RefusedError: nothing was sent, API Gateway has to answer by itself.
    """
    exchange, integration = call.exchange, target.method.integration
    environments, qualifier = environments_of(find, integration.uri, target.stage)
    payload = _payload(call.event(target, call.read_body(target), authorizer))
    receiver: StreamingReceiver | BufferedReceiver
    if integration.streams:
        is_slow = target.api.bandwidth
        receiver = StreamingReceiver(
            exchange,
            call.headers,
            refuse=call.refuse,
            say=call.say,
            bandwidth=Bandwidth(limits.API_BURST, limits.API_RATE) if is_slow else None,
        )
    else:
        receiver = BufferedReceiver()
    invocation = Invocation(
        environments.function,
        payload,
        receiver,
        is_streaming=integration.streams,
        qualifier=qualifier,
        trace_id=call.trace_id,
    )
    try:
        environments.invoke(invocation)
    except TooManyRequestsError as exc:
        # 500, not 429: seen in API Gateway's execution logs.
        raise failed(500, f"{exc}: AWS answers 500 here, where a Function URL answers 429") from exc
    relay = invocation.relay
    if isinstance(receiver, StreamingReceiver):
        outcome = wait_for_stream(
            relay, receiver, timeout=integration.timeout, idle=target.api.idle_timeout
        )
        if relay.caller_gone:
            exchange.abort()
        elif outcome is not None:
            receiver.finish(outcome)
        return
    outcome = relay.wait(integration.timeout)
    if outcome is None:
        raise failed(
            504,
            "AWS answers 504, because there was no response within "
            f"{integration.timeout:g} seconds; the function runs on; a STREAM integration may "
            "take 15 minutes",
        )
    if outcome.ending is Ending.FAILED:
        _tell_failed_stream(call, receiver, outcome, succeeds=failed_stream_succeeds)
    _send_whole(call, target, receiver, outcome)


def _payload(event: dict[str, Any]) -> bytes:
    payload = json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "replace"
    )
    if len(payload) > limits.BUFFERED_PAYLOAD:
        # What it says then is in users' reports only.
        raise RefusedError(
            413,
            "RequestEntityTooLargeException",
            b'{"message":"Request Too Long"}',
            f"the event is of {len(payload)} bytes, and Lambda takes "
            f"{limits.BUFFERED_PAYLOAD}: AWS answers 413, though an API takes 10 MB; {INTO_S3}",
        )
    return payload


def _tell_failed_stream(
    call: Call, receiver: BufferedReceiver, outcome: Outcome, *, succeeds: bool
) -> None:
    """BUFFERED, so an `Invoke`, to which a stream that failed late is a success (captured).

    What API Gateway makes of it is inferred from that.

    Raises:
        RefusedError: it is none here.
    """
    if not receiver.content:
        # `Invoke` calls it a success, too, but nothing is no proxy response.
        raise failed(
            502,
            "AWS answers 502, because the response failed before its first byte "
            f"({outcome.detail}); {CATCH_WHOLE_MEND}",
        )
    what = f"the response failed after its first byte ({outcome.detail})"
    odd = (
        "AWS's Invoke, which a BUFFERED integration uses, calls it a success, so that what there "
        "was of it is the answer"
    )
    if not succeeds:
        raise failed(
            502, f"{what}, and without failed-stream-succeeds this is a 502; {odd}; {_LATE}"
        )
    call.say(f"{what}; {odd}; {_LATE}")


_LATE = (
    "return a proxy response, or leave rest_api out of what adapt streams, and a failure is AWS's "
    "502"
)


def _send_whole(call: Call, target: Target, receiver: BufferedReceiver, outcome: Outcome) -> None:
    """BUFFERED: the answer that the whole response makes."""
    if outcome.ending is Ending.TOO_LARGE:
        raise failed(
            502,
            f"Lambda gives {limits.BUFFERED_PAYLOAD} bytes in one piece, the response has more, "
            "and AWS answers 502; give the integration STREAM (--rest-api STREAM), which takes "
            "200 MiB, and stream it",
        )
    if outcome.ending not in (Ending.WHOLE, Ending.FAILED):
        mend = mend_of_failure(outcome, CATCH_WHOLE_MEND)
        raise failed(
            502, f"AWS answers 502, because the function failed ({outcome.detail}); {mend}"
        )
    try:
        response = response_from_result(
            receiver.content, accepts_binary=call.accepts_binary(target), say=call.say
        )
        fields = [*call.headers, *response.headers]
        respond(call.exchange, response.status, fields, response.body)
    except MalformedResponseError as exc:
        raise failed(502, f"AWS answers 502 to this, because {exc}") from exc
    except ValueError as exc:
        raise failed(502, f"{REFUSED_HERE} {exc}") from exc
