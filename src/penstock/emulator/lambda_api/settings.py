"""How functions that come through the Lambda API are kept and run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ApiSettings:
    """What the API itself says nothing about.

    Functions are kept in the folder `state`, or until the end. Each version has at most
    `max_environments`, which are as `Function` says of `freezes` and `enforces_memory`. With
    `enforce_permissions` a Function URL of type NONE needs its two permissions, as on AWS;
    without it works, and the log says what AWS would do.
    """

    state: Path | None = None
    enforce_permissions: bool = False
    max_environments: int = 10
    freezes: bool = False
    enforces_memory: bool = False
