"""What a function's source tells of calls that will fail, without running it."""

from __future__ import annotations

import dataclasses

import pytest

from penstock.emulator.functions import function_from_target
from penstock.emulator.handler_check import problem_of


@pytest.fixture
def problem(tmp_path):
    def problem(source: str, name: str = "app.py") -> str | None:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source)
        return problem_of(function_from_target(f"{tmp_path / name}:handler"))

    return problem


@pytest.mark.parametrize(
    "source",
    [
        "def handler(event, context): ...",
        "async def handler(event, context): ...",
        "class handler: ...",
        "handler = print",
        "handler: object = print",
        "one, (handler, *two) = 1, (2, 3)",
        "import handler",
        "import handler.parts",
        "import app as handler",
        "from app import handler",
        "from app import main as handler",
        "from app import *",
        "if True:\n    handler = print\nelse:\n    pass",
        "try:\n    from fast import handler\nexcept ImportError:\n    raise",
        "with open('x') as handler:\n    pass",
        "for handler in ():\n    pass",
        "if (handler := print):\n    pass",
        "match 1:\n    case handler:\n        pass",
        "match 1:\n    case {**handler}:\n        pass",
        "def make():\n    global handler\n    handler = print\nmake()",
        "globals()['hand' + 'ler'] = print",
        "import sys\nsetattr(sys.modules[__name__], 'handler', print)",
        "def __getattr__(name): ...",
        "exec('handler = print')",
        "x = '\\d'\ndef handler(event, context): ...",
    ],
)
def test_a_name_that_may_be_there_is_believed(source, problem):
    assert problem(source) is None


@pytest.mark.parametrize(
    "source",
    [
        "",
        "def main():\n    handler = print",
        "class App:\n    def handler(self): ...",
        "handler.timeout = 3",
        "print(handler)",
    ],
)
def test_a_name_that_cannot_be_there_is_missed(source, problem, tmp_path):
    assert f"{tmp_path / 'app.py'} does not define handler" in problem(source)


def test_it_tells_what_is_there_instead(problem):
    found = problem("def handle(event, context): ...\nasync def stream(event, context): ...\n")
    assert found.endswith("does not define handler; it defines handle, stream")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def handler(:", "line 1: SyntaxError: "),
        ("x = 1\n\treturn x", "line 2: IndentationError: "),
        ("return 1", "line 1: SyntaxError: 'return' outside function"),
        ("x = '\0'", "null byte"),
    ],
)
def test_source_that_does_not_compile_is_told_with_its_line(source, says, problem):
    assert says in problem(source)


def test_source_that_the_function_may_have_elsewhere_is_not_looked_for(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert problem_of(function_from_target("json.tool:handler")) is None


def test_a_module_that_is_nowhere_is_missed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    function = function_from_target("nosuch.pages:handler")
    assert problem_of(function) == (
        f"there is no module nosuch.pages in {tmp_path}, and none of this name is installed"
    )
    elsewhere = dataclasses.replace(function, environment={"PYTHONPATH": "/opt/python"})
    assert problem_of(elsewhere) is None


def test_a_package_of_the_folder_may_have_its_modules_elsewhere(monkeypatch, tmp_path):
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path)
    assert problem_of(function_from_target("shop.pages:handler")) is None


@pytest.mark.parametrize(
    ("value", "kind"), [("3", "int"), ("'x'", "str"), ("[print]", "list"), ("{}", "dict")]
)
def test_what_cannot_be_called_is_no_handler(value, kind, problem, tmp_path):
    assert problem(f"x = 1\nhandler = {value}") == (
        f"{tmp_path / 'app.py'}, line 2: handler is no function, but of type {kind}"
    )


@pytest.mark.parametrize(
    "source",
    [
        "handler = None\nhandler = print",
        "handler = None\nif True:\n    def handler(event, context): ...",
        "handler = {}.get",
        "handler = None\ndef make():\n    global handler\n    handler = print",
        "handler = None\nglobals()['handler'] = print",
    ],
)
def test_what_may_become_a_function_is_believed_to_be_one(source, problem):
    assert problem(source) is None


def test_a_package_is_its_init_file(monkeypatch, tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/__init__.py").write_text("")
    monkeypatch.chdir(tmp_path)
    assert "__init__.py does not define handler" in problem_of(function_from_target("shop:handler"))


def test_nothing_is_run(problem, tmp_path):
    problem(f"open({str(tmp_path / 'proof')!r}, 'w')\n")
    assert not (tmp_path / "proof").exists()
