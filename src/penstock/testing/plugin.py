"""Penstock's plugin for pytest: functions on a local Lambda as fixtures.

    @pytest.mark.penstock("app.py:handler", timeout=3)
    def test_greets(function_url):
        assert httpx.get(function_url).text == "Hello"

pytest finds it by its entry point. Until a test asks for one of the fixtures nothing is
started, and of the emulator nothing is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from inspect import signature
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .emulator import LocalFunction

# Which options there are, and what makes each of the text in a configuration file.
_OPTIONS: dict[str, Callable[[str], Any]] = {
    "function": str,
    "folder": str,
    "invoke_mode": str,
    "timeout": float,
    "max_environments": int,
    "rest_api": str,
}
_SCOPES = ("function", "class", "module", "package", "session")
_USED = pytest.StashKey["LocalFunction"]()
_WANTS_REST_API = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the configuration file."""
    add = parser.addini
    add("penstock_target", "the handler that lambda_function runs: app.py:handler", default="")
    add(
        "penstock_scope",
        f"how long its environments are kept: {', '.join(_SCOPES)}",
        default="function",
    )
    add("penstock_environment", "variables for it, a NAME=VALUE in each line", type="linelist")
    for name in _OPTIONS:
        add(f"penstock_{name}", f"as {name} of penstock.testing.emulator", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, and refuse a scope that pytest has not.

    A fixture's scope function cannot refuse it: pytest takes that for an error of its own.
    """
    scope = config.getini("penstock_scope")
    if scope not in _SCOPES:
        raise pytest.UsageError(f"penstock_scope is one of {', '.join(_SCOPES)}, not {scope!r}")
    config.addinivalue_line(
        "markers",
        "penstock(target, **options): the handler that the fixtures lambda_function, "
        "function_url and rest_api run, and the options of penstock.testing.emulator for it, "
        "as timeout=3.",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Show the function's log with a test that failed, or a fixture before or after it."""
    function = item.stash.get(_USED, None)
    if function is not None and call.excinfo is not None:
        item.add_report_section(call.when, f"log of {function.function_name}", function.log)


def _scope(fixture_name: str, config: pytest.Config) -> Any:
    return config.getini("penstock_scope")


@pytest.fixture(scope=_scope)
def _penstock_functions() -> Iterator[Callable[[dict[str, Any]], LocalFunction]]:
    """Starts each function once, while the scope lasts, and ends all of them."""
    from .emulator import emulator

    running: dict[str, LocalFunction] = {}
    with ExitStack() as stack:

        def start(options: dict[str, Any]) -> LocalFunction:
            key = repr(sorted(options.items()))
            if key not in running:
                running[key] = stack.enter_context(emulator(**options))
            return running[key]

        yield start


@pytest.fixture
def lambda_function(
    request: pytest.FixtureRequest,
    _penstock_functions: Callable[[dict[str, Any]], LocalFunction],
) -> LocalFunction:
    """The function that the marker `penstock`, or `penstock_target`, names, on a local Lambda.

    Invoke it with `invoke(event)`, or with an AWS client at its `endpoint_url`; read its
    `log`. See `penstock.testing.emulator`.
    """
    from ..errors import EmulatorError

    wrong = None
    try:
        options = _options(request.node)
        wants_rest_api = request.node.stash.get(_WANTS_REST_API, False)
        if (wants_rest_api or "rest_api" in request.fixturenames) and "rest_apis" not in options:
            options.setdefault("rest_api", "STREAM")
        function = _penstock_functions(options)
    except (EmulatorError, _OptionError) as exc:
        wrong = exc
    if wrong is not None:
        # Not while the other is handled, or pytest shows both.
        pytest.fail(f"penstock: {wrong}", pytrace=False)
    function.clear_log()
    function.clear_events()
    request.node.stash[_USED] = function
    return function


@pytest.fixture
def function_url(lambda_function: LocalFunction) -> str:
    """The address of the Function URL of `lambda_function`, without a slash at the end."""
    return lambda_function.function_url


@pytest.fixture
def _penstock_rest_api(request: pytest.FixtureRequest) -> None:
    """Has `lambda_function` make a REST API also if the test asks for one while it runs."""
    request.node.stash[_WANTS_REST_API] = True


@pytest.fixture
def rest_api(_penstock_rest_api: None, lambda_function: LocalFunction) -> str:
    """The address of the REST API of `lambda_function`: with the stage, without a slash.

    Its transfer mode is the option `rest_api`, or else STREAM.
    """
    if not lambda_function.rest_api_urls:
        pytest.fail(
            f"penstock: {lambda_function.function_name} was started without a REST API; name the "
            "fixture rest_api among the test's arguments, or ask for one with "
            '@pytest.mark.penstock(rest_api="STREAM"), or with penstock_rest_api = "STREAM" in '
            "pytest's configuration",
            pytrace=False,
        )
    return lambda_function.rest_api_url


class _OptionError(Exception):
    """The marker or the configuration file says what cannot be."""


def _options(node: pytest.Item) -> dict[str, Any]:
    """What the configuration file says, then the markers, from the outermost inwards."""
    from .emulator import emulator
    from .emulator_options import check_folder, checked_variables

    known = list(signature(emulator).parameters)
    options = _configured(node.config)
    options["folder"] = _root(node.config) / options.get("folder", "")
    environment = options.setdefault("environment", {})
    for marker in reversed(list(node.iter_markers("penstock"))):
        given = dict(marker.kwargs)
        if len(marker.args) > 1:
            raise _OptionError(
                f"the marker takes one target, not {len(marker.args)}; the rest by name, "
                "as timeout=3"
            )
        if marker.args:
            given["target"] = marker.args[0]
        for name in given:
            if name not in known:
                raise _OptionError(
                    f"the marker has no option {name!r}; there are {', '.join(known)}"
                )
        if "folder" in given:
            check_folder("folder", given["folder"])
            given["folder"] = _root(node.config) / (given["folder"] or "")
        # Variables are added to those from further out.
        environment |= checked_variables(given.pop("environment", None))
        options |= given
    if not isinstance(options.get("target"), str):
        raise _OptionError(
            "no handler is named for lambda_function; mark the test with "
            '@pytest.mark.penstock("app.py:handler"), or set penstock_target = "app.py:handler" '
            "in pytest's configuration"
        )
    return options


def _configured(config: pytest.Config) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if target := config.getini("penstock_target"):
        options["target"] = target
    for name, convert in _OPTIONS.items():
        text = config.getini(f"penstock_{name}")
        if text:
            try:
                options[name] = convert(text)
            except ValueError:
                raise _OptionError(f"penstock_{name} takes a number, not {text!r}") from None
    options["environment"] = dict(_variable(line) for line in config.getini("penstock_environment"))
    return options


def _variable(line: str) -> tuple[str, str]:
    name, equals, value = line.partition("=")
    if not equals or not name:
        raise _OptionError(f"penstock_environment takes lines of NAME=VALUE, not {line!r}")
    return name, value


def _root(config: pytest.Config) -> Path:
    """Where paths begin: the folder of the configuration file."""
    return config.inipath.parent if config.inipath is not None else config.rootpath
