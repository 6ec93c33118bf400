"""Functions through the API: made, called, changed, deleted."""

from __future__ import annotations

import dataclasses
import sys
import urllib.request

import httpx
import pytest

from penstock.emulator.functions import function_from_target
from penstock.emulator.lambda_api import zip_files
from tests.conftest import PREAMBLE

from .conftest import ARN, ROLE, zipped


def test_a_function_is_made_and_called(aws):
    made = aws.create(Timeout=5, MemorySize=256, Description="d", Environment={"Variables": {}})
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert made["FunctionArn"] == ARN + "app"
    assert (made["Version"], made["State"], made["StateReasonCode"]) == (
        "$LATEST",
        "Pending",
        "Creating",
    )
    assert "LastUpdateStatus" not in made
    assert aws.invoke() == {"version": "$LATEST"}
    configuration = aws.client.get_function_configuration(FunctionName="app")
    assert (configuration["State"], configuration["LastUpdateStatus"]) == ("Active", "Successful")
    assert configuration["RevisionId"] != made["RevisionId"]
    same = ("Timeout", "MemorySize", "Description", "CodeSha256", "CodeSize", "Handler", "Role")
    assert {key: configuration[key] for key in same} == {key: made[key] for key in same}


def test_waiters_end(aws):
    aws.create(Publish=True)
    for name in ("function_exists", "function_active", "function_active_v2"):
        aws.client.get_waiter(name).wait(FunctionName="app")
    aws.client.update_function_configuration(FunctionName="app", Timeout=9)
    for name in ("function_updated", "function_updated_v2", "published_version_active"):
        qualifier = {"Qualifier": "1"} if name.startswith("published") else {}
        aws.client.get_waiter(name).wait(FunctionName="app", **qualifier)


def test_an_update_is_in_progress_and_then_was_successful(aws):
    aws.create()
    updated = aws.client.update_function_code(
        FunctionName="app", ZipFile=zipped({"app.py": "def handler(event, context): return 2"})
    )
    assert (updated["State"], updated["LastUpdateStatus"]) == ("Active", "InProgress")
    assert aws.client.get_function_configuration(FunctionName="app")["LastUpdateStatus"] == (
        "Successful"
    )
    assert aws.invoke() == 2


def test_only_what_an_update_says_changes(aws):
    aws.create(Environment={"Variables": {"AA": "1"}}, Timeout=7)
    updated = aws.client.update_function_configuration(
        FunctionName="app", Environment={"Variables": {"BB": "2"}}, MemorySize=512
    )
    assert updated["Environment"] == {"Variables": {"BB": "2"}}
    assert (updated["Timeout"], updated["MemorySize"]) == (7, 512)


SEES = """
import os, sys
def handler(event, context):
    return {"variables": dict(os.environ), "path": sys.path, "file": __file__}
"""


