"""Streaming under AWS's own Python client: every minor release, on every Python it is for.

`scripts/aws-clients` installs them. The one of this virtual environment is always there.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from penstock.wire.trailers import ERROR_TYPE
from tests.conftest import PREAMBLE, LocalFunction
from tests.runtime.recorder import Recorded, RuntimeApiRecorder
from tests.system.test_order import SHAPES
from tests.tools import each_value_in_one_test, missing, wait_for

pytestmark = each_value_in_one_test

ROOT = Path(__file__).parents[2]
INSTALLED = ROOT / ".tools/awslambdaric"
LIST = Path(__file__).with_name("aws_clients.txt")


class Combination(NamedTuple):
    """A release of AWS's client on a Python."""

    release: str
    python: str

    def __str__(self) -> str:
        return f"{self.release} on {self.python}"

    @property
    def version(self) -> tuple[int, ...]:
        return tuple(map(int, self.release.split(".")))


def listed() -> list[Combination]:
    lines = [line.split() for line in LIST.read_text().splitlines() if not line.startswith("#")]
    return [Combination(release, python) for release, *pythons in lines for python in pythons]


OF_THIS_VENV = Combination(
    importlib.metadata.version("awslambdaric"), "{}.{}".format(*sys.version_info)
)
ALL = sorted({*listed(), OF_THIS_VENV}, key=lambda each: (each.version, each.python), reverse=True)
NEWEST = [each for each in ALL if each.version == ALL[0].version]
FORKING = [each for each in ALL if each.version >= (4,)]


class AwsClient(NamedTuple):
    """A release of AWS's client in a folder, and the interpreter for it, of no venv."""

    combination: Combination
    interpreter: str
    folder: Path

    def command(self, handler: str = "app.handler") -> tuple[str, ...]:
        return self.interpreter, "-m", "awslambdaric", handler

    def environment(self, *folders: Path) -> dict[str, str]:
        """Variables of a process that finds this client, `folders`, and nothing else."""
        return {
            "PYTHONPATH": os.pathsep.join(map(str, (self.folder, *folders))),
            "PYTHONNOUSERSITE": "1",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{self.combination.python}",
        }


@pytest.fixture
def find(tmp_path: Path) -> Callable[[Combination], AwsClient]:
    """Find an installed client, or say what is missing."""

    def find(combination: Combination) -> AwsClient:
        folder = INSTALLED / combination.python / combination.release
        named = INSTALLED / combination.python / "interpreter"
        if folder.is_dir():
            return AwsClient(combination, named.read_text().strip(), folder)
        if combination != OF_THIS_VENV:
            missing("this release of awslambdaric is not installed for this Python")
        folder = tmp_path / "client"
        folder.mkdir()
        for module in ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py"):
            path = Path(importlib.util.find_spec(module).origin)
            path = path.parent if path.name == "__init__.py" else path
            (folder / path.name).symlink_to(path)
        return AwsClient(combination, sys._base_executable, folder)

    return find


@pytest.fixture
def serve_under(find, serve) -> Callable[..., LocalFunction]:
    """Serve a handler under a client, started as in a container image."""

    def serve_under(combination: Combination, source: str, **options: Any) -> LocalFunction:
        client = find(combination)
        environment = client.environment(ROOT / "src") | options.pop("environment", {})
        options.setdefault("command", client.command())
        return serve(source, environment=environment, max_environments=1, **options)

    return serve_under


def post(function: LocalFunction) -> httpx.Response:
    """An `Invoke` in a form that needs no AWS client."""
    return httpx.post(f"{function.url}/2015-03-31/functions/function/invocations", content=b"{}")


def read_in_order(url: str, gate) -> None:
    """Read "one", "two" and "three", each before the handler may make the next."""
    with httpx.stream("GET", url, timeout=15) as response:
        chunks = response.iter_raw()
        assert next(chunks) == b"one"
        gate.open("1")
        assert next(chunks) == b"two"
        gate.open("2")
        assert next(chunks) == b"three"
        assert list(chunks) == []


@pytest.mark.parametrize("combination", ALL, ids=str)
def test_each_chunk_arrives_before_the_next_is_made(combination, serve_under, gate):
    read_in_order(serve_under(combination, SHAPES["async def"]).url, gate)


# Powertools is not in the folders of the clients; test_takeover.py has it.
OTHER_SHAPES = [shape for shape in SHAPES if shape not in ("async def", "under Powertools")]


@pytest.mark.parametrize("shape", OTHER_SHAPES)
@pytest.mark.parametrize("combination", NEWEST, ids=str)
def test_every_shape_streams_under_the_newest(combination, shape, serve_under, gate):
    read_in_order(serve_under(combination, SHAPES[shape]).url, gate)


