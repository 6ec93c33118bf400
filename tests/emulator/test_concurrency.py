"""Who may run how much at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.emulator.concurrency import Concurrency, TooManyRequestsError
from penstock.emulator.functions import Function
from penstock.emulator.invocations import Invocation
from penstock.emulator.relay import BufferedReceiver


def call(name: str = "app") -> Invocation:
    function = Function(name=name, handler="app.handler", folder=Path("/"), command=("true",))
    return Invocation(function, b"{}", BufferedReceiver(), is_streaming=False)


def entered(concurrency: Concurrency, name: str, reserved: int | None = None) -> Invocation:
    invocation = call(name)
    concurrency.enter(invocation, reserved)
    return invocation


def test_functions_without_a_reservation_share_what_is_left_of_the_account():
    concurrency = Concurrency(3)
    concurrency.reserve("reserves", 1)
    first = entered(concurrency, "one")
    entered(concurrency, "two")
    with pytest.raises(TooManyRequestsError) as caught:
        entered(concurrency, "three")
    assert caught.value.reason == "ConcurrentInvocationLimitExceeded"
    reserving = entered(concurrency, "reserves", 1)
    with pytest.raises(TooManyRequestsError) as caught:
        entered(concurrency, "reserves", 1)
    assert caught.value.reason == "ReservedFunctionConcurrentInvocationLimitExceeded"
    first.finish()
    entered(concurrency, "three")
    reserving.finish()
    concurrency.reserve("reserves", None)
    entered(concurrency, "four")


def test_where_all_is_reserved_the_refusal_says_so():
    concurrency = Concurrency(2)
    concurrency.reserve("reserves", 5)
    with pytest.raises(
        TooManyRequestsError, match="concurrency of 2 is reserved by other"
    ) as caught:
        entered(concurrency, "app")
    assert caught.value.reason == "ConcurrentInvocationLimitExceeded"


def test_none_runs_where_none_may():
    with pytest.raises(
        TooManyRequestsError, match="app has 0 reserved concurrency, and no call is let through"
    ):
        entered(Concurrency(), "app", 0)


def test_finished_ones_are_forgotten():
    concurrency = Concurrency(1)
    for _ in range(3):
        entered(concurrency, "app").finish()
    refused = call()
    entered(concurrency, "app")
    concurrency.leave(refused)
    with pytest.raises(TooManyRequestsError):
        entered(concurrency, "app")
