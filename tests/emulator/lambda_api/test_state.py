"""Functions that are kept in a folder, and code that goes when nothing runs on it."""

from __future__ import annotations

import errno
import json
import os
import tempfile
import threading
from pathlib import Path

import httpx
import pytest

from penstock.emulator.emulator import Emulator
from penstock.emulator.functions import function_from_target
from penstock.emulator.lambda_api import store
from penstock.emulator.lambda_api.settings import ApiSettings
from penstock.errors import EmulatorError
from tests.tools import wait_for

from .conftest import ARN, zipped


def test_everything_is_there_again(start, tmp_path):
    state = tmp_path / "state"
    first = start(state=state)
    content = {"ZipFile": zipped({"python/lib.py": "NAME = 'lib'"})}
    layer = first.client.publish_layer_version(LayerName="lib", Content=content)
    source = "import lib\ndef handler(event, context): return [lib.NAME, context.function_version]"
    first.create(
        files={"app.py": source}, Layers=[layer["LayerVersionArn"]], Publish=True, Tags={"a": "b"}
    )
    client = first.client
    client.create_alias(FunctionName="app", Name="live", FunctionVersion="1")
    client.create_function_url_config(FunctionName="app", AuthType="NONE", Qualifier="live")
    client.put_function_concurrency(FunctionName="app", ReservedConcurrentExecutions=3)
    client.put_function_event_invoke_config(FunctionName="app", MaximumRetryAttempts=1)
    client.add_permission(
        FunctionName="app", StatementId="s", Action="lambda:InvokeFunction", Principal="*"
    )
    before = client.get_function(FunctionName="app")["Configuration"]
    policy = client.get_policy(FunctionName="app")
    first.emulator.stop()

    second = start(state=state)
    after = second.client.get_function(FunctionName="app")
    assert after["Configuration"] == before
    assert (after["Tags"], after["Concurrency"]) == (
        {"a": "b"},
        {"ReservedConcurrentExecutions": 3},
    )
    again = second.client.get_policy(FunctionName="app")
    assert (again["Policy"], again["RevisionId"]) == (policy["Policy"], policy["RevisionId"])
    assert second.emulator.event_invokes.config_of("app", None).maximum_retry_attempts == 1
    assert second.invoke("app:live") == ["lib", "1"]
    (url,) = second.client.list_function_url_configs(FunctionName="app")["FunctionUrlConfigs"]
    host = url["FunctionUrl"].split("/")[2]
    assert httpx.get(second.emulator.url, headers={"Host": host}).status_code == 200


def test_the_folder_may_be_named_from_where_one_is(start, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    aws = start(state=Path("state"))
    aws.create(files={"app.py": "def handler(event, context): return __file__"})
    monkeypatch.chdir("/")
    assert aws.invoke().startswith(f"{tmp_path}/state/roots/")


def test_a_folder_in_use_is_refused_and_can_be_used_afterwards(start, tmp_path):
    first = start(state=tmp_path)
    with pytest.raises(EmulatorError, match="in use by another emulator, process"):
        Emulator(api=ApiSettings(state=tmp_path))
    first.emulator.stop()
    start(state=tmp_path)


def test_a_folder_is_free_again_if_the_port_is_not(start, tmp_path):
    taken = start().emulator.port
    with pytest.raises(EmulatorError, match="cannot listen"):
        Emulator(api=ApiSettings(state=tmp_path), port=taken, host="127.0.0.1")
    start(state=tmp_path)


def test_a_function_from_source_needs_a_name_of_its_own(start, tmp_path):
    first = start(state=tmp_path / "state")
    first.create()
    first.emulator.stop()
    (tmp_path / "app.py").write_text("def handler(event, context): return 'from source'")
    function = function_from_target(f"{tmp_path}/app.py:handler")
    with pytest.raises(EmulatorError, match="has a function 'app' already; give the other one"):
        start(function, state=tmp_path / "state")
    other = function_from_target(f"{tmp_path}/app.py:handler", name="mine")
    both = start(other, state=tmp_path / "state")
    assert [both.invoke("app"), both.invoke("mine")] == [{"version": "$LATEST"}, "from source"]
    both.emulator.stop()
    assert start(state=tmp_path / "state").emulator.registry.names == ["app"]


def test_over_a_damaged_record_nothing_is_made(start, tmp_path):
    first = start(state=tmp_path)
    first.create()
    first.create("other", files={"app.py": "def handler(event, context): return 1"})
    first.emulator.stop()
    path = tmp_path / "functions/app/record.json"
    path.write_text("{")
    second = start(state=tmp_path)
    assert f"cannot read {path}: it is no JSON" in second.log
    assert second.invoke("other") == 1
    with pytest.raises(second.client.exceptions.ResourceConflictException, match="cannot be read"):
        second.create()
    assert path.read_text() == "{"


def test_code_for_a_layer_that_cannot_be_read_is_an_error_that_names_it(start, tmp_path):
    first = start(state=tmp_path)
    content = {"ZipFile": zipped()}
    arn = first.client.publish_layer_version(LayerName="lib", Content=content)["LayerVersionArn"]
    first.create(Layers=[arn])
    first.emulator.stop()
    (tmp_path / "layers/lib/record.json").write_text("{")
    second = start(state=tmp_path)
    update = {"FunctionName": "app", "ZipFile": zipped()}
    assert second.refused("update_function_code", **update) == (
        500,
        "ServiceException",
        f"there is no layer {arn}",
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"versions": {"$LATEST": {"SnapStart": 1}}},
        {"aliases": {"live": {}}},
        {"aliases": {"live": 1}},
        {"urls": {"": {"Cors": []}}},
        {"policies": {"": [{"x": 1}]}},
    ],
)
def test_a_record_that_makes_no_sense_is_left_out(odd, start, tmp_path):
    first = start(state=tmp_path)
    first.create()
    first.create("other")
    first.emulator.stop()
    path = tmp_path / "functions/app/record.json"
    record = json.loads(path.read_text())
    if "versions" in odd:
        record["versions"]["$LATEST"] |= odd["versions"]["$LATEST"]
    else:
        record |= odd
    path.write_text(json.dumps(record))
    second = start(state=tmp_path)
    assert f"cannot read {path}: " in second.log
    assert second.emulator.registry.names == ["other"]
    listed = second.client.list_functions()["Functions"]
    assert [each["FunctionName"] for each in listed] == ["other"]


