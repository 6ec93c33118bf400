"""Faults as text, and which values there can be."""

from __future__ import annotations

import pytest

from penstock.emulator.fault_values import NONE, BadFaultError, Faults, faults_from_text


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("cut=1000", Faults(cut=1000)),
        ("cut=0", Faults(cut=0)),
        ("delay=0.5", Faults(delay=0.5)),
        ("chunk-delay=.1", Faults(chunk_delay=0.1)),
        ("throttle=2e3", Faults(throttle=2000)),
        ("429", Faults(refuse=True)),
        ("kill", Faults(kill=0)),
        ("kill=7", Faults(kill=7)),
        ("slow-init=2", Faults(slow_init=2)),
        ("cut=1,every=3", Faults(cut=1, every=3)),
        (" cut = 1000 ,delay=0.5 ", Faults(cut=1000, delay=0.5)),
        ("none", NONE),
    ],
)
def test_a_text_stands_for_faults(text, faults):
    assert faults_from_text(text) == faults


def test_several_texts_are_one():
    assert faults_from_text("cut=1", "delay=2, kill") == Faults(cut=1, delay=2, kill=0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "'' is no fault; there are cut=BYTES, delay=SECONDS"),
        ("crash", "'crash' is no fault; there are cut=BYTES"),
        ("cut", "'cut' is no fault"),
        ("cut=", "cut takes a whole number, not ''"),
        ("cut=1.5", "cut takes a whole number, not '1.5'"),
        ("delay=soon", "delay takes a number, not 'soon'"),
        ("cut=1,cut=2", "cut is given twice"),
        ("none,cut=1", "none is for calls without faults; leave it out, or the others"),
        ("cut=1,none", "none is for calls without faults; leave it out, or the others"),
        ("none=1", "'none=1' is no fault; there are cut=BYTES"),
        ("cut=-1", "cut is a number of bytes, 0 or more, not -1"),
        ("kill=-1", "kill is a number of bytes, 0 or more, not -1"),
        ("delay=-1", "delay is in seconds, from 0 to 86400, not -1"),
        ("chunk-delay=nan", "chunk-delay is in seconds, from 0 to 86400, not nan"),
        ("slow-init=inf", "slow-init is in seconds, from 0 to 86400, not inf"),
        ("delay=100000", "delay is in seconds, from 0 to 86400, not 100000"),
        ("throttle=0", "throttle is in bytes a second, at least 0.00001, not 0"),
        ("throttle=1e-300", "throttle is in bytes a second, at least 0.00001, not 1e-300"),
        ("throttle=nan", "throttle is in bytes a second, at least 0.00001, not nan"),
        ("every=3", "every=3 says which calls have a fault; add one, as in kill,every=3"),
        ("every=0,kill", "every is a number of calls, 1 or more, not 0"),
    ],
)
def test_what_is_no_fault_is_said(text, says):
    with pytest.raises(BadFaultError) as caught:
        faults_from_text(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("of_one_call", "offered"),
    [
        (False, ", none, and for more than one call every=CALLS"),
        (True, "slow-init=SECONDS, or none"),
    ],
)
def test_only_what_can_be_is_offered(of_one_call, offered):
    with pytest.raises(BadFaultError) as caught:
        faults_from_text("crash", of_one_call=of_one_call)
    assert str(caught.value).endswith(offered)


def test_faults_without_any_are_false():
    assert not NONE
    assert not Faults(every=3)
    assert Faults(cut=0)
    assert Faults(kill=0)
