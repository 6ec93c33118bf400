"""The frameworks of test_frameworks.py: what each is called, and what it has."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

from tests.tools import missing

ROUTES = Path(__file__).parent
LIST = ROUTES.with_suffix(".txt")
ROOT = ROUTES.parents[2]
INSTALLED = ROOT / ".tools/frameworks"
PAGE = ROOT / "docs/reference/frameworks.md"


class Framework(NamedTuple):
    """A framework by one of its interfaces.

    `package` is what scripts/frameworks installs, if it does. `suffix` ends the paths whose
    views fit the interface. `background` is "within" if the app returns after its background
    work, "beside" if before. `features` are words for what not all have: "start", "events"
    (sent by the server), "addresses" (which it makes, with the root path), "error_page".
    """

    name: str
    interface: str
    module: str
    package: str = ""
    features: str = ""
    background: str = ""
    app: str = "app"
    suffix: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.interface})"

    def has(self, feature: str) -> bool:
        return feature in self.features.split()


ALL = "start events addresses error_page"
NO_EVENTS = "start addresses error_page"
NO_START = "addresses error_page"
FRAMEWORKS = [
    Framework("FastAPI", "ASGI", "on_fastapi", "", ALL, "within"),
    Framework("Starlette", "ASGI", "on_starlette", "", NO_EVENTS, "within"),
    Framework("Litestar", "ASGI", "on_litestar", "litestar", ALL, "within"),
    Framework("Quart", "ASGI", "on_quart", "quart", NO_EVENTS, "beside"),
    Framework("Sanic", "ASGI", "on_sanic", "sanic", "start error_page", "beside"),
    Framework("BlackSheep", "ASGI", "on_blacksheep", "blacksheep", "start events error_page"),
    Framework(
        "Falcon", "ASGI", "on_falcon", "falcon", "start events addresses error_page", "beside"
    ),
    Framework("FastHTML", "ASGI", "on_fasthtml", "python-fasthtml", ALL, "within"),
    Framework("Django", "ASGI", "on_django", "", NO_START, "within", "asgi_app"),
    Framework("Django", "WSGI", "on_django", "", NO_START, "within", "wsgi_app", "_blocking"),
    Framework("Flask", "WSGI", "on_flask", "", NO_START, "within"),
    Framework("Bottle", "WSGI", "on_bottle", "bottle", NO_START),
    Framework("Pyramid", "WSGI", "on_pyramid", "pyramid", "addresses"),
    Framework("Falcon", "WSGI", "on_falcon_wsgi", "falcon", NO_START),
    Framework("aiohttp", "neither", "on_aiohttp", "aiohttp", "start error_page"),
    Framework("Tornado", "neither", "on_tornado", "tornado", "error_page"),
]

GRAPHQL = [
    Framework("Strawberry", "ASGI", "on_strawberry", "strawberry-graphql"),
    Framework("Ariadne", "ASGI", "on_ariadne", "ariadne"),
]


def installed() -> str:
    """The folder that scripts/frameworks has filled for this Python."""
    note = INSTALLED / "installed"
    wanted = f"Python {sys.version.split()[0]}\n{LIST.read_text()}"
    if not note.is_file() or note.read_text().strip() != wanted.strip():
        missing("scripts/frameworks has not been run for this list and this Python")
    return str(INSTALLED)
