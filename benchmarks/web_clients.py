"""What puts a web app behind Lambda's events: the ways that are compared.

All are in one virtual environment, which has no `.pth` files, and have Penstock's source on
their path. What each must answer is known; how many bytes that is, the probe tells.
"""

import json
import os
import socket
import sys
import venv
from pathlib import Path
from typing import Final, NamedTuple

import c_programs
import web_probe
from clients import LAMBDA_ENVIRONMENT, SOURCE
from installing import run_installer
from neutral_server import RunFailed

WEB: Final = Path(__file__).parent.resolve() / "web"
REQUIREMENTS: Final = WEB / "requirements.txt"
OWN: Final = "penstock.runtime"
AWS: Final = "awslambdaric"
ALONE: Final = "app alone"
ADAPT: Final = "adapt"
JSON_BODY: Final = {"message": "x" * 16}


class Work(NamedTuple):
    """A request that every client answers again and again."""

    name: str
    path: str
    invocations: int = 1
    warmup: int = 0
    repeats: int = 1  # processes per client and round


class Stream(NamedTuple):
    """The streamed answer: so many chunks of 16 bytes, so many seconds apart."""

    chunks: int = 20
    pause: float = 0.001


class Client(NamedTuple):
    """An app behind an adapter. `runtime` is a module; for the local proxy it is a server."""

    app: str  # FastAPI or Flask
    name: str
    adapter: str  # a function of web_handlers.py; "" behind the proxy
    runtime: str = OWN
    server: tuple[str, ...] = ()

    @property
    def does_work(self) -> bool:
        """Whether it answers requests, and is not there for its start only."""
        return self.adapter != "alone"


_UVICORN: Final = ("uvicorn", "fastapi_app:app", "--log-level=warning", "--no-access-log")
_GUNICORN: Final = ("gunicorn", "flask_app:app", "-w=1", "--log-level=warning")

CLIENTS: Final = [
    Client("FastAPI", ADAPT, "adapt"),
    Client("FastAPI", "adapt, under AWS's client", "adapt", AWS),
    Client("FastAPI", "adapt, buffered", "buffered"),
    Client("FastAPI", "Mangum", "mangum", AWS),
    Client("FastAPI", "Mangum, on Penstock's runtime", "mangum"),
    Client(
        "FastAPI",
        "proxy and uvicorn",
        "",
        server=(*_UVICORN, "--loop=asyncio", "--http=h11", "--port={port}"),
    ),
    Client(
        "FastAPI",
        "proxy and uvicorn with uvloop",
        "",
        server=(*_UVICORN, "--loop=uvloop", "--http=httptools", "--port={port}"),
    ),
    Client("FastAPI", ALONE, "alone"),
    Client("FastAPI", "app alone, under AWS's client", "alone", AWS),
    Client("Flask", ADAPT, "adapt"),
    Client("Flask", "adapt, under AWS's client", "adapt", AWS),
    Client("Flask", "adapt, buffered", "buffered"),
    Client("Flask", "apig-wsgi", "apig_wsgi", AWS),
    Client("Flask", "apig-wsgi, on Penstock's runtime", "apig_wsgi"),
    Client("Flask", "proxy and gunicorn", "", server=(*_GUNICORN, "-b=127.0.0.1:{port}")),
    Client("Flask", ALONE, "alone"),
    Client("Flask", "app alone, under AWS's client", "alone", AWS),
]


class Installed:
    """Everything that a client needs, in `folder`.

    Raises:
        ClientMissing: the packages could not be installed.
        DoesNotCompile: the proxy.
    """

    def __init__(self, folder: Path, stream: Stream) -> None:
        self._folder = folder
        self._stream = stream
        self._python = install(folder)
        self._proxy = c_programs.build([WEB / "local_proxy.c"], folder / "local_proxy")

    def command(self, client: Client, work: Work) -> list[str]:
        """What to start for one process; behind the proxy with a port of its own."""
        if not client.server:
            return [self._python, "-m", client.runtime, "web_handlers.handler"]
        request = self._folder / f"request{work.path.replace('/', '-')}"
        request.write_bytes(_request(work.path))
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        server = [part.format(port=port) for part in client.server]
        return [str(self._proxy), str(request), port, self._python, "-m", *server]

    def environment(self, client: Client, work: Work) -> dict[str, str]:
        """The whole environment of its processes."""
        inherited = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
        return inherited | {
            **LAMBDA_ENVIRONMENT,
            "LAMBDA_TASK_ROOT": str(WEB),
            "PYTHONPATH": f"{WEB}:{SOURCE}",
            "_HANDLER": "web_handlers.handler",
            "BENCHMARK_ADAPTER": client.adapter,
            "BENCHMARK_APP": f"{client.app.lower()}_app",
            "BENCHMARK_PATH": work.path,
            "BENCHMARK_CHUNKS": str(self._stream.chunks),
            "BENCHMARK_PAUSE": str(self._stream.pause),
        }

    def probe(self, client: Client, work: Work, invocations: int = 1) -> web_probe.Probed:
        """Run it for so many invocations and look at the last answer. Raises RunFailed."""
        probed = web_probe.probe(
            self.command(client, work), self.environment(client, work), WEB, invocations
        )
        status, body = web_probe.body_of(probed.answer)
        if work.path == "/stream" and client.does_work:
            is_right = body == b"x" * 16 * self._stream.chunks
        else:
            is_right = json.loads(body) == JSON_BODY
        if status != 200 or not is_right:
            raise RunFailed(f"{client.app}, {client.name} answers {probed.answer[:500]!r}")
        return probed


def install(folder: Path) -> str:
    """The Python that has the packages; installed first if need be. Raises ClientMissing."""
    place = folder / "web"
    python = str(place / "bin" / "python")
    # What is there is good as long as neither the pinned versions nor this Python changed.
    wanted = f"{sys.executable} {sys.version}\n{REQUIREMENTS.read_text()}"
    installed = place / "installed.txt"
    if not installed.exists() or installed.read_text() != wanted:
        venv.create(place, clear=True, with_pip=False, symlinks=True)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
        run_installer(
            [*pip, "install", "--requirement", str(REQUIREMENTS)],
            client="web frameworks and adapters",
            needs="pip, PyPI, and a C++ compiler where there is no wheel",
            folder=folder,
            log=folder / "pip-web.log",
        )
        installed.write_text(wanted)
    return python


def versions() -> dict[str, str]:
    """The versions that are pinned, of what is compared."""
    pinned = dict(
        line.split("==") for line in REQUIREMENTS.read_text().splitlines() if "==" in line
    )
    named = ("fastapi", "Flask", "mangum", "apig-wsgi", "awslambdaric", "uvicorn", "gunicorn")
    return {name: pinned[name] for name in named}


def _request(path: str) -> bytes:
    """The event's request, with the two fields that the adapter adds."""
    event = json.loads((WEB / "event.json").read_text().replace("/PATH", path))
    context = {"request_id": event["requestContext"]["requestId"], "deadline": 9999999999999}
    fields = event["headers"] | {
        "cookie": "; ".join(event["cookies"]),
        "x-amzn-request-context": json.dumps(event["requestContext"], separators=(",", ":")),
        "x-amzn-lambda-context": json.dumps(context, separators=(",", ":")),
    }
    lines = [f"GET {path}?{event['rawQueryString']} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
