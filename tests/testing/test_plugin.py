"""The plugin for pytest, in projects of their own."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.tools import PYTEST_OPTIONS, is_running, wait_for

pytest_plugins = ["pytester"]

APP = """
import os

def handler(event, context):
    print("hello from the function")
    if event == "fail":
        raise ValueError("no more")
    if event == "timeout":
        return context.get_remaining_time_in_millis()
    if event == "variables":
        return {name: os.environ.get(name) for name in ("A", "B")}
    return os.getpid()

def other(event, context):
    return "other"
"""


@pytest.fixture
def project(pytester):
    """A project with a function; what runs is pytest as its users start it."""
    pytester.makepyfile(app=APP)
    return pytester


def run(project, *arguments):
    # Where Penstock is installed from before it had the plugin, there is no entry point.
    is_found = any(point.name == "penstock" for point in entry_points(group="pytest11"))
    plugin = () if is_found else ("-p", "penstock.testing.plugin")
    return project.runpytest_subprocess(
        *plugin, *PYTEST_OPTIONS, "-pno:randomly", "-pno:cacheprovider", *arguments, timeout=50
    )


def test_pytest_finds_it_by_its_entry_point():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]

    assert project["entry-points"]["pytest11"] == {"penstock": "penstock.testing.plugin"}


def test_a_marker_names_the_handler(project):
    project.makepyfile("""
        import urllib.request
        import pytest

        @pytest.mark.penstock("app.py:handler", timeout=5)
        def test_invoke(lambda_function):
            assert 0 < lambda_function.invoke("timeout").json() <= 5000
            assert lambda_function.function_name == "app"
            assert "hello from the function" in lambda_function.log

        @pytest.mark.penstock("app.py:other")
        def test_url(function_url):
            assert urllib.request.urlopen(function_url).read() == b'"other"'
    """)

    run(project, "--strict-markers").assert_outcomes(passed=2)


def test_the_configuration_file_names_the_handler_and_markers_go_before_it(project, monkeypatch):
    project.makefile(
        ".toml",
        pyproject="""
        [tool.pytest.ini_options]
        penstock_target = "app.py:handler"
        penstock_timeout = "7"
        penstock_function = "orders"
        penstock_environment = ["A=1", "B=2"]
        """,
    )
    project.mkdir("tests")
    project.path.joinpath("tests/test_it.py").write_text("""
import pytest

def test_as_configured(lambda_function):
    assert lambda_function.function_name == "orders"
    assert 3000 < lambda_function.invoke("timeout").json() <= 7000
    assert lambda_function.invoke("variables").json() == {"A": "1", "B": "2"}

@pytest.mark.penstock(timeout=3, environment={"B": "3"})
class TestMarked:
    def test_as_the_class_says(self, lambda_function):
        assert 0 < lambda_function.invoke("timeout").json() <= 3000
        assert lambda_function.invoke("variables").json() == {"A": "1", "B": "3"}

    @pytest.mark.penstock("app.py:other", function="others")
    def test_as_the_test_says(self, lambda_function):
        assert lambda_function.invoke().json() == "other"
        assert lambda_function.function_name == "others"
""")
    project.mkdir("elsewhere")

    # Paths begin at the configuration file, wherever pytest is started.
    monkeypatch.chdir(project.path / "elsewhere")
    run(project, "../tests").assert_outcomes(passed=3)


def test_the_configuration_file_names_folder_mode_and_number_of_environments(project):
    project.makefile(
        ".toml",
        pyproject="""
        [tool.pytest.ini_options]
        penstock_target = "held.py:handler"
        penstock_folder = "code"
        penstock_invoke_mode = "BUFFERED"
        penstock_max_environments = "1"
        """,
    )
    project.mkdir("code").joinpath("held.py").write_text("""
import pathlib
import time

def handler(event, context):
    while event == "hold" and not pathlib.Path(__file__).with_name("go").exists():
        time.sleep(0.01)
    return {"statusCode": 201, "body": "whole"}
""")
    project.makepyfile("""
        import pathlib
        import threading
        import time
        import urllib.request
        import pytest
        from penstock.testing import InvokeError

        def test_as_configured(lambda_function, function_url):
            holder = threading.Thread(target=lambda_function.invoke, args=("hold",))
            holder.start()
            while "START" not in lambda_function.log:
                time.sleep(0.01)
            with pytest.raises(InvokeError, match="TooManyRequestsException"):
                lambda_function.invoke()
            pathlib.Path("code/go").touch()
            holder.join()
            with urllib.request.urlopen(function_url) as answer:
                assert (answer.status, answer.read()) == (201, b"whole")
    """)

    run(project).assert_outcomes(passed=1)


API_TEST = """
import json
import urllib.request
import pytest

