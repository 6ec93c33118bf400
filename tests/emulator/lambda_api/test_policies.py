"""Resource-based policies: what AddPermission takes, what GetPolicy shows, what a URL needs."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from penstock.emulator.lambda_api import policies
from penstock.emulator.lambda_api.errors import ApiError
from penstock.emulator.lambda_api.policies import Permission, Policy
from penstock.emulator.lambda_api.shapes import REQUESTS
from penstock.emulator.lambda_api.validation import check

ARN = "arn:aws:lambda:us-east-1:123456789012:function:app"
BOTH = [
    {"Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"},
    {"Action": "lambda:InvokeFunction", "Principal": "*", "InvokedViaFunctionUrl": True},
]

USUAL = {
    "FunctionName": "app",
    "StatementId": "s1",
    "Action": "lambda:InvokeFunction",
    "Principal": "s3.amazonaws.com",
}


def problems(**request: Any) -> list[str]:
    """What the API's model has against a request."""
    return check(REQUESTS["AddPermission"], {**USUAL, **request})


def permission(sid: str = "s1", **request: Any) -> Permission:
    return policies.permission_from_request({**USUAL, "StatementId": sid, **request})


def policy(*requests: dict[str, Any]) -> Policy:
    made = Policy()
    for number, request in enumerate(requests):
        made = made.added(permission(f"s{number}", **request), ARN)
    return made


def refusal(**request: Any) -> str:
    with pytest.raises(ApiError) as caught:
        permission(**request)
    assert caught.value.status == 400
    return f"{caught.value.error_type}: {caught.value}"


def test_a_statement_is_written_as_aws_writes_it() -> None:
    made = permission(SourceArn="arn:aws:s3:::bucket", SourceAccount="123456789012")
    assert made.statement_json(ARN) == (
        '{"Sid":"s1","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},'
        f'"Action":"lambda:InvokeFunction","Resource":"{ARN}","Condition":'
        '{"StringEquals":{"AWS:SourceAccount":"123456789012"},'
        '"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::bucket"}}}'
    )


@pytest.mark.parametrize(
    ("principal", "written"),
    [
        ("*", "*"),
        ("123456789012", {"AWS": "arn:aws:iam::123456789012:root"}),
        ("arn:aws:iam::123456789012:role/x", {"AWS": "arn:aws:iam::123456789012:role/x"}),
        ("events.amazonaws.com", {"Service": "events.amazonaws.com"}),
        ("alexa-appkit.amazon.com", {"Service": "alexa-appkit.amazon.com"}),
    ],
)
def test_a_principal_is_everybody_an_account_or_a_service(principal: str, written: Any) -> None:
    assert permission(Principal=principal).statement(ARN)["Principal"] == written


def test_an_account_is_written_in_the_partition_of_the_function() -> None:
    made = permission(Principal="123456789012")
    assert made.statement(ARN.replace("arn:aws", "arn:aws-cn"))["Principal"] == {
        "AWS": "arn:aws-cn:iam::123456789012:root"
    }


@pytest.mark.parametrize(
    ("request_", "condition"),
    [
        ({}, None),
        (
            {"PrincipalOrgID": "o-0123456789", "Principal": "*"},
            {"StringEquals": {"aws:PrincipalOrgID": "o-0123456789"}},
        ),
        (
            {"EventSourceToken": "amzn1.ask"},
            {"StringEquals": {"lambda:EventSourceToken": "amzn1.ask"}},
        ),
        (BOTH[0], {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}),
        (BOTH[1], {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}),
        ({"InvokedViaFunctionUrl": False}, None),
    ],
)
def test_each_limit_of_a_permission_is_a_condition(request_: Any, condition: Any) -> None:
    assert permission(**request_).statement(ARN).get("Condition") == condition


def test_the_document_has_all_statements_in_order() -> None:
    document = json.loads(policy(*BOTH).document(ARN))
    assert list(document) == ["Version", "Id", "Statement"]
    assert (document["Version"], document["Id"]) == ("2012-10-17", "default")
    assert [each["Sid"] for each in document["Statement"]] == ["s0", "s1"]


def test_a_policy_without_statements_is_none() -> None:
    with pytest.raises(ApiError, match="resource you requested does not exist") as caught:
        Policy().document(ARN)
    assert (caught.value.error_type, caught.value.status) == ("ResourceNotFoundException", 404)


def test_a_statement_id_is_taken_once() -> None:
    with pytest.raises(ApiError, match=r"The statement id \(s1\) provided already") as caught:
        Policy().added(permission(), ARN).added(permission(Principal="*"), ARN)
    assert (caught.value.error_type, caught.value.status) == ("ResourceConflictException", 409)


def test_a_policy_has_at_most_20_kilobytes() -> None:
    grown = Policy()
    with pytest.raises(ApiError, match=r"bigger than the limit \(20480\)") as caught:
        for number in range(1000):
            grown = grown.added(permission(f"{number:0100}"), ARN)
    assert caught.value.error_type == "PolicyLengthExceededException"
    assert 20100 < len(grown.document(ARN)) <= policies.POLICY_SIZE


