"""AWS's oddities as switches, and their page in the docs."""

from __future__ import annotations

import re
from dataclasses import asdict, fields
from pathlib import Path

import pytest

from penstock.emulator.quirks import STRICT, Quirks
from penstock.errors import EmulatorError

PAGE = Path(__file__).parents[2] / "docs/reference/quirks.md"
NAMES = [field.name.replace("_", "-") for field in fields(Quirks)]


def rows() -> dict[str, list[str]]:
    """The first table of the page: a quirk's name, and what stands beside it."""
    lines = re.findall(r"^\| `([a-z0-9-]+)` \|(.*)\|$", PAGE.read_text(), re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split("|")] for name, rest in lines}


def test_the_page_has_every_quirk_once_and_no_other():
    names = re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE.read_text(), re.MULTILINE)

    assert names == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_page_tells_the_defaults(name):
    aws, source, default, strict = rows()[name]

    assert aws
    assert source
    assert default == ("on" if asdict(Quirks())[name.replace("-", "_")] else "off")
    assert strict == ("on" if asdict(STRICT)[name.replace("-", "_")] else "off")


@pytest.mark.parametrize("name", NAMES)
def test_every_quirk_can_be_switched_by_either_spelling(name):
    field = name.replace("-", "_")

    assert getattr(Quirks().switched(off=[name]), field) is False
    assert getattr(STRICT.switched(on=[field]), field) is True


def test_what_is_not_named_stays_as_it_is():
    assert STRICT.switched() == STRICT
    assert Quirks().switched(on=["empty-body-hang"]) == Quirks(empty_body_hang=True)


def test_a_name_that_is_none_is_told_which_there_are():
    with pytest.raises(EmulatorError, match=r"no quirk 'empty-body'; there are .*empty-body-hang"):
        Quirks().switched(on=["empty-body"])


def test_nothing_is_on_and_off_at_once():
    with pytest.raises(EmulatorError, match="error-is-200 cannot be on and off"):
        Quirks().switched(on=["error-is-200"], off=["error_is_200"])
