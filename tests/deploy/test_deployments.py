"""Each way to deploy: what its tool makes asks AWS for streaming, and its code streams."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from penstock.emulator.emulator import Emulator
from penstock.emulator.functions import Function
from tests.tools import lambda_client, only_in_ci

from .builds import BUILDERS, COMMANDS, Deployment, transform
from .template import text
from .tools import EXAMPLES, PYTHON, ROOT, Workshop

pytestmark = pytest.mark.timeout(180)  # the tools are slow to start

HERE = Path(__file__).parent
PAGE = (ROOT / "docs/how-to/deploy.md").read_text()

# How the ARNs in templates begin.
ARN = "arn:(aws|<AWS::Partition>):"

# Python reads this when it starts: the example's pauses are gates of the test.
HELD = """\
import itertools, os, time

numbers = itertools.count(1)


def pass_gate(seconds):
    path = os.path.join(os.environ["GATES"], str(next(numbers)))
    try:
        os.mkfifo(path)
    except FileExistsError:
        pass
    with open(path) as gate:
        gate.read()


time.sleep = pass_gate
"""


@pytest.fixture(scope="session")
def workshop(tmp_path_factory) -> Workshop:
    only_in_ci("the tools build for minutes; test_package.py and the like show what streams")
    return Workshop(tmp_path_factory.mktemp("deploy"))


@pytest.fixture(scope="session")
def build(workshop) -> Callable[[str], Deployment]:
    """Build an example, once."""
    built: dict[str, Deployment] = {}

    def build(example: str) -> Deployment:
        if example not in built:
            built[example] = BUILDERS[example](workshop, workshop.copy(example))
        return built[example]

    return build


@pytest.fixture(params=BUILDERS)
def deployment(request, build) -> Deployment:
    return build(request.param)


@pytest.fixture
def served(deployment, gate, tmp_path) -> Iterator[Emulator]:
    """The built code, served to Python 3.13 with AWS's client as Lambda would serve it."""
    held = tmp_path / "held"
    held.mkdir()
    (held / "sitecustomize.py").write_text(HELD)
    function = Function(
        name="stream",
        handler="app.handler",
        folder=deployment.code,
        command=(str(PYTHON), "-m", "awslambdaric", "app.handler"),
        environment={"PYTHONPATH": str(held), "GATES": str(gate.folder)},
    )
    with Emulator(function, host="127.0.0.1", write_log=lambda text: None) as emulator:
        yield emulator


def is_function(function: str, value: object) -> bool:
    """Whether a value in a template is the function with that logical id, or its ARN."""
    return text(value) in (f"<{function}>", f"<{function}.Arn>")


def test_cfn_lint_finds_nothing(deployment, workshop):
    # W3005: the CDK writes a DependsOn that is implied.
    workshop.run(f"cfn-lint --ignore-checks W3005 -- {deployment.template.file}", workshop.folder)


def test_the_function_needs_no_configuration(deployment):
    _, function = deployment.template.only("AWS::Lambda::Function")
    assert function["Runtime"] == "python3.13"
    assert function["Handler"] == "app.handler"
    assert function["Timeout"] == 900
    assert not {"Layers", "ImageConfig"} & set(function)
    # For apps only: it says that what is in front of the function streams.
    assert function["Environment"] == {"Variables": {"PENSTOCK_STREAM": "function_url,rest_api"}}


def test_the_function_url_streams(deployment):
    function, _ = deployment.template.only("AWS::Lambda::Function")
    _, url = deployment.template.only("AWS::Lambda::Url")
    assert url["InvokeMode"] == "RESPONSE_STREAM"
    assert url["AuthType"] == "NONE"
    assert is_function(function, url["TargetFunctionArn"])


def test_everybody_may_invoke_the_function_by_its_url_only(deployment):
    function, _ = deployment.template.only("AWS::Lambda::Function")
    public = [one for one in deployment.template.permissions if one["Principal"] == "*"]
    assert all(is_function(function, one.pop("FunctionName")) for one in public)
    assert sorted(public, key=str) == [
        {
            "Action": "lambda:InvokeFunction",
            "InvokedViaFunctionUrl": True,
            "Principal": "*",
        },
        {
            "Action": "lambda:InvokeFunctionUrl",
            "FunctionUrlAuthType": "NONE",
            "Principal": "*",
        },
    ]


def test_the_rest_api_streams(deployment):
    function, _ = deployment.template.only("AWS::Lambda::Function")
    integration = deployment.template.get_integration
    assert integration["Type"] == "AWS_PROXY"
    assert integration["IntegrationHttpMethod"] == "POST"
    assert integration["ResponseTransferMode"] == "STREAM"
    assert integration["TimeoutInMillis"] == 900_000
    assert re.fullmatch(
        f"{ARN}apigateway:<AWS::Region>:lambda:path/2021-11-15/functions/"
        f"<{function}.Arn>/response-streaming-invocations",
        integration["Uri"],
    )