def test_a_zip_runs_alone(aws, monkeypatch):
    monkeypatch.setenv("OF_THE_EMULATOR", "1")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    aws.create(files={"app.py": SEES}, Environment={"Variables": {"MY_OWN": "2"}})
    sees = aws.invoke()
    variables = sees["variables"]
    assert "OF_THE_EMULATOR" not in variables
    assert "PYTHONPATH" not in variables
    assert variables["MY_OWN"] == "2"
    assert variables["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.11"
    assert variables["AWS_ACCESS_KEY_ID"] == "test"
    assert sees["file"] == f"{variables['LAMBDA_TASK_ROOT']}/app.py"
    assert sees["path"][0] == variables["LAMBDA_TASK_ROOT"]
    assert not any("site-packages" in folder for folder in sees["path"])
    assert not any(folder.endswith("/src") for folder in sees["path"])


def test_what_python_has_without_asking_is_there(aws):
    aws.create(files={"app.py": "def handler(event, context): return str(quit), str(help)"})
    quits, helps = aws.invoke()
    assert quits.startswith("Use quit()")
    assert helps.startswith("Type help()")


def test_what_the_emulator_has_installed_is_not_there(aws):
    aws.create(files={"app.py": "import httpx\ndef handler(event, context): pass"})
    assert aws.invoke() | {"requestId": ""} == {
        "errorType": "Runtime.ImportModuleError",
        "errorMessage": "Unable to import module 'app': No module named 'httpx'",
        "requestId": "",
        "stackTrace": [],
    }


def test_a_penstock_in_the_zip_wins(aws):
    source = "import penstock\ndef handler(event, context): return penstock.WHOSE"
    own = {
        "penstock/__init__.py": "WHOSE = 'of the zip'",
        "penstock/runtime/exec_wrapper.py": f"{RUNTIME}\nmain([])\n",
    }
    aws.create(files={"app.py": source, **own})
    assert aws.invoke() == "of the zip"


# The smallest runtime there is.
RUNTIME = """
import json, os, sys
from urllib.request import Request, urlopen

def main(arguments):
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    import app
    api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
    while True:
        with urlopen(api + "next") as answer:
            request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
        body = json.dumps(app.handler({}, None)).encode()
        urlopen(Request(api + request_id + "/response", data=body)).read()
"""


def test_a_custom_runtime_is_started_in_its_folder(aws):
    files = {
        "bootstrap": f"#!/bin/sh\nexec {sys.executable} -S runtime.py\n",
        "runtime.py": f"{RUNTIME}\nmain([])\n",
        "app.py": (
            "import os\n"
            "def handler(event, context):\n"
            "    return [os.getcwd(), os.environ['_HANDLER'], 'AWS_EXECUTION_ENV' in os.environ]\n"
        ),
    }
    code = {"ZipFile": zipped(files, mode=0o755)}
    aws.create(Runtime="provided.al2023", Handler="any", Code=code)
    folder, handler, has_execution_env = aws.invoke()
    assert folder.endswith("/var/task")
    assert (handler, has_execution_env) == ("any", False)


def test_a_bootstrap_that_is_not_executable_is_said(aws):
    aws.create(Runtime="provided.al2023", Code={"ZipFile": zipped({"bootstrap": "#!/bin/sh\n"})})
    assert "bootstrap is not executable in the zip file: calls will fail" in aws.log
    error = aws.invoke()
    assert error["errorType"] == "Runtime.InvalidEntrypoint"
    assert error["errorMessage"].endswith(" fork/exec /var/task/bootstrap: permission denied")


def test_without_a_bootstrap_there_is_nothing_to_start(aws):
    aws.create(Runtime="provided.al2023", Code={"ZipFile": zipped({"any": ""})})
    assert "there is no bootstrap in the zip file or a layer: calls will fail" in aws.log
    error = aws.invoke()
    assert error["errorType"] == "Runtime.InvalidEntrypoint"
    assert error["errorMessage"].endswith(
        "Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
    )


def test_a_runtime_that_is_not_there_makes_a_function_that_failed(aws):
    made = aws.create(Runtime="java21")
    assert made["State"] == "Pending"
    configuration = aws.client.get_function_configuration(FunctionName="app")
    assert (configuration["State"], configuration["StateReasonCode"]) == (
        "Failed",
        "InvalidRuntime",
    )
    assert "not java21" in configuration["StateReason"]
    status, error, message = aws.refused("invoke", FunctionName="app")
    assert (status, error) == (409, "ResourceConflictException")
    assert message.endswith("The function is currently in the following state: Failed")
    # With another one it is well again.
    aws.client.update_function_configuration(FunctionName="app", Runtime="python3.11")
    assert aws.invoke() == {"version": "$LATEST"}


def test_an_update_to_a_runtime_that_is_not_there_has_no_effect(aws):
    aws.create()
    aws.client.update_function_configuration(FunctionName="app", Runtime="ruby3.4")
    configuration = aws.client.get_function_configuration(FunctionName="app")
    assert (configuration["State"], configuration["LastUpdateStatus"]) == ("Active", "Failed")
    assert configuration["LastUpdateStatusReasonCode"] == "InvalidRuntime"
    assert aws.invoke() == {"version": "$LATEST"}


def test_a_variable_says_how_many_invocations_there_are_at_once(aws):
    source = "import os\ndef handler(event, context): return os.environ[event]\n"
    variables = {"AWS_LAMBDA_MAX_CONCURRENCY": "4"}
    aws.create(files={"app.py": source}, Environment={"Variables": variables})
    assert aws.invoke(Payload='"AWS_LAMBDA_INITIALIZATION_TYPE"') == "lambda-managed-instances"
    assert aws.invoke(Payload='"AWS_LAMBDA_MAX_CONCURRENCY"') == "4"
    aws.client.update_function_configuration(FunctionName="app", Environment={"Variables": {}})
    assert aws.invoke(Payload='"AWS_LAMBDA_INITIALIZATION_TYPE"') == "on-demand"


def test_there_is_a_function_of_a_name_once(aws):
    aws.create()
    with pytest.raises(aws.client.exceptions.ResourceConflictException) as caught:
        aws.create()
    assert caught.value.response["Error"]["Message"] == "Function already exist: app"


@pytest.mark.parametrize("name", ["app", "app:$LATEST", ARN + "app", "123456789012:function:app"])
def test_a_function_has_many_names(name, aws):
    aws.create()
    found = aws.client.get_function(FunctionName=name)["Configuration"]
    assert found["FunctionName"] == "app"
    assert found["FunctionArn"] == ARN + ("app:$LATEST" if "$LATEST" in name else "app")


BAD = {
    "get_function": [
        ({"FunctionName": "app"}, 404, "ResourceNotFound", f"Function not found: {ARN}app"),
        (
            {"FunctionName": "app", "Qualifier": "7"},
            404,
            "ResourceNotFound",
            f"Function not found: {ARN}app:7",
        ),
        (
            {"FunctionName": ARN.replace("us-east-1", "eu-west-1") + "app"},
            404,
            "ResourceNotFound",
            "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
        ),
        (
            {"FunctionName": "app:1", "Qualifier": "$LATEST"},
            400,
            "InvalidParameterValue",
            "The derived qualifier from the function name does not match the specified qualifier.",
        ),
        ({"FunctionName": "my-function!"}, 400, "Validation", "1 validation error detected: Value"),
    ],
    "delete_function": [
        (
            {"FunctionName": "app:$LATEST"},
            400,
            "InvalidParameterValue",
            "$LATEST version cannot be deleted without deleting the function.",
        ),
        (
            {"FunctionName": "app:live"},
            400,
            "InvalidParameterValue",
            "Deletion of aliases is not currently supported.",
        ),
        (
            {"FunctionName": "app", "Qualifier": "7"},
            404,
            "ResourceNotFound",
            f"Function not found: {ARN}app",
        ),
    ],
}


@pytest.mark.parametrize(
    ("operation", "case"), [(name, case) for name, cases in BAD.items() for case in cases]
)
def test_what_is_not_there_or_wrong_is_said_as_on_aws(operation, case, aws):
    request, status, error, message = case
    found = aws.refused(operation, **request)
    assert found[:2] == (status, f"{error}Exception")
    assert found[2].startswith(message)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"Role": "r1"}, "ValidationException", "Value 'r1' at 'role' failed to satisfy"),
        ({"Timeout": 901}, "ValidationException", "Value '901' at 'timeout' failed to satisfy"),
        ({"MemorySize": 10241}, "ValidationException", "Value '10241' at 'memorySize' failed"),
        ({"Handler": "a b"}, "ValidationException", "Value 'a b' at 'handler' failed"),
        ({"Handler": "a\0b"}, "InvalidParameterValueException", "cannot have a NUL character"),
        (
            {"Environment": {"Variables": {"AA": "\0"}}},
            "InvalidParameterValueException",
            "cannot have a NUL character",
        ),
        ({"Handler": None}, "InvalidParameterValueException", "Runtime and Handler are mandatory"),
        ({"Runtime": None}, "InvalidParameterValueException", "Runtime and Handler are mandatory"),
        ({"Runtime": "python2"}, "InvalidParameterValueException", "Value python2 at 'runtime'"),
        (
            {"Runtime": "python3.7"},
            "InvalidParameterValueException",
            "The runtime parameter of python3.7 is no longer supported",
        ),
        ({"Code": {"ZipFile": b"x"}}, "InvalidParameterValueException", "Could not unzip uploaded"),
        ({"Code": {}}, "InvalidParameterValueException", "Please provide a source for function"),
        (
            {"Code": {"S3Bucket": "bucket", "S3Key": "key"}},
            "InvalidParameterValueException",
            "There is no S3 here: give the code as ZipFile",
        ),
        ({"Code": {"ImageUri": "x"}}, "NotImplementedException", "CreateFunction with a container"),
        (
            {"Environment": {"Variables": {"AWS_REGION": "x", "AA": "y"}}},
            "InvalidParameterValueException",
            "Reserved keys used in this request: AWS_REGION",
        ),
        (
            {"Environment": {"Variables": {"AA": "x" * 4090}}},
            "InvalidParameterValueException",
            "exceeded the 4KB limit. String measured: {",
        ),
        (
            {"Environment": {"Variables": {"AWS_LAMBDA_MAX_CONCURRENCY": "many"}}},
            "InvalidParameterValueException",
            "AWS_LAMBDA_MAX_CONCURRENCY is a number of invocations, 1 or more, not 'many'",
        ),
        (
            {
                "Runtime": "python3.13",
                "Environment": {"Variables": {"AWS_LAMBDA_MAX_CONCURRENCY": "2"}},
                "SnapStart": {"ApplyOn": "PublishedVersions"},
            },
            "InvalidParameterValueException",
            "SnapStart and the variable AWS_LAMBDA_MAX_CONCURRENCY",
        ),
        ({"Environment": {"Variables": {"A": "x"}}}, "ValidationException", "Map keys must"),
        ({"FunctionName": "a" * 65}, "InvalidParameterValueException", "less than or equal to 64"),
        ({"FunctionName": "*"}, "ValidationException", "Value '*' at 'functionName' failed"),
        ({"Layers": ["arn:x"]}, "ValidationException", "at 'layers' failed to satisfy"),
        (
            {"FileSystemConfigs": [{"Arn": "a", "LocalMountPath": "/mnt/a"}]},
            "NotImplementedException",
            "FileSystemConfigs is not emulated",
        ),
    ],
)
def test_what_aws_does_not_take_is_refused(options, error, message, aws):
    settings = {
        "FunctionName": "app",
        "Runtime": "python3.11",
        "Handler": "app.handler",
        "Role": ROLE,
        "Code": {"ZipFile": zipped()},
        **options,
    }
    request = {key: value for key, value in settings.items() if value is not None}
    _, found, said = aws.refused("create_function", **request)
    assert found == error
    assert message in said
    assert aws.client.list_functions()["Functions"] == []


