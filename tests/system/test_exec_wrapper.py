"""The exec wrapper, called as Lambda calls it, in a folder laid out as Lambda's file system."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.lambda_files import BARE_PYTHON, PACKAGE, SITE_PACKAGES, LambdaFiles, serving
from tests.tools import lambda_client, needs

SOURCE_WRAPPER = PACKAGE / "runtime/exec-wrapper"

ONE_TWO = """
@streamify_response
def handler(event, context):
    yield "one"
    pass_gate("1")
    yield "two"
"""

REPORT = """
import subprocess

def text_of(module):
    try:
        return __import__(module).TEXT
    except ImportError:
        return None

@streamify_response
def handler(event, context):
    child = [sys.executable, "-c", "import os; print(os.environ.get('PYTHONPATH', ''))"]
    yield json.dumps({
        "path": sys.path,
        "variable": os.environ.get("PYTHONPATH"),
        "of a child": subprocess.run(child, capture_output=True, text=True).stdout.strip(),
        "options": [sys.warnoptions, sorted(sys._xoptions)],
        "color": os.environ.get("COLOR"),
        **{name: text_of(name) for name in os.environ.get("MODULES", "").split()},
    })
"""


@pytest.fixture
def files(tmp_path: Path) -> LambdaFiles:
    return LambdaFiles(tmp_path / "root")


@pytest.fixture
def serve_files(gate) -> object:
    yield from serving(gate.folder)


def assert_it_streams(function, gate) -> None:
    """Chunk one is here while the handler is held in front of chunk two."""
    with httpx.stream("GET", function.url, timeout=15) as response:
        chunks = response.iter_raw()
        assert next(chunks) == b"one", function.log
        gate.open("1")
        assert list(chunks) == [b"two"]


def report_of(function) -> dict[str, object]:
    return json.loads(httpx.get(function.url).text)


def write_script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_interpreter_of_these_tests_has_no_penstock():
    ended = subprocess.run([BARE_PYTHON, "-c", "import penstock"], capture_output=True, text=True)
    assert "No module named 'penstock'" in ended.stderr


def from_a_layer(files: LambdaFiles) -> Path:
    return files.put_into_a_layer()


def from_the_zip(files: LambdaFiles) -> Path:
    return files.put_into_the_zip()


def from_a_layer_made_by_pip(files: LambdaFiles) -> Path:
    folder = files.opt / "python" / SITE_PACKAGES
    folder.mkdir(parents=True)
    shutil.move(files.put_into_the_zip().parents[1], folder)
    return folder / "penstock/runtime/exec-wrapper"


def through_links(files: LambdaFiles) -> Path:
    first = files.task / "first"
    first.symlink_to(os.path.relpath(files.put_into_a_layer(), files.task))
    second = files.root / "second"
    second.symlink_to(first)
    return second


WAYS = [from_a_layer, from_the_zip, from_a_layer_made_by_pip, through_links]


@pytest.mark.parametrize("way", WAYS)
def test_it_streams(way: Callable[[LambdaFiles], Path], files, serve_files, gate):
    command = (way(files), BARE_PYTHON, files.bootstrap)
    assert_it_streams(serve_files(files, ONE_TWO, command), gate)


@pytest.mark.parametrize("way", WAYS)
def test_it_streams_where_names_have_blanks(way, tmp_path, serve_files, gate):
    files = LambdaFiles(tmp_path / "a 'root' with $blanks")
    command = (way(files), BARE_PYTHON, files.bootstrap)
    assert_it_streams(serve_files(files, ONE_TWO, command), gate)


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_any_shell_will_do(shell, files, serve_files, gate):
    command = (needs(shell), through_links(files), BARE_PYTHON, files.bootstrap)
    assert_it_streams(serve_files(files, ONE_TWO, command), gate)


def test_modules_are_looked_for_in_the_order_of_aws_bootstrap(files, serve_files):
    wrapper = files.put_into_a_layer()
    library = files.opt / "python" / SITE_PACKAGES
    library.mkdir(parents=True)
    function = serve_files(files, REPORT, (wrapper, BARE_PYTHON, files.bootstrap))
    report = report_of(function)
    ours = [path for path in report["path"] if path.startswith(str(files.root))]
    assert report["path"][: len(ours)] == ours
    assert ours == [
        str(folder)
        for folder in (files.task, library, files.opt / "python", files.lang, files.runtime)
    ]
    assert report["variable"] == report["of a child"] == str(files.runtime)


def test_each_place_hides_the_later_ones(files, serve_files):
    wrapper = files.put_into_a_layer()
    library = files.opt / "python" / SITE_PACKAGES
    library.mkdir(parents=True)
    places = {
        "task": files.task,
        "library": library,
        "layer": files.opt / "python",
        "lang": files.lang,
        "runtime": files.runtime,
    }
    for number, name in enumerate(places):
        # The module of a place is also in all places after it.
        for place in list(places)[number:]:
            (places[place] / f"from_{name}.py").write_text(f"TEXT = {place!r}\n")
    modules = {f"from_{name}": name for name in places}
    function = serve_files(
        files,
        REPORT,
        (wrapper, BARE_PYTHON, files.bootstrap),
        environment={"MODULES": " ".join(modules)},
    )
    report = report_of(function)
    assert {name: report[name] for name in modules} == modules


def test_pth_files_of_the_function_and_of_layers_are_heeded(files, serve_files):
    wrapper = files.put_into_a_layer()
    for place in (files.task, files.opt / "python"):
        (place / "vendored").mkdir()
        (place / "vendored.pth").write_text("vendored\n")
        (place / "vendored" / f"from_{place.name}.py").write_text("TEXT = 'vendored'\n")
    function = serve_files(
        files,
        REPORT,
        (wrapper, BARE_PYTHON, files.bootstrap),
        environment={"MODULES": "from_task from_python"},
    )
    report = report_of(function)
    assert (report["from_task"], report["from_python"]) == ("vendored", "vendored")


def test_pythonpath_is_kept_and_layers_are_found_all_the_same(files, serve_files, tmp_path):
    wrapper = files.put_into_a_layer()
    named = tmp_path / "named"
    named.mkdir()
    for place in (files.opt / "python", named):
        (place / "both.py").write_text(f"TEXT = {place.name!r}\n")
    (files.opt / "python" / "layered.py").write_text("TEXT = 'layered'\n")
    function = serve_files(
        files,
        REPORT,
        (wrapper, BARE_PYTHON, files.bootstrap),
        environment={"PYTHONPATH": f"{named}:{files.runtime}", "MODULES": "both layered"},
    )
    report = report_of(function)
    assert report["variable"] == report["of a child"] == f"{named}:{files.runtime}"
    assert (report["both"], report["layered"]) == ("named", "layered")
    assert report["path"][:2] == [str(files.task), str(named)]


def test_a_module_named_like_one_of_pythons_own_does_not_stop_the_start(files, serve_files, gate):
    wrapper = files.put_into_the_zip()
    for name in ("types", "json", "bootstrap"):
        (files.task / f"{name}.py").write_text("raise SystemExit('not for Python')\n")
    command = (wrapper, BARE_PYTHON, files.bootstrap)
    assert_it_streams(serve_files(files, ONE_TWO, command), gate)


def test_options_of_the_interpreter_are_kept(files, serve_files):
    wrapper = files.put_into_a_layer()
    command = (wrapper, BARE_PYTHON, "-W", "error", "-X", "utf8", "-s", "-P", files.bootstrap)
    report = report_of(serve_files(files, REPORT, command))
    assert report["options"] == [["error"], ["utf8"]]
    assert report["path"][0] == str(files.task)


def test_a_debugger_in_front_of_the_program_is_kept(files, serve_files, gate):
    """Like `python -m debugpy --listen ADDRESS bootstrap.py`."""
    wrapper = files.put_into_a_layer()
    command = (wrapper, BARE_PYTHON, "-m", "trace", "--listfuncs", files.bootstrap)
    assert_it_streams(serve_files(files, ONE_TWO, command), gate)


# Another wrapper after this one.


@pytest.mark.parametrize("way", [from_a_layer, from_the_zip])
def test_the_next_wrapper_is_run_as_well(way, files, serve_files, gate, tmp_path):
    (files.task / "other.py").write_text("from app import handler\n")
    next_wrapper = write_script(
        tmp_path / "next wrapper",
        'echo "the next wrapper got: $*"\nexport COLOR=red _HANDLER=other.handler\nexec "$@"',
    )
    function = serve_files(
        files,
        f"COLOR = os.environ['COLOR']\n{ONE_TWO}",
        (way(files), BARE_PYTHON, "-s", files.bootstrap),
        environment={"PENSTOCK_NEXT_WRAPPER": str(next_wrapper)},
    )
    assert_it_streams(function, gate)
    assert f"the next wrapper got: {BARE_PYTHON} -s " in function.log


def test_next_to_opentelemetry(serve_files, files, gate, tmp_path):
    """A script that does what `otel-instrument` does, with OpenTelemetry's own program."""
    (files.task / "otel_wrapper.py").write_text(
        """\
import os
import sys

import app
from opentelemetry.instrumentation.aws_lambda import AwsLambdaInstrumentor

os.environ["_HANDLER"] = os.environ["ORIG_HANDLER"]
AwsLambdaInstrumentor().instrument()
assert "opentelemetry.instrumentation.auto_instrumentation" in sys.modules
print("instrumented:", hasattr(app.handler, "__wrapped__"))


def handler(event, context):
    return app.handler(event, context)
"""
    )
    script = write_script(
        tmp_path / "otel-instrument",
        f"""
export ORIG_HANDLER=$_HANDLER _HANDLER=otel_wrapper.handler
export PYTHONPATH=/nowhere:${{PYTHONPATH:-}}:{files.runtime}
export OTEL_TRACES_EXPORTER=none OTEL_METRICS_EXPORTER=none OTEL_LOGS_EXPORTER=none
exec {Path(sys.executable).parent}/opentelemetry-instrument "$@"
""",
    )
    function = serve_files(
        files,
        ONE_TWO,
        (SOURCE_WRAPPER, sys.executable, files.bootstrap),
        environment={"PENSTOCK_NEXT_WRAPPER": str(script)},
    )
    assert_it_streams(function, gate)
    assert "instrumented: True" in function.log


