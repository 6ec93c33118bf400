"""Function URLs and policies through the API."""

from __future__ import annotations

import json
import shlex

import httpx
import pytest

from penstock.emulator.function_urls import Cors, FunctionUrl
from penstock.emulator.functions import function_from_target

from .conftest import ARN

WHO = """
def handler(event, context):
    return {"statusCode": 200, "body": context.invoked_function_arn}
"""


def make_url(aws, **options) -> dict:
    request = {"FunctionName": "app", "AuthType": "NONE", **options}
    return aws.client.create_function_url_config(**request)


def get(aws, url: str, **options) -> httpx.Response:
    """Get it without asking the system what the name's address is."""
    host = url.split("/")[2]
    return httpx.get(f"{aws.emulator.url}/", headers={"Host": host}, **options)


def test_a_url_is_made_called_changed_and_deleted(aws):
    aws.create(files={"app.py": WHO})
    made = make_url(aws)
    assert made["FunctionUrl"] == f"http://app.lambda-url.localhost:{aws.emulator.port}/"
    assert (made["FunctionArn"], made["AuthType"]) == (ARN + "app", "NONE")
    # As recorded on AWS, only Get tells the default.
    assert "InvokeMode" not in made
    assert get(aws, made["FunctionUrl"]).text == ARN + "app"
    got = aws.client.get_function_url_config(FunctionName="app")
    assert (got["InvokeMode"], got["CreationTime"]) == ("BUFFERED", made["CreationTime"])
    changed = aws.client.update_function_url_config(
        FunctionName="app", InvokeMode="RESPONSE_STREAM"
    )
    assert (changed["InvokeMode"], changed["AuthType"]) == ("RESPONSE_STREAM", "NONE")
    assert aws.emulator.registry.find_url("app").invoke_mode == "RESPONSE_STREAM"
    aws.client.delete_function_url_config(FunctionName="app")
    assert get(aws, made["FunctionUrl"]).status_code == 403
    assert aws.refused("get_function_url_config", FunctionName="app") == (
        404,
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
    )


def test_a_url_goes_with_its_function(aws):
    aws.create(files={"app.py": WHO})
    url = make_url(aws)["FunctionUrl"]
    aws.client.delete_function(FunctionName="app")
    assert get(aws, url).status_code == 403


def test_cors_is_taken_as_it_is(aws):
    aws.create()
    cors = {
        "AllowOrigins": ["https://a.example"],
        "AllowMethods": ["GET"],
        "AllowHeaders": ["x-a"],
        "ExposeHeaders": ["x-b"],
        "AllowCredentials": True,
        "MaxAge": 10,
    }
    assert make_url(aws, Cors=cors)["Cors"] == cors
    assert aws.emulator.registry.find_url("app").cors == Cors(
        ("https://a.example",), ("GET",), ("x-a",), ("x-b",), True, 10
    )


def test_an_alias_has_a_url_of_its_own(aws):
    aws.create(files={"app.py": WHO})
    aws.client.publish_version(FunctionName="app")
    missing = aws.refused(
        "create_function_url_config", FunctionName="app", Qualifier="live", AuthType="NONE"
    )
    assert missing[2] == f"Function not found: {ARN}app:live"
    aws.client.create_alias(FunctionName="app", Name="live", FunctionVersion="1")
    urls = [make_url(aws)["FunctionUrl"], make_url(aws, Qualifier="live")["FunctionUrl"]]
    assert [get(aws, url).text for url in urls] == [ARN + "app", ARN + "app:live"]
    listed = aws.client.list_function_url_configs(FunctionName="app")["FunctionUrlConfigs"]
    assert sorted(each["FunctionUrl"] for each in listed) == sorted(urls)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"Qualifier": "1"}, "ValidationException", "Value '1' at 'qualifier' failed to satisfy"),
        ({"FunctionName": "nobody"}, "ResourceNotFoundException", "Function does not exist"),
        (
            {},
            "ResourceConflictException",
            "Error message:  FunctionUrlConfig exists for this Lambda function",
        ),
    ],
)
def test_what_cannot_have_a_url_is_refused(options, error, message, aws):
    aws.create()
    make_url(aws)
    request = {"FunctionName": "app", "AuthType": "NONE", **options}
    _, found, said = aws.refused("create_function_url_config", **request)
    assert found == error
    assert message in said


