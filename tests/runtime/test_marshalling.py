"""Events and buffered responses as JSON, as AWS's own client reads and writes it."""

from __future__ import annotations

import json
from collections import namedtuple
from decimal import Decimal
from enum import IntEnum, StrEnum

import pytest
import simplejson

from penstock.errors import FaultError, PenstockError
from penstock.runtime.marshalling import (
    MarshalError,
    event_from_bytes,
    response_to_bytes,
    to_json,
)


@pytest.fixture(autouse=True)
def no_execution_environment(monkeypatch):
    monkeypatch.delenv("AWS_EXECUTION_ENV", raising=False)


@pytest.mark.parametrize(
    ("body", "event"),
    [
        (b'{"name": "gr\xc3\xb6\xc3\x9fe"}', {"name": "größe"}),
        (b"[1, 2.5, null]", [1, 2.5, None]),
        (b'"text"', "text"),
        (b"null", None),
        (b" {}\n", {}),
        (b"\xef\xbb\xbf{}", {}),
    ],
)
def test_an_event_is_parsed(body, event):
    assert event_from_bytes(body, "application/json") == event


def test_an_event_of_another_type_is_bytes():
    assert event_from_bytes(b"{}", "application/octet-stream") == b"{}"
    assert event_from_bytes(b"{}", "") == b"{}"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "Expecting value: line 1 column 1 (char 0)"),
        (b"{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b"no", "Expecting value: line 1 column 1 (char 0)"),
        (b"NaN", "Expecting value: found NaN"),
        (b"[-Infinity]", "Expecting value: found -Infinity"),
    ],
)
def test_an_event_that_is_no_json_is_an_unmarshal_error(body, reason):
    with pytest.raises(MarshalError) as caught:
        event_from_bytes(body, "application/json")

    assert caught.value.error_type == "Runtime.UnmarshalError"
    assert str(caught.value) == f"Unable to unmarshal input: {reason}"
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("body", [b'"\xff"', "{}".encode("utf-16"), b"[" * 100_000])
def test_an_event_that_is_no_utf_8_or_nested_too_deeply_is_an_unmarshal_error(body):
    with pytest.raises(MarshalError) as caught:
        event_from_bytes(body, "application/json")

    assert caught.value.error_type == "Runtime.UnmarshalError"


@pytest.mark.parametrize(
    ("response", "body"),
    [
        ({"a": [1, 2.5, None, True]}, b'{"a": [1, 2.5, null, true]}'),
        ("text", b'"text"'),
        (None, b"null"),
        ((1, 2), b"[1, 2]"),
        ({1: "a"}, b'{"1": "a"}'),
        ("größe", b'"gr\\u00f6\\u00dfe"'),
        (float("nan"), b"NaN"),
        ([float("inf"), float("-inf")], b"[Infinity, -Infinity]"),
        ({"data": b"bytes inside"}, b'{"data": "bytes inside"}'),
    ],
)
def test_a_response_is_json(response, body):
    assert response_to_bytes(response) == (body, "application/json")


def test_bytes_go_as_they_are():
    assert response_to_bytes(b"\xff\x00") == (b"\xff\x00", "application/unknown")


@pytest.mark.parametrize("minor", [12, 13, 14])
def test_text_is_written_as_it_is_from_python_3_12_on(monkeypatch, minor):
    monkeypatch.setenv("AWS_EXECUTION_ENV", f"AWS_Lambda_python3.{minor}")

    assert response_to_bytes("größe") == (b'"gr\xc3\xb6\xc3\x9fe"', "application/json")


@pytest.mark.parametrize("environment", ["AWS_Lambda_python3.11", "AWS_Lambda_Image", ""])
def test_text_is_escaped_elsewhere(monkeypatch, environment):
    monkeypatch.setenv("AWS_EXECUTION_ENV", environment)

    assert response_to_bytes("ö") == (b'"\\u00f6"', "application/json")


@pytest.mark.parametrize("environment", ["", "AWS_Lambda_python3.13"])
def test_half_of_a_character_is_escaped_everywhere(monkeypatch, environment):
    monkeypatch.setenv("AWS_EXECUTION_ENV", environment)

    assert response_to_bytes("\ud83d") == (rb'"\ud83d"', "application/json")
    assert json.loads(response_to_bytes({"\ud83d": 1})[0]) == {"\ud83d": 1}


# What simplejson, and so AWS's client, knows and `json` does not. That it is the same bytes,
# of many more values, is shown by tests/system/test_parity.py.

Point = namedtuple("Point", "x y")


class Number(IntEnum):
    SEVEN = 7


class Letter(StrEnum):
    A = "a"


class Row:
    def __init__(self, fields):
        self.fields = fields

    def _asdict(self):
        return self.fields


class Raises:
    def __init__(self, error):
        self.error = error

    def _asdict(self):
        raise self.error


