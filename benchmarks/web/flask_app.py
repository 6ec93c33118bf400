"""The work in Flask: a small JSON answer, and chunks that come one after the other."""

import os
import time
from collections.abc import Iterator

from flask import Flask, Response

COUNT = int(os.environ["BENCHMARK_CHUNKS"])
PAUSE = float(os.environ["BENCHMARK_PAUSE"])

app = Flask(__name__)


@app.get("/")
def root() -> str:
    """What the local proxy asks until the server answers."""
    return ""


@app.get("/json")
def small() -> dict[str, str]:
    """A small JSON object."""
    return {"message": "x" * 16}


@app.get("/stream")
def stream() -> Response:
    """Chunks of 16 bytes with a pause behind each."""

    def chunks() -> Iterator[str]:
        for _ in range(COUNT):
            yield "x" * 16
            time.sleep(PAUSE)

    return Response(chunks(), mimetype="text/plain")
