"""Concurrency, event invokes, tags, account and layers through the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.cli.archives import write_zip
from penstock.cli.package import layer_files
from penstock.emulator.invoke.event_invokes import EventInvokeConfig

from .conftest import ARN, ROLE, zipped

LAYER = ARN.replace("function", "layer")


def test_concurrency_is_reserved_and_freed(aws):
    aws.create()
    client = aws.client
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName="app")
    put = client.put_function_concurrency(FunctionName="app", ReservedConcurrentExecutions=7)
    assert put["ReservedConcurrentExecutions"] == 7
    assert client.get_function(FunctionName="app")["Concurrency"] == {
        "ReservedConcurrentExecutions": 7
    }
    registry = aws.emulator.registry
    assert registry.find("app").function.reserved_concurrency == 7
    limit = client.get_account_settings()["AccountLimit"]
    assert limit["ConcurrentExecutions"] - limit["UnreservedConcurrentExecutions"] == 7
    # What comes later has it, too.
    client.update_function_configuration(FunctionName="app", Timeout=4)
    client.publish_version(FunctionName="app")
    assert registry.find("app", "1").function.reserved_concurrency == 7
    client.delete_function_concurrency(FunctionName="app")
    assert registry.find("app").function.reserved_concurrency is None


def test_reserving_does_not_end_the_environments(start):
    aws = start(max_environments=1)
    aws.create(files={"app.py": "import os\ndef handler(event, context): return os.getpid()"})
    pid = aws.invoke()
    aws.client.put_function_concurrency(FunctionName="app", ReservedConcurrentExecutions=5)
    assert aws.invoke() == pid


def test_not_all_concurrency_can_be_reserved(aws):
    aws.create()
    request = {"FunctionName": "app", "ReservedConcurrentExecutions": 901}
    message = (
        "Specified ReservedConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100]."
    )
    found = aws.refused("put_function_concurrency", **request)
    assert found == (400, "InvalidParameterValueException", message)
    aws.client.put_function_concurrency(FunctionName="app", ReservedConcurrentExecutions=900)


def test_an_account_that_was_larger_is_told_and_can_give_back_what_it_has_not(start, tmp_path):
    first = start(state=tmp_path)
    for name in ("reserves", "other"):
        first.create(name)
    reserve = {"FunctionName": "reserves", "ReservedConcurrentExecutions": 50}
    first.client.put_function_concurrency(**reserve)
    assert "have reserved" not in first.log
    first.emulator.stop()

    second = start(state=tmp_path, account=20)
    assert (
        "functions have reserved 50 of the account's concurrency of 20: calls of every other "
        "function are answered 429. Raise --account-concurrency, or lower a reservation"
    ) in second.log
    limit = second.client.get_account_settings()["AccountLimit"]
    assert limit["UnreservedConcurrentExecutions"] == 0
    assert second.refused("invoke", FunctionName="other")[0] == 429
    # More is refused as ever, less never.
    assert (
        second.refused(
            "put_function_concurrency", **reserve | {"ReservedConcurrentExecutions": 51}
        )[0]
        == 400
    )
    for wanted in (50, 30, 5):
        reserve["ReservedConcurrentExecutions"] = wanted
        second.client.put_function_concurrency(**reserve)
    assert second.invoke("other") == {"version": "$LATEST"}
    second.emulator.stop()
    assert "have reserved" not in start(state=tmp_path, account=20).log


def test_only_functions_have_reserved_concurrency(aws):
    request = {"FunctionName": "app:1", "ReservedConcurrentExecutions": 1}
    _, _, message = aws.refused("put_function_concurrency", **request)
    assert message.startswith("This operation is permitted on Lambda functions only.")
    request["FunctionName"] = "nobody"
    found = aws.refused("put_function_concurrency", **request)
    assert found[2] == f"Function not found: {ARN}nobody:$LATEST"


def put_event_config(aws, operation: str = "put", **options) -> dict:
    name = f"{operation}_function_event_invoke_config"
    return getattr(aws.client, name)(**{"FunctionName": "app", **options})


def test_an_event_invoke_config_is_put_updated_and_deleted(aws):
    aws.create()
    aws.create("other")
    on_failure = {"OnFailure": {"Destination": ARN + "other"}}
    put = put_event_config(aws, MaximumRetryAttempts=0, DestinationConfig=on_failure)
    assert put["FunctionArn"] == ARN + "app:$LATEST"
    assert put["DestinationConfig"] == {"OnSuccess": {}, **on_failure}
    config_of = aws.emulator.event_invokes.config_of
    assert config_of("app", None) == EventInvokeConfig(0, on_failure=ARN + "other")
    updated = put_event_config(aws, "update", MaximumEventAgeInSeconds=60)
    assert (updated["MaximumRetryAttempts"], updated["MaximumEventAgeInSeconds"]) == (0, 60)
    assert config_of("app", "$LATEST").on_failure == ARN + "other"
    # A new one has nothing of the old one.
    assert "MaximumEventAgeInSeconds" not in put_event_config(aws, MaximumRetryAttempts=1)
    listed = aws.client.list_function_event_invoke_configs(FunctionName="app")
    assert [each["MaximumRetryAttempts"] for each in listed["FunctionEventInvokeConfigs"]] == [1]
    aws.client.delete_function_event_invoke_config(FunctionName="app")
    assert config_of("app", None) == EventInvokeConfig()
    found = aws.refused("get_function_event_invoke_config", FunctionName="app")
    assert found[2] == f"The function {ARN}app:$LATEST doesn't have an EventInvokeConfig"


def test_an_alias_has_an_event_invoke_config_of_its_own(aws):
    aws.create(Publish=True)
    aws.client.create_alias(FunctionName="app", Name="live", FunctionVersion="1")
    put_event_config(aws, Qualifier="live", MaximumRetryAttempts=1)
    config_of = aws.emulator.event_invokes.config_of
    assert config_of("app", "live").maximum_retry_attempts == 1
    assert config_of("app", "1").maximum_retry_attempts == 2


def test_the_dead_letter_queue_is_of_the_function(aws):
    aws.create(DeadLetterConfig={"TargetArn": "arn:aws:sqs:us-east-1:123456789012:dead"})
    assert aws.emulator.event_invokes.config_of("app", None).dead_letter.endswith(":dead")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "You must specify at least one of error handling or destination setting."),
        ({"FunctionName": "nobody", "MaximumRetryAttempts": 1}, "The function doesn't exist."),
        ({"Qualifier": "live", "MaximumRetryAttempts": 1}, "The function doesn't exist."),
        (
            {"DestinationConfig": {"OnSuccess": {"Destination": ARN + "nobody"}}},
            f"The destination ARN {ARN}nobody is invalid.",
        ),
        (
            {"DestinationConfig": {"OnSuccess": {"Destination": ARN + "app"}}},
            "You can't specify the function as a destination for itself.",
        ),
        (
            {"DestinationConfig": {"OnSuccess": {"Destination": "x"}}},
            "Value 'x' at 'destinationConfig.onSuccess.destination' failed to satisfy",
        ),
    ],
)
def test_what_cannot_be_an_event_invoke_config_is_refused(options, message, aws):
    aws.create()
    request = {"FunctionName": "app", **options}
    assert message in aws.refused("put_function_event_invoke_config", **request)[2]


def test_tags_are_kept(aws):
    arn = aws.create(Tags={"a": "1"})["FunctionArn"]
    aws.client.tag_resource(Resource=arn, Tags={"b": "2", "c": "3"})
    aws.client.untag_resource(Resource=arn, TagKeys=["a", "c", "nothing"])
    assert aws.client.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    assert aws.client.get_function(FunctionName="app")["Tags"] == {"b": "2"}


@pytest.mark.parametrize(
    ("resource", "tags", "message"),
    [
        (ARN + "nobody", {"a": "1"}, f"Function not found: {ARN}nobody"),
        (ARN + "app:1", {"a": "1"}, "Tags on function aliases and versions are not supported."),
        ("arn:aws:something", {"a": "1"}, "Value 'arn:aws:something' at 'resource' failed"),
        (
            ARN.replace("us-east-1", "eu-west-9") + "app",
            {"a": "1"},
            "Functions from 'eu-west-9' are not reachable in this region ('us-east-1')",
        ),
        (
            ARN.replace("123456789012", "999999999999") + "app",
            {"a": "1"},
            "this emulator has the account 123456789012 only, not 999999999999",
        ),
        (ARN + "app", {}, "An error occurred and the request cannot be processed."),
        (ARN + "app", {str(n): "" for n in range(51)}, "Number of tags exceeds resource tag limit"),
    ],
)
def test_tags_that_cannot_be_are_refused(resource, tags, message, aws):
    aws.create()
    assert message in aws.refused("tag_resource", Resource=resource, Tags=tags)[2]


def test_tags_of_a_function_elsewhere_are_not_those_of_one_here(aws):
    arn = aws.create(Tags={"a": "1"})["FunctionArn"]
    elsewhere = arn.replace("us-east-1", "eu-west-9").replace("123456789012", "999999999999")
    assert aws.refused("list_tags", Resource=elsewhere)[:2] == (404, "ResourceNotFoundException")


def test_the_account_counts_what_there_is(aws):
    size = aws.create(Publish=True)["CodeSize"]
    usage = aws.client.get_account_settings()["AccountUsage"]
    assert usage == {"TotalCodeSize": 2 * size, "FunctionCount": 1}


def layer(aws, files: dict[str, str], name: str = "lib", **options) -> dict:
    content = {"ZipFile": zipped(files, mode=0o755)}
    return aws.client.publish_layer_version(LayerName=name, Content=content, **options)


USES = """
import os, shutil, lib, deep
def handler(event, context):
    return [lib.NAME, deep.NAME, shutil.which("tool"), os.environ["LD_LIBRARY_PATH"]]
