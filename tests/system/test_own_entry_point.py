"""The examples whose entry point is Penstock's runtime, as far as no container engine is needed."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
import venv
from pathlib import Path

import httpx
import pytest

from tests.conftest import LocalFunction
from tests.lambda_files import LambdaFiles, serving

ROOT = Path(__file__).parents[2]
CONTAINER = ROOT / "examples/container"
CUSTOM = ROOT / "examples/custom-runtime"


@pytest.fixture
def serve_files(gate) -> object:
    yield from serving(gate.folder)


class Image:
    """What a Dockerfile makes, without its FROM and RUN lines."""

    def __init__(self, dockerfile: Path, root: Path) -> None:
        self.root = root
        # The base image of AWS has both.
        self.folder = "/var/task"
        self.variables = {"LAMBDA_TASK_ROOT": "/var/task"}
        self.entry_point: list[str] = []
        self.arguments: list[str] = []
        for line in dockerfile.read_text().splitlines():
            word, _, rest = line.partition(" ")
            if word and not word.startswith("#"):
                getattr(self, f"_{word.lower()}")(rest, dockerfile.parent)

    @property
    def command(self) -> list[str]:
        interpreter, *options = self.entry_point
        assert re.fullmatch(r"(/var/lang/bin/)?python3?", interpreter)
        return [sys.executable, *options, *self.arguments]

    def _from(self, rest: str, context: Path) -> None:
        assert re.fullmatch(r"(public\.ecr\.aws/lambda/python:|python:)3\.1\d(-slim)?", rest)

    def _run(self, rest: str, context: Path) -> None:
        pass

    def _workdir(self, rest: str, context: Path) -> None:
        self.folder = rest

    def _env(self, rest: str, context: Path) -> None:
        name, _, value = rest.partition("=")
        self.variables[name] = value

    def _copy(self, rest: str, context: Path) -> None:
        *sources, target = shlex.split(rest.replace("${LAMBDA_TASK_ROOT}", "/var/task"))
        folder = self.root / os.path.join(self.folder, target).lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        for source in sources:
            found = [context / source] if "*" not in source else context.glob(source)
            for file in found:
                shutil.copy(file, folder)

    def _entrypoint(self, rest: str, context: Path) -> None:
        self.entry_point = json.loads(rest)

    def _cmd(self, rest: str, context: Path) -> None:
        self.arguments = json.loads(rest)


def assert_two_lines(function: LocalFunction) -> None:
    with httpx.stream("GET", function.url, timeout=15) as response:
        assert list(response.iter_raw()) == [
            b"The first line is here already.\n",
            b"The second one came a second later.\n",
        ], function.log
    assert response.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.aws"])
def test_the_entry_point_of_an_image_streams(name, tmp_path, serve_files):
    files = LambdaFiles(tmp_path)
    image = Image(CONTAINER / name, tmp_path)
    assert sorted(os.listdir(files.task)) == ["app.py", "requirements.txt"]
    variables = {key: value for key, value in image.variables.items() if key != "LAMBDA_TASK_ROOT"}
    assert (image.folder, image.variables["LAMBDA_TASK_ROOT"]) == ("/var/task", "/var/task")
    function = serve_files(files, None, tuple(image.command), environment=variables)
    assert_two_lines(function)


def test_the_page_shows_the_dockerfile_of_the_example():
    page = (ROOT / "docs/how-to/container-image.md").read_text()
    assert f"```dockerfile\n{(CONTAINER / 'Dockerfile').read_text()}```" in page


def test_the_custom_runtime_streams(tmp_path, serve_files):
    """With a virtual environment, Penstock not in it, as the Python in the zip."""
    files = LambdaFiles(tmp_path)
    files.put_into_the_zip()
    for name in ("bootstrap", "app.py"):
        shutil.copy(CUSTOM / name, files.task)
    venv.create(files.task / "python")
    (files.task / "python/bin/python3.13").symlink_to("python")
    assert_two_lines(serve_files(files, None, (files.task / "bootstrap",)))


def test_the_template_names_what_is_in_the_zip():
    template = (CUSTOM / "template.yaml").read_text()
    assert "      Runtime: provided.al2023\n" in template
    assert "      Handler: app.handler\n" in template
    assert "        InvokeMode: RESPONSE_STREAM\n" in template
    output = re.search(r"penstock package build -o (\S+)\n", (CUSTOM / "README.md").read_text())
    assert f"      CodeUri: {output[1]}\n" in template
