"""Function URLs as values: what stands in their configuration."""

from __future__ import annotations

from dataclasses import dataclass

DOMAIN = ".lambda-url.localhost"


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
        """The start of its host, which is case-blind: the function's name, after the alias."""
        name = self.function if self.qualifier is None else f"{self.qualifier}.{self.function}"
        return name.lower()

    @property
    def domain_name(self) -> str:
        """The host that it is found at, without a port."""
        return f"{self.id}{DOMAIN}"
