"""Handlers that return and do not stream, for Penstock and for AWS's Python client.

BENCHMARK_SCENARIO chooses. Nothing is imported but the standard library: what a client needs
beside the handler is the client's own.
"""

import os
from typing import Any

TEXT = "x" * int(os.environ["BENCHMARK_CHUNK_SIZE"])


def message(event: Any, context: Any) -> dict[str, str]:
    """A small JSON object."""
    return {"message": TEXT}


def text(event: Any, context: Any) -> str:
    """A long string, which becomes JSON by getting quotes."""
    return TEXT


handler = {"message": message, "text": text}[os.environ["BENCHMARK_SCENARIO"]]
