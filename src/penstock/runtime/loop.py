"""Next, handle, answer; again.

An invocation is not over for Lambda until `/next` is called again: until then the
environment is neither frozen nor given other work, and the time is billed.
"""

from __future__ import annotations

import os

from ..errors import RuntimeApiError
from ..stream import current_responder
from .failure_report import FailureReport
from .invocation import LambdaContext, function_attributes
from .marshalling import event_from_bytes, response_to_bytes, to_json, to_json_bytes
from .response import StreamedResponse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, NoReturn

    from .api_client import RuntimeApiClient
    from .invocation import Invocation
    from .logs import FunctionLog

_TRACE_ID = "_X_AMZN_TRACE_ID"


def serve(handler: Callable[[Any, Any], Any], api: RuntimeApiClient, log: FunctionLog) -> NoReturn:
    """Answer invocations for as long as there are any.

    Raises:
        OSError, RuntimeApiError: the Runtime API is gone or gives no invocations any more.
        BaseException: what asks the process to end, as `SystemExit` from the handler.
    """
    function = function_attributes()
    while True:
        invocation = api.next_invocation()
        log.request_id = invocation.request_id
        log.tenant_id = invocation.tenant_id
        _set_trace_id(invocation.trace_id)
        answer(handler, invocation, api, log, function)
        log.flush()


def answer(
    handler: Callable[[Any, Any], Any],
    invocation: Invocation,
    api: RuntimeApiClient,
    log: FunctionLog,
    function: Mapping[str, str | None] | None = None,
) -> None:
    """Run the handler for one invocation and see to it that it is answered.

    Raises:
        RuntimeApiError: the Runtime API said 500, after which a runtime is to exit.
    """
    streamed = StreamedResponse(api, invocation)
    token = current_responder.set(streamed)
    try:
        try:
            context = LambdaContext(invocation, function=function)
            event = event_from_bytes(invocation.event, invocation.content_type)
            result = handler(event, context)
            if not streamed.started:
                body, content_type = response_to_bytes(result)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:  # a cancelled task's error is none of the process's
            _report(exc, streamed, invocation, api, log)
        else:
            if not streamed.started:
                _post(log, lambda: api.post_response(invocation, body, content_type))
    finally:
        current_responder.reset(token)
        streamed.abandon()
    if streamed.refusal is not None:
        if streamed.refusal.status == 500:
            raise streamed.refusal
        log.warning(str(streamed.refusal))


def _report(
    error: BaseException,
    streamed: StreamedResponse,
    invocation: Invocation,
    api: RuntimeApiClient,
    log: FunctionLog,
) -> None:
    """Log what the handler raised, and send it unless the response has told it already."""
    report = FailureReport(error)
    log.error(report, invocation.request_id)
    if not streamed.started:
        body = to_json_bytes(report.body(invocation.request_id))
        cause = to_json(report.xray_error_cause())
        _post(log, lambda: api.post_error(invocation, body, cause))


def _post(log: FunctionLog, post: Callable[[], None]) -> None:
    """Post an answer. A refused one is logged and the loop goes on: the next call may do."""
    try:
        post()
    except RuntimeApiError as exc:
        if exc.status == 500:
            raise
        log.warning(str(exc))


def _set_trace_id(trace_id: str | None) -> None:
    if trace_id is not None:
        os.environ[_TRACE_ID] = trace_id
    elif _TRACE_ID in os.environ:
        del os.environ[_TRACE_ID]