def get(url):
    with urllib.request.urlopen(url, timeout=15) as answer:
        return answer.status, answer.read()

@pytest.mark.parametrize("number", range(4))
def test_streams(rest_api, lambda_function, number):
    assert rest_api == lambda_function.rest_api_url
    assert get(rest_api + "/a?b=c") == (202, b"/local/a")

@pytest.mark.penstock("api.py:whole", rest_api="BUFFERED")
def test_buffered(rest_api):
    assert get(rest_api + "/a") == (200, b"/a")

@pytest.mark.penstock("api.py:whole", functions={"more": "api.py:more"}, rest_apis=[])
def test_only_own_apis(lambda_function):
    assert lambda_function.rest_api_urls == {}
"""

API = """
from penstock import Prelude, streamify_response

@streamify_response
def stream(event, context):
    yield Prelude(202)
    yield event["requestContext"]["path"]

def whole(event, context):
    return {"body": event["path"]}

more = whole
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_rest_api_as_a_fixture(project, workers):
    project.makepyfile(api=API)
    project.makepyfile(API_TEST)
    project.makeini("[pytest]\npenstock_target = api.py:stream")

    run(project, "--strict-markers", "-n", workers).assert_outcomes(passed=6)


def test_a_rest_api_that_is_asked_for_while_the_test_runs(project):
    project.makepyfile(api=API)
    project.makeini("[pytest]\npenstock_target = api.py:stream")
    project.makepyfile("""
        import urllib.request

        def test_it(request):
            with urllib.request.urlopen(request.getfixturevalue("rest_api") + "/a") as answer:
                assert answer.read() == b"/local/a"
    """)

    run(project).assert_outcomes(passed=1)


def test_a_function_that_runs_without_a_rest_api_says_where_to_ask_for_one(project):
    project.makeini("[pytest]\npenstock_target = app.py:handler")
    project.makepyfile("""
        import pytest

        def test_too_late(lambda_function, request):
            request.getfixturevalue("rest_api")

        @pytest.mark.penstock(rest_apis=[])
        def test_none(rest_api):
            pass
    """)

    result = run(project)

    result.assert_outcomes(failed=1, errors=1)
    told = "penstock: app was started without a REST API; name the fixture rest_api among *"
    result.stdout.fnmatch_lines([told, told])
    assert "plugin.py" not in result.stdout.str()


def test_a_rest_apis_transfer_mode_in_the_configuration_file(project):
    project.makepyfile(api=API)
    project.makeini(
        "[pytest]\npenstock_target = api.py:whole\npenstock_rest_api = BUFFERED\n"
        "penstock_scope = session"
    )
    project.makepyfile("""
        import urllib.request

        def test_it(rest_api, function_url):
            assert urllib.request.urlopen(rest_api + "/a").read() == b"/a"
    """)

    run(project).assert_outcomes(passed=1)


def test_each_test_has_an_environment_of_its_own(project):
    project.makepyfile("""
        import pytest
        pytestmark = pytest.mark.penstock("app.py:handler")
        seen = []

        @pytest.mark.parametrize("time", [1, 2])
        def test_process(lambda_function, time):
            seen.append(lambda_function.invoke().json())
            assert lambda_function.environment_pids == seen[-1:]

        def test_they_differ():
            assert len(set(seen)) == 2
    """)

    run(project).assert_outcomes(passed=3)


def test_environments_are_kept_for_a_wider_scope(project):
    project.makeini("[pytest]\npenstock_scope = session")
    project.makepyfile("""
        import pytest
        pytestmark = pytest.mark.penstock("app.py:handler")
        seen = []

        @pytest.mark.parametrize("time", [1, 2])
        def test_process(lambda_function, time):
            assert "hello" not in lambda_function.log
            assert not [e for e in lambda_function.events if e["type"] == "platform.initStart"]
            seen.append(lambda_function.invoke().json())

        @pytest.mark.penstock(timeout=5)
        def test_another(lambda_function):
            seen.append(lambda_function.invoke().json())

        def test_they_are_shared_by_those_with_the_same_options():
            assert seen[0] == seen[1] != seen[2]
    """)

    run(project).assert_outcomes(passed=4)


def test_a_failed_test_shows_the_log_and_leaves_no_process(project):
    project.makepyfile("""
        import pytest

        @pytest.mark.penstock("app.py:handler")
        def test_fails(lambda_function):
            with open("pid", "w") as file:
                print(lambda_function.invoke().json(), file=file)
            lambda_function.invoke("fail")
    """)

    result = run(project)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E * penstock.testing.invoking.FunctionError: app failed: ValueError: no more",
            "*Captured log of app call*",
            "hello from the function",
        ]
    )
    pid = int(project.path.joinpath("pid").read_text())
    wait_for(lambda: not is_running(pid), "the end of the environment")


