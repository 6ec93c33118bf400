"""The examples in the docs run, links lead somewhere, and options are all there."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.cli import dev
from tests.tools import PYTEST_OPTIONS

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md", "examples/**/README.md")
    for page in ROOT.glob(pattern)
)
SOURCE = ROOT / "src/penstock"
VARIABLE = re.compile(
    r"\b(?:(?:PENSTOCK|AWS_LAMBDA|_LAMBDA|_X)_[A-Z_]*[A-Z]|LAMBDA_TASK_ROOT|_HANDLER)\b"
)
BLOCK = re.compile(r"^```python(?P<options>[^\n]*)\n(?P<code>.*?)^```", re.M | re.S)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[tuple[str, str]]:
    return [(match["options"], match["code"]) for match in BLOCK.finditer(page.read_text())]


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name_of)
def test_python_in_the_docs_runs(page, tmp_path, monkeypatch):
    """Blocks of a page share their names. One that begins with `# name.py` is that file."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "docs"}
    for options, code in blocks(page):
        compiled = compile(code, name_of(page), "exec")
        named = re.match(r"# ([\w.]+\.py)\n", code)
        if named:
            (tmp_path / named[1]).write_text(code)
        elif "no-run" not in options:
            exec(compiled, names)
    if list(tmp_path.glob("test_*.py")):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-pno:cacheprovider"),
                *(*PYTEST_OPTIONS, str(tmp_path)),
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout


def anchors(page: Path) -> set[str]:
    """What links can say after `#`, as GitHub makes it of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            there = page.parent / target if target else page
            assert there.exists(), target
            assert not anchor or anchor in anchors(there), f"{target}#{anchor}"


def test_every_option_of_dev_is_in_its_page():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    dev.add_command(commands)
    page = (ROOT / "docs/reference/dev.md").read_text()
    for action in commands.choices["dev"]._actions:
        for option in action.option_strings:
            if option not in ("-h", "--help"):
                assert re.search(rf"`{option}[ `]", page), option


def test_every_variable_that_penstock_knows_is_in_their_page():
    files = [*SOURCE.rglob("*.py"), SOURCE / "runtime/exec-wrapper"]
    names = {name for file in files for name in VARIABLE.findall(file.read_text())}
    assert {"PENSTOCK_LOG_STREAMS", "PENSTOCK_NEXT_WRAPPER", "_X_AMZN_TRACE_ID"} < names
    page = (ROOT / "docs/reference/environment.md").read_text()
    assert {name for name in names if f"`{name}`" not in page} == set()


def test_the_first_example_is_the_one_in_the_readme():
    first = blocks(ROOT / "README.md")[0][1]
    example = (ROOT / "examples/two_chunks.py").read_text()
    assert first.partition("@streamify_response")[2] == example.partition("@streamify_response")[2]
