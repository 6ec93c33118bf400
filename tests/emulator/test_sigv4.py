"""Signatures of version 4: what botocore signs passes, what was altered does not."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import botocore.auth
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from penstock.emulator.credentials import AccessKey, Credentials
from penstock.emulator.fronts.sigv4 import NOT_SIGNED, SignatureError, verify
from penstock.messages import Headers, Request

NOW = datetime(2026, 9, 15, 12, 0, 30, tzinfo=UTC)
KEY = AccessKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
TEMPORARY = AccessKey("ASIAEXAMPLE", "secret/2", "token+of/a=session==")
KEYS = Credentials((KEY, TEMPORARY))
HOST = "app.lambda-url.localhost:9000"

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your "
    "AWS Secret Access Key and signing method. Consult the service documentation for details."
)


def as_received(signed: AWSRequest) -> Request:
    """What arrives of a request that an HTTP client sends as botocore has signed it."""
    parts = urlsplit(signed.url)
    headers = list(signed.headers.items())
    if not any(name.lower() == "host" for name, _ in headers):
        headers.append(("Host", parts.netloc))
    return Request(
        method=signed.method,
        path=parts.path or "/",
        query=parts.query,
        headers=Headers(headers),
        body=signed.body or b"",
    )


def signed(
    method="GET",
    target="/",
    body=b"",
    headers=(),
    *,
    key=KEY,
    at=NOW,
    region="us-east-1",
    service="lambda",
    presigned_for=None,
) -> Request:
    credentials = BotocoreCredentials(key.id, key.secret, key.token)
    request = AWSRequest(method, f"http://{HOST}{target}", data=body)
    for name, value in headers:
        request.headers.add_header(name, value)
    if presigned_for is None:
        signer = SigV4Auth(credentials, service, region)
    else:
        signer = SigV4QueryAuth(credentials, service, region, expires=presigned_for)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda: at.replace(tzinfo=None))
        signer.add_auth(request)
    return as_received(request)


def altered(request: Request, **changes) -> Request:
    names = ("method", "path", "query", "headers", "body")
    return Request(**{name: changes.get(name, getattr(request, name)) for name in names})


def with_header(request: Request, name: str, value: str | None) -> Request:
    kept = [(n, v) for n, v in request.headers if n.lower() != name.lower()]
    return altered(request, headers=Headers(kept + ([] if value is None else [(name, value)])))


def check(request: Request, *, region="us-east-1", now=NOW) -> AccessKey:
    return verify(request, KEYS, region=region, now=now)


def refusal(request: Request, **options) -> SignatureError:
    with pytest.raises(SignatureError) as caught:
        check(request, **options)
    assert KEY.secret not in f"{caught.value} {caught.value.hint}"
    return caught.value


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
