"""Versions and aliases through the API."""

from __future__ import annotations

import pytest

from penstock.emulator.deadlines import Deadlines
from penstock.emulator.functions import Function
from penstock.emulator.log import Log
from penstock.emulator.registry import Registry

from .conftest import ARN, zipped


def update(aws, answer: str) -> None:
    source = f"def handler(event, context): return {answer!r}"
    aws.client.update_function_code(FunctionName="app", ZipFile=zipped({"app.py": source}))


def publish(aws, **options) -> dict:
    return aws.client.publish_version(FunctionName="app", **options)


def test_a_version_stays_what_it_was(aws):
    aws.create(files={"app.py": "def handler(event, context): return 'one'"})
    made = publish(aws, Description="first")
    assert (made["Version"], made["FunctionArn"]) == ("1", ARN + "app:1")
    assert (made["State"], made["LastUpdateStatus"]) == ("Active", "Successful")
    assert made["Description"] == "first"
    update(aws, "two")
    assert [aws.invoke("app:1"), aws.invoke("app")] == ["one", "two"]
    answer = aws.client.invoke(FunctionName="app", Qualifier="1")
    assert answer["ExecutedVersion"] == "1"


def test_there_is_no_new_version_of_the_same(aws):
    aws.create()
    assert [publish(aws)["Version"] for _ in range(2)] == ["1", "1"]
    aws.client.update_function_configuration(FunctionName="app", Description="other")
    assert publish(aws)["Version"] == "2"
    listed = aws.client.list_versions_by_function(FunctionName="app")["Versions"]
    assert [each["Version"] for each in listed] == ["$LATEST", "1", "2"]
    assert [each["FunctionArn"][-1] for each in listed] == ["T", "1", "2"]
    assert "State" not in listed[0]


def test_numbers_are_not_used_again(aws):
    aws.create()
    publish(aws)
    aws.client.delete_function(FunctionName="app", Qualifier="1")
    status, _, message = aws.refused("invoke", FunctionName="app", Qualifier="1")
    assert (status, message) == (404, f"Function not found: {ARN}app:1")
    assert publish(aws)["Version"] == "2"


def test_creating_and_updating_can_publish(aws):
    made = aws.create(Publish=True)
    assert (made["Version"], made["State"], made["FunctionArn"]) == ("1", "Pending", ARN + "app")
    updated = aws.client.update_function_code(
        FunctionName="app", ZipFile=zipped({"app.py": "x = 1"}), Publish=True
    )
    assert (updated["Version"], updated["FunctionArn"]) == ("2", ARN + "app:2")
    assert aws.invoke("app:1") == {"version": "1"}


def test_publishing_other_code_than_meant_is_refused(aws):
    sha = aws.create()["CodeSha256"]
    found = aws.refused("publish_version", FunctionName="app", CodeSha256="other")
    assert found[:2] == (400, "InvalidParameterValueException")
    assert found[2] == (
        f"CodeSHA256 (other) is different from current CodeSHA256 in $LATEST ({sha}). "
        "Please try again with the CodeSHA256 in $LATEST."
    )
    assert publish(aws, CodeSha256=sha)["Version"] == "1"


def two_versions(aws) -> None:
    aws.create()
    publish(aws)
    update(aws, "two")
    publish(aws)


def alias(aws, **options) -> dict:
    request = {"FunctionName": "app", "Name": "live", "FunctionVersion": "1", **options}
    return aws.client.create_alias(**request)


def test_an_alias_leads_to_a_version_and_can_be_moved(aws):
    two_versions(aws)
    made = alias(aws, Description="d")
    assert made["AliasArn"] == ARN + "app:live"
    assert "RoutingConfig" not in made
    assert aws.invoke("app:live") == {"version": "1"}
    assert aws.client.get_function(FunctionName="app:live")["Configuration"]["Version"] == "1"
    moved = aws.client.update_alias(FunctionName="app", Name="live", FunctionVersion="2")
    assert moved["RevisionId"] != made["RevisionId"]
    assert moved["Description"] == "d"
    assert aws.invoke("app", Qualifier="live") == "two"
    assert aws.client.get_alias(FunctionName="app", Name="live")["FunctionVersion"] == "2"


def test_an_alias_is_called_by_its_name(aws):
    aws.create(files={"app.py": "def handler(event, context): return context.invoked_function_arn"})
    publish(aws)
    alias(aws)
    assert aws.invoke("app:live") == ARN + "app:live"


def test_the_weights_of_an_alias_decide_by_what_is_drawn(tmp_path):
    drawn = iter([0.0, 0.19, 0.2, 0.99])
    registry = Registry(Log(print), Deadlines(), draw=lambda: next(drawn))
    for version in ("1", "2"):
        registry.put(Function("app", "a.b", tmp_path, ("true",), version=version))
    registry.put_alias("app", "live", "1", {"2": 0.2})
    found = [registry.find("app", "live").function.version for _ in range(4)]
    assert found == ["2", "2", "1", "1"]
    # A version by its number is what it is: nothing is drawn.
    assert registry.find("app", "1").function.version == "1"