def test_two_urls_never_have_one_host(aws):
    for name in ("app", "App"):
        aws.create(name, files={"app.py": WHO}, Publish=True)
        url = make_url(aws, FunctionName=name)["FunctionUrl"]
        assert get(aws, url).text == ARN + name
    aws.client.create_alias(FunctionName="app", Name="live", FunctionVersion="1")
    of_alias = FunctionUrl("app", "live").id
    aws.create(of_alias)
    make_url(aws, FunctionName=of_alias)
    _, error, said = aws.refused(
        "create_function_url_config", FunctionName="app", Qualifier="live", AuthType="NONE"
    )
    assert error == "InvalidParameterValueException"
    assert said.endswith(f"which {of_alias} has; rename one of the two")


def commands_in(log: str) -> list[list[str]]:
    (line,) = [line for line in log.splitlines() if "aws lambda add-permission" in line]
    parts = line.partition("this does: ")[2].split("; ")
    return [shlex.split(part) for part in parts]


def run(aws, command: list[str]) -> None:
    """Make the call that `aws lambda add-permission ...` makes."""
    names = {
        "--function-name": "FunctionName",
        "--statement-id": "StatementId",
        "--action": "Action",
        "--principal": "Principal",
        "--function-url-auth-type": "FunctionUrlAuthType",
    }
    request: dict[str, object] = {"InvokedViaFunctionUrl": "--invoked-via-function-url" in command}
    words = [word for word in command if word != "--invoked-via-function-url"][3:]
    request |= {names[key]: value for key, value in zip(words[::2], words[1::2], strict=True)}
    aws.client.add_permission(**request)


def test_a_public_url_without_permissions_works_and_the_log_says_what_aws_would_do(aws):
    aws.create(files={"app.py": WHO})
    url = make_url(aws)["FunctionUrl"]
    assert [get(aws, url).status_code for _ in range(2)] == [200, 200]
    assert aws.log.count("is served; AWS would refuse it") == 1
    for command in commands_in(aws.log):
        run(aws, command)
    aws.client.update_function_configuration(FunctionName="app", Timeout=4)
    assert get(aws, url).status_code == 200
    assert aws.log.count("AWS would refuse it") == 1


def test_enforced_it_is_refused_until_it_has_both(start):
    aws = start(enforce_permissions=True)
    aws.create(files={"app.py": WHO})
    url = make_url(aws)["FunctionUrl"]
    refused = get(aws, url)
    assert refused.status_code == 403
    assert refused.headers["x-amzn-errortype"] == "AccessDeniedException"
    assert refused.json()["Message"].startswith("Forbidden. For troubleshooting Function URL")
    first, second = commands_in(aws.log)
    run(aws, first)
    assert get(aws, url).status_code == 403
    run(aws, second)
    assert get(aws, url).status_code == 200
    aws.client.remove_permission(FunctionName="app", StatementId="FunctionURLAllowPublicAccess")
    assert get(aws, url).status_code == 403


def test_the_url_of_a_function_from_source_needs_no_permission(start, tmp_path):
    (tmp_path / "app.py").write_text("def handler(event, context): return 'mine'")
    aws = start(function_from_target(f"{tmp_path}/app.py:handler"), enforce_permissions=True)
    assert httpx.get(aws.emulator.url).status_code == 200


ALLOW = {"FunctionName": "app", "StatementId": "s3", "Action": "lambda:InvokeFunction"}


