"""After a function is deleted, and after the emulator has stopped, nothing begins."""

from __future__ import annotations

import threading

import httpx
import pytest

from penstock.emulator.concurrency import TooManyRequestsError
from penstock.emulator.invocations import Invocation
from penstock.emulator.relay import BufferedReceiver
from penstock.errors import EmulatorError


def test_who_still_has_a_deleted_function_starts_nothing(aws):
    aws.create()
    environments = aws.emulator.registry.find("app")
    aws.client.delete_function(FunctionName="app")
    with pytest.raises(TooManyRequestsError, match="app was deleted"):
        environments.invoke(
            Invocation(environments.function, b"{}", BufferedReceiver(), is_streaming=False)
        )
    assert environments.pids == []


def test_nothing_is_made_after_the_end(aws):
    aws.create()
    function = aws.emulator.registry.find("app").function
    aws.emulator.stop()
    with pytest.raises(EmulatorError, match="shutting down"):
        aws.emulator.registry.put(function)


def test_code_is_not_there_after_the_end(aws):
    aws.create()
    location = aws.client.get_function(FunctionName="app")["Code"]["Location"]
    assert httpx.get(location).status_code == 200
    # As for a request that has come before the doors are closed.
    aws.emulator._lambda_api.stop()
    assert httpx.get(location).status_code == 404


def test_the_end_does_not_wait_for_an_operation(aws):
    with aws.emulator._lambda_api._plane.lock:
        ending = threading.Thread(target=aws.emulator.stop)
        ending.start()
        ending.join(10)
        assert not ending.is_alive()
