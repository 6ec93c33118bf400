"""Checks what a request brings against the API's model, and says what is wrong as AWS does.

A shape is one of the classes here. `check` finds what AWS's own validation would: it collects
every broken constraint. A value of another JSON type is AWS's `SerializationException`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from .errors import not_readable


@dataclass(frozen=True)
class Text:
    """A string."""

    pattern: str = ""
    shortest: int = 0
    longest: int = 0
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Number:
    """An integer, or with `is_float` any number."""

    least: float | None = None
    most: float | None = None
    is_float: bool = False


@dataclass(frozen=True)
class Flag:
    """A boolean."""


@dataclass(frozen=True)
class Several:
    """A list."""

    item: Shape
    longest: int = 0
    shortest: int = 0


@dataclass(frozen=True)
class Pairs:
    """A map with strings as keys."""

    key: Text = field(default_factory=Text)
    value: Shape = field(default_factory=Text)


@dataclass(frozen=True)
class Structure:
    """An object; members that are not known are not looked at, as on AWS."""

    members: Mapping[str, Shape]
    required: tuple[str, ...] = ()


_NOT_NULL = "Member must not be null"

Shape: TypeAlias = Text | Number | Flag | Several | Pairs | Structure


def check(shape: Shape, value: Any, path: str = "") -> list[str]:
    """What is wrong with `value`, which stands at `path`; empty if nothing is.

    Raises:
        ApiError: it is of another type.
    """
    if isinstance(shape, Structure):
        return _check_structure(shape, value, path)
    if isinstance(shape, Several):
        return _check_list(shape, value, path)
    if isinstance(shape, Pairs):
        return _check_map(shape, value, path)
    return [_failed(_shown(value), path, text) for text in _constraints(shape, value)]


def without_nulls(shape: Shape, value: Any) -> Any:
    """`value` without members that are null: on AWS they are not there."""
    if not isinstance(shape, Structure):
        return value
    return {
        name: without_nulls(shape.members[name], each) if name in shape.members else each
        for name, each in value.items()
        if each is not None
    }


def _check_structure(shape: Structure, value: Any, path: str) -> list[str]:
    _expect(isinstance(value, dict), value, "structure")
    found = []
    for name, member in shape.members.items():
        inner = f"{path}.{_lower(name)}" if path else _lower(name)
        given = value.get(name)
        if given is not None:
            found += check(member, given, inner)
        elif name in shape.required:
            found.append(_failed(None, inner, _NOT_NULL))
    return found


def _check_list(shape: Several, value: Any, path: str) -> list[str]:
    _expect(isinstance(value, list), value, "List")
    shown = f"[{', '.join(map(str, value))}]"
    found = [_failed(shown, path, text) for text in _size(shape, len(value))]
    if any(_constraints(shape.item, item) for item in value):
        text = f"Member must satisfy constraint: [{_described(shape.item)}, {_NOT_NULL}]"
        found.append(_failed(shown, path, text))
    return found


def _check_map(shape: Pairs, value: Any, path: str) -> list[str]:
    _expect(isinstance(value, dict), value, "Map")
    shown = f"{{{', '.join(f'{key}={each}' for key, each in value.items())}}}"
    found = []
    if any(_constraints(shape.key, key) for key in value):
        text = f"Map keys must satisfy constraint: [{_described(shape.key)}]"
        found.append(_failed(shown, path, text))
    if any(_constraints(shape.value, each) for each in value.values()):
        text = f"Map value must satisfy constraint: [{_described(shape.value)}, {_NOT_NULL}]"
        found.append(_failed(shown, path, text))
    return found


def _constraints(shape: Shape, value: Any) -> list[str]:
    """The constraints that a simple value breaks."""
    if isinstance(shape, Text):
        _expect(isinstance(value, str), value, "String")
        found = _size(shape, len(value))
        if shape.values and value not in shape.values:
            found.append(_enum(shape))
        if shape.pattern and not re.fullmatch(shape.pattern, value, re.ASCII):
            found.append(_pattern(shape))
        return found
    if isinstance(shape, Number):
        kinds = (int, float) if shape.is_float else (int,)
        _expect(isinstance(value, kinds) and not isinstance(value, bool), value, "Number")
        found = []
        if shape.most is not None and not value <= shape.most:
            found.append(_at_most(shape.most, "value"))
        if shape.least is not None and not value >= shape.least:
            found.append(_at_least(shape.least, "value"))
        return found
    if isinstance(shape, Flag):
        _expect(isinstance(value, bool), value, "Boolean")
    return []


def _described(shape: Shape) -> str:
    """All constraints of a simple shape: of items AWS says them all, broken or not."""
    said = []
    if isinstance(shape, Text):
        if shape.longest:
            said += [_at_most(shape.longest, "length"), _at_least(shape.shortest, "length")]
        if shape.values:
            said.append(_enum(shape))
        if shape.pattern:
            said.append(_pattern(shape))
    if isinstance(shape, Number):
        said += [_at_most(shape.most, "value")] if shape.most is not None else []
        said += [_at_least(shape.least, "value")] if shape.least is not None else []
    return ", ".join(said)


def _size(shape: Text | Several, length: int) -> list[str]:
    found = []
    if shape.longest and length > shape.longest:
        found.append(_at_most(shape.longest, "length"))
    if length < shape.shortest:
        found.append(_at_least(shape.shortest, "length"))
    return found


def _at_most(most: float, what: str) -> str:
    return f"Member must have {what} less than or equal to {most}"


def _at_least(least: float, what: str) -> str:
    return f"Member must have {what} greater than or equal to {least}"


def _enum(shape: Text) -> str:
    return f"Member must satisfy enum value set: [{', '.join(shape.values)}]"


def _pattern(shape: Text) -> str:
    return f"Member must satisfy regular expression pattern: {shape.pattern}"


def _failed(shown: str | None, path: str, constraint: str) -> str:
    value = "null" if shown is None else f"'{shown}'"
    return f"Value {value} at '{path}' failed to satisfy constraint: {constraint}"


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def _expect(is_so: bool, value: Any, kind: str) -> None:
    if not is_so:
        raise not_readable(f"{type(value).__name__} {value!r:.100} can not be converted to {kind}")
