"""The page `event-sources.md` has every source, its path and its host."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from penstock.event_sources.detect import all_sources

PAGE = (Path(__file__).parents[2] / "docs/reference/event-sources.md").read_text()
ROWS = {name: row for row, name in re.findall(r"^(\| `(\w+)` \|.*)$", PAGE, re.M)}


def test_the_page_has_every_source_and_no_other():
    assert set(ROWS) == {source.name for source in all_sources()}


@pytest.mark.parametrize(
    "source", [it for it in all_sources() if it.is_internal], ids=lambda source: source.name
)
def test_the_row_of_an_internal_source_has_its_path_and_host(source):
    assert f"`{source.path}`" in ROWS[source.name]
    assert f"`{source.host}`" in ROWS[source.name]
