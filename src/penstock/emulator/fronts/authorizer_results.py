"""What a Lambda authorizer has said: may a method be called, by whom, and for how long.

A policy is kept, not a decision: a later request with the same identity is judged anew, by
its own method's ARN. That is why a policy for one path refuses the next one (AWS knowledge
centre, "Why is my API Gateway proxy resource with a Lambda authorizer that has caching
activated returning HTTP 403").
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ...errors import PenstockError

# "Execute an API", as policies name it.
_ACTION = "execute-api:Invoke"

_REMEMBERED = 10_000


class AuthorizerResultError(PenstockError):
    """The authorizer has returned what API Gateway does not take; the text is for the log."""


class Decision(Enum):
    """What a policy says of one method."""

    ALLOW = "allow"
    #: No statement is about the method.
    IMPLICIT_DENY = "implicit deny"
    EXPLICIT_DENY = "explicit deny"


@dataclass(frozen=True)
class AuthorizerResult:
    """A principal, its policy, and what else the function behind the method may know."""

    principal_id: str
    statements: tuple[Mapping[str, Any], ...]
    context: Mapping[str, str]

    def decide(self, method_arn: str) -> Decision:
        """Whether the method may be called; a denial goes before any permission."""
        effects = {each["Effect"] for each in self.statements if _is_about(each, method_arn)}
        if "Deny" in effects:
            return Decision.EXPLICIT_DENY
        return Decision.ALLOW if "Allow" in effects else Decision.IMPLICIT_DENY

    @property
    def conditions(self) -> list[str]:
        """The keys of conditions, none of which is evaluated."""
        found = [key for each in self.statements for key in each.get("Condition") or ()]
        return list(dict.fromkeys(found))


def parsed_result(payload: bytes) -> AuthorizerResult:
    """The result in what an authorizer function has returned.

    Raises:
        AuthorizerResultError: it is none.
    """
    try:
        result = json.loads(payload)
    except (ValueError, RecursionError):
        raise AuthorizerResultError("it is no JSON") from None
    if not isinstance(result, dict):
        raise AuthorizerResultError(f"it is {_kind(result)}, not an object")
    principal = result.get("principalId")
    if not isinstance(principal, str) or not principal:
        raise AuthorizerResultError(f"principalId is {principal!r:.80}; write some text")
    policy = result.get("policyDocument")
    if not isinstance(policy, dict):
        raise AuthorizerResultError(f"policyDocument is {_kind(policy)}, not an object")
    statements = policy.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not all(_is_statement(each) for each in statements):
        raise AuthorizerResultError(
            "policyDocument.Statement has to be a list of objects with Effect (Allow or Deny), "
            f"Action, Resource and perhaps an object as Condition, not {statements!r:.200}"
        )
    return AuthorizerResult(principal, tuple(statements), _context(result.get("context")))


class ResultCache:
    """Keeps results for as long as an authorizer says. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._results: dict[Hashable, tuple[float, AuthorizerResult]] = {}

    def get(self, key: Hashable) -> AuthorizerResult | None:
        """The result of this key, unless it has been kept for too long."""
        with self._lock:
            ends_at, result = self._results.get(key, (0.0, None))
            return result if self._clock() < ends_at else None

    def keep(self, key: Hashable, result: AuthorizerResult, seconds: float) -> None:
        """Keep a result for so long; of very many the oldest goes."""
        with self._lock:
            self._results.pop(key, None)
            while len(self._results) >= _REMEMBERED:
                del self._results[next(iter(self._results))]
            self._results[key] = (self._clock() + seconds, result)


def _is_statement(statement: Any) -> bool:
    return (
        isinstance(statement, dict)
        and statement.get("Effect") in ("Allow", "Deny")
        and isinstance(statement.get("Condition", {}), dict)
        and any(_is_texts(statement.get(key)) for key in ("Action", "NotAction"))
        and any(_is_texts(statement.get(key)) for key in ("Resource", "NotResource"))
    )


def _is_texts(value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return bool(values) and all(isinstance(each, str) for each in values)


def _is_about(statement: Mapping[str, Any], method_arn: str) -> bool:
    if statement["Effect"] == "Allow" and statement.get("Condition"):
        return False  # nobody knows whether it holds, so nothing is allowed by it
    # Names of actions are the same in any case, ARNs are not.
    return _takes(statement, "Action", _ACTION, re.IGNORECASE) and _takes(
        statement, "Resource", method_arn, 0
    )


def _takes(statement: Mapping[str, Any], key: str, text: str, flags: int) -> bool:
    is_inverted = key not in statement
    patterns = statement[f"Not{key}" if is_inverted else key]
    patterns = patterns if isinstance(patterns, list) else [patterns]
    found = any(re.fullmatch(_expression(pattern), text, flags | re.DOTALL) for pattern in patterns)
    return found is not is_inverted


def _expression(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")


def _context(context: Any) -> dict[str, str]:
    """The values as text: "the returned values are all stringified" (AWS documentation)."""
    if context is None:
        return {}
    if not isinstance(context, dict):
        raise AuthorizerResultError(f"context is {_kind(context)}, not an object")
    texts = {}
    for key, value in context.items():
        if isinstance(value, (dict, list)):
            raise AuthorizerResultError(
                f"context has {_kind(value)} at {key!r:.80}; only text, numbers and booleans may "
                "be there, so write json.dumps(...) of it"
            )
        if value is not None:
            texts[key] = value if isinstance(value, str) else json.dumps(value)
    return texts


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", type(None): "not there"}
    return kinds.get(type(value), f"{value!r:.80}")
