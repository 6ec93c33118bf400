"""What handlers return, and what becomes of it."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import sys
import types
from decimal import Decimal
from typing import Any, NamedTuple

Point = collections.namedtuple("Point", "x y")


class Named(NamedTuple):
    a: int
    b: str = "b"


class Row:
    """As the rows of SQLAlchemy."""

    def __init__(self, fields: object) -> None:
        self.fields = fields

    def _asdict(self) -> object:
        return self.fields


class RowThatRaises:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def _asdict(self) -> object:
        raise self.error


class RowThatNeedsMore:
    def _asdict(self, more: object) -> object:
        return {}


class DictRow(dict):
    def _asdict(self) -> object:
        return {"from": "_asdict"}


class ListRow(list):
    def _asdict(self) -> object:
        return {"from": "_asdict"}


class TextRow(str):
    def _asdict(self) -> object:
        return {"from": "_asdict"}


class NoMethod:
    _asdict = {"it": "cannot be called"}


class AnswersToEverything:
    def __getattr__(self, name: str) -> Any:
        return lambda: {"asked for": name}


class ForJson:
    def for_json(self) -> object:
        return 5


class Money(Decimal):
    pass


class Number(enum.IntEnum):
    SEVEN = 7


class Letter(enum.StrEnum):
    A = "a"


class OldLetter(str, enum.Enum):  # noqa: UP042 - as in code for Python 3.10
    B = "b"


class OddFloat(float):
    def __repr__(self) -> str:
        return "odd"


class OddInt(int):
    def __repr__(self) -> str:
        return "odd"

    __str__ = __repr__


class OddBytes(bytes):
    pass


class OddDict(dict):
    def items(self) -> Any:
        return [("a", 1), (2, "b")]


class DictThatRaises(dict):
    def items(self) -> Any:
        raise KeyError("items")


@dataclasses.dataclass
class Data:
    x: int = 1


def itself(kind: type) -> object:
    value: Any = kind()
    if kind is list:
        value.append(value)
    else:
        value["a"] = value
    return value


def long_and_itself() -> object:
    value: dict[str, object] = {"body": "x" * 20_000}
    value["self"] = value
    return value


def row_of_itself() -> object:
    row = Row({})
    row.fields["self"] = row  # type: ignore[index]
    return row


def nested(levels: int) -> object:
    value: object = []
    for level in range(levels):
        value = [value] if level % 2 else {"k": value}
    return value


def twice(value: object) -> object:
    return [value, value, {"a": value}]


VALUES: dict[str, Any] = {
    "a named tuple": lambda: Point(1, 2),
    "named tuples inside": lambda: {"p": [Point(1, Point(2, 3))], "n": (Named(1),)},
    "a row": lambda: Row({"a": Point(1, 2), 1: [Row({})]}),
    "a row that is a number": lambda: Row(5),
    "a row that is a number, inside": lambda: {"a": Row(5)},
    "a row that raises": lambda: [RowThatRaises(ValueError("no"))],
    "a row that raises TypeError": lambda: [RowThatRaises(TypeError("no"))],
    "a row that needs more": lambda: RowThatNeedsMore(),
    "a row that is a dict": lambda: [DictRow(a=1)],
    "a row that is a list": lambda: [ListRow([1])],
    "a row that is text": lambda: [TextRow("text")],
    "a row without a method": lambda: NoMethod(),
    "what answers to everything": lambda: [AnswersToEverything()],
    "for_json": lambda: ForJson(),
    "decimals": lambda: [Decimal(text) for text in ("1.50", "1E+30", "-0", "0E-10")],
    "odd decimals": lambda: [Decimal(text) for text in ("NaN", "sNaN", "-NaN", "-Infinity")],
    "a kind of decimal": lambda: {"price": Money("1.50")},
    "a decimal": lambda: Decimal("2.0"),
    "a decimal as a key": lambda: {Decimal(1): 1},
    "enums": lambda: {"n": Number.SEVEN, Number.SEVEN: 1, Letter.A: Letter.A, "b": [OldLetter.B]},
    "an enum": lambda: OldLetter.B,
    "odd numbers": lambda: [OddFloat(1.5), OddInt(5), {OddFloat(2.5): 1, OddInt(6): 2}],
    "numbers as keys": lambda: {True: 1, 1.5: 2, 10**30: 3, 4: 4, None: 5, float("nan"): 6},
    "infinite keys": lambda: {float("inf"): 1, float("-inf"): 2, "p": Point(1, 2)},
    "numbers as keys beside a tuple": lambda: {1: Point(0, 0), 1.5: 2, False: 4, None: 5},
    "bytes": lambda: b"\xff\x00",
    "a kind of bytes": lambda: OddBytes(b"x"),
    "bytes inside": lambda: [OddBytes(b"x"), b"\xc3\xb6", {b"k\xc3\xb6": b"v"}],
    "bytes that are no text": lambda: [b"\xff"],
    "bytes that are no text as a key": lambda: {b"\xff": 1},
    "a bytearray": lambda: bytearray(b"x"),
    "a memoryview": lambda: [memoryview(b"x")],
    "a dataclass": lambda: Data(),
    "sets": lambda: [{1}, frozenset()],
    "a generator": lambda: (number for number in range(2)),
    "a range": lambda: range(3),
    "a date": lambda: {"d": datetime.date(2020, 1, 1)},
    "a date as a key": lambda: {datetime.date(2020, 1, 1): 1},
    "a tuple as a key": lambda: {(1,): 1},
    "an odd dict": lambda: OddDict(c=3),
    "a dict that raises": lambda: DictThatRaises(a=1),
    "a list in itself": lambda: itself(list),
    "a dict in itself": lambda: itself(dict),
    "an object with a long text in itself": lambda: long_and_itself(),
    "a row in itself": lambda: row_of_itself(),
    "something twice": lambda: [twice([1]), twice(Point([], {})), twice(Money(1))],
    "500 levels": lambda: nested(500),
    "a big number": lambda: 10**400,
    "too big a number": lambda: 10**5000,
    "floats": lambda: [1e22, 1e16, 1.0, -0.0, 1e-7, 5e-324, 1.7976931348623157e308, 0.1 + 0.2],
    "no numbers": lambda: [float("nan"), float("inf"), float("-inf")],
    "no numbers beside a tuple": lambda: [Point(0, 0), float("nan"), float("inf"), -float("inf")],
    "text": lambda: '\x00\x1f\x7f\u2028\xf6\U0001f600"\\/<>&',
    "long text": lambda: {"body": "x" * 20_000, "quoted": '"' * 20_000, "größe": "ö" * 20_000},
    "text beside a tuple": lambda: [Point('\x00\x1f\x7f\u2028\xf6\U0001f600"\\/', {"\xf6": 1})],
    "kinds of dict": lambda: [
        collections.OrderedDict(b=1, a=2),
        collections.defaultdict(int, a=1),
        collections.Counter("aab"),
    ],
    "a mapping that is no dict": lambda: collections.UserDict(a=1),
    "a mapping proxy": lambda: types.MappingProxyType({}),
    "a deque": lambda: collections.deque([1]),
    "a class": lambda: Point,
    "nothing": lambda: None,
    "an ellipsis": lambda: ...,
    "a complex number": lambda: 1j,
    "an error": lambda: ValueError("x"),
    "empty things": lambda: [{}, [], (), "", Row({}), Named],
    "empty things beside a tuple": lambda: [{}, [], (), "", Row({}), True, False, None],
    "a proxy response": lambda: {
        "statusCode": 200,
        "headers": {"content-type": "text/html; charset=utf-8"},
        "body": "größe",
        "isBase64Encoded": False,
    },
}


def handler(event: str, context: object) -> object:
    if event == "exit":
        sys.exit(0)
    return VALUES[event]()
