"""Function URLs as values: what stands in their configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

DOMAIN = ".lambda-url.localhost"

# One label of a host, as every client takes it (RFC 1123).
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Cors:
    """The `Cors` of a Function URL; `*` stands for all. `max_age` is in seconds."""

    allow_origins: tuple[str, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    allow_credentials: bool = False
    max_age: int = 0


@dataclass(frozen=True)
class FunctionUrl:
    """The URL of a function, or of its alias `qualifier`.

    `invoke_mode` is RESPONSE_STREAM or BUFFERED, `auth_type` NONE or AWS_IAM.
    """

    function: str
    qualifier: str | None = None
    invoke_mode: str = "RESPONSE_STREAM"
    auth_type: str = "NONE"
    cors: Cors | None = None

    @property
    def id(self) -> str:
        """The start of its host, one label: the function's name where a host can have it.

        Else, and for an alias, it ends with eight hexadecimal digits which tell apart what
        hosts cannot: case, underscores, and a 64th character.
        """
        if self.qualifier is None and _LABEL.fullmatch(self.function):
            return self.function
        name = self.function if self.qualifier is None else f"{self.function}-{self.qualifier}"
        start = re.sub(r"[^a-z0-9]+", "-", name.lower())[:54].strip("-") or "url"
        told = f"{self.function}:{self.qualifier or ''}".encode()
        return f"{start}-{sha256(told).hexdigest()[:8]}"

    @property
    def domain_name(self) -> str:
        """The host that it is found at, without a port."""
        return f"{self.id}{DOMAIN}"
