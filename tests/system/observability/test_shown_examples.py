"""The examples of docs/how-to/observe.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.system.observability.tools import ROOT, json_lines, stream
from tests.tools import each_value_in_one_test

pytestmark = each_value_in_one_test


def shown() -> dict[str, str]:
    """The examples of the page about all this, by the names of their files."""
    page = Path(__file__).parents[3] / "docs/how-to/observe.md"
    blocks = re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```", page.read_text(), re.M | re.S)
    return dict(blocks)


@pytest.mark.parametrize("example", shown())
def test_what_the_docs_show_works(example, serve_under, daemon):
    function = serve_under(
        shown()[example], environment={"AWS_XRAY_DAEMON_ADDRESS": daemon.address}
    )
    assert list(stream(function)) == ["Hello ", "Ann"]
    log = function.wait_for_log("REPORT RequestId")
    assert "[ERROR]" not in log
    assert "does not stream" not in log
    if example in ("with_powertools", "with_xray"):
        assert daemon.receive(1)[0]["trace_id"] == ROOT
    if example == "with_powertools":
        assert [line["Words"] for line in json_lines(log) if "Words" in line] == [[1.0, 1.0]]
