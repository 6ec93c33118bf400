"""Chromium against the emulator: what other sites cannot do."""

from __future__ import annotations

import pytest

from tests.system.conftest import text_of
from tests.system.other_sites import ATTACKED, attacks_that_ran, outcomes_of_attacks
from tests.tools import only_in_ci, wait_for

pytestmark = pytest.mark.chromium

TYPED_BY_A_PERSON = "attack=none"

# A trusted page is known by its origin. Here the browser does not tell it.
WITHOUT_ORIGIN = {
    "fetch-without-referrer",
    "image-without-referrer",
    "page-in-sandbox",
    "post-redirected",
    "worker",
}

RUN_BY_PATH_OF_RIE = {
    "beacon",
    "form-post-text",
    "post",
    "post-no-cors",
    "post-no-cors-signed",
    "post-without-referrer",
}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "other.localhost"])
def test_no_page_of_another_site_can_run_a_function(host, serve, browse, other_site):
    only_in_ci("a browser makes two hundred attempts; test_access.py has their headers")
    function = serve(ATTACKED)
    streams = f"{function.url}/2021-11-15/functions/app/response-streaming-invocations"
    targets = [
        f"{function.url}/",
        f"http://localhost:{function.port}/",
        f"http://app.lambda-url.localhost:{function.port}/",
        f"{function.url}/2015-03-31/functions/app/invocations",
        # The path of AWS's own emulator, on which nothing has to be signed.
        f"{function.url}/2015-03-31/functions/function/invocations",
        streams,
    ]
    page = browse()

    outcomes = outcomes_of_attacks(page, other_site, host, targets)

    assert {url: outcome for url, outcome in outcomes.items() if outcome != "refused"} == {}
    assert len(outcomes) > 200
    assert "START" not in function.log
    # What the log shows next is what the person at the browser asks for.
    page.get(f"{function.url}/?{TYPED_BY_A_PERSON}")
    function.wait_for_log("REPORT RequestId")
    assert attacks_that_ran(function.log) == {"none"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_page_of_a_trusted_origin_can_run_a_function(host, serve, browse, other_site):
    """The same page, trusted: this shows that its attempts do arrive."""
    only_in_ci("a browser makes two hundred attempts; test_access.py has their headers")
    function = serve(ATTACKED, origins=[f"http://{host}:{other_site.port}"])
    url = f"{function.url}/"
    rie = f"{function.url}/2015-03-31/functions/function/invocations"

    outcomes = outcomes_of_attacks(browse(), other_site, host, [url, rie])

    names = {key.partition("attack=")[2] for key in outcomes}
    # A page does not wait for the end of all that it sends.
    for methods, ran in (
        (("GET", "POST", "DELETE"), names - WITHOUT_ORIGIN),
        (("RIE",), RUN_BY_PATH_OF_RIE),
    ):
        wait_for(lambda: attacks_that_ran(function.log, *methods) >= ran, f"{ran} to run")  # noqa: B023
        assert attacks_that_ran(function.log, *methods) == ran
    assert outcomes[f"{url}?attack=post-signed"] == "read"
    assert "no answer" not in outcomes.values()


@pytest.mark.parametrize("way", ["location.href = '%s'", "window.open('%s')"])
def test_no_link_of_another_site_can_run_a_function(way, serve, browse, other_site):
    function = serve(ATTACKED)
    other_site.page = "<!doctype html><p>Another site"
    page = browse("disable-popup-blocking")
    page.get(f"http://localhost:{other_site.port}/")
    wait_for(lambda: text_of(page) == "Another site", "the other site")
    page.execute_script(way % f"{function.url}/?attack=link")

    def refusal_is_seen() -> bool:
        page.switch_to.window(page.window_handles[-1])
        return "may not use this emulator" in text_of(page)

    wait_for(refusal_is_seen, "the refusal")
    assert "START" not in function.log


def test_no_name_that_another_site_points_here_can_run_a_function(serve, browse):
    """DNS rebinding: to the browser, page and emulator are one origin."""
    function = serve(ATTACKED)
    page = browse("host-resolver-rules=MAP rebound.test 127.0.0.1")
    page.get(f"http://rebound.test:{function.port}/?attack=rebound")
    wait_for(lambda: "'rebound.test:" in text_of(page), "the refusal")
    statuses = page.execute_async_script("""
        const done = arguments[0];
        const api = "/2015-03-31/functions/app/invocations";
        const headers = {"Authorization": "AWS4-HMAC-SHA256 x"};
        const sent = [fetch("/"), fetch(api, {method: "POST", body: "{}", headers})];
        Promise.all(sent).then((answers) => done(answers.map((answer) => answer.status)));
    """)
    assert statuses == [403, 403]
    assert "START" not in function.log