HELD = """
import os
from penstock import streamify_response

@streamify_response
def handler(event, context):
    yield "old "
    path = os.path.join(os.environ["GATES"], "1")
    try:
        os.mkfifo(path)
    except FileExistsError:
        pass
    with open(path) as gate:
        gate.read()
    with open(os.path.join(os.environ["LAMBDA_TASK_ROOT"], "part.txt")) as part:
        yield part.read()
"""


def test_code_stays_until_the_last_stream_on_it_has_ended(start, gate, tmp_path):
    aws = start(state=tmp_path / "state")
    aws.create(
        files={"app.py": HELD, "part.txt": "code"},
        Environment={"Variables": {"GATES": str(gate.folder)}},
        Timeout=60,
    )
    roots = tmp_path / "state/roots"
    (old,) = roots.iterdir()
    with aws.stream() as events:
        assert next(events)["PayloadChunk"]["Payload"] == b"old "
        new = zipped({"app.py": "def handler(event, context): return 'new'"})
        aws.client.update_function_code(FunctionName="app", ZipFile=new)
        assert aws.invoke() == "new"
        assert len(list(roots.iterdir())) == 2
        gate.open("1")
        assert next(events)["PayloadChunk"]["Payload"] == b"code"
        assert "InvokeComplete" in next(events)
    wait_for(lambda: len(aws.emulator.environment_pids) == 1, "the end of the old environment")
    aws.client.update_function_configuration(FunctionName="app", Timeout=5)
    assert old not in list(roots.iterdir())
    assert aws.invoke() == "new"


def test_the_code_of_a_deleted_function_goes(start, tmp_path):
    aws = start(state=tmp_path / "state")
    aws.create()
    aws.client.delete_function(FunctionName="app")
    for name in ("functions", "code", "roots"):
        assert list((tmp_path / "state" / name).iterdir()) == []


def test_code_that_cannot_be_deleted_holds_nothing_up(start, nothing_goes, tmp_path):
    aws = start(state=tmp_path / "state")
    aws.create()
    with nothing_goes():
        aws.client.delete_function(FunctionName="app")
        aws.create()
        aws.client.delete_function(FunctionName="app")
    assert aws.log.count(".zip: " + os.strerror(errno.EBUSY)) == 1
    aws.create()
    assert aws.invoke() == {"version": "$LATEST"}


def test_what_cannot_be_kept_is_not_run_either(start, tmp_path, monkeypatch):
    aws = start(state=tmp_path / "state")
    aws.create()

    def fsync(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "fsync", fsync)
    status, error, message = aws.refused(
        "update_function_configuration", FunctionName="app", Handler="app.nothing"
    )
    assert (status, error) == (500, "ServiceException")
    assert message.endswith("record.json: [Errno 28] No space left on device")
    assert aws.invoke() == {"version": "$LATEST"}
    assert aws.refused("publish_version", FunctionName="app")[0] == 500
    assert aws.refused("invoke", FunctionName="app:1")[0] == 404
    # Its code is there already.
    with pytest.raises(aws.client.exceptions.ServiceException):
        aws.create("other")
    assert aws.refused("invoke", FunctionName="other")[0] == 404


def test_a_function_deleted_in_mid_stream_ends_it(start, gate, tmp_path):
    aws = start(state=tmp_path / "state")
    aws.create(
        files={"app.py": HELD, "part.txt": "code"},
        Environment={"Variables": {"GATES": str(gate.folder)}},
        Timeout=60,
    )
    with aws.stream() as events:
        assert next(events)["PayloadChunk"]["Payload"] == b"old "
        aws.client.delete_function(FunctionName="app")
        gate.open("1")
        assert next(events)["PayloadChunk"]["Payload"] == b"code"
        assert "InvokeComplete" in next(events)


def test_from_many_threads_each_change_is_whole(start, tmp_path):
    aws = start(state=tmp_path / "state")
    arn = aws.create()["FunctionArn"]
    assert arn == ARN + "app"

    def tag(number: int) -> None:
        for step in range(5):
            aws.client.tag_resource(Resource=arn, Tags={f"t{number}-{step}": "x"})

    threads = [threading.Thread(target=tag, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    aws.emulator.stop()
    again = start(state=tmp_path / "state")
    assert len(again.client.list_tags(Resource=arn)["Tags"]) == 30


def test_whoever_asks_for_code_that_nobody_has_makes_nothing(start, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    aws = start()
    assert httpx.get(f"{aws.emulator.url}/_penstock/code/{'ab' * 32}.zip").status_code == 404
    assert list(tmp_path.iterdir()) == []
    aws.create()
    assert len(list(tmp_path.glob("penstock-lambda-*"))) == 1
