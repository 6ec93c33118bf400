"""`penstock send`, in this process."""

from __future__ import annotations

import pytest

from penstock.cli import main


@pytest.fixture
def send(capsys):
    """Runs the command; gives its status and what it has printed."""

    def send(*arguments):
        status = main(["send", *arguments])
        return status, *capsys.readouterr()

    return send
