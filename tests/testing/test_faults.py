"""`inject`, as tests of a function use it."""

from __future__ import annotations

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


def test_so_many_calls_are_refused(function):
    with function.inject(refuse=True, times=2):
        for _ in range(2):
            with pytest.raises(InvokeError, match="TooManyRequestsException"):
                function.invoke()
        assert function.invoke().json() == "Hello"


@pytest.mark.parametrize(
    ("faults", "line"),
    [
        ({"delay": 0.01}, "the answer is 0.01 s late"),
        ({"chunk_delay": 0.01}, "each part of the answer is 0.01 s late"),
        ({"throttle": 10_000}, "the answer has 10000 bytes a second"),
        ({"kill": 0}, "the environment is killed with the call in its hands"),
        ({"slow_init": 0.01}, "the start of the environment takes 0.01 seconds more"),
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


def test_a_value_out_of_range_is_said(function):
    with pytest.raises(EmulatorError, match="cut is a number of bytes"), function.inject(cut=-1):
        pass
    with pytest.raises(EmulatorError, match="times is"), function.inject(cut=1, times=-1):
        pass
