"""Signatures of version 4 that are for elsewhere, of another time, or not whole: AWS's words."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.emulator.fronts.sigv4 import NOT_SIGNED
from penstock.messages import Headers, Request
from tests.emulator.signing import HOST, KEY, NOW, altered, check, refusal, signed, with_header

# Scope.


def test_another_region():
    error = refusal(signed(region="eu-west-1"))

    assert error.error_type == "InvalidSignatureException"
    assert error.message == "Credential should be scoped to a valid region, not 'eu-west-1'. "
    assert "us-east-1" in error.hint


def test_another_service():
    error = refusal(signed(service="execute-api"))

    assert error.message == "Credential should be scoped to correct service: 'lambda'. "
    assert error.hint == "it is for us-east-1/execute-api, and here is us-east-1/lambda"


def test_a_scope_of_another_day():
    request = signed()
    authorization = request.headers.get("authorization").replace("/20260915/", "/20260914/")

    error = refusal(with_header(request, "Authorization", authorization))

    assert error.message == (
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
        "HTTP: '20260914' != '20260915', from '20260915T120030Z'. "
    )


def test_a_scope_that_ends_otherwise():
    request = signed()
    authorization = request.headers.get("authorization").replace("aws4_request", "aws5")

    error = refusal(with_header(request, "Authorization", authorization))

    assert error.message == (
        "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5'. "
    )


# Time.

FIVE = timedelta(minutes=5)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("age", [-FIVE, timedelta(0), FIVE])
def test_clocks_may_differ_by_five_minutes(age):
    assert check(signed(at=NOW - age)) == KEY


def test_an_expired_signature():
    error = refusal(signed(at=NOW - FIVE - SECOND))

    assert error.error_type == "InvalidSignatureException"
    assert error.message == (
        "Signature expired: 20260915T115529Z is now earlier than 20260915T115530Z "
        "(20260915T120030Z - 5 min.)"
    )


def test_a_signature_from_the_future():
    error = refusal(signed(at=NOW + FIVE + SECOND))

    assert error.message == (
        "Signature not yet current: 20260915T120531Z is still later than 20260915T120530Z "
        "(20260915T120030Z + 5 min.)"
    )


@pytest.mark.parametrize("where", ["{other}&{query}", "{query}&{other}"])
def test_a_second_signature_in_the_query_was_not_signed(where):
    request = signed(presigned_for=90)
    request.query = where.format(other="X-Amz-Signature=0", query=request.query)
    assert refusal(request).error_type == "InvalidSignatureException"


def test_a_presigned_request_is_good_for_as_long_as_it_says():
    request = signed(at=NOW - timedelta(seconds=90), presigned_for=90)

    assert check(request) == KEY
    assert refusal(request, now=NOW + SECOND).message == (
        "Signature expired: 20260915T115900Z is now earlier than 20260915T115901Z "
        "(20260915T120031Z - 90 sec.)"
    )


@pytest.mark.parametrize("seconds", [0, 604_801])
def test_a_presigned_request_is_good_for_a_week_at_most(seconds):
    error = refusal(signed(presigned_for=seconds))

    assert error.message == "X-Amz-Expires must be between 1 and 604800 seconds."


def test_the_date_header_will_do():
    request = signed(headers=[("Date", "now")])

    assert "x-amz-date" not in request.headers
    assert check(request) == KEY


@pytest.mark.parametrize("date", ["201", "20261315T000000Z", "yesterday"])
def test_a_date_that_is_none(date):
    error = refusal(with_header(signed(), "X-Amz-Date", date))

    assert error.error_type == "IncompleteSignatureException"
    assert error.message.startswith(f"Date must be in ISO-8601 'basic format'. Got '{date}'.")


# What is missing or malformed.


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ((), ""),
        ((("Authorization", "Bearer AWS4-HMAC-SHA256"),), ""),
        ((), "X-Amz-Signature=x"),
        ((("Authorization", "Basic dGVzdA=="),), "X-Amz-Algorithm=AWS4-HMAC-SHA256"),
    ],
)
def test_a_request_that_is_not_signed(headers, query):
    request = Request(method="GET", path="/", query=query, headers=Headers(headers))

    assert refusal(request).error_type == NOT_SIGNED == "MissingAuthenticationTokenException"


@pytest.mark.parametrize("name", ["Credential", "Signature", "SignedHeaders"])
def test_a_part_of_the_header_is_missing(name):
    request = signed()
    authorization = request.headers.get("authorization").replace(f"{name}=", f"X{name}=")

    error = refusal(with_header(request, "Authorization", authorization))

    assert error.error_type == "IncompleteSignatureException"
    assert error.message == (
        f"Authorization header requires '{name}' parameter. Authorization={authorization}"
    )


@pytest.mark.parametrize("name", ["Credential", "Date", "Expires", "Signature", "SignedHeaders"])
def test_a_part_of_the_query_is_missing(name):
    request = signed(presigned_for=60)

    error = refusal(altered(request, query=request.query.replace(f"X-Amz-{name}=", "other=")))

    assert error.message == (
        f"AWS query-string parameters must include 'X-Amz-{name}'. "
        "Re-examine the query-string parameters."
    )


def test_there_is_no_date():
    error = refusal(with_header(signed(), "X-Amz-Date", None))

    assert error.message.startswith(
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
    )


def test_the_host_must_be_signed():
    request = signed()
    authorization = request.headers.get("authorization").replace("=host;", "=")

    error = refusal(with_header(request, "Authorization", authorization))

    assert error.message == (
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
    )


def test_another_algorithm():
    request = signed()
    authorization = request.headers.get("authorization").replace("SHA256", "SHA1")

    error = refusal(with_header(request, "Authorization", authorization))

    assert error.message == (
        "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1' (only AWS4-HMAC-SHA256 for now). "
    )


def test_a_credential_that_is_not_of_five_parts():
    request = signed()
    authorization = request.headers.get("authorization").replace("/aws4_request", "")

    error = refusal(with_header(request, "Authorization", authorization))

    assert error.message == (
        "Credential must have exactly 5 slash-delimited elements, e.g. "
        "keyid/date/region/service/term, got 'AKIDEXAMPLE/20260915/us-east-1/lambda'"
    )


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_no_authorization_header_breaks_it(text):
    request = Request(
        method="GET",
        path="/",
        headers=Headers(
            [("Host", HOST), ("Authorization", f"AWS4-{text}"), ("X-Amz-Date", "20260915T120030Z")]
        ),
    )

    assert refusal(request).message


ANYTHING = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
DATES = st.one_of(
    ANYTHING,
    st.from_regex(r"\d{8}T\d{6}Z", fullmatch=True),
    st.from_regex(
        r"(Mon, )?\d{1,3} (Jan|Feb) \d{1,20} \d{2}:\d{2}:\d{2} ([+-]\d{1,12}|GMT)",
        fullmatch=True,
    ),
)
SCOPES = st.one_of(ANYTHING, st.lists(ANYTHING, min_size=5, max_size=5).map("/".join))


@given(SCOPES, DATES, st.one_of(ANYTHING, st.just("host")), ANYTHING, ANYTHING, ANYTHING)
def test_no_presigned_query_breaks_it(credential, date, names, signature, token, expires):
    fields = {
        "Algorithm": "AWS4-HMAC-SHA256",
        "Credential": credential,
        "Date": date,
        "Expires": expires,
        "SignedHeaders": names,
        "Signature": signature,
        "Security-Token": token,
    }
    query = "&".join(f"X-Amz-{name}={quote(value)}" for name, value in fields.items())

    assert refusal(Request(method="GET", path="/", query=query)).message


@given(DATES)
def test_no_date_breaks_it(date):
    assert refusal(with_header(signed(), "X-Amz-Date", date)).message
