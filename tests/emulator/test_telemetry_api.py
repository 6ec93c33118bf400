"""How events reach an extension's server."""

from __future__ import annotations

import threading

from penstock.emulator.environments.telemetry_api import Delivery, Subscription
from penstock.emulator.platform_events import PlatformEvent
from tests.tools import PATIENCE


def test_what_cannot_be_sent_does_not_end_the_delivery(monkeypatch):
    failures: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)
    before = set(threading.enumerate())
    delivery = Delivery(Subscription(("platform",), "HTTP", "127.0.0.1", 9, "/h\u00e9"))
    (thread,) = (each for each in set(threading.enumerate()) - before if each.name == "telemetry")
    delivery.take(PlatformEvent("platform.start", {}, "", "", 0.0))
    delivery.stop()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert not failures
