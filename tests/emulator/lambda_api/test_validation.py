"""Constraints of the API's model, in AWS's words."""

from __future__ import annotations

import pytest

from penstock.emulator.lambda_api.errors import ApiError, not_valid
from penstock.emulator.lambda_api.validation import (
    Flag,
    Number,
    Pairs,
    Several,
    Structure,
    Text,
    check,
)

START = "failed to satisfy constraint: Member must"
OF_ITEM = "Member must satisfy regular expression pattern: a"
OF_KEY = f"must satisfy constraint: [{OF_ITEM}]"
# Recorded on AWS.
OF_WEIGHT = (
    "must satisfy constraint: [Member must have value less than or equal to 1.0, "
    "Member must have value greater than or equal to 0.0, Member must not be null]"
)


@pytest.mark.parametrize(
    ("shape", "value", "problem"),
    [
        (
            Text("[a-z]+"),
            "A1",
            f"Value 'A1' at 'it' {START} satisfy regular expression pattern: [a-z]+",
        ),
        (
            Text("[a-z]+"),
            "a\n",
            f"Value 'a\n' at 'it' {START} satisfy regular expression pattern: [a-z]+",
        ),
        (
            Text(longest=2),
            "abc",
            f"Value 'abc' at 'it' {START} have length less than or equal to 2",
        ),
        (Text(shortest=1), "", f"Value '' at 'it' {START} have length greater than or equal to 1"),
        (Text(values=("A", "B")), "C", f"Value 'C' at 'it' {START} satisfy enum value set: [A, B]"),
        (Number(1, 900), 901, f"Value '901' at 'it' {START} have value less than or equal to 900"),
        (Number(1), 0, f"Value '0' at 'it' {START} have value greater than or equal to 1"),
        (
            Several(Text(), 1),
            ["a", "b"],
            f"Value '[a, b]' at 'it' {START} have length less than or equal to 1",
        ),
        (
            Several(Text("a")),
            ["b"],
            f"Value '[b]' at 'it' {START} satisfy constraint: [{OF_ITEM}, Member must not be null]",
        ),
        (
            Pairs(Text("[0-9]+"), Number(0.0, 1.0, is_float=True)),
            {"2": 2.0},
            f"Value '{{2=2.0}}' at 'it' failed to satisfy constraint: Map value {OF_WEIGHT}",
        ),
        (
            Pairs(Text("a")),
            {"$LATEST": "x"},
            f"Value '{{$LATEST=x}}' at 'it' failed to satisfy constraint: Map keys {OF_KEY}",
        ),
    ],
)
def test_a_broken_constraint_is_said_as_aws_does(shape, value, problem):
    assert check(shape, value, "it") == [problem]


def test_members_have_paths_and_all_problems_are_said():
    shape = Structure(
        {"Name": Text(longest=1), "Cors": Structure({"MaxAge": Number(0, 9)}), "Role": Text()},
        ("Role",),
    )
    problems = check(shape, {"Name": "ab", "Cors": {"MaxAge": 10}, "Other": object()})
    assert [problem.split("'")[3] for problem in problems[:2]] == ["name", "cors.maxAge"]
    assert problems[2] == f"Value null at 'role' {START} not be null"
    assert str(not_valid(problems)).startswith("3 validation errors detected: Value 'ab' at 'name'")


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        (Text(), 1),
        (Number(), "1"),
        (Number(), True),
        (Number(), 1.5),
        (Flag(), "true"),
        (Several(Text()), {}),
        (Several(Text()), [1]),
        (Pairs(), []),
        (Structure({}), []),
    ],
)
def test_another_type_is_no_problem_of_the_value_but_of_the_request(shape, value):
    with pytest.raises(ApiError) as caught:
        check(shape, value, "it")
    assert caught.value.error_type == "SerializationException"


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        (Number(0.0, 1.0, is_float=True), 1),
        (Number(0, 9), 0),
        (Text(longest=1), "é"),
        (Structure({"A": Text()}), {"A": None}),
        (Several(Text()), []),
    ],
)
def test_what_fits_is_fine(shape, value):
    assert check(shape, value, "it") == []