def test_a_next_wrapper_that_leads_back_is_no_endless_loop(files, serve_files, gate, tmp_path):
    wrapper = files.put_into_a_layer()
    back = write_script(tmp_path / "back", f'echo "once"\nexec "{wrapper}" "$@"')
    function = serve_files(
        files,
        ONE_TWO,
        (wrapper, BARE_PYTHON, files.bootstrap),
        environment={"PENSTOCK_NEXT_WRAPPER": str(back)},
    )
    assert_it_streams(function, gate)
    assert function.log.count("once\n") == 1


def test_a_script_of_ones_own_can_start_it_where_its_mode_was_lost(files, serve_files, gate):
    wrapper = files.put_into_the_zip()
    wrapper.chmod(0o644)
    own = write_script(files.task / "start.sh", f'exec /bin/sh {wrapper} "$@"')
    assert_it_streams(serve_files(files, ONE_TWO, (own, BARE_PYTHON, files.bootstrap)), gate)


def test_lambda_reports_the_status_of_a_wrapper_that_fails(files, serve_files):
    function = serve_files(
        files,
        ONE_TWO,
        (files.put_into_a_layer(), BARE_PYTHON, files.bootstrap),
        environment={"PENSTOCK_NEXT_WRAPPER": "/opt/otel-handler"},
    )
    answer = lambda_client(function.url).invoke(FunctionName="app")
    error = json.load(answer["Payload"])
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("exit status 127")
    assert "PENSTOCK_NEXT_WRAPPER: /opt/otel-handler does not exist" in function.log


