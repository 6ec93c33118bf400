"""`penstock dev` without a function, as boto3 and the AWS CLI use it."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.emulator.lambda_api.conftest import ROLE, zipped
from tests.tools import (
    PATIENCE,
    is_running,
    lambda_client,
    missing,
    needs,
    only_in_ci,
    repeated,
    wait_for,
)

PENSTOCK = (sys.executable, "-m", "penstock.cli")

STREAMS = """
import os
from penstock import Prelude, streamify_response


def pass_gate(name):
    path = os.path.join(os.environ["GATES"], name)
    try:
        os.mkfifo(path)
    except FileExistsError:
        pass
    with open(path) as gate:
        gate.read()


@streamify_response
def handler(event, context):
    yield "one "
    if isinstance(event, dict) and (event.get("hold") or event.get("rawPath") == "/hold"):
        pass_gate("1")
    with open(os.path.join(os.environ["LAMBDA_TASK_ROOT"], "part.txt")) as part:
        yield part.read()
"""


class EmptyLambda:
    """A running `penstock dev` without a function."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.output = folder / "output.txt"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [*PENSTOCK, "dev", "--port", "0", *options],
                cwd=folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for(lambda: "Ctrl-C" in self.text or self.process.poll() is not None, "the start")
        found = re.search(r"http://localhost:(\d+)", self.text)
        assert found, self.text
        self.port = int(found[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = lambda_client(self.url)

    @property
    def text(self) -> str:
        return self.output.read_text()

    def kill(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Callable[..., EmptyLambda]]:
    started: list[EmptyLambda] = []

    def start(*options: str) -> EmptyLambda:
        folder = tmp_path / f"dev{len(started)}"
        folder.mkdir()
        started.append(EmptyLambda(folder, *options))
        return started[-1]

    yield start
    for each in started:
        each.kill()


def create(running: EmptyLambda, gate: Any, part: str) -> None:
    code = {"ZipFile": zipped({"app.py": STREAMS, "part.txt": part})}
    running.client.create_function(
        FunctionName="app",
        Runtime="python3.12",
        Handler="app.handler",
        Role=ROLE,
        Timeout=60,
        Environment={"Variables": {"GATES": str(gate.folder)}},
        Code=code,
    )


def test_boto3_from_the_first_to_the_last(empty, gate):
    running = empty()
    client = running.client
    create(running, gate, "old")
    client.get_waiter("function_active_v2").wait(FunctionName="app")
    config = client.create_function_url_config(
        FunctionName="app", AuthType="NONE", InvokeMode="RESPONSE_STREAM"
    )
    assert config["FunctionUrl"] == f"http://app.lambda-url.localhost:{running.port}/"
    assert client.invoke(FunctionName="app")["Payload"].read() == b"one old"

    answer = client.invoke_with_response_stream(FunctionName="app", Payload=b'{"hold": true}')
    with closing(answer["EventStream"]) as stream:
        events = iter(stream)
        assert next(events)["PayloadChunk"]["Payload"] == b"one "
        client.update_function_code(
            FunctionName="app", ZipFile=zipped({"app.py": STREAMS, "part.txt": "new"})
        )
        client.get_waiter("function_updated_v2").wait(FunctionName="app")
        assert client.invoke(FunctionName="app")["Payload"].read() == b"one new"
        gate.open("1")
        assert next(events)["PayloadChunk"]["Payload"] == b"old"
        assert "InvokeComplete" in next(events)

    client.delete_function(FunctionName="app")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName="app")


@pytest.mark.timeout(180)  # it starts AWS's program ten times
def test_the_aws_cli_from_the_first_to_the_last(empty, gate, tmp_path):
    only_in_ci("the AWS CLI starts ten times; boto3 goes the same way")
    path = Path(sys.executable).with_name("aws")
    if not path.exists():
        missing(f"there is no {path}")
    running = empty()
    # What the welcome says to export.
    exports = re.findall(r"^ +export (.*)$", running.text, re.MULTILINE)
    variables = dict(each.split("=", 1) for each in " ".join(exports).split())
    outside = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    outside |= {**variables, "AWS_CONFIG_FILE": os.devnull, "AWS_PAGER": ""}

    def aws(*arguments: str) -> Any:
        done = subprocess.run(
            [path, "lambda", *arguments],
            cwd=tmp_path,
            env=outside,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    for part in ("old", "new"):
        data = zipped({"app.py": STREAMS, "part.txt": part})
        (tmp_path / f"{part}.zip").write_bytes(data)
    made = aws(
        *("create-function", "--function-name", "app", "--runtime", "python3.12"),
        *("--handler", "app.handler", "--role", ROLE, "--timeout", "60"),
        *("--environment", f"Variables={{GATES={gate.folder}}}"),
        *("--zip-file", "fileb://old.zip"),
    )
    assert (made["State"], made["Timeout"]) == ("Pending", 60)
    aws("wait", "function-active-v2", "--function-name", "app")
    url = aws(
        *("create-function-url-config", "--function-name", "app", "--auth-type", "NONE"),
        *("--invoke-mode", "RESPONSE_STREAM"),
    )["FunctionUrl"]
    aws("invoke", "--function-name", "app", "out.json")
    assert (tmp_path / "out.json").read_bytes() == b"one old"

    curl = subprocess.Popen(
        [needs("curl"), "-qsN", "--max-time", "60", f"{url}hold"], stdout=subprocess.PIPE
    )
    with curl:
        assert curl.stdout.read(4) == b"one "
        updated = aws(
            *("update-function-code", "--function-name", "app", "--zip-file", "fileb://new.zip")
        )
        assert updated["LastUpdateStatus"] == "InProgress"
        aws("wait", "function-updated-v2", "--function-name", "app")
        aws("invoke", "--function-name", "app", "out.json")
        assert (tmp_path / "out.json").read_bytes() == b"one new"
        gate.open("1")
        assert curl.stdout.read() == b"old"

    aws("delete-function", "--function-name", "app")
    assert aws("list-functions") == {"Functions": []}
    gone = httpx.get(running.url, headers={"Host": url.split("/")[2]})
    assert gone.status_code == 403


MODULES = Path(__file__).parents[2] / "benchmarks/node/node_modules"

STREAMS_IN_NODE = """
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  stream.write("Hello ");
  stream.end(process.env.AWS_EXECUTION_ENV);
});
"""


@pytest.mark.node
def test_a_zip_for_node_streams(empty, monkeypatch):
    if not (MODULES / "aws-lambda-ric/rapid-client.node").exists():
        missing("AWS's runtime client for Node.js (scripts/node-client) is not installed")
    monkeypatch.setenv("NODE_PATH", str(MODULES))
    running = empty()
    code = {"ZipFile": zipped({"index.mjs": STREAMS_IN_NODE})}
    running.client.create_function(
        FunctionName="app", Runtime="nodejs22.x", Handler="index.handler", Role=ROLE, Code=code
    )
    answer = running.client.invoke_with_response_stream(FunctionName="app")
    with closing(answer["EventStream"]) as stream:
        parts = [event["PayloadChunk"]["Payload"] for event in stream if "PayloadChunk" in event]
    assert b"".join(parts) == b"Hello AWS_Lambda_nodejs22.x"


def test_the_welcome_says_what_there_is(empty, tmp_path):
    state = tmp_path / "state"
    first = empty("--state", str(state))
    assert "without functions yet" in first.text
    assert f"Functions are kept in {state}." in first.text
    assert "Functions go when it stops; --state DIR keeps them." in empty().text
    code = {"ZipFile": zipped()}
    first.client.create_function(
        FunctionName="app", Runtime="python3.11", Handler="app.handler", Role=ROLE, Code=code
    )
    first.kill()
    second = empty("--state", str(state))
    assert ", with app" in second.text
    answer = second.client.invoke(FunctionName="app")
    assert json.load(answer["Payload"]) == {"version": "$LATEST"}


def test_two_emulators_do_not_use_one_folder(empty, tmp_path):
    first = empty("--state", str(tmp_path / "state"))
    second = subprocess.run(
        [*PENSTOCK, "dev", "--port", "0", "--state", tmp_path / "state"],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert second.returncode == 1
    assert f"is in use by another emulator, process {first.process.pid};" in second.stderr


def test_permissions_can_be_enforced(empty):
    running = empty("--enforce-permissions")
    code = {"ZipFile": zipped()}
    running.client.create_function(
        FunctionName="app", Runtime="python3.11", Handler="app.handler", Role=ROLE, Code=code
    )
    running.client.create_function_url_config(FunctionName="app", AuthType="NONE")
    headers = {"Host": f"app.lambda-url.localhost:{running.port}"}
    assert httpx.get(running.url, headers=headers).status_code == 403


class Changes:
    """Changes that a client makes, one after the other, and which of them were answered."""

    def __init__(self, client: Any, number: int) -> None:
        self.functions: list[str] = []
        self.tags: list[str] = []
        self._client = client
        self._number = number
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            for step in range(10_000):
                name = f"f{self._number}-{step}"
                code = zipped({"app.py": f"def handler(event, context): return {name!r}"})
                made = self._client.create_function(
                    FunctionName=name,
                    Runtime="python3.11",
                    Handler="app.handler",
                    Role=ROLE,
                    Code={"ZipFile": code},
                )
                self.functions.append(name)
                self._client.tag_resource(Resource=made["FunctionArn"], Tags={"of": name})
                self.tags.append(name)
        except (BotoCoreError, ClientError):
            pass  # it was killed

    def wait(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


def test_killed_at_any_moment_it_loses_nothing_that_it_has_answered(empty, tmp_path):
    state = tmp_path / "state"
    moments = random.Random(5)
    functions: list[str] = []
    tags: list[str] = []
    for number in range(repeated(6, here=2)):
        running = empty("--state", str(state))
        client = running.client
        listed = client.get_paginator("list_functions").paginate()
        there = [each["FunctionName"] for page in listed for each in page["Functions"]]
        assert set(functions) <= set(there)
        # The one that was being made may be there or not.
        assert len(there) <= len(functions) + number
        for name in tags[-3:]:
            assert client.get_function(FunctionName=name)["Tags"] == {"of": name}
        if functions:
            answer = client.invoke(FunctionName=functions[-1])
            assert json.load(answer["Payload"]) == functions[-1]
        assert "cannot read" not in running.text
        changes = Changes(client, number)
        wait_for(lambda changes=changes: changes.tags, "the first changes")
        pids = [running.process.pid]
        threading.Event().wait(moments.random() * 0.2)
        running.kill()
        changes.wait()
        wait_for(lambda pids=pids: not any(map(is_running, pids)), "the end of the processes")
        functions += changes.functions
        tags += changes.tags