def test_sizes_over_the_limits_are_refused(aws, monkeypatch):
    monkeypatch.setattr(zip_files, "ZIPPED", 1000)
    found = aws.refused(
        "create_function",
        FunctionName="app",
        Runtime="python3.11",
        Handler="a.b",
        Role=ROLE,
        Code={"ZipFile": bytes(1001)},
    )
    message = "Zipped size must be smaller than 1000 bytes"
    assert found == (413, "RequestEntityTooLargeException", message)


def test_an_update_of_another_revision_is_refused(aws):
    revision = aws.create()["RevisionId"]
    message = (
        "The Revision Id provided does not match the latest Revision Id. "
        "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
    )
    for operation, more in (
        ("update_function_configuration", {}),
        ("update_function_code", {"ZipFile": zipped()}),
        ("publish_version", {}),
    ):
        found = aws.refused(operation, FunctionName="app", RevisionId=revision, **more)
        assert found == (412, "PreconditionFailedException", message)
    revision = aws.client.get_function_configuration(FunctionName="app")["RevisionId"]
    aws.client.update_function_configuration(FunctionName="app", RevisionId=revision)


def test_a_dry_run_changes_nothing(aws):
    before = aws.create()["CodeSha256"]
    new = zipped({"app.py": "def handler(event, context): return 2"})
    dry = aws.client.update_function_code(FunctionName="app", ZipFile=new, DryRun=True)
    assert dry["CodeSha256"] != before
    assert aws.client.get_function_configuration(FunctionName="app")["CodeSha256"] == before
    assert aws.invoke() == {"version": "$LATEST"}