@pytest.mark.parametrize(
    ("response", "written"),
    [
        (Point(1, "ö"), r'{"x": 1, "y": "\u00f6"}'),
        ({"p": [Point(1, Point(2.5, None))]}, '{"p": [{"x": 1, "y": {"x": 2.5, "y": null}}]}'),
        (Row({2: [Row({})], True: float("nan")}), '{"2": [{}], "true": NaN}'),
        ([Point((), []), {}], '[{"x": [], "y": []}, {}]'),
        ({b"k\xc3\xb6": b"v"}, r'{"k\u00f6": "v"}'),
        ([Point(-float("inf"), 1e300), "\n"], '[{"x": -Infinity, "y": 1e+300}, "\\n"]'),
        ([Number.SEVEN, {Number.SEVEN: Letter.A}], '[7, {"7": "a"}]'),
    ],
)
def test_what_json_alone_would_write_otherwise_is_written_as_by_simplejson(response, written):
    assert to_json(response) == written
    assert simplejson.dumps(response, allow_nan=True) == written


def test_a_row_in_itself_is_a_circular_reference():
    row = Row({})
    row.fields["self"] = row

    with pytest.raises(ValueError, match="Circular reference detected"):
        to_json(row)


def test_the_same_thing_twice_is_no_circular_reference():
    point = Point(1, 2)

    assert to_json([point, point, {"a": point}]) == (
        '[{"x": 1, "y": 2}, {"x": 1, "y": 2}, {"a": {"x": 1, "y": 2}}]'
    )


def test_json_that_is_there_already_is_written_as_it_is():
    assert to_json({"a": simplejson.RawJSON("[1,2]")}) == '{"a": [1,2]}'


class Money(Decimal):
    pass


def test_a_kind_of_decimal_is_a_number():
    assert to_json([Money("1.50")]) == "[1.50]"


class Unknown:
    pass


class OtherDecimal:
    pass


OtherDecimal.__name__ = "Decimal"


def circular():
    value = []
    value.append(value)
    return value


def nested():
    value = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (Unknown(), "Object of type Unknown is not JSON serializable"),
        ({1, 2}, "Object of type set is not JSON serializable"),
        (OtherDecimal(), "Object of type Decimal is not JSON serializable"),
        ({"a": Unknown()}, "Object of type Unknown is not JSON serializable"),
        (Row(5), "_asdict() must return a dict, not int"),
        (Raises(TypeError("no")), "Object of type Raises is not JSON serializable"),
        (Raises(KeyError("no")), "'no'"),
        (circular(), "Circular reference detected"),
        (
            {(1, 2): "a"},
            "keys must be str, int, float, bool or None, not tuple",
        ),
        ({"a": b"\xff"}, "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)
def test_a_response_that_is_no_json_is_a_marshal_error(response, reason):
    with pytest.raises(MarshalError) as caught:
        response_to_bytes(response)

    assert caught.value.error_type == "Runtime.MarshalError"
    assert str(caught.value) == f"Unable to marshal response: {reason}"
    assert caught.value.__cause__ is not None


def test_a_response_that_is_nested_too_deeply_is_a_marshal_error():
    with pytest.raises(MarshalError) as caught:
        response_to_bytes(nested())

    assert caught.value.error_type == "Runtime.MarshalError"


def test_a_marshal_error_has_no_stack_for_none_of_it_is_the_handlers():
    with pytest.raises(FaultError) as caught:
        response_to_bytes(Unknown())

    assert caught.value.stack_trace is None
    assert isinstance(caught.value, PenstockError)


# Numbers of `decimal`.


@pytest.mark.parametrize(
    ("number", "written"),
    [
        ("1.50", "1.50"),
        ("-0", "-0"),
        ("12345678901234567890.123456789", "12345678901234567890.123456789"),
        ("1E+30", "1E+30"),
        ("NaN", "NaN"),
        ("sNaN", "NaN"),
    ],
)
def test_a_decimal_is_the_number_it_is(number, written):
    assert to_json(Decimal(number)) == written
    assert to_json({"n": [Decimal(number), "x"]}) == f'{{"n": [{written}, "x"]}}'


def test_many_decimals_stay_in_their_places():
    numbers = [Decimal(number) / 8 for number in range(1000)]

    text = to_json({"numbers": numbers, "again": numbers[::-1]})

    assert json.loads(text, parse_float=Decimal, parse_int=Decimal) == {
        "numbers": numbers,
        "again": numbers[::-1],
    }


def test_a_text_between_decimals_stays_a_text():
    assert to_json([Decimal(1), "1", "{penstock Decimal 0}", "%s{}\\1", Decimal("2.0")]) == (
        '[1, "1", "{penstock Decimal 0}", "%s{}\\\\1", 2.0]'
    )


@pytest.mark.timeout(4)
def test_a_table_of_decimals_is_written_in_a_moment():
    rows = [{"name": "x" * 50, "price": Decimal("1.50"), "tax": Decimal("0.30")}] * 20_000

    assert to_json(rows) == json.dumps(rows, default=float).replace(": 1.5,", ": 1.50,").replace(
        ": 0.3}", ": 0.30}"
    )


@pytest.mark.parametrize("character", ["x", '"', "\\", "\n", "\x7f", "\0", "ö", "\ud800", "/"])
@pytest.mark.parametrize("shape", ["alone", "in an object", "deeper"])
def test_long_text_is_written_as_short_text_is(character, shape):
    text = "a" * 20_000 + character + "b"
    value = {
        "alone": text,
        "in an object": {"statusCode": 200, "body": text, character: None, "more": [1.5, text]},
        "deeper": {"one": {"two": {"three": text}}, "none": {}},
    }[shape]

    assert to_json(value) == json.dumps(value)
