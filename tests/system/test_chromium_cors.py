"""Chromium and the `Cors` of a Function URL: who may read an answer, and what is reached."""

from __future__ import annotations

import json

import pytest

from penstock.emulator.function_urls import Cors
from tests.system.other_sites import ATTACKED, attacks_that_ran, outcomes_of_attacks
from tests.tools import only_in_ci, wait_for

pytestmark = pytest.mark.chromium

PLAIN = """
    def handler(event, context):
        headers = {"x-seen": "1", "x-hidden": "2"}
        method = event["requestContext"]["http"]["method"]
        return {"statusCode": 200, "headers": headers, "body": method}
"""

# What a page sees of an answer; "refused" is all that it learns of one it may not read.
FETCH = """
    const [url, options, done] = arguments;
    const seen = async (answer) => [
        answer.status, await answer.text(), answer.headers.get("x-seen"),
        answer.headers.get("x-hidden"),
    ];
    fetch(url, options).then(seen).then(done, () => done("refused"));
"""


def open_page(page, site) -> None:
    """A page of another origin, whose scripts then call the function."""
    site.page = "<!doctype html><p>Another site"
    page.get(f"http://localhost:{site.port}/")
    wait_for(lambda: page.execute_script("return !!document.querySelector('p')"), "the page")


@pytest.mark.parametrize("host", ["127.0.0.1", "app.lambda-url.localhost"])
def test_a_page_reads_what_the_cors_of_a_url_allows(host, serve, browse, other_site):
    cors = Cors(
        allow_origins=(f"http://localhost:{other_site.port}",),
        allow_methods=("GET", "PUT"),
        allow_headers=("x-own",),
        expose_headers=("x-seen",),
    )
    function = serve(PLAIN, cors=cors, invoke_mode="BUFFERED")
    url = f"http://{host}:{function.port}/"
    page = browse()
    open_page(page, other_site)

    def fetch(**options):
        return page.execute_async_script(FETCH, url, options)

    assert fetch() == [200, "GET", "1", None]
    # These are asked for first, in preflights.
    assert fetch(method="PUT", headers={"x-own": "1"}) == [200, "PUT", "1", None]
    assert fetch(method="DELETE") == "refused"
    assert fetch(headers={"x-other": "1"}) == "refused"


def test_a_page_of_another_origin_reads_nothing(serve, browse, other_site):
    function = serve(PLAIN, cors=Cors(allow_origins=("https://allowed.example",)))
    page = browse()
    open_page(page, other_site)

    url = f"{function.url}/"

    assert page.execute_async_script(FETCH, url, {}) == "refused"
    assert "START" not in function.log


@pytest.mark.parametrize("origin", ["named", "*"])
def test_no_attempt_of_an_allowed_page_reaches_the_lambda_api(origin, serve, browse, other_site):
    only_in_ci("a browser makes a hundred attempts; test_access.py has their headers")
    allowed = f"http://localhost:{other_site.port}" if origin == "named" else "*"
    cors = Cors(allow_origins=(allowed,), allow_methods=("*",), allow_headers=("*",))
    function = serve(ATTACKED, cors=cors)
    targets = [
        f"{function.url}/",
        f"{function.url}/2015-03-31/functions/function/invocations",
        f"{function.url}/2015-03-31/functions/app/invocations",
    ]

    outcomes = outcomes_of_attacks(browse(), other_site, "localhost", targets)

    assert len(outcomes) > 100, json.dumps(outcomes)
    # They do arrive, at the URL.
    wait_for(
        lambda: {"post-signed", "beacon"} <= attacks_that_ran(function.log, "POST"),
        "the attempts at the URL",
    )
    assert attacks_that_ran(function.log, "RIE") == set()
