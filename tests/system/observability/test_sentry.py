"""Sentry around a handler that streams, by its integration and by its decorator."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.conftest import LocalFunction
from tests.system.observability.tools import Site, request_ids
from tests.tools import each_value_in_one_test, wait_for

pytestmark = each_value_in_one_test

SENTRY = """
import os

import sentry_sdk
from sentry_sdk.integrations.aws_lambda import AwsLambdaIntegration
from sentry_sdk.integrations.serverless import serverless_function

# It waits for as long as the test wants; two seconds is the default.
sentry_sdk.init(os.environ["DSN"], integrations=[AwsLambdaIntegration()], shutdown_timeout=60)
"""

BREAKS = """
@streamify_response
async def handler(event, context):
    yield "one"
    if event.get("rawPath") == "/fails":
        raise ValueError("no more")
    yield "two"
"""

LOAD = "from app import handler\n"


@pytest.mark.parametrize("order", ["before Penstock", "after the handler"])
def test_sentry_by_its_integration(order, serve_under, site, tmp_path):
    module = SENTRY + LOAD if order == "before Penstock" else LOAD + SENTRY
    (tmp_path / "first.py").write_text(module)
    function = serve_under(
        BREAKS,
        "first.handler",
        environment={"DSN": f"http://key@127.0.0.1:{site.port}/1", "PYTHONPATH": str(tmp_path)},
    )
    event = event_of_failure(function, site)
    assert event["exception"]["values"][-1]["mechanism"]["type"] == "aws_lambda"
    request_id = request_ids(function.log)[1]  # the START of the third may be on its way
    assert event["extra"]["lambda"]["aws_request_id"] == request_id


def test_sentry_hears_of_a_failed_start(serve_under, site):
    function = serve_under(
        SENTRY + "raise ValueError('no more')",
        environment={"DSN": f"http://key@127.0.0.1:{site.port}/1"},
    )
    assert "no more" in httpx.get(function.url).text
    wait_for(lambda: site.requests, "what Sentry is sent")
    (event,) = errors_in(site.requests[0][1])
    assert event["exception"]["values"][-1]["value"] == "no more"


def test_sentry_by_its_decorator(serve_under, site):
    function = serve_under(
        SENTRY + BREAKS.replace("@streamify", "@serverless_function\n@streamify"),
        environment={"DSN": f"http://key@127.0.0.1:{site.port}/1"},
    )
    event_of_failure(function, site)


def event_of_failure(function: LocalFunction, site: Site) -> dict[str, Any]:
    """Make calls of which one breaks; what Sentry was sent, which is one event.

    It is sent before the environment could be frozen: until then it takes no other call.
    """
    assert httpx.get(function.url).text == "onetwo"
    site.answers.clear()
    assert httpx.get(f"{function.url}/fails").text == "one"
    wait_for(lambda: site.requests, "what Sentry is sent")
    assert httpx.get(function.url).status_code == 429
    site.answers.set()
    wait_for(lambda: httpx.get(function.url).text == "onetwo", "the next call to go through")
    events = [event for _, body in site.requests for event in errors_in(body)]
    (event,) = events
    exception = event["exception"]["values"][-1]
    assert (exception["type"], exception["value"]) == ("ValueError", "no more")
    return event


def errors_in(envelope: bytes) -> list[dict[str, Any]]:
    """The events of one envelope: a head, then a head and a line for each item."""
    lines = [json.loads(line) for line in envelope.splitlines() if line]
    return [
        item for head, item in zip(lines[1::2], lines[2::2], strict=True) if head["type"] == "event"
    ]