def test_a_fixture_that_fails_shows_the_log(project):
    project.makeini("[pytest]\npenstock_target = app.py:handler")
    project.makepyfile("""
        import pytest

        @pytest.fixture
        def fails_before(lambda_function):
            lambda_function.invoke("fail")

        @pytest.fixture
        def fails_after(lambda_function):
            yield
            lambda_function.invoke("fail")

        def test_before(fails_before):
            pass

        def test_after(fails_after):
            pass
    """)

    result = run(project)

    result.assert_outcomes(passed=1, errors=2)
    for phase, name in (("setup", "before"), ("teardown", "after")):
        result.stdout.fnmatch_lines(
            [f"*ERROR at {phase} of test_{name}*", f"*Captured log of app {phase}*", "hello from*"]
        )


WRONG_MARKERS = {
    "": "penstock: no handler is named for lambda_function; mark the test with *",
    '"none.py:handler"': "penstock: there is no file none.py (looked from *)",
    '"app.py"': "penstock: 'app.py' names no handler; *",
    '"app.py:handler", 3': "penstock: the marker takes one target, not 2; *",
    '"app.py:handler", time=3': "penstock: the marker has no option 'time'; there are *",
    '"app.py:handler", timeout=0': "penstock: a timeout is over 0 *",
    '"app.py:handler", timeout="3"': "penstock: timeout is a number of seconds, not '3'",
    '"app.py:handler", max_environments="x"': "penstock: max_environments is a whole number, *",
    '"app.py:handler", folder=5': "penstock: folder is a path, *, not 5",
    '"app.py:handler", environment=["A=1"]': "penstock: environment maps names to text, *",
    '"app.py:handler", rest_api="ON"': "penstock: rest_api is STREAM or BUFFERED, not 'ON'",
    '"app.py:handler", quirks={"odd": True}': "penstock: there is no quirk 'odd'; there are *",
}


def test_a_wrong_marker_is_told_without_a_traceback(project):
    tests = [
        f"@pytest.mark.penstock({marker})\ndef test_{number}(lambda_function):\n    pass\n"
        for number, marker in enumerate(WRONG_MARKERS)
    ]
    project.makepyfile("\n\n".join(["import pytest", *tests]))

    result = run(project)

    result.assert_outcomes(errors=len(WRONG_MARKERS))
    for error in WRONG_MARKERS.values():
        result.stdout.fnmatch_lines([error])
    assert "During handling" not in result.stdout.str()
    assert "plugin.py" not in result.stdout.str()


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("penstock_timeout = soon", "*penstock: penstock_timeout takes a number, not 'soon'"),
        ("penstock_environment = A", "*penstock_environment takes lines of NAME=VALUE, not 'A'"),
        (
            "penstock_scope = week",
            "*ERROR: penstock_scope is one of function, class, *, not 'week'",
        ),
    ],
)
def test_a_wrong_line_in_the_configuration_file_is_told(project, line, error):
    project.makeini(f"[pytest]\npenstock_target = app.py:handler\n{line}")
    project.makepyfile("def test_it(lambda_function): pass")

    result = run(project)

    assert result.ret != 0
    told = result.outlines + result.errlines
    assert any(fnmatch(line, error) for line in told)
    assert not any("INTERNALERROR" in line for line in told)


def test_several_workers_of_xdist_do_not_meet(project):
    project.makepyfile("""
        import pytest

        @pytest.mark.parametrize("number", range(6))
        @pytest.mark.penstock("app.py:handler")
        def test_process(lambda_function, number):
            pid = lambda_function.invoke().json()
            assert lambda_function.environment_pids == [pid]
    """)

    run(project, "-n", "2").assert_outcomes(passed=6)


def test_a_project_that_does_not_use_it_is_not_disturbed(project):
    project.makeconftest("""
        import pytest

        @pytest.fixture(scope="session")
        def function_url():
            return "mine"

        @pytest.fixture
        def lambda_function():
            return "mine, too"
    """)
    project.makepyfile("""
        import sys

        def test_own_fixtures(function_url, lambda_function):
            assert (function_url, lambda_function) == ("mine", "mine, too")

        def test_nothing_is_loaded_that_is_not_used():
            assert not [name for name in sys.modules if name.startswith("penstock.emulator")]
            assert "h11" not in sys.modules
    """)

    run(project, "--strict-markers", "--strict-config", "-W", "error").assert_outcomes(passed=2)


def test_its_options_and_fixtures_are_in_pytests_help(project):
    run(project, "--markers").stdout.fnmatch_lines(["@pytest.mark.penstock(target, *"])
    fixtures = run(project, "--fixtures").stdout
    for name in ("function_url", "lambda_function", "rest_api"):
        fixtures.fnmatch_lines([f"{name} -- *"])
