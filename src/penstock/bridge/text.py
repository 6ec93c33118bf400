"""What the fields of a request say, for both interfaces."""

from __future__ import annotations


def field_bytes(value: str) -> bytes:
    """A field's value as the client may have sent it: in Latin-1, or else in UTF-8."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace")


def as_characters(value: str) -> str:
    """The same bytes as characters, which is how a WSGI app has everything (PEP 3333)."""
    return value if value.isascii() else field_bytes(value).decode("latin-1")


def host_and_port(host: str | None, scheme: str) -> tuple[str, int]:
    """What the `host` field says; without a port the scheme's own."""
    name, colon, port = (host or "").rpartition(":")
    if not colon or not port.isdecimal() or len(port) > 5:
        name, port = host or "", "80" if scheme == "http" else "443"
    return name.strip("[]") or "lambda", int(port)
