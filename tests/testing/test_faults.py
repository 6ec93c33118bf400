"""`inject`, as tests of a function use it."""

from __future__ import annotations

import re

import httpx
import pytest

from penstock.errors import EmulatorError
from penstock.testing import InvokeError, emulator

SOURCE = """
def handler(event, context):
    return "Hello"
"""


@pytest.fixture
def function(tmp_path):
    (tmp_path / "app.py").write_text(SOURCE)
    with emulator("app.py:handler", folder=tmp_path) as function:
        yield function


def test_a_call_in_the_block_is_cut_and_one_after_it_is_whole(function):
    with function.inject(cut=3), pytest.raises(httpx.RemoteProtocolError):
        httpx.get(function.function_url)
    assert httpx.get(function.function_url).json() == "Hello"
    assert "injected fault: the answer is cut after 3 bytes" in function.log


@pytest.mark.parametrize("cut", [0, 3])
def test_an_answer_to_invoke_that_is_cut_is_not_told_as_if_it_was_not_run(function, cut):
    with (
        function.inject(cut=cut),
        pytest.raises(InvokeError, match=r"broke off.*; the function may have been run to its end"),
    ):
        function.invoke()


def test_so_many_calls_are_refused(function):
    with function.inject(refuse=True, times=2):
        for _ in range(2):
            with pytest.raises(InvokeError, match="TooManyRequestsException"):
                function.invoke()
        assert function.invoke().json() == "Hello"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"cut": -1}, "cut is a number of bytes, 0 or more, not -1"),
        ({"cut": "x"}, "cut is a number of bytes, 0 or more, not 'x'"),
        ({"delay": "1"}, "delay is in seconds, from 0 to 86400, not '1'"),
        ({"throttle": "fast"}, "throttle is in bytes a second, at least 0.00001, not 'fast'"),
        ({"refuse": "no"}, "refuse is True or False, not 'no'"),
        ({"cut": 1, "every": 1.5}, "every is a number of calls, 1 or more, not 1.5"),
        ({"cut": 1, "times": 0}, "times is a number of calls, 1 or more, not 0"),
        ({}, "there is nothing to inject; name a fault, as in inject(cut=1000)"),
    ],
)
def test_what_cannot_be_injected_is_said(function, options, error):
    with pytest.raises(EmulatorError, match=f"^{re.escape(error)}$"), function.inject(**options):
        pytest.fail("it was injected")


@pytest.mark.parametrize(
    ("faults", "line"),
    [
        ({"delay": 0.01}, "the answer is 0.01 s late"),
        ({"chunk_delay": 0.01}, "each part of the answer is 0.01 s late"),
        ({"throttle": 10_000}, "the answer has 10000 bytes a second"),
        ({"kill": 0}, "the environment is killed with the call in its hands"),
        ({"slow_init": 0.01}, "the start of the environment takes 0.01 s more"),
    ],
)
def test_each_fault_is_had_in_the_block(function, faults, line):
    with function.inject(**faults):
        httpx.get(function.function_url)
    assert f"GET /: injected fault: {line}\n" in function.log


def test_every_second_call_is_refused(function):
    with function.inject(refuse=True, every=2):
        answers = [httpx.get(function.function_url).status_code for _ in range(4)]
    assert answers == [200, 429, 200, 429]
