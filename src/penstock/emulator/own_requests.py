"""The requests that the emulator makes to itself: a Function URL behind a REST API.

Who has called the API was allowed to. The second request has the first one's `Origin`, which
is foreign to the URL's host, so it carries a mark that nobody else knows.
"""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from ..messages import Headers
from . import function_urls, rest_apis
from .http.http_server import Exchange, HeaderList

_HEADER = "x-penstock-own"

_DOMAINS = (function_urls.DOMAIN, rest_apis.DOMAIN)


class OwnRequests:
    """Marks requests to this emulator, and knows them again. `port` is the emulator's."""

    def __init__(self) -> None:
        self.port = 0
        self._mark = secrets.token_urlsafe()

    def address(self, url: str) -> str:
        """`url`, with the emulator's port if it is one of its names without a port."""
        try:
            parts = urlsplit(url)
            is_ours = parts.port is None and (parts.hostname or "").endswith(_DOMAINS)
        except ValueError:
            return url
        if not is_ours or parts.scheme != "http":
            return url
        return parts._replace(netloc=f"{parts.netloc.rstrip(':')}:{self.port}").geturl()

    def marks(self, url: str) -> HeaderList:
        """The headers by which a request to `url` is known again, if it comes back here."""
        parts = urlsplit(url)
        if parts.port != self.port or not (parts.hostname or "").endswith(_DOMAINS):
            return []
        return [(_HEADER, self._mark)]

    def accepts(self, exchange: Exchange) -> bool:
        """Whether the emulator has made this request; the mark is taken off."""
        marks = exchange.headers.get_all(_HEADER)
        if not marks:
            return False
        exchange.headers = Headers(
            (name, value) for name, value in exchange.headers if name.lower() != _HEADER
        )
        return any(secrets.compare_digest(mark.encode(), self._mark.encode()) for mark in marks)
