"""Whose signatures are accepted: what was asked for, else this shell's keys, else test:test."""

from __future__ import annotations

import pytest

from penstock.emulator.credentials import AccessKey, credentials_from
from penstock.errors import EmulatorError

SHELL = {"AWS_ACCESS_KEY_ID": "AKIDSHELL", "AWS_SECRET_ACCESS_KEY": "secret/of+shell"}


def test_what_was_asked_for_comes_before_the_shells_own():
    found = credentials_from(["one:secret/1", "two:a:b"], SHELL)

    assert found.keys == (AccessKey("one", "secret/1"), AccessKey("two", "a:b"))
    assert found.find("two") == AccessKey("two", "a:b")
    assert found.find("AKIDSHELL") is None


def test_the_shells_own_keys():
    assert credentials_from((), SHELL).keys == (AccessKey("AKIDSHELL", "secret/of+shell"),)


def test_the_shells_own_keys_may_be_temporary():
    found = credentials_from((), {**SHELL, "AWS_SESSION_TOKEN": "token"})

    assert found.keys == (AccessKey("AKIDSHELL", "secret/of+shell", "token"),)


@pytest.mark.parametrize(
    "environment",
    [{}, {"AWS_ACCESS_KEY_ID": "AKID"}, {**SHELL, "AWS_SECRET_ACCESS_KEY": ""}],
)
def test_otherwise_it_is_test_and_test(environment):
    assert credentials_from((), environment).keys == (AccessKey("test", "test"),)


def test_the_same_key_may_be_named_twice():
    assert len(credentials_from(["a:b", "a:b"], {}).keys) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["SECRETVALUE"], "takes ID:SECRET"),
        (["SECRETVALUE:"], "takes ID:SECRET"),
        ([":SECRETVALUE"], "the access key id"),
        (["a/b:SECRETVALUE"], "1 to 128 letters"),
        (["a" * 129 + ":SECRETVALUE"], "1 to 128 letters"),
        (["a:SECRET VALUE"], "the secret of a "),
        (["a:SECRETVALUE\n"], "the secret of a "),
        (["a:SECRETVALUE", "a:b"], "two secrets for the access key a"),
    ],
)
def test_a_bad_value_is_refused_without_repeating_it(options, message):
    with pytest.raises(EmulatorError, match=message) as caught:
        credentials_from(options, SHELL)

    assert "SECRET VALUE" not in str(caught.value)
    assert "SECRETVALUE" not in str(caught.value)
