"""DynamoDB Streams.

Sources: AWS documentation, "Using AWS Lambda with Amazon DynamoDB", "DynamoDB item sizes and
formats", "Supported data types and naming rules in Amazon DynamoDB" (numbers, and what can be
a key). That numbers come back without an exponent: boto/boto3#4636.
"""

from __future__ import annotations

import secrets
from base64 import b64decode
from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Any

from .common import REGION, arn, base64_of, digits, iso, milliseconds

# A number of DynamoDB: its significant digits, and the power of ten of the first of them.
_MOST_DIGITS = 38
_POWERS = range(-130, 126)

# What an attribute of a primary key can be.
_KEY_TYPES = ("S", "N", "B")


def dynamodb(
    *changes: tuple[Mapping[str, Any] | None, Mapping[str, Any] | None],
    keys: tuple[str, ...],
    table: str = "table",
    region: str = REGION,
) -> dict[str, Any]:
    """The event of a batch of changes of a table, whose stream has new and old images.

    A change is the item before and the item after, of which one may be None: `(None, item)`
    is an insertion. Items are plain values (text, numbers, booleans, None, bytes, lists,
    objects); `keys` names the attributes of the table's primary key.

    Raises:
        ValueError: a change has neither item, an item lacks a key, a key is neither text, a
            number nor bytes, or a number is none that DynamoDB has.
        TypeError: a value is none that DynamoDB has.
    """
    first = int(digits(24, "4"))
    source = arn("dynamodb", region, f"table/{table}/stream/{iso()[:-1]}")
    return {
        "Records": [
            {
                "eventID": secrets.token_hex(16),
                "eventName": "INSERT" if old is None else "REMOVE" if new is None else "MODIFY",
                "eventVersion": "1.1",
                "eventSource": "aws:dynamodb",
                "awsRegion": region,
                "dynamodb": _change(old, new, keys, first + index),
                "eventSourceARN": source,
            }
            for index, (old, new) in enumerate(changes)
        ]
    }


def _change(
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any] | None,
    keys: tuple[str, ...],
    sequence_number: int,
) -> dict[str, Any]:
    item = new if new is not None else old
    if item is None:
        raise ValueError("a change needs an item, before it or after it")
    if missing := [key for key in keys if key not in item]:
        raise ValueError(f"the item has no {', '.join(missing)}, which is in the table's key")
    images = {"Keys": {key: item[key] for key in keys}, "NewImage": new, "OldImage": old}
    typed = {
        name: {attribute: _typed(value) for attribute, value in image.items()}
        for name, image in images.items()
        if image is not None
    }
    for key, value in typed["Keys"].items():
        if not value.keys() <= set(_KEY_TYPES):
            raise ValueError(
                f"an attribute of the table's key is text, a number or bytes, but {key} is "
                f"{item[key]!r:.80}"
            )
    return {
        "ApproximateCreationDateTime": milliseconds() // 1000,
        **typed,
        "SequenceNumber": str(sequence_number),
        "SizeBytes": sum(_size_of_item(image) for image in typed.values()),
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }


def _typed(value: Any) -> dict[str, Any]:
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | float() | Decimal():
            return {"N": _number(value)}
        case bytes():
            return {"B": base64_of(value)}
        case list() | tuple():
            return {"L": [_typed(inner) for inner in value]}
        case Mapping():
            return {"M": {str(name): _typed(inner) for name, inner in value.items()}}
    raise TypeError(f"DynamoDB has no {type(value).__name__}: {value!r:.80}")


def _number(value: int | float | Decimal) -> str:
    """A number as DynamoDB gives it: all its digits, no zeroes around them, no exponent."""
    # Of a float those digits that tell it from all others.
    number = Decimal(str(value) if isinstance(value, float) else value)
    if not number.is_finite():
        raise ValueError(f"DynamoDB has no number {value}")
    if not number:
        return "0"
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    if len(digits) > _MOST_DIGITS:
        raise ValueError(
            f"a number of DynamoDB has at most {_MOST_DIGITS} digits, but {number!s:.80} has "
            f"{len(digits)}"
        )
    if number.adjusted() not in _POWERS:
        raise ValueError(
            "a number of DynamoDB is from 1E-130 to 9.99E+125, or as far below zero, or zero; "
            f"not {number!s:.80}"
        )
    # No digit is lost, for there are no more than that.
    return f"{number.normalize(Context(_MOST_DIGITS)):f}"


def _size_of_item(item: Mapping[str, dict[str, Any]]) -> int:
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(typed: dict[str, Any]) -> int:
    ((kind, value),) = typed.items()
    if kind == "S":
        return len(value.encode())
    if kind == "B":
        return len(b64decode(value))
    if kind == "N":
        is_negative = str(value).startswith("-")
        significant = value.lstrip("-").replace(".", "").strip("0") or "0"
        return -(-len(significant) // 2) + 1 + is_negative
    if kind == "L":
        return 3 + sum(1 + _size(inner) for inner in value)
    if kind == "M":
        return 3 + len(value) + _size_of_item(value)
    return 1
