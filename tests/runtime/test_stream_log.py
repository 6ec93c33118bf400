"""What is logged of a streamed response, by a clock of the test's."""

from __future__ import annotations

import json

import pytest

from penstock.runtime.stream_log import StreamLog


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.delenv("AWS_LAMBDA_LOG_FORMAT", raising=False)
    return Clock()


def logged(clock):
    log = StreamLog("r1", clock)
    clock.now += 0.25
    log.count([b"12", b"345"])
    clock.now += 0.5
    log.count([b"6"])
    clock.now += 1
    log.write("ended")
    log.write("cut")


def test_times_count_from_when_the_invocation_was_received(clock, capsys):
    logged(clock)

    assert capsys.readouterr().out == (
        "[STREAM] RequestId: r1 outcome=ended bytes=6 chunks=3 firstByteMs=250.0 "
        "durationMs=1750.0\n"
    )


@pytest.mark.parametrize("name", ["JSON", "json"])
def test_as_json(name, clock, capsys, monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_LOG_FORMAT", name)
    logged(clock)

    entry = json.loads(capsys.readouterr().out)
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {
        "level": "INFO",
        "message": "response stream",
        "requestId": "r1",
        "outcome": "ended",
        "bytes": 6,
        "chunks": 3,
        "firstByteMs": 250.0,
        "durationMs": 1750.0,
    }


def test_a_response_that_never_began_is_not_logged(clock, capsys):
    StreamLog("r1", clock).write("cut")

    assert capsys.readouterr().out == ""
