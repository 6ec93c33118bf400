"""The requests that the emulator makes to itself."""

from __future__ import annotations

import pytest

from penstock.emulator.own_requests import OwnRequests
from penstock.messages import Headers


class Exchange:
    """All of an exchange that matters here."""

    def __init__(self, *headers: tuple[str, str]) -> None:
        self.headers = Headers(headers)


@pytest.fixture
def own() -> OwnRequests:
    made = OwnRequests()
    made.port = 9000
    return made


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://a.lambda-url.localhost", "http://a.lambda-url.localhost:9000"),
        ("http://a.lambda-url.localhost/b?c=d", "http://a.lambda-url.localhost:9000/b?c=d"),
        ("http://a.execute-api.localhost/local/", "http://a.execute-api.localhost:9000/local/"),
        ("http://a.lambda-url.localhost:8000/b", "http://a.lambda-url.localhost:8000/b"),
        ("http://localhost/b", "http://localhost/b"),
        ("http://example.org/b", "http://example.org/b"),
        ("https://a.lambda-url.localhost/b", "https://a.lambda-url.localhost/b"),
        ("http://a.lambda-url.localhost:port/", "http://a.lambda-url.localhost:port/"),
    ],
)
def test_its_own_names_need_no_port(url, address, own):
    assert own.address(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "http://a.lambda-url.localhost:9001/",
        "http://a.lambda-url.localhost/",
        "http://example.org:9000/",
        "http://lambda-url.localhost.example.org:9000/",
    ],
)
def test_nobody_else_gets_the_mark(url, own):
    assert own.marks(url) == []


def test_a_marked_request_is_known_again_and_the_mark_taken_off(own):
    exchange = Exchange(("A", "b"), *own.marks("http://a.lambda-url.localhost:9000/"))
    assert len(exchange.headers) == 2
    assert own.accepts(exchange)
    assert list(exchange.headers) == [("A", "b")]
    assert not own.accepts(exchange)


def test_another_emulators_mark_and_a_guess_are_taken_off_and_count_for_nothing(own):
    other = OwnRequests()
    other.port = 9000
    for fields in (other.marks("http://a.lambda-url.localhost:9000/"), [("X-Penstock-Own", "ä")]):
        exchange = Exchange(*fields)
        assert not own.accepts(exchange)
        assert list(exchange.headers) == []
