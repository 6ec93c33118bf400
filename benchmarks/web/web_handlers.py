"""The app behind each adapter that is compared; BENCHMARK_ADAPTER chooses.

The server under which runtimes are measured gives them an empty event. So that nobody is
spared the reading of one, each invocation reads the event of a Function URL from its JSON.
"""

import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

EVENT = (Path(__file__).parent / "event.json").read_text()
EVENT = EVENT.replace("/PATH", os.environ["BENCHMARK_PATH"])

app = importlib.import_module(os.environ["BENCHMARK_APP"]).app


def adapt() -> Callable[[Any, Any], Any]:
    """Penstock, streaming."""
    from penstock import adapt

    return adapt(app)


def buffered() -> Callable[[Any, Any], Any]:
    """Penstock, with one proxy response for each event."""
    from penstock import adapt

    return adapt(app, mode="buffer")


def mangum() -> Callable[[Any, Any], Any]:
    """Mangum."""
    from mangum import Mangum

    return Mangum(app)


def apig_wsgi() -> Callable[[Any, Any], Any]:
    """apig-wsgi."""
    from apig_wsgi import make_lambda_handler

    return make_lambda_handler(app)


def alone() -> Callable[[Any, Any], Any]:
    """No adapter: the app is imported, and not asked."""
    return lambda event, context: {"message": "x" * 16}


answer = globals()[os.environ["BENCHMARK_ADAPTER"]]()


def handler(event: Any, context: Any) -> Any:
    """Answer the event in the file."""
    return answer(json.loads(EVENT), context)
