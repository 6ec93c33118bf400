"""The commands that `penstock dev` shows, in a shell."""

from __future__ import annotations

import json
import re
import sys

from tests.tools import needs


def test_the_commands_that_penstock_dev_shows_work(start, tmp_path):
    needs("curl")
    (tmp_path / "app.py").write_text(
        "from penstock import streamify_response\n\n\n"
        "@streamify_response\n"
        "def handler(event, response_stream, context):\n"
        '    response_stream.write("one")\n'
        '    response_stream.write("two")\n'
    )
    server = start(sys.executable, "-m", "penstock.cli", "dev", "app.py:handler", "--port", "0")
    welcome = server.read_until("Ctrl-C stops it.\n").replace("\\\n", "")
    commands = re.findall(r"^  or +(.*?)(?: {3,}\(.*)?$", welcome, re.MULTILINE)
    assert [re.findall(r"curl|aws", command)[0] for command in commands] == ["curl", "curl", "aws"]

    outputs = [start("sh", "-c", command).read_all() for command in commands]

    assert outputs[:2] == ["onetwo"] * 2
    assert json.loads(outputs[2]) == {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
    assert (tmp_path / "out.json").read_text() == "onetwo"
