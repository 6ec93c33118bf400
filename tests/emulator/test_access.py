"""Which hosts and origins the emulator answers."""

from __future__ import annotations

import pytest

from penstock.emulator.access import AccessRules
from penstock.messages import Headers

RULES = AccessRules(hosts=["devbox.example"], origins=["http://localhost:5173"])


def refusal(**headers: str) -> str | None:
    return RULES.refusal(Headers((name.replace("_", "-"), v) for name, v in headers.items()))


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:9000",
        "LOCALHOST:9000",
        "localhost.",
        "127.0.0.1:9000",
        "[::1]:9000",
        "app.lambda-url.localhost:9000",
        "devbox.example:9000",
    ],
)
def test_known_hosts_are_answered(host):
    assert refusal(host=host) is None


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:9000",
        "localhost.evil.example",
        "127.0.0.1.evil.example:9000",
        "127.0.0.2",
        "evillocalhost",
        "user@evil.example",
        "localhost@evil.example",
        "evil.example@localhost:9000",
        "[::2]:9000",
        "[::1",
        "0.0.0.0:9000",
    ],
)
def test_unknown_hosts_are_refused(host):
    assert "is not one of this emulator's" in refusal(host=host)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://localhost:9000"},
        {"origin": "http://localhost:5173"},
        {"origin": "http://localhost:9000", "sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "same-site", "referer": "http://localhost:5173/page"},
    ],
)
def test_own_pages_typed_addresses_and_trusted_origins_are_answered(headers):
    assert refusal(host="localhost:9000", **headers) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://localhost:8000"},
        {"origin": "https://localhost:9000"},
        {"origin": "http://127.0.0.1:9000"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "referer": "http://localhost:9000/"},
        {"sec_fetch_site": "cross-site", "referer": "https://evil.example/http://localhost:5173"},
    ],
)
def test_pages_of_other_origins_are_refused(headers):
    assert "may not use this emulator" in refusal(host="localhost:9000", **headers)


PAGE = "https://allowed.example"


def opened_to(allowed: str, **headers: str) -> str | None:
    """The refusal of a request for something that opens itself to pages of one origin."""
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return RULES.refusal(Headers(fields), opens_to=lambda origin: origin == allowed)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": PAGE},
        {"origin": PAGE, "sec_fetch_site": "cross-site"},
        {"origin": "http://localhost:5173"},
        {"sec_fetch_site": "cross-site", "referer": f"{PAGE}/page"},
    ],
)
def test_what_opens_itself_to_an_origin_may_be_had_by_its_pages(headers):
    assert opened_to(PAGE, host="localhost:9000", **headers) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://other.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "cross-site", "referer": "https://other.example/"},
    ],
)
def test_it_stays_closed_to_others(headers):
    assert "may not use this emulator" in opened_to(PAGE, host="localhost:9000", **headers)


def test_it_does_not_open_itself_at_an_unknown_host():
    refused = opened_to(PAGE, host="evil.example", origin=PAGE)
    assert "is not one of this emulator's" in refused


def test_of_two_origins_both_must_be_allowed():
    headers = Headers(
        [("Host", "localhost"), ("Origin", PAGE), ("Origin", "https://other.example")]
    )
    assert RULES.refusal(headers, opens_to=lambda origin: origin == PAGE) is not None
