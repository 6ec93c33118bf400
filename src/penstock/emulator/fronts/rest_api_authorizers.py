"""Lambda authorizers of REST APIs: who may call a method, as a function says.

Errors: AWS knowledge centre, "troubleshoot HTTP 403 errors when using a Lambda authorizer"
and "401 Unauthorized errors"; bodies of 403 and 500 as tried on AWS by M. Gonzalez ("API
Gateway + Lambda authorizer failure modes").
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

from ...event_sources.rest_api_events import authorizer_event, query_of_request, token_event
from .. import limits
from ..environments.environments import TooManyRequestsError
from ..functions import ACCOUNT
from ..invocations import Invocation
from ..relay import BufferedReceiver, Ending, Relay
from ..rest_apis import Authorizer
from .authorizer_results import (
    AuthorizerResult,
    AuthorizerResultError,
    Decision,
    ResultCache,
    parsed_result,
)
from .rest_api_call import Call, RefusedError, Target, last_of, value_in
from .rest_api_lambda import Find, environments_of

_NOBODY = b'{"message":null}'

_FORBIDDEN = {
    Decision.IMPLICIT_DENY: b'{"Message":"User is not authorized to access this resource"}',
    Decision.EXPLICIT_DENY: b'{"Message":"User is not authorized to access this resource '
    b'with an explicit deny"}',
}

# An authorizer is waited for as an integration is.
_TIMEOUT = limits.API_BUFFERED


class LambdaAuthorizers:
    """Asks authorizers, and remembers what they say. `clock` counts seconds."""

    def __init__(self, find: Find, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._find = find
        self._clock = clock
        self._cache = ResultCache(clock)

    def authorize(self, call: Call, target: Target, authorizer: Authorizer) -> dict[str, Any]:
        """What the function behind the method gets to know as `requestContext.authorizer`.

        Raises:
            RefusedError: the method may not be called.
        """
        identity = _identity(call, target, authorizer)
        try:
            environments, qualifier = environments_of(
                self._find, authorizer.authorizer_uri, target.stage
            )
        except RefusedError as exc:
            raise _misconfigured(authorizer, str(exc)) from exc
        region = environments.function.region
        method_arn = _method_arn(call.exchange.method, target, region)
        key = (target.api.id, target.stage.stage_name, authorizer, *identity)
        seconds = authorizer.authorizer_result_ttl_in_seconds
        result = self._cache.get(key) if seconds else None
        took = 0.0
        if result is None:
            begun = self._clock()
            if authorizer.type == "TOKEN":
                event = token_event(identity[0], method_arn=method_arn)
            else:
                event = authorizer_event(call.event(target), method_arn=method_arn)
            receiver = BufferedReceiver()
            invocation = Invocation(
                environments.function,
                json.dumps(event).encode(),
                receiver,
                is_streaming=False,
                qualifier=qualifier,
                trace_id=call.trace_id,
            )
            try:
                environments.invoke(invocation)
            except TooManyRequestsError as exc:
                raise _misconfigured(authorizer, str(exc)) from exc
            result = _result(invocation.relay, receiver, authorizer)
            took = self._clock() - begun
            if result.conditions:
                call.say(
                    f"the policy of the authorizer {authorizer.name} has the condition "
                    f"{', '.join(result.conditions)}, which is not evaluated here: what is "
                    "allowed on a condition is not allowed"
                )
            if seconds:
                self._cache.keep(key, result, seconds)
        _judge(result, authorizer, method_arn)
        return {
            **result.context,
            "principalId": result.principal_id,
            "integrationLatency": round(took * 1000),
        }


def _identity(call: Call, target: Target, authorizer: Authorizer) -> tuple[str, ...]:
    """What identifies the caller; without all of it the function is not even asked."""
    values = []
    for source in authorizer.identity_sources:
        value = _value(call, target, source)
        if not value:
            raise _unauthorized(
                f"the request has no {source}, the identity source of the authorizer "
                f"{authorizer.name}: AWS answers 401 without asking it"
            )
        values.append(value)
    expression = authorizer.identity_validation_expression
    if expression and authorizer.type == "TOKEN" and not re.fullmatch(expression, values[0]):
        raise _unauthorized(
            f"the token does not match {expression!r}, the validation expression of the "
            f"authorizer {authorizer.name}: AWS answers 401 without asking it"
        )
    return tuple(values)


def _value(call: Call, target: Target, source: str) -> str | None:
    exchange = call.exchange
    kind, _, name = source.removeprefix("method.request.").partition(".")
    if kind == "header":
        # The last of several, as in the event: else one caller gets what was said of another.
        return next(reversed(exchange.headers.get_all(name)), None)
    if kind == "querystring":
        return last_of(query_of_request(exchange.query).get(name))
    if kind == "stageVariables":
        return target.stage.variables.get(name)
    return value_in(call.event(target)["requestContext"], name) if kind == "context" else None


def _result(relay: Relay, receiver: BufferedReceiver, authorizer: Authorizer) -> AuthorizerResult:
    outcome = relay.wait(_TIMEOUT)
    if outcome is None:
        raise RefusedError(
            500,
            "AuthorizerFailureException",
            _NOBODY,
            f"the authorizer {authorizer.name} took longer than {_TIMEOUT:g} seconds, and AWS "
            "answers 500",
        )
    if outcome.ending is not Ending.WHOLE:
        # A function that raises an error of just this text has API Gateway answer 401.
        if outcome.ending is Ending.ERROR and _message(outcome.payload) == "Unauthorized":
            raise _unauthorized(f"the authorizer {authorizer.name} says Unauthorized")
        raise _misconfigured(authorizer, f"it failed ({outcome.detail})")
    try:
        return parsed_result(receiver.content)
    except AuthorizerResultError as exc:
        raise _misconfigured(authorizer, f"of its result: {exc}") from exc


def _message(payload: bytes) -> object:
    try:
        error = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return error.get("errorMessage") if isinstance(error, dict) else None


def _judge(result: AuthorizerResult, authorizer: Authorizer, method_arn: str) -> None:
    decision = result.decide(method_arn)
    if decision is Decision.ALLOW:
        return
    hint = ""
    if decision is Decision.IMPLICIT_DENY and authorizer.authorizer_result_ttl_in_seconds:
        hint = (
            "; a policy is kept for every request with the same identity, so it should be about "
            "all methods of the API, or authorizer_result_ttl_in_seconds should be 0"
        )
    raise RefusedError(
        403,
        "AccessDeniedException",
        _FORBIDDEN[decision],
        f"the policy of the authorizer {authorizer.name} does not allow {method_arn} "
        f"({decision.value}), and AWS answers 403{hint}",
    )


def _method_arn(http_method: str, target: Target, region: str) -> str:
    return (
        f"arn:aws:execute-api:{region}:{ACCOUNT}:{target.api.id}/"
        f"{target.stage.stage_name}/{http_method}{target.path}"
    )


def _unauthorized(reason: str) -> RefusedError:
    return RefusedError(401, "UnauthorizedException", b'{"message":"Unauthorized"}', reason)


def _misconfigured(authorizer: Authorizer, reason: str) -> RefusedError:
    return RefusedError(
        500,
        "AuthorizerConfigurationException",
        _NOBODY,
        f"AWS answers 500 because of the authorizer {authorizer.name}: {reason}",
    )
