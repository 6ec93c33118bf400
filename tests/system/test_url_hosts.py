"""Function URLs by their hosts, in clients that know names under `localhost`."""

from __future__ import annotations

import subprocess

import pytest

from tests.system.conftest import text_of
from tests.tools import each_value_in_one_test, needs, wait_for

# Its own host, as it sees it.
WHERE = """
    @streamify_response
    def handler(event, context):
        yield Prelude(200, {"content-type": "text/html"})
        yield "<p>" + " ".join(event["requestContext"][key] for key in ("domainName", "apiId"))
"""
pytestmark = each_value_in_one_test
NAMES = pytest.mark.parametrize("name", ["my_app", "MyApp", "x" * 64], ids=["_", "case", "64"])


@NAMES
def test_curl_finds_a_url_whose_name_no_host_can_have(name, serve):
    function = serve(WHERE, name=name)
    domain = function.emulator.function_url.domain_name

    done = subprocess.run(
        [needs("curl"), "-q", "-sS", "--noproxy", "*", f"http://{domain}:{function.port}/"],
        capture_output=True,
        text=True,
        timeout=15,
        check=True,
    )

    assert done.stdout == f"<p>{domain} {domain.partition('.')[0]}"


@pytest.mark.chromium
@NAMES
def test_chromium_finds_it(name, serve, browse):
    function = serve(WHERE, name=name)
    domain = function.emulator.function_url.domain_name
    page = browse()

    page.get(f"http://{domain}:{function.port}/")

    wait_for(lambda: text_of(page) == f"{domain} {domain.partition('.')[0]}", "the page")


def test_a_host_is_the_same_in_capital_letters(serve):
    function = serve(WHERE)
    url = f"http://APP.Lambda-URL.localhost:{function.port}/"

    done = subprocess.run(
        [needs("curl"), "-q", "-sS", "--noproxy", "*", url],
        capture_output=True,
        text=True,
        timeout=15,
        check=True,
    )

    assert done.stdout == "<p>app.lambda-url.localhost app"
