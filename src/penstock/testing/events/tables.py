"""DynamoDB Streams.

Sources: AWS documentation, "Using AWS Lambda with Amazon DynamoDB", "DynamoDB item sizes and
formats".
"""

from __future__ import annotations

import secrets
from base64 import b64decode
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from .common import REGION, arn, base64_of, digits, iso, milliseconds


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
        ValueError: a change has neither item, or an item lacks a key.
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
            return {"N": str(value)}
        case bytes():
            return {"B": base64_of(value)}
        case list() | tuple():
            return {"L": [_typed(inner) for inner in value]}
        case Mapping():
            return {"M": {str(name): _typed(inner) for name, inner in value.items()}}
    raise TypeError(f"DynamoDB has no {type(value).__name__}: {value!r:.80}")


def _size_of_item(item: Mapping[str, dict[str, Any]]) -> int:
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(typed: dict[str, Any]) -> int:
    ((kind, value),) = typed.items()
    if kind == "S":
        return len(value.encode())
    if kind == "B":
        return len(b64decode(value))
    if kind == "N":
        significant = Decimal(value).normalize().as_tuple()
        return -(-len(significant.digits) // 2) + 1 + significant.sign
    if kind == "L":
        return 3 + sum(1 + _size(inner) for inner in value)
    if kind == "M":
        return 3 + len(value) + _size_of_item(value)
    return 1