STREAMS = """
import logging

logging.getLogger().setLevel("INFO")


@streamify_response
def handler(event, context):
    path = event.get("rawPath", "/")
    logging.info("before the first byte of %s", path)
    yield Prelude(201, {"content-type": "text/plain"})
    yield "one"
    logging.info("after the first byte of %s", path)
    if path == "/fails":
        raise ValueError("no more")
    yield "two"
"""


@pytest.mark.parametrize("combination", ALL, ids=str)
def test_an_error_after_the_first_byte_is_told_and_logged_and_the_next_call_is_fine(
    combination, serve_under
):
    function = serve_under(combination, STREAMS)
    failed = httpx.get(f"{function.url}/fails")
    whole = httpx.get(f"{function.url}/whole")
    assert (failed.status_code, failed.text) == (201, "one")
    assert (whole.status_code, whole.text) == (201, "onetwo")
    log = function.wait_for_log(f"REPORT RequestId: {whole.headers['x-amzn-requestid']}")
    # From the trailers, as the platform sees them:
    assert log.count("failed after its first byte (ValueError: no more)") == 1
    # By AWS's client:
    assert log.count("[ERROR] ValueError: no more") == 1
    # One environment has served both.
    assert log.count("Init Duration") == 1
    for response, path in ((failed, "/fails"), (whole, "/whole")):
        request_id = response.headers["x-amzn-requestid"]
        for when in ("before", "after"):
            assert f"Z\t{request_id}\t{when} the first byte of {path}\n" in log


@pytest.mark.parametrize("combination", ALL, ids=str)
def test_an_error_before_the_first_byte_is_posted_by_the_client(combination, serve_under):
    function = serve_under(
        combination,
        """
        @streamify_response
        async def handler(event, response_stream, context):
            raise ValueError("too early")
        """,
    )
    for _ in range(2):
        answer = post(function)
        assert answer.headers["x-amz-function-error"] == "Unhandled"
        error = answer.json()
        assert (error["errorType"], error["errorMessage"]) == ("ValueError", "too early")
        # Made by the client: what Penstock makes leaves its own lines out.
        assert any("streaming_handler" in line for line in error["stackTrace"])
        assert error["requestId"] == answer.headers["x-amzn-requestid"]


@pytest.mark.parametrize("combination", ALL, ids=str)
def test_turned_off_it_answers_buffered(combination, serve_under):
    function = serve_under(
        combination,
        STREAMS,
        invoke_mode="BUFFERED",
        environment={"PENSTOCK_TAKEOVER": "off"},
    )
    for _ in range(2):
        response = httpx.get(function.url)
        assert (response.status_code, response.text) == (201, "onetwo")
        assert response.headers["content-type"] == "text/plain"
    log = function.wait_for_log("PENSTOCK_TAKEOVER is off")
    assert log.count("PENSTOCK_TAKEOVER is off") == 1


@pytest.mark.parametrize("combination", ALL, ids=str)
def test_a_plain_handler_is_served_as_ever(combination, serve_under):
    function = serve_under(
        combination,
        """
        @streamify_response
        def unused(event, context):
            yield ""

        def handler(event, context):
            return {"id": context.aws_request_id}
        """,
    )
    for _ in range(2):
        answer = post(function)
        assert answer.json() == {"id": answer.headers["x-amzn-requestid"]}


# What is known of the file /var/runtime/bootstrap.py of AWS's managed runtimes: it puts the
# function's folder first, and hands over the handler from its variable. Sentry's SDK
# (integrations/aws_lambda.py) tells by what name it imports the client.
BOOTSTRAP = """\
import os
import sys

import awslambdaric.__main__ as awslambdaricmain

if __name__ == "__main__":
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    awslambdaricmain.main(["bootstrap", os.environ["_HANDLER"]])
"""


@pytest.mark.parametrize("combination", ALL, ids=str)
def test_started_as_on_lambda_with_the_handler_only_in_a_variable(
    combination, find, serve, gate, tmp_path
):
    client = find(combination)
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    (runtime / "bootstrap.py").write_text(BOOTSTRAP)
    for path in client.folder.iterdir():
        (runtime / path.name).symlink_to(path)
    function = serve(
        SHAPES["generator"],
        command=(client.interpreter, str(runtime / "bootstrap.py")),
        environment=client.environment() | {"PYTHONPATH": str(ROOT / "src")},
    )
    read_in_order(function.url, gate)


ZIPPED = """
import jmespath
import penstock


@streamify_response
def handler(event, context):
    yield Prelude(200, {"content-type": "text/plain", "x-from": penstock.__file__})
    yield jmespath.search("requestContext.http.method", event)
    pass_gate("1")
    yield " it is"
"""