def test_the_rest_api_is_regional_and_may_invoke_the_function(deployment):
    function, _ = deployment.template.only("AWS::Lambda::Function")
    name, api = deployment.template.only("AWS::ApiGateway::RestApi")
    assert api["EndpointConfiguration"]["Types"] == ["REGIONAL"]
    granted = [
        one
        for one in deployment.template.permissions
        if one["Principal"] == "apigateway.amazonaws.com"
    ]
    assert all(is_function(function, one["FunctionName"]) for one in granted)
    assert {one["Action"] for one in granted} == {"lambda:InvokeFunction"}
    stages = r"(\*|<\w+>)"
    source = f"{ARN}execute-api:<AWS::Region>:<AWS::AccountId>:<{name}>/{stages}/(GET/|\\*)"
    assert any(re.fullmatch(source, one["SourceArn"]) for one in granted)


def test_both_addresses_are_outputs(deployment):
    url, _ = deployment.template.only("AWS::Lambda::Url")
    api, _ = deployment.template.only("AWS::ApiGateway::RestApi")
    outputs = deployment.template.outputs
    assert f"<{url}.FunctionUrl>" in outputs
    stages = {deployment.template.stage}
    stages |= {f"<{name}>" for name in deployment.template.all("AWS::ApiGateway::Stage")}
    root = f"https://<{api}>.execute-api.<AWS::Region>.<AWS::URLSuffix>/"
    assert {output.rstrip("/") for output in outputs} & {root + stage for stage in stages}


def test_the_package_brings_penstock(deployment, workshop):
    look = "from importlib.util import find_spec; print(find_spec('penstock'))"
    assert str(deployment.code / "penstock/__init__.py") in workshop.python(look, deployment.code)
    # And nobody else could have.
    assert workshop.python(look, workshop.folder) == "None\n"


def test_the_package_streams_under_aws_client(served, gate):
    with httpx.stream("GET", served.url, timeout=15) as response:
        chunks = response.iter_raw()
        assert next(chunks) == b"The first line.\n"
        gate.open("1")
        assert next(chunks) == b"The second line.\n"
        gate.open("2")
        assert next(chunks) == b"The third line.\n"
        gate.open("3")
        assert list(chunks) == []
    assert response.headers["content-type"] == "text/plain; charset=utf-8"


def test_the_package_streams_what_a_rest_api_wants(served, gate):
    client = lambda_client(served.url)
    answer = client.invoke_with_response_stream(FunctionName="stream", Payload=b"{}")
    events = iter(answer["EventStream"])
    prelude = next(events)["PayloadChunk"]["Payload"]
    assert prelude.endswith(bytes(8))
    assert json.loads(prelude[:-8]) == {
        "statusCode": 200,
        "headers": {"content-type": "text/plain; charset=utf-8"},
    }
    assert next(events)["PayloadChunk"]["Payload"] == b"The first line.\n"
    gate.open("1")
    assert next(events)["PayloadChunk"]["Payload"] == b"The second line.\n"
    gate.open("2")
    assert next(events)["PayloadChunk"]["Payload"] == b"The third line.\n"
    gate.open("3")
    assert [list(event) for event in events] == [["InvokeComplete"]]


@pytest.mark.parametrize("example", COMMANDS)
def test_the_commands_are_those_in_the_docs(example):
    for command in COMMANDS[example]:
        assert f"$ {command}\n" in PAGE


def test_the_docs_show_the_function_and_name_the_versions():
    assert (EXAMPLES / "sam/function/app.py").read_text() in PAGE
    pinned = re.findall(r"^([\w-]+)==([\d.]+)", (HERE / "requirements.txt").read_text(), re.M)
    node = json.loads((HERE / "node/package.json").read_text())["dependencies"]
    tools = {**dict(pinned), **node}
    for tool in tools.keys() - {"constructs", "hatchling"}:
        assert f"{tool} {tools[tool]}" in PAGE


def test_every_example_has_the_same_function():
    assert {path.parent.parent.name for path in EXAMPLES.glob("*/function/app.py")} == set(BUILDERS)
    for file in ("app.py", "requirements.txt"):
        assert len({path.read_text() for path in EXAMPLES.glob(f"*/function/{file}")}) == 1


def test_sam_takes_stream_for_buffered_without_a_word(workshop):
    folder = workshop.copy("sam", "sam-with-stream")
    template = folder / "template.yaml"
    source = template.read_text()
    right = "ResponseTransferMode: RESPONSE_STREAM"
    assert right in source
    template.write_text(source.replace(right, "ResponseTransferMode: STREAM"))
    workshop.run("sam validate --lint", folder)
    integration = transform(workshop, template).get_integration
    assert "ResponseTransferMode" not in integration
    assert integration["Uri"].endswith("/invocations")
