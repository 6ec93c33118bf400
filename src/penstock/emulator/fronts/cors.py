"""The `Cors` of a Function URL: which pages may use it, and what AWS adds to answers.

Source: captures of the live service (us-east-1, 2026-09-15).
"""

from __future__ import annotations

from collections.abc import Callable

from ...messages import Headers
from ..function_urls import Cors
from ..http.http_server import HeaderList

_EXPOSE = "access-control-expose-headers"


def allows_origin(cors: Cors | None, origin: str) -> bool:
    """Whether pages of `origin` may use a URL with this `Cors`."""
    if cors is None:
        return False
    return _among(cors.allow_origins, str.lower)(origin)


def is_preflight(method: str, headers: Headers) -> bool:
    """Whether a request is what browsers send first, to ask."""
    asks = "access-control-request-method" in headers
    return method == "OPTIONS" and asks and "origin" in headers


def preflight_headers(cors: Cors, headers: Headers) -> HeaderList:
    """What AWS adds to the answer to a preflight: nothing if it asks for too much."""
    origin = headers.get("origin") or ""
    method = headers.get("access-control-request-method") or ""
    wanted = [
        name.strip()
        for line in headers.get_all("access-control-request-headers")
        for name in line.split(",")
        if name.strip()
    ]
    may_use = _among(cors.allow_headers, str.lower)
    if (
        not allows_origin(cors, origin)
        or not _among(cors.allow_methods, str.upper)(method)
        or not all(map(may_use, wanted))
    ):
        return []
    fields = [
        ("Access-Control-Allow-Origin", _allowed_origin(cors, origin)),
        ("Access-Control-Allow-Headers", ",".join(cors.allow_headers)),
        ("Vary", "Origin"),
        ("Access-Control-Allow-Methods", ",".join(cors.allow_methods)),
        ("Access-Control-Max-Age", str(cors.max_age) if cors.max_age else ""),
        ("Access-Control-Allow-Credentials", "true" if cors.allow_credentials else ""),
    ]
    return [(name, value) for name, value in fields if value]


def with_cors(cors: Cors, origin: str, answer: HeaderList, *, merges: bool) -> HeaderList:
    """The headers of an answer to a page that `cors` allows, with what AWS appends to them.

    A handler that sends these headers, too, has them twice, which browsers do not take.
    `merges`: `Access-Control-Expose-Headers` becomes one line, as in BUFFERED mode.
    """
    exposed = list(cors.expose_headers)
    if merges and exposed:
        own = [value for name, value in answer if name.lower() == _EXPOSE]
        exposed = [*own, *exposed]
        answer = [(name, value) for name, value in answer if name.lower() != _EXPOSE]
    appended = [
        ("Access-Control-Allow-Origin", _allowed_origin(cors, origin)),
        ("Vary", "Origin"),
        ("Access-Control-Expose-Headers", ",".join(exposed)),
        ("Access-Control-Allow-Credentials", "true" if cors.allow_credentials else ""),
    ]
    return [*answer, *((name, value) for name, value in appended if value)]


def _allowed_origin(cors: Cors, origin: str) -> str:
    """The page's own origin; `*` where all may come, unless with credentials.

    What AWS answers for `*` is not known. With credentials no browser would take a `*`.
    """
    is_open = "*" in cors.allow_origins and not cors.allow_credentials
    return "*" if is_open else origin


def _among(allowed: tuple[str, ...], fold: Callable[[str], str]) -> Callable[[str], bool]:
    known = {fold(each) for each in allowed}
    return lambda name: "*" in known or fold(name) in known
