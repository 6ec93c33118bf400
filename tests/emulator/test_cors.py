"""The `Cors` of a Function URL: origins, preflights, and what is appended to answers."""

from __future__ import annotations

import pytest

from penstock.emulator.fronts.cors import (
    allows_origin,
    is_preflight,
    preflight_headers,
    with_cors,
)
from penstock.emulator.function_urls import Cors
from penstock.messages import Headers

PAGE = "https://allowed.example"
FULL = Cors(
    allow_origins=(PAGE, "http://localhost:5173"),
    allow_methods=("GET", "POST"),
    allow_headers=("content-type", "X-Own"),
    expose_headers=("x-seen", "date"),
    allow_credentials=True,
    max_age=600,
)


def asking(origin=PAGE, method="POST", headers=None) -> Headers:
    fields = [("Origin", origin), ("Access-Control-Request-Method", method)]
    if headers is not None:
        fields.append(("Access-Control-Request-Headers", headers))
    return Headers(fields)


# Origins.


def test_origins_are_allowed_one_by_one_or_all():
    assert allows_origin(FULL, PAGE)
    assert allows_origin(FULL, "HTTPS://Allowed.example")
    assert allows_origin(Cors(allow_origins=("*",)), "https://any.example")
    assert not allows_origin(FULL, "https://other.example")
    assert not allows_origin(FULL, "https://allowed.example.evil.example")
    assert not allows_origin(Cors(allow_origins=("https://*.example",)), "https://a.example")
    assert not allows_origin(FULL, "*")
    assert not allows_origin(FULL, "")
    assert not allows_origin(Cors(), PAGE)
    assert not allows_origin(None, PAGE)


# Preflights.


@pytest.mark.parametrize(
    ("method", "names", "is_one"),
    [
        ("OPTIONS", ["Origin", "Access-Control-Request-Method"], True),
        ("OPTIONS", ["Origin"], False),
        ("OPTIONS", ["Access-Control-Request-Method"], False),
        ("GET", ["Origin", "Access-Control-Request-Method"], False),
    ],
)
def test_a_preflight_has_both_headers(method, names, is_one):
    assert is_preflight(method, Headers((name, "x") for name in names)) is is_one


def test_a_preflight_gets_the_configuration_in_the_order_of_aws():
    assert preflight_headers(FULL, asking(headers="content-type,x-own")) == [
        ("Access-Control-Allow-Origin", PAGE),
        ("Access-Control-Allow-Headers", "content-type,X-Own"),
        ("Vary", "Origin"),
        ("Access-Control-Allow-Methods", "GET,POST"),
        ("Access-Control-Max-Age", "600"),
        ("Access-Control-Allow-Credentials", "true"),
    ]


def test_a_preflight_is_told_only_what_is_configured():
    cors = Cors(allow_origins=("*",), allow_methods=("*",))

    assert preflight_headers(cors, asking()) == [
        ("Access-Control-Allow-Origin", "*"),
        ("Vary", "Origin"),
        ("Access-Control-Allow-Methods", "*"),
    ]


@pytest.mark.parametrize(
    "asked",
    [
        asking(origin="https://other.example"),
        asking(method="DELETE"),
        asking(headers="content-type, x-other"),
    ],
    ids=["origin", "method", "header"],
)
def test_a_preflight_that_asks_for_too_much_is_told_nothing(asked):
    assert preflight_headers(FULL, asked) == []


def test_wildcards_allow_every_method_and_header():
    cors = Cors(allow_origins=(PAGE,), allow_methods=("*",), allow_headers=("*",))

    assert preflight_headers(cors, asking(method="PURGE", headers="x-a, x-b")) != []


# Answers.

OWN = [
    ("content-type", "text/plain"),
    ("access-control-allow-origin", "https://own.example"),
    ("access-control-expose-headers", "x-own"),
]


def test_what_is_appended_comes_besides_the_handlers_own():
    assert with_cors(FULL, PAGE, OWN, merges=False) == [
        *OWN,
        ("Access-Control-Allow-Origin", PAGE),
        ("Vary", "Origin"),
        ("Access-Control-Expose-Headers", "x-seen,date"),
        ("Access-Control-Allow-Credentials", "true"),
    ]


def test_buffered_answers_have_one_line_of_exposed_headers():
    answer = with_cors(FULL, PAGE, OWN, merges=True)

    exposed = [value for name, value in answer if name.lower() == "access-control-expose-headers"]
    assert exposed == ["x-own,x-seen,date"]
    origins = [value for name, value in answer if name.lower() == "access-control-allow-origin"]
    assert origins == ["https://own.example", PAGE]


def test_without_exposed_headers_the_handlers_own_stand():
    assert with_cors(Cors(allow_origins=("*",)), PAGE, OWN, merges=True) == [
        *OWN,
        ("Access-Control-Allow-Origin", "*"),
        ("Vary", "Origin"),
    ]


def test_all_origins_with_credentials_are_named_one_by_one():
    cors = Cors(allow_origins=("*",), allow_credentials=True)

    assert with_cors(cors, PAGE, [], merges=False)[0] == ("Access-Control-Allow-Origin", PAGE)
