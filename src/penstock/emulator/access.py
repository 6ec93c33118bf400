"""Who may talk to the emulator. It runs code, so a web page must not be able to.

A browser sends `Host`, `Origin` and `Sec-Fetch-Site` itself; no page can forge them. So a
name that points here by DNS tricks is refused by its host, and any page that was not
served from here by its origin, unless what it asks for opens itself to that origin.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from ..errors import EmulatorError
from ..messages import Headers

_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - known, not bound to
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

_KEPT_HOST = 256


class AccessRules:
    """The hosts by which the emulator is known, and the origins that may use it."""

    def __init__(self, hosts: Collection[str] = (), origins: Collection[str] = ()) -> None:
        self._hosts = {*_LOOPBACK, *(host.lower().strip("[]") for host in hosts)}
        # An address cannot be made to point elsewhere, as a name can.
        self._takes_addresses = not self._hosts.isdisjoint(_WILDCARDS)
        self._origins = {_checked_origin(origin) for origin in origins}
        # Callers say the same over and over again.
        self._remembered = lru_cache(maxsize=256)(self._knows)

    def trusted_origin(self, headers: Headers) -> str | None:
        """The `Origin` of the request, if it is one of those that may use the emulator."""
        origin = headers.get("origin")
        return origin if origin is not None and origin.lower() in self._origins else None

    def refusal(
        self, headers: Headers, *, opens_to: Callable[[str], bool] = lambda _: False
    ) -> str | None:
        """Why a request with these headers is refused, or None if it may go on.

        What it is for takes pages of the origins that `opens_to` names, besides those that
        may use all of the emulator.
        """
        host = headers.get("host") or ""
        if not self.knows_host_of(headers):
            return (
                f"the host {host!r} is not one of this emulator's; it answers to localhost, "
                "127.0.0.1, [::1], *.localhost and what --host names"
            )
        if origins := headers.get_all("origin"):
            allowed = {f"http://{host.lower()}", *self._origins}
            for origin in origins:
                if origin.lower() not in allowed and not opens_to(origin):
                    return _foreign(origin)
            return None
        site = headers.get("sec-fetch-site")
        if site not in (None, "none", "same-origin"):
            referrer = urlsplit(headers.get("referer") or "")
            page = f"{referrer.scheme}://{referrer.netloc}".lower()
            opens = bool(referrer.netloc) and opens_to(page)
            if page not in self._origins and not opens:
                return _foreign(page if referrer.netloc else f"another site ({site})")
        return None

    def knows_host_of(self, headers: Headers) -> bool:
        """Whether a request with these headers is to a host that is the emulator's."""
        host = headers.get("host") or ""
        return (self._remembered if len(host) <= _KEPT_HOST else self._knows)(host)

    def _knows(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if "@" in host:
            return False
        if self._takes_addresses and _is_address(name):
            return True
        return name in self._hosts or name.endswith(".localhost")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _checked_origin(origin: str) -> str:
    parts = urlsplit(origin.lower().rstrip("/"))
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
        raise EmulatorError(
            f"{origin!r} is no origin; write scheme://host:port, as in http://localhost:5173"
        )
    return f"{parts.scheme}://{parts.netloc}"


def _foreign(origin: str) -> str:
    return (
        f"a page of {origin} may not use this emulator, for it can run code on this machine; "
        "type the address yourself, or start with --allow-origin to trust that page's origin"
    )