def test_permissions_are_the_policy(aws):
    aws.create()
    aws.client.publish_version(FunctionName="app")
    answer = aws.client.add_permission(
        **ALLOW, Principal="s3.amazonaws.com", SourceArn="arn:aws:s3:::bucket"
    )
    statement = json.loads(answer["Statement"])
    assert statement == {
        "Sid": "s3",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": ARN + "app",
        "Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"}},
    }
    policy = aws.client.get_policy(FunctionName="app")
    assert json.loads(policy["Policy"])["Statement"] == [statement]
    # Each version has its own.
    nothing = (404, "ResourceNotFoundException", "The resource you requested does not exist.")
    assert aws.refused("get_policy", FunctionName="app", Qualifier="1") == nothing
    aws.client.add_permission(**ALLOW, Principal="*", Qualifier="1")
    of_version = json.loads(aws.client.get_policy(FunctionName="app", Qualifier="1")["Policy"])
    assert of_version["Statement"][0]["Resource"] == ARN + "app:1"
    aws.client.remove_permission(FunctionName="app", StatementId="s3")
    assert aws.refused("get_policy", FunctionName="app") == nothing


def test_the_revision_of_a_policy_is_asked_for(aws):
    aws.create()
    aws.client.add_permission(**ALLOW, Principal="*")
    revision = aws.client.get_policy(FunctionName="app")["RevisionId"]
    other = {**ALLOW, "StatementId": "other", "Principal": "*"}
    status, error, message = aws.refused("add_permission", **other, RevisionId="older")
    assert (status, error) == (412, "PreconditionFailedException")
    assert "Call the GetPolicy API" in message
    aws.client.add_permission(**other, RevisionId=revision)
    assert aws.client.get_policy(FunctionName="app")["RevisionId"] != revision


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        ({"StatementId": "a.b"}, 400, "Value 'a.b' at 'statementId' failed to satisfy constraint"),
        ({"Principal": "x"}, 400, "The provided principal was invalid."),
        ({"Qualifier": "$LATEST"}, 400, "We currently do not support adding policies for $LATEST."),
        ({"Qualifier": "42"}, 404, f"Function not found: {ARN}app:42"),
        ({"Qualifier": "live"}, 404, f"Cannot find alias arn: {ARN}app:live"),
        ({"FunctionName": "nobody"}, 404, f"Function not found: {ARN}nobody"),
        ({}, 409, "The statement id (s3) provided already exists."),
    ],
)
def test_what_cannot_be_allowed_is_refused(options, status, message, aws):
    aws.create()
    aws.client.add_permission(**ALLOW, Principal="*")
    found = aws.refused("add_permission", **{**ALLOW, "Principal": "*", **options})
    assert found[0] == status
    assert message in found[2]


def test_a_statement_id_that_is_no_text_is_refused_as_by_every_operation(aws):
    aws.create()
    answer = httpx.post(
        f"{aws.emulator.url}/2015-03-31/functions/app/policy",
        headers={"Authorization": "x"},
        json={"StatementId": 5, "Action": "lambda:InvokeFunction", "Principal": "*"},
    )
    assert answer.status_code == 400
    assert answer.headers["x-amzn-errortype"] == "SerializationException"


def test_a_url_goes_with_its_alias(aws):
    aws.create(Publish=True)
    aws.client.create_alias(FunctionName="app", Name="live", FunctionVersion="1")
    make_url(aws, Qualifier="live")
    aws.client.delete_alias(FunctionName="app", Name="live")
    assert aws.emulator.registry.urls == []
    assert aws.client.list_function_url_configs(FunctionName="app")["FunctionUrlConfigs"] == []


@pytest.mark.parametrize("origin", ["http://a\r\nX: y", "http://\u2028"])
def test_cors_is_for_a_header(origin, aws):
    aws.create()
    found = aws.refused(
        "create_function_url_config",
        FunctionName="app",
        AuthType="NONE",
        Cors={"AllowOrigins": [origin]},
    )
    assert found[:2] == (400, "ValidationException")


def test_null_in_cors_is_as_if_it_were_not_there(aws):
    aws.create()
    make_url(aws)
    answer = httpx.put(
        f"{aws.emulator.url}/2021-10-31/functions/app/url",
        headers={"Authorization": "x"},
        json={"Cors": {"AllowOrigins": None, "MaxAge": 5}},
    )
    assert (answer.status_code, answer.json()["Cors"]) == (200, {"MaxAge": 5})