@pytest.mark.parametrize("combination", NEWEST, ids=str)
def test_a_folder_as_in_a_zip_streams_with_no_other_configuration(combination, find, serve, gate):
    client = find(combination)
    function = serve(ZIPPED, command=client.command(), environment=client.environment())
    fill(function.emulator.function.folder)
    with httpx.stream("GET", function.url, timeout=15) as response:
        chunks = response.iter_raw()
        assert next(chunks) == b"GET"
        gate.open("1")
        assert list(chunks) == [b" it is"]
    comes_from_the_folder(function, response)


@pytest.mark.parametrize("combination", NEWEST, ids=str)
def test_a_folder_as_in_a_zip_answers_buffered_with_takeover_off(combination, find, serve, gate):
    client = find(combination)
    function = serve(
        ZIPPED,
        command=client.command(),
        environment=client.environment() | {"PENSTOCK_TAKEOVER": "off"},
        invoke_mode="BUFFERED",
    )
    fill(function.emulator.function.folder)
    responses: list[httpx.Response] = []
    gate.open_for(lambda: responses.append(httpx.get(function.url)), "1")
    (response,) = responses
    assert (response.status_code, response.text) == (200, "GET it is")
    comes_from_the_folder(function, response)
    assert "PENSTOCK_TAKEOVER is off" in function.wait_for_log("PENSTOCK_TAKEOVER is off")


def fill(folder: Path) -> None:
    """Put Penstock and a dependency beside the handler, as `pip install --target` does."""
    for source in (ROOT / "src/penstock", Path(importlib.util.find_spec("jmespath").origin).parent):
        shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))


def comes_from_the_folder(function: LocalFunction, response: httpx.Response) -> None:
    folder = function.emulator.function.folder
    assert response.headers["x-from"] == str(folder / "penstock/__init__.py")


FORKED = """
@streamify_response
async def handler(event, response_stream, context):
    await response_stream.write(f"{event['name']} in {os.getpid()}")
    await asyncio.to_thread(pass_gate, event["name"])
    await response_stream.write("the rest")
    if event["name"] == "b":
        raise ValueError("no more")
"""


@pytest.mark.parametrize("combination", FORKING, ids=str)
def test_each_forked_worker_serves_one_call_at_a_time_and_streams(
    combination, find, gate, tmp_path
):
    """`AWS_LAMBDA_MAX_CONCURRENCY`, which Lambda Managed Instances set."""
    client = find(combination)
    (tmp_path / "app.py").write_text(PREAMBLE + textwrap.dedent(FORKED))
    api = RuntimeApiRecorder([json.dumps({"name": name}).encode() for name in "abc"])
    variables = {
        **client.environment(ROOT / "src"),
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_LAMBDA_MAX_CONCURRENCY": "2",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "GATES": str(gate.folder),
    }
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            client.command(),
            cwd=tmp_path,
            env=variables,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_for(lambda: len(begun(api)) == 2, "the first chunks of two workers")
        a, b = begun(api)["a"], begun(api)["b"]
        assert not a.complete
        assert not b.complete
        assert worker_of(a) != worker_of(b)
        assert process.pid not in (worker_of(a), worker_of(b))

        gate.open("a")
        wait_for(lambda: a.complete, "the end of a")
        wait_for(lambda: "c" in begun(api), "the first chunk of c")
        c = begun(api)["c"]
        assert worker_of(c) == worker_of(a)
        assert not b.complete

        gate.open("b")
        gate.open("c")
        wait_for(lambda: b.complete and c.complete, "the end of b and c")
        assert [each.chunks[1:] for each in (a, b, c)] == [[b"the rest"]] * 3
        assert [each.trailers.get(ERROR_TYPE) for each in (a, b, c)] == [None, "ValueError", None]
        wait_for(lambda: "no more" in (tmp_path / "log").read_text(), "the error in the log")
        # Nothing was posted by AWS's client besides.
        assert len(api.posts()) == 3
        request_id = b.path.split("/")[-2]
        errors = [
            json.loads(line)
            for line in (tmp_path / "log").read_text().splitlines()
            if "no more" in line
        ]
        assert [error["requestId"] for error in errors] == [request_id]
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        api.stop()


def begun(api: RuntimeApiRecorder) -> dict[str, Recorded]:
    """What has begun to be answered, by the name of its event."""
    return {posted.body[:1].decode(): posted for posted in api.posts() if posted.chunks}


def worker_of(request: Recorded) -> int:
    return int(re.fullmatch(rb"\w in (\d+)", request.chunks[0])[1])