# What it says when it cannot start.


def run(*command: object, **variables: str) -> tuple[int, str]:
    """Exit status and message."""
    ended = subprocess.run(
        [str(part) for part in command],
        env={"PATH": os.environ["PATH"], "_HANDLER": "app.handler", **variables},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.stdout == ""
    return ended.returncode, ended.stderr.removeprefix("penstock exec-wrapper: ").strip()


AS_LAMBDA_CALLS_IT = ("/var/lang/bin/python3.13", "/var/runtime/bootstrap.py")


@pytest.mark.parametrize("arguments", [(), ("/var/lang/bin/python3.13",)])
def test_it_needs_an_interpreter_and_a_program(arguments):
    message = (
        "it takes an interpreter and a program, as Lambda gives them when the variable "
        "AWS_LAMBDA_EXEC_WRAPPER names this script; it was given: "
    )
    assert run(SOURCE_WRAPPER, *arguments) == (2, f"{message}{' '.join(arguments)}".strip())


def test_it_needs_a_handler():
    assert run(SOURCE_WRAPPER, *AS_LAMBDA_CALLS_IT, _HANDLER="") == (
        2,
        "the variable _HANDLER is not set; Lambda sets it to the function's handler",
    )


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10"])
def test_it_needs_a_python_that_is_new_enough(version):
    interpreter = f"/var/lang/bin/python{version}"
    assert run(SOURCE_WRAPPER, interpreter, "/var/runtime/bootstrap.py") == (
        1,
        f"Penstock needs Python 3.11 or newer, not {interpreter}",
    )


def test_it_is_for_python():
    node = ("/var/lang/bin/node", "--expose-gc", "/var/runtime/index.mjs")
    message = (
        "it is for runtimes of Python, whose program is /var/runtime/bootstrap.py, not "
        "/var/runtime/index.mjs; set the function's runtime to python3.11 or newer"
    )
    assert run(SOURCE_WRAPPER, *node) == (1, message)


def test_it_needs_penstock_beside_it(tmp_path):
    alone = Path(shutil.copy(SOURCE_WRAPPER, tmp_path))
    message = (
        f"Penstock is neither in {tmp_path}, where this script lies, nor in "
        f"{tmp_path}/python/penstock/runtime; leave the script where the package or the layer "
        "has it, and link to it"
    )
    assert run(alone, *AS_LAMBDA_CALLS_IT) == (127, message)


def test_an_interpreter_that_is_not_there_is_told_by_the_shell():
    status, message = run(SOURCE_WRAPPER, "/var/lang/bin/python3.99", "/var/runtime/bootstrap.py")
    assert status == 127
    assert "/var/lang/bin/python3.99" in message


def test_a_next_wrapper_that_cannot_be_run(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("#!/bin/sh\n")
    link = tmp_path / "link"
    link.symlink_to(SOURCE_WRAPPER)
    for named, status, message in [
        ("/nowhere/to/be found", 127, "/nowhere/to/be found does not exist, or is no file"),
        (str(tmp_path), 127, f"{tmp_path} does not exist, or is no file"),
        (str(plain), 126, f"{plain} is not an executable"),
    ]:
        answer = run(SOURCE_WRAPPER, *AS_LAMBDA_CALLS_IT, PENSTOCK_NEXT_WRAPPER=named)
        assert answer == (status, f"PENSTOCK_NEXT_WRAPPER: {message}")
    for itself in (SOURCE_WRAPPER, link):
        for started in (SOURCE_WRAPPER, link):
            answer = run(started, *AS_LAMBDA_CALLS_IT, PENSTOCK_NEXT_WRAPPER=str(itself))
            assert answer == (
                126,
                "PENSTOCK_NEXT_WRAPPER names this script itself; name the other wrapper",
            )
    assert run(SOURCE_WRAPPER, *AS_LAMBDA_CALLS_IT, PENSTOCK_NEXT_WRAPPER="otel-instrument") == (
        127,
        "PENSTOCK_NEXT_WRAPPER must be an absolute path, which otel-instrument is not",
    )