"""


def test_a_function_has_its_layers_below_opt(aws):
    first = layer(
        aws,
        {
            "python/lib.py": "NAME = 'first'",
            "python/lib/python3.11/site-packages/deep.py": "NAME = 'deep'",
            "bin/tool": "#!/bin/sh\n",
        },
        CompatibleRuntimes=["python3.11"],
        Description="d",
    )
    assert first["LayerVersionArn"] == LAYER + "lib:1"
    second = layer(aws, {"python/lib.py": "NAME = 'second'"}, "other")
    layers = [first["LayerVersionArn"], second["LayerVersionArn"]]
    made = aws.create(files={"app.py": USES}, Layers=layers)
    assert [each["Arn"] for each in made["Layers"]] == layers
    name, deep, tool, libraries = aws.invoke()
    # The later one lies over the earlier one.
    assert (name, deep) == ("second", "deep")
    assert tool.endswith("/opt/bin/tool")
    assert libraries.endswith("/opt/lib")
    without = aws.client.update_function_configuration(FunctionName="app", Layers=[])
    assert "Layers" not in without
    assert aws.invoke()["errorMessage"] == "Unable to import module 'app': No module named 'lib'"


def layer_of_penstock(folder: Path) -> bytes:
    path = folder / "layer.zip"
    write_zip(path, layer_files(), compressed=False)
    return path.read_bytes()


@pytest.mark.parametrize("wrapper", [None, "/opt/penstock-exec-wrapper"])
def test_the_layer_of_penstock_serves_a_function(wrapper, aws, tmp_path):
    arn = aws.client.publish_layer_version(
        LayerName="penstock", Content={"ZipFile": layer_of_penstock(tmp_path)}
    )["LayerVersionArn"]
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": wrapper} if wrapper else {}
    aws.create(
        files={"app.py": "import penstock\ndef handler(event, context): return penstock.__file__"},
        Layers=[arn],
        Environment={"Variables": variables},
    )
    assert aws.invoke().endswith("/opt/python/penstock/__init__.py")


def test_a_wrapper_that_is_not_there_is_an_exit_as_on_aws(aws):
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/nothing"}
    aws.create(Environment={"Variables": variables})
    error = aws.invoke()
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("exit status 127")


def test_extensions_come_with_layers(aws):
    arn = layer(aws, {"extensions/mine": "#!/bin/sh\n"})["LayerVersionArn"]
    aws.create(Layers=[arn])
    function = aws.emulator.registry.find("app").function
    assert [path.name for path in function.extensions_folder.iterdir()] == ["mine"]


def test_snap_start_is_for_published_versions(aws):
    made = aws.create(Runtime="python3.12", SnapStart={"ApplyOn": "PublishedVersions"})
    assert made["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
    published = aws.client.publish_version(FunctionName="app")
    assert published["SnapStart"]["OptimizationStatus"] == "On"
    registry = aws.emulator.registry
    assert [registry.find("app", each).function.snap_start for each in (None, "1")] == [False, True]


SNAP_START = {"ApplyOn": "PublishedVersions"}


@pytest.mark.parametrize("runtime", ["python3.11", "java8.al2", "nodejs22.x", "provided.al2023"])
def test_snap_start_is_refused_for_runtimes_that_have_it_not(runtime, aws):
    request = {"FunctionName": "app", "Runtime": runtime}
    message = f"{runtime} is not supported for SnapStart enabled functions."
    refused = (400, "InvalidParameterValueException", message)
    code = {"Handler": "app.handler", "Role": ROLE, "Code": {"ZipFile": zipped()}}
    found = aws.refused("create_function", **request, **code, SnapStart=SNAP_START)
    assert found == refused
    # What says that it wants none is taken, and an update is looked at as a whole.
    aws.create(Runtime=runtime, SnapStart={"ApplyOn": "None"})
    update = {"FunctionName": "app", "SnapStart": SNAP_START}
    assert aws.refused("update_function_configuration", **update) == refused
    aws.client.update_function_configuration(**update, Runtime="python3.12")
    assert aws.refused("update_function_configuration", **request) == refused
    assert aws.client.get_function_configuration(FunctionName="app")["Runtime"] == "python3.12"


@pytest.mark.parametrize(
    "runtime",
    ["python3.12", "python3.13", "python3.14", "java11", "java25", "dotnet8", "dotnet10"],
)
def test_snap_start_is_taken_for_runtimes_that_have_it(runtime, aws):
    assert aws.create(Runtime=runtime, SnapStart=SNAP_START)["SnapStart"]["ApplyOn"] != "None"


def test_snap_start_and_much_ephemeral_storage_do_not_go_together(aws):
    aws.create(Runtime="python3.12", SnapStart=SNAP_START, EphemeralStorage={"Size": 512})
    request = {"FunctionName": "app", "EphemeralStorage": {"Size": 513}}
    found = aws.refused("update_function_configuration", **request)
    message = "SnapStart takes at most 512 MB of EphemeralStorage, not 513"
    assert found == (400, "InvalidParameterValueException", message)


def test_layers_are_listed_and_deleted(aws):
    for number in (1, 2):
        assert (
            layer(aws, {"a": str(number)}, CompatibleRuntimes=["python3.11"])["Version"] == number
        )
    client = aws.client
    (listed,) = client.list_layers()["Layers"]
    assert listed["LatestMatchingVersion"]["LayerVersionArn"] == LAYER + "lib:2"
    assert client.list_layers(CompatibleRuntime="ruby3.4")["Layers"] == []
    versions = client.list_layer_versions(LayerName="lib")["LayerVersions"]
    assert [each["Version"] for each in versions] == [2, 1]
    got = client.get_layer_version(LayerName="lib", VersionNumber=1)
    by_arn = client.get_layer_version_by_arn(Arn=LAYER + "lib:1")
    assert got["Content"] == by_arn["Content"]
    client.delete_layer_version(LayerName="lib", VersionNumber=2)
    assert aws.refused("get_layer_version", LayerName="lib", VersionNumber=2)[0] == 404
    # Numbers are not used again.
    assert layer(aws, {"a": "3"})["Version"] == 3


def test_a_layer_stays_while_a_function_has_it(aws):
    arn = layer(aws, {"python/x.py": ""})["LayerVersionArn"]
    aws.create(Layers=[arn])
    _, _, message = aws.refused("delete_layer_version", LayerName="lib", VersionNumber=1)
    assert message.startswith(f"{arn} is used by app")


@pytest.mark.parametrize(
    ("arns", "message"),
    [
        ([LAYER + "lib:9"], f"Layer version {LAYER}lib:9 does not exist."),
        ([LAYER + "nothing:1"], f"Layer version {LAYER}nothing:1 does not exist."),
        ([LAYER + "lib:1", LAYER + "lib:2"], "Two different versions of the same layer are not"),
        ([f"{LAYER}lib:{n}" for n in range(6)], "Cannot reference more than 5 layers."),
        (
            [LAYER.replace("us-east-1", "eu-west-1") + "lib:1"],
            "Layers are expected to be in region us-east-1.",
        ),
    ],
)
def test_layers_that_cannot_be_had_are_refused(arns, message, aws):
    for number in "12":
        layer(aws, {"a": number})
    with pytest.raises(aws.client.exceptions.InvalidParameterValueException) as caught:
        aws.create(Layers=arns)
    assert message in str(caught.value)


def test_a_destination_may_be_a_file(aws, tmp_path):
    aws.create()
    file = {"Destination": (tmp_path / "records.jsonl").as_uri()}
    put = put_event_config(aws, DestinationConfig={"OnSuccess": file})
    assert put["DestinationConfig"]["OnSuccess"] == file
