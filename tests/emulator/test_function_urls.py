"""The hosts of Function URLs: the function's name where a host can be called so."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.emulator.function_urls import FunctionUrl

NAMES = st.text("abcXYZ019-_", min_size=1, max_size=64)


@pytest.mark.parametrize("name", ["app", "a", "my-app-2", "0", "x" * 63])
def test_a_name_that_is_a_label_is_the_host(name):
    url = FunctionUrl(name)

    assert url.id == name
    assert url.domain_name == f"{name}.lambda-url.localhost"


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("my_app", "my-app-"),
        ("App", "app-"),
        ("-app-", "app-"),
        ("x" * 64, "x" * 54 + "-"),
        ("___", "url-"),
    ],
)
def test_another_name_gets_digits_that_tell_it_apart(name, start):
    url = FunctionUrl(name)

    assert re.fullmatch(re.escape(start) + "[0-9a-f]{8}", url.id)
    assert url.id == FunctionUrl(name).id


def test_an_alias_has_a_host_of_its_own():
    hosts = {FunctionUrl("app").id, FunctionUrl("app", "live").id, FunctionUrl("app", "test").id}

    assert len(hosts) == 3
    assert FunctionUrl("app", "live").id.startswith("app-live-")


def test_where_function_and_alias_meet_does_not_matter():
    assert FunctionUrl("a-b", "c").id != FunctionUrl("a", "b-c").id


@given(NAMES, st.none() | NAMES)
def test_every_host_is_one_label(name, alias):
    assert re.fullmatch("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", FunctionUrl(name, alias).id)


@given(st.sets(st.tuples(NAMES, st.none() | NAMES), max_size=30))
def test_no_two_urls_have_one_host(urls):
    assert len({FunctionUrl(name, alias).id for name, alias in urls}) == len(urls)
