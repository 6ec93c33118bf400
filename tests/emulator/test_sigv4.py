"""Signatures of version 4: what botocore signs passes, what was altered does not."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.emulator.credentials import AccessKey
from penstock.messages import Headers
from tests.emulator.signing import (
    KEY,
    KEYS,
    MISMATCH,
    TEMPORARY,
    altered,
    check,
    refusal,
    signed,
    with_header,
)

# What botocore signs.

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SEGMENTS = st.lists(
    st.one_of(
        TEXT.map(lambda text: quote(text, safe="")), st.sampled_from(["", ".", "..", "~", "*"])
    )
)
QUERIES = st.lists(st.tuples(TEXT.filter(bool), TEXT)).map(
    lambda pairs: "&".join(f"{quote(n, safe='')}={quote(v, safe='')}" for n, v in pairs)
)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
HEADERS = st.lists(st.tuples(st.sampled_from(["X-Tag", "x-other", "Accept"]), VALUES), max_size=5)


@given(METHODS, SEGMENTS, QUERIES, st.binary(max_size=50), HEADERS, st.booleans())
def test_whatever_botocore_signs_in_a_header_passes(
    method, segments, query, body, headers, is_temporary
):
    key = TEMPORARY if is_temporary else KEY
    target = "/" + "/".join(segments) + (f"?{query}" if query else "")

    assert check(signed(method, target, body, headers, key=key)) == key


# A presigned query keeps one value of each name, and moves nothing into headers.
@given(
    METHODS,
    SEGMENTS,
    st.dictionaries(TEXT.filter(bool), TEXT),
    st.integers(1, 604_800),
    st.booleans(),
)
def test_whatever_botocore_presigns_passes(method, segments, query, seconds, is_temporary):
    key = TEMPORARY if is_temporary else KEY
    parameters = "&".join(f"{quote(n, safe='')}={quote(v, safe='')}" for n, v in query.items())
    target = "/" + "/".join(segments) + (f"?{parameters}" if parameters else "")

    assert check(signed(method, target, key=key, presigned_for=seconds)) == key


@given(QUERIES, QUERIES)
def test_another_query_does_not_pass(query, other):
    request = signed("GET", f"/?{query}")
    if sorted(query.split("&")) == sorted(other.split("&")):
        return

    assert refusal(altered(request, query=other)).message == MISMATCH


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_another_body_does_not_pass(body, other):
    if body == other:
        return

    assert refusal(altered(signed("POST", "/", body), body=other)).message == MISMATCH


# What was altered.


@pytest.mark.parametrize("presigned_for", [None, 60])
@pytest.mark.parametrize(
    "change",
    [
        {"method": "POST"},
        {"path": "/other"},
        {"path": "/a%2Fb"},
        {"body": b"x"},
        {"headers": Headers([("Host", "other.lambda-url.localhost:9000")])},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_was_altered_gets_the_text_for_wrong_signatures(change, presigned_for):
    request = signed("GET", "/a/b", presigned_for=presigned_for)
    headers = change.get("headers")
    if headers is not None:
        change = {"headers": with_header(request, "Host", headers.get("host")).headers}

    error = refusal(altered(request, **change))

    assert (error.error_type, error.message) == ("InvalidSignatureException", MISMATCH)


def test_a_signed_header_that_was_altered_or_dropped_does_not_pass():
    request = signed(headers=[("X-Tag", "one")])

    assert refusal(with_header(request, "x-tag", "two")).message == MISMATCH
    dropped = refusal(with_header(request, "x-tag", None))
    assert dropped.message == MISMATCH
    assert "x-tag" in dropped.hint


def test_a_header_that_is_not_signed_may_change():
    request = signed()

    assert check(with_header(request, "X-Forwarded-For", "192.0.2.1")) == KEY


def test_another_secret_does_not_pass():
    request = signed(key=AccessKey(KEY.id, "another"))

    assert refusal(request).message == MISMATCH


def test_an_unknown_access_key():
    error = refusal(signed(key=AccessKey("AKIDOTHER", KEY.secret)))

    assert error.error_type == "UnrecognizedClientException"
    assert error.message == "The security token included in the request is invalid."
    assert "'AKIDOTHER' is not known here; known are AKIDEXAMPLE, ASIAEXAMPLE; others" in error.hint


@pytest.mark.parametrize(
    "key",
    [
        AccessKey(KEY.id, KEY.secret, "a-token-that-it-has-not"),
        AccessKey(TEMPORARY.id, TEMPORARY.secret, "another-token"),
        AccessKey(TEMPORARY.id, TEMPORARY.secret),
    ],
    ids=["not temporary", "another token", "no token"],
)
@pytest.mark.parametrize("presigned_for", [None, 60])
def test_a_session_token_is_the_one_of_the_key(key, presigned_for):
    error = refusal(signed(key=key, presigned_for=presigned_for))

    assert error.message == "The security token included in the request is invalid."


# What the body is said to be.


def test_the_bodys_hash_may_be_told_if_it_is_true():
    body = b'{"a": 1}'
    told = [("X-Amz-Content-SHA256", hashlib.sha256(body).hexdigest())]
    request = signed("POST", "/", body, told)

    assert check(request) == KEY
    assert "x-amz-content-sha256 is not" in refusal(altered(request, body=b"{}")).hint


def test_the_bodys_hash_must_be_true_even_where_it_is_not_signed():
    request = signed("POST", "/", b"body")

    assert refusal(with_header(request, "X-Amz-Content-SHA256", "0" * 64)).message == MISMATCH


@pytest.mark.parametrize("body", [b"", b"x"])
def test_unsigned_payloads_are_not_taken(body):
    request = signed("POST", "/", body, [("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD")])

    error = refusal(request)

    assert error.message == MISMATCH
    assert error.hint == "Lambda takes no UNSIGNED-PAYLOAD: sign the SHA-256 of the body"


# Known differences between signers.


def test_a_plus_in_the_query_is_a_blank_or_itself():
    literal = signed("GET", "/?z=1&q=a+b&a=2")
    assert check(literal) == KEY
    # Signed by those who read it as a blank, and sent as it was.
    blank = signed("GET", "/?q=a%20b")
    assert check(altered(blank, query="q=a+b")) == KEY


def test_blanks_within_a_header_count_as_one():
    request = signed(headers=[("X-Tag", "  one \t  two  ")])

    assert request.headers.get("x-tag") == "  one \t  two  "
    assert check(request) == KEY
    assert check(with_header(request, "X-Tag", "one two")) == KEY


def test_lines_of_one_header_count_as_one_line():
    request = signed(headers=[("X-Tag", "one"), ("X-Tag", "two")])

    assert check(with_header(request, "X-Tag", "one,two")) == KEY


def test_an_encoded_plus_is_no_blank():
    assert refusal(altered(signed("GET", "/?q=a%2Bb"), query="q=a+b")).message == MISMATCH


def test_secrets_are_in_no_text_made_of_keys():
    for each in (KEYS, KEY, TEMPORARY):
        assert KEY.secret not in repr(each)
        assert TEMPORARY.token not in repr(each)