@pytest.mark.parametrize(("weight", "other"), [(1.0, "two"), (0.0, {"version": "1"})])
def test_an_alias_can_have_two_versions(weight, other, aws):
    two_versions(aws)
    made = alias(aws, RoutingConfig={"AdditionalVersionWeights": {"2": weight}})
    assert made["RoutingConfig"] == {"AdditionalVersionWeights": {"2": weight}}
    assert aws.invoke("app:live") == other
    updated = aws.client.update_alias(
        FunctionName="app", Name="live", RoutingConfig={"AdditionalVersionWeights": {}}
    )
    assert "RoutingConfig" not in updated


def test_aliases_are_listed_and_deleted(aws):
    two_versions(aws)
    for name, version in (("b", "1"), ("a", "2"), ("c", "1")):
        alias(aws, Name=name, FunctionVersion=version)
    listed = aws.client.list_aliases(FunctionName="app")["Aliases"]
    assert [each["Name"] for each in listed] == ["a", "b", "c"]
    listed = aws.client.list_aliases(FunctionName="app", FunctionVersion="1")["Aliases"]
    assert [each["Name"] for each in listed] == ["b", "c"]
    for _ in range(2):
        aws.client.delete_alias(FunctionName="app", Name="b")
    assert aws.refused("invoke", FunctionName="app", Qualifier="b")[0] == 404


def test_a_version_that_an_alias_leads_to_cannot_be_deleted(aws):
    two_versions(aws)
    alias(aws, RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
    for version in ("1", "2"):
        status, _, message = aws.refused("delete_function", FunctionName="app", Qualifier=version)
        assert status == 409
        assert message.endswith("because the following aliases reference it: [live]")


WEIGHTS = "AdditionalVersionWeights"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"Name": "2024"}, "ValidationException", "Value '2024' at 'name' failed to satisfy"),
        ({"FunctionVersion": "10"}, "ResourceNotFoundException", f"{ARN}app:10"),
        ({"FunctionName": "nobody"}, "ResourceNotFoundException", f"{ARN}nobody:1"),
        (
            {"RoutingConfig": {WEIGHTS: {"1": 0.1}}},
            "InvalidParameterValueException",
            "Invalid function version 1. Function version 1 is already included in routing",
        ),
        (
            {"RoutingConfig": {WEIGHTS: {"1": 0.1, "2": 0.1}}},
            "InvalidParameterValueException",
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ),
        (
            {"RoutingConfig": {WEIGHTS: {"2": 0.1}}, "FunctionVersion": "$LATEST"},
            "InvalidParameterValueException",
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ),
        ({"RoutingConfig": {WEIGHTS: {"$LATEST": 0.1}}}, "ValidationException", "Map keys must"),
        ({"RoutingConfig": {WEIGHTS: {"10": 0.1}}}, "ResourceNotFoundException", f"{ARN}app:10"),
    ],
)
def test_what_cannot_be_an_alias_is_refused(options, error, message, aws):
    two_versions(aws)
    request = {"FunctionName": "app", "Name": "live", "FunctionVersion": "1", **options}
    _, found, said = aws.refused("create_alias", **request)
    assert found == error
    assert message in said
    assert aws.client.list_aliases(FunctionName="app")["Aliases"] == []


def test_there_is_an_alias_of_a_name_once_and_of_others_none(aws):
    two_versions(aws)
    revision = alias(aws)["RevisionId"]
    found = aws.refused("create_alias", FunctionName="app", Name="live", FunctionVersion="2")
    assert found[1:] == ("ResourceConflictException", f"Alias already exists: {ARN}app:live")
    found = aws.refused("get_alias", FunctionName="app", Name="none")
    assert found[1:] == ("ResourceNotFoundException", f"Cannot find alias arn: {ARN}app:none")
    found = aws.refused("update_alias", FunctionName="app", Name="none")
    assert found[1:] == ("ResourceNotFoundException", f"Alias not found: {ARN}app:none")
    found = aws.refused("update_alias", FunctionName="app", Name="live", RevisionId="other")
    assert found[:2] == (412, "PreconditionFailedException")
    aws.client.update_alias(FunctionName="app", Name="live", RevisionId=revision)


@pytest.mark.parametrize("is_kept", [True, False])
def test_no_number_comes_twice_also_for_a_function_made_anew(is_kept, start, tmp_path):
    state = tmp_path / "state" if is_kept else None
    aws = start(state=state)
    numbers = []
    for source in ("1", "2", "3"):
        code = f"def handler(event, context): return {source}"
        numbers.append(aws.create(files={"app.py": code}, Publish=True)["Version"])
        aws.client.delete_function(FunctionName="app")
        listed = aws.client.list_functions(FunctionVersion="ALL")
        assert listed["Functions"] == []
        assert aws.client.get_account_settings()["AccountUsage"]["FunctionCount"] == 0
        if is_kept:
            aws.emulator.stop()
            aws = start(state=state)
    assert numbers == ["1", "2", "3"]
    aws.create()
    assert aws.refused("get_function", FunctionName="app:3")[0] == 404
    published = aws.client.publish_version(FunctionName="app")
    assert (published["Version"], aws.invoke("app:4")) == ("4", {"version": "4"})
    assert aws.client.publish_version(FunctionName="app")["Version"] == "4"
