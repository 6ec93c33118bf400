"""What an authorizer's result allows, and for how long it is kept."""

from __future__ import annotations

import json

import pytest

from penstock.emulator.fronts.authorizer_results import (
    AuthorizerResultError,
    Decision,
    ResultCache,
    parsed_result,
)

ARN = "arn:aws:execute-api:us-east-1:123456789012:api/local/GET/pets/7"

ALLOW, IMPLICIT, EXPLICIT = Decision.ALLOW, Decision.IMPLICIT_DENY, Decision.EXPLICIT_DENY


def statement(effect: str = "Allow", resource=ARN, action="execute-api:Invoke", **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def result(*statements, **more):
    """An authorizer's result with these statements."""
    return {
        "principalId": "user",
        "policyDocument": {"Version": "2012-10-17", "Statement": list(statements)},
        **more,
    }


def parsed(value):
    return parsed_result(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("statements", "decision"),
    [
        ([statement()], ALLOW),
        ([], IMPLICIT),
        ([statement("Deny")], EXPLICIT),
        ([statement(), statement("Deny", ARN.replace("/7", "/*"))], EXPLICIT),
        ([statement("Deny", ARN.replace("GET", "POST")), statement()], ALLOW),
        ([statement(resource=ARN.replace("/pets/7", "/pets/8"))], IMPLICIT),
        ([statement(resource=ARN.replace("pets", "PETS"))], IMPLICIT),
        ([statement(resource=f"{ARN}/toys")], IMPLICIT),
        ([statement(resource=ARN[:-1])], IMPLICIT),
        ([statement(resource="*")], ALLOW),
        ([statement(resource="arn:aws:execute-api:*:*:api/*/GET/*")], ALLOW),
        ([statement(resource="arn:aws:execute-api:*:*:*")], ALLOW),
        ([statement(resource=ARN.replace("/7", "/?"))], ALLOW),
        ([statement(resource=ARN.replace("/7", "/??"))], IMPLICIT),
        # A point is a point, not a regular expression's.
        ([statement(resource=ARN.replace("us-east-1", "us.east.1"))], IMPLICIT),
        ([statement(resource=["arn:aws:s3:::a", ARN])], ALLOW),
        ([statement(action="EXECUTE-API:invoke")], ALLOW),
        ([statement(action="execute-api:*")], ALLOW),
        ([statement(action=["lambda:*", "*"])], ALLOW),
        ([statement(action="execute-api:ManageConnections")], IMPLICIT),
        ([{"Effect": "Allow", "Action": "*", "NotResource": "*/POST/*"}], ALLOW),
        ([{"Effect": "Allow", "Action": "*", "NotResource": "*/GET/*"}], IMPLICIT),
        ([{"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}], EXPLICIT),
        ([statement(Condition={"IpAddress": {"aws:SourceIp": "127.0.0.1"}})], IMPLICIT),
        ([statement("Deny", Condition={"IpAddress": {}})], EXPLICIT),
    ],
)
def test_a_policy_is_judged_for_a_methods_arn(statements, decision):
    assert parsed(result(*statements)).decide(ARN) is decision


def test_one_statement_need_not_be_in_a_list():
    value = result()
    value["policyDocument"]["Statement"] = statement()
    assert parsed(value).decide(ARN) is ALLOW


def test_what_a_context_has_arrives_as_text():
    context = {"text": "a", "whole": 1, "part": 1.5, "yes": True, "no": False, "nothing": None}
    assert parsed(result(statement(), context=context)).context == {
        "text": "a",
        "whole": "1",
        "part": "1.5",
        "yes": "true",
        "no": "false",
    }


def test_a_usage_identifier_key_is_ignored():
    assert parsed(result(statement(), usageIdentifierKey="key")).context == {}


MALFORMED = {
    "no JSON": (b"{", "no JSON"),
    "text": (b'"Allow"', "it is text, not an object"),
    "no principal": ({"policyDocument": {"Statement": []}}, "principalId is None"),
    "number as principal": ({**result(), "principalId": 7}, "principalId is 7"),
    "no policy": ({"principalId": "a"}, "policyDocument is not there"),
    "no statements": (
        {"principalId": "a", "policyDocument": {}},
        "has to be a list of objects with Effect",
    ),
    "other effect": (result(statement("allow")), "Effect"),
    "no resource": (result({"Effect": "Allow", "Action": "*"}), "Resource"),
    "condition as boolean": (result({**statement(), "Condition": True}), "Condition"),
    "condition as list": (result({**statement(), "Condition": [{}]}), "Condition"),
    "nested": (result(statement(), context={"a": {"b": 1}}), "an object at 'a'"),
    "list": (result(statement(), context={"a": [1]}), r"a list at 'a'; .* json.dumps"),
    "context as text": (result(statement(), context="a"), "context is text"),
}


@pytest.mark.parametrize("which", MALFORMED)
def test_a_result_that_aws_does_not_take(which):
    value, reason = MALFORMED[which]
    payload = value if isinstance(value, bytes) else json.dumps(value).encode()
    with pytest.raises(AuthorizerResultError, match=reason):
        parsed_result(payload)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_result_is_kept_for_its_time_and_no_longer():
    clock = Clock()
    cache = ResultCache(clock)
    kept = parsed(result(statement()))

    cache.keep("key", kept, 300)
    clock.now += 299.9
    assert cache.get("key") is kept
    assert cache.get("other") is None
    clock.now += 0.1
    assert cache.get("key") is None


def test_of_very_many_results_the_oldest_goes():
    cache = ResultCache(Clock())
    kept = parsed(result())
    for number in range(10_001):
        cache.keep(number, kept, 300)
    assert cache.get(0) is None
    assert cache.get(1) is kept
    assert cache.get(10_000) is kept
