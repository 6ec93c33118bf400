"""What `penstock send` knows of a service, and the messages that it is given."""

from __future__ import annotations

import json
import math
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import PenstockError


class Item(NamedTuple):
    """A message, and the file that it is, if it is one."""

    data: bytes
    file: str | None = None

    def text(self) -> str:
        """The message, as UTF-8.

        Raises:
            PenstockError: it is none.
        """
        try:
            return self.data.decode()
        except UnicodeDecodeError as exc:
            what = self.file or f"the message {self.data!r:.80}"
            raise PenstockError(f"{what} is no text in UTF-8: {exc.reason}") from exc

    def json(self, parse_float: Callable[[str], Any] | None = None) -> Any:
        """The message, parsed; `parse_float` makes the numbers that are not whole.

        Raises:
            PenstockError: it is no JSON.
        """
        text = self.text()
        try:
            return json.loads(text, parse_float=parse_float or _float, parse_constant=_refuse)
        except (ValueError, ArithmeticError, RecursionError) as exc:
            what = self.file or f"the message {text!r:.80}"
            raise PenstockError(f"{what} is no JSON: {exc}") from exc


def _float(text: str) -> float:
    """A number; one that is too large for Python would be sent as `Infinity`."""
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text:.80} is too large for a number")
    return number


def _refuse(constant: str) -> None:
    """Refuse what Python's parser takes for a number."""
    raise ValueError(f"there is no {constant}")


@dataclass(frozen=True)
class Messages:
    """What a source calls its messages, and whether they may come from files."""

    metavar: str
    help: str
    from_files: bool = True
    required: bool = True


Event = tuple[dict[str, Any], Sequence[Item]]


@dataclass(frozen=True)
class Source:
    """A service: `events` gives each event with the messages that are in it."""

    name: str
    help: str
    messages: Messages
    examples: str
    add_options: Callable[[ArgumentParser], object]
    events: Callable[[Sequence[Item], Namespace], list[Event]]


TEXTS = Messages("MESSAGE", "the messages")
DATA = Messages("DATA", "the records; from a file they may be any bytes")


def read(path: Path) -> bytes:
    """What is in a file.

    Raises:
        PenstockError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as exc:
        raise PenstockError(f"cannot read {path}: {exc.strerror}") from exc


def pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """The names and values that an option was given.

    Raises:
        PenstockError: one is no `NAME=VALUE`, or a name comes twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise PenstockError(f"{option} takes NAME=VALUE, not {text!r}")
        if name in found:
            raise PenstockError(f"{option} is given twice with the name {name!r}; give it once")
        found[name] = value
    return found


def add_pairs(parser: ArgumentParser, option: str, of: str) -> None:
    """Add an option that takes `NAME=VALUE`, and may be repeated."""
    parser.add_argument(
        option, action="append", default=[], metavar="NAME=VALUE", help=f"{of} (repeatable)"
    )


def add_name(parser: ArgumentParser, option: str, default: str, of: str) -> None:
    """Add an option that takes a name."""
    parser.add_argument(option, default=default, metavar="NAME", help=f"{of} (default {default})")