def test_the_code_can_be_had_again(aws):
    data = zipped()
    aws.create(Code={"ZipFile": data})
    code = aws.client.get_function(FunctionName="app")["Code"]
    with urllib.request.urlopen(code["Location"]) as answer:
        assert answer.read() == data
    odd = [code["Location"].replace(".zip", end) for end in ("", ".txt", "x.zip", "/../lock")]
    assert [httpx.get(url).status_code for url in odd] == [404] * 4


def test_a_deleted_function_is_gone(aws):
    aws.create()
    deleted = aws.client.delete_function(FunctionName="app")
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    message = f"Function not found: {ARN}app:$LATEST"
    assert aws.refused("invoke", FunctionName="app") == (404, "ResourceNotFoundException", message)
    aws.create(files={"app.py": "def handler(event, context): return 'new'"})
    assert aws.invoke() == "new"


def test_lists_come_in_pages(aws):
    data = zipped()
    names = [f"f{n}" for n in range(5)]
    for name in reversed(names):
        aws.create(name, Code={"ZipFile": data})
    pages = aws.client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    listed = [[each["FunctionName"] for each in page["Functions"]] for page in pages]
    assert listed == [["f0", "f1"], ["f2", "f3"], ["f4"]]
    assert aws.refused("list_functions", Marker="?")[1] == "InvalidParameterValueException"