def test_a_statement_is_removed_by_its_id() -> None:
    assert [each.statement_id for each in policy(*BOTH).removed("s0").permissions] == ["s1"]


def test_only_what_is_there_can_be_removed() -> None:
    with pytest.raises(ApiError, match="Statement s9 is not found in resource policy"):
        policy(*BOTH).removed("s9")
    with pytest.raises(ApiError, match="No policy is associated with the given resource"):
        Policy().removed("s9")


def test_what_breaks_the_apis_patterns_is_refused_in_aws_words() -> None:
    (problem,) = problems(StatementId="a.b")
    assert problem == (
        "Value 'a.b' at 'statementId' failed to satisfy constraint: Member must satisfy regular "
        "expression pattern: ([a-zA-Z0-9-_]+)"
    )
    (problem,) = problems(FunctionUrlAuthType="SOME")
    assert problem.endswith("Member must satisfy enum value set: [NONE, AWS_IAM]")
    assert "'sourceAccount'" in problems(SourceAccount="12")[0]
    assert "less than or equal to 100" in problems(StatementId="s" * 101)[0]
    assert problems(SourceArn="arn:aws:s3:::bucket", SourceAccount="123456789012") == []


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert problems(Action=None, Principal=None) == [
        "Value null at 'action' failed to satisfy constraint: Member must not be null",
        "Value null at 'principal' failed to satisfy constraint: Member must not be null",
    ]


@pytest.mark.parametrize("request_", [{"StatementId": 5}, {"InvokedViaFunctionUrl": "yes"}])
def test_a_value_of_another_type_cannot_be_read(request_: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        problems(**request_)
    assert caught.value.error_type == "SerializationException"


def test_the_conditions_of_urls_go_with_their_actions() -> None:
    assert refusal(FunctionUrlAuthType="NONE") == (
        "InvalidParameterValueException: "
        "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action"
    )
    assert "only supported for lambda:InvokeFunction action" in refusal(
        Action="lambda:InvokeFunctionUrl", InvokedViaFunctionUrl=True
    )


@pytest.mark.parametrize("principal", ["example.com", "12345", "arn:aws:s3:::bucket", "me"])
def test_a_principal_that_is_nobody_is_refused(principal: str) -> None:
    assert "The provided principal was invalid" in refusal(Principal=principal)


def allows_url(policy, auth_type):
    return not policies.missing_for_url(policy, auth_type)


def commands(policy, *function):
    missing = policies.missing_for_url(policy, "NONE")
    return policies.commands_for_url(policy, missing, *function)


def test_a_none_url_needs_both_permissions() -> None:
    assert allows_url(policy(*BOTH), "NONE")
    assert not allows_url(policy(BOTH[0]), "NONE")
    assert not allows_url(policy(BOTH[1]), "NONE")
    assert not allows_url(Policy(), "NONE")


def test_an_iam_url_needs_none() -> None:
    assert allows_url(Policy(), "AWS_IAM")


def test_wider_permissions_do_as_well() -> None:
    assert allows_url(policy({"Action": "lambda:*", "Principal": "*"}), "NONE")
    unconditioned = {"Action": "lambda:InvokeFunction", "Principal": "*"}
    assert allows_url(policy(BOTH[0], unconditioned), "NONE")


@pytest.mark.parametrize(
    "narrower",
    [
        {"Principal": "123456789012"},
        {"FunctionUrlAuthType": "AWS_IAM"},
        {"SourceAccount": "123456789012"},
        {"SourceArn": "arn:aws:s3:::bucket"},
        {"PrincipalOrgID": "o-0123456789"},
        {"EventSourceToken": "token"},
    ],
)
def test_a_permission_for_some_is_none_for_everybody(narrower: dict[str, str]) -> None:
    assert not allows_url(policy({**BOTH[0], **narrower}, BOTH[1]), "NONE")


def test_what_a_url_lacks_comes_as_commands() -> None:
    url, invoke = commands(Policy(), "app")
    assert url == (
        "aws lambda add-permission --function-name app --statement-id "
        "FunctionURLAllowPublicAccess --action lambda:InvokeFunctionUrl --principal '*' "
        "--function-url-auth-type NONE"
    )
    assert invoke == (
        "aws lambda add-permission --function-name app --statement-id "
        "FunctionURLAllowInvokeAction --action lambda:InvokeFunction --principal '*' "
        "--invoked-via-function-url"
    )
    assert commands(policy(BOTH[0]), "app") == [invoke]
    assert commands(policy(*BOTH), "app") == []


def test_the_commands_do_not_collide_with_what_is_there() -> None:
    narrow = {**BOTH[0], "SourceAccount": "123456789012"}
    there = Policy().added(permission("FunctionURLAllowPublicAccess", **narrow), ARN)
    command = commands(there, "app", "live")[0]
    words = shlex.split(command)
    assert words[words.index("--statement-id") + 1] == "FunctionURLAllowPublicAccess2"
    assert words[words.index("--qualifier") + 1] == "live"
