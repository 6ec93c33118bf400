"""AWS's X-Ray SDK in a handler that streams: its segments, and the trace in what is called."""

from __future__ import annotations

import re

from tests.system.observability.tools import ANOTHER_TRACE, TRACE, stream
from tests.tools import each_value_in_one_test

pytestmark = each_value_in_one_test

XRAY = """
import requests
from aws_xray_sdk.core import patch, xray_recorder

patch(["requests"])


def read():
    return requests.get(os.environ["SITE"]).text


@streamify_response
async def handler(event, response_stream, context):
    await response_stream.write("one")
    with xray_recorder.in_subsegment("work"):
        await response_stream.write(read())
    await response_stream.write(await asyncio.to_thread(read))
"""


def test_xray(serve_under, daemon, site):
    function = serve_under(
        XRAY,
        environment={
            "AWS_XRAY_DAEMON_ADDRESS": daemon.address,
            "SITE": f"http://127.0.0.1:{site.port}/",
        },
    )
    for trace in (TRACE, ANOTHER_TRACE):
        root, parent = re.match("Root=(.+);Parent=(.+);", trace).groups()
        site.requests.clear()
        assert list(stream(function, trace=trace)) == ["one", "{}", "{}"]
        read, work, in_a_thread = daemon.receive(3)
        assert [each["name"] for each in (read, work, in_a_thread)] == [
            "127.0.0.1",
            "work",
            "127.0.0.1",
        ]
        assert {each["trace_id"] for each in (read, work, in_a_thread)} == {root}
        assert read["parent_id"] == work["id"]
        assert work["parent_id"] == in_a_thread["parent_id"] == parent
        assert read["http"]["response"]["status"] == 200
        # The traces go on in what was called.
        assert [header.partition(";Lineage=")[0] for header, _ in site.requests] == [
            f"Root={root};Parent={each['id']};Sampled=1" for each in (read, in_a_thread)
        ]
