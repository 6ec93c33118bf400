"""The command itself: what it says to arguments that it does not know."""

from __future__ import annotations

import pytest

from penstock.cli import main


@pytest.mark.parametrize("command", [["dev", "app.py:handler"], ["package", "--layer"]])
def test_an_unknown_option_is_answered_with_the_usage_of_its_command(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*command, "--prot"])

    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"usage: penstock {command[0]} ")
    assert printed.endswith(f"penstock {command[0]}: error: unrecognized arguments: --prot\n")
