"""Handlers under AWS's client and under the runtime, and what tools in them report to.

A tool sees the whole stream, knows which invocation it belongs to, and hears of an error in
its middle.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import LocalFunction
from tests.system.observability.tools import Daemon, Site

CLIENTS = {"AWS's client": "awslambdaric", "the runtime": "penstock.runtime"}


@pytest.fixture(params=CLIENTS)
def serve_under(request, serve) -> Callable[..., LocalFunction]:
    """Serve a handler under AWS's client, or under the runtime."""

    def serve_under(source: str, handler: str = "app.handler", **options: Any) -> LocalFunction:
        command = (sys.executable, "-m", CLIENTS[request.param], handler)
        return serve(source, command=command, max_environments=1, **options)

    return serve_under


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    daemon = Daemon()
    yield daemon
    daemon.close()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()