def test_what_is_not_emulated_says_its_name(aws):
    found = aws.refused("list_event_source_mappings")
    assert found == (
        501,
        "NotImplementedException",
        "ListEventSourceMappings is not emulated",
    )


def test_without_a_signature_nothing_is_done(aws):
    answer = httpx.get(f"{aws.emulator.url}/2015-03-31/functions")
    assert answer.status_code == 403
    assert answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'{"FunctionName": "\\ud800"}', b"\xff", b'{"FunctionName": 1}', b"[" * 100_000],
)
def test_a_body_that_is_no_request_is_refused(body, aws):
    headers = {"authorization": "x"}
    url = f"{aws.emulator.url}/2015-03-31/functions"
    answer = httpx.post(url, content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.headers["x-amzn-errortype"] == "SerializationException"


def test_a_function_served_from_its_source_is_shown_and_not_changed(start, tmp_path):
    (tmp_path / "mine.py").write_text(PREAMBLE + "def handler(event, context): return 1")
    function = function_from_target(f"{tmp_path / 'mine.py'}:handler", timeout=9)
    aws = start(dataclasses.replace(function, memory=333))
    found = aws.client.get_function(FunctionName="mine")["Configuration"]
    assert (found["State"], found["Timeout"], found["MemorySize"]) == ("Active", 9, 333)
    aws.client.get_waiter("function_active_v2").wait(FunctionName="mine")
    for operation in ("delete_function", "publish_version", "update_function_configuration"):
        status, _, message = aws.refused(operation, FunctionName="mine")
        assert status == 409
        assert message.startswith("mine is served from its source by penstock dev")
    assert aws.invoke("mine") == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/2015-03-31/functions/app/code", {"ZipFile": None}),
        ("POST", "/2018-10-31/layers/lib/versions", {"Content": {"ZipFile": None}}),
    ],
)
def test_no_zip_file_is_a_clear_error(method, path, body, aws):
    aws.create()
    answer = httpx.request(
        method, aws.emulator.url + path, headers={"Authorization": "x"}, json=body
    )
    assert answer.status_code == 400
    assert "zip" in answer.text or "source for function code" in answer.text


def test_a_layer_of_aws_is_not_there(aws):
    arn = "arn:aws:lambda:::awslayer:foo"
    assert aws.refused("get_layer_version_by_arn", Arn=arn)[:2] == (
        404,
        "ResourceNotFoundException",
    )


def test_the_location_of_code_is_where_the_client_found_the_emulator(aws):
    aws.create()
    location = aws.client.get_function(FunctionName="app")["Code"]["Location"]
    assert location.startswith(f"http://127.0.0.1:{aws.emulator.port}/")
