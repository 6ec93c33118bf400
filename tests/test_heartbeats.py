"""Heartbeats by themselves: what is left when their thread cannot begin."""

from __future__ import annotations

import threading

import pytest

from penstock.heartbeats import Heartbeats


def test_a_thread_that_cannot_begin_is_not_waited_for(monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    heartbeats = Heartbeats(lambda: None, 3600)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            heartbeats.start()

    heartbeats.stop()
