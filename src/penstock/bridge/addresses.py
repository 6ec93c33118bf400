"""What a request says of the address that it was sent to."""

from __future__ import annotations


def host_and_port(host: str | None, scheme: str) -> tuple[str, int]:
    """What the `host` field says; without a port the scheme's own."""
    name, colon, port = (host or "").rpartition(":")
    if not colon or not port.isdecimal() or len(port) > 5:
        name, port = host or "", "80" if scheme == "http" else "443"
    return name.strip("[]") or "lambda", int(port)
