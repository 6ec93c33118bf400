"""Server-sent events through the emulator: what a client and a browser's EventSource hear."""

from __future__ import annotations

import json
import sys

import httpx
import pytest

from tests.event_stream_reader import Event, read_events
from tests.system.conftest import text_of
from tests.tools import each_value_once, wait_for

pytestmark = each_value_once

RUNTIMES = {
    "own": (sys.executable, "-m", "penstock.runtime", "app.handler"),
    "takeover": (sys.executable, "-m", "awslambdaric", "app.handler"),
}

GENERATOR = """
    from penstock import sse

    @streamify_response
    @sse(heartbeat_seconds=0.02)
    def handler(event, context):
        yield "one"
        pass_gate("1")
        yield {"two": 2}
        if event["rawPath"] == "/fails":
            raise ValueError("secret")
"""

ASYNC_GENERATOR = """
    from penstock import sse

    @streamify_response
    @sse(heartbeat_seconds=0.02)
    async def handler(event, context):
        yield "one"
        await asyncio.to_thread(pass_gate, "1")
        yield {"two": 2}
        if event["rawPath"] == "/fails":
            raise ValueError("secret")
"""

each_runtime = pytest.mark.parametrize("runtime", RUNTIMES)
each_handler = pytest.mark.parametrize(
    "source", [GENERATOR, ASYNC_GENERATOR], ids=["generator", "async generator"]
)


def read_until(chunks, mark):
    """What comes up to and with `mark`, and whole lines that came with it."""
    received = b""
    while mark not in received or not received.endswith(b"\n\n"):
        received += next(chunks)
    return received


@each_runtime
@each_handler
def test_events_and_heartbeats_arrive_while_the_handler_is_held(source, runtime, serve, gate):
    function = serve(source, command=RUNTIMES[runtime], max_environments=1)
    for _ in range(2):
        with httpx.stream("GET", f"{function.url}/", timeout=15) as response:
            assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert response.headers["cache-control"] == "no-cache, no-transform"
            chunks = response.iter_raw()
            first = read_until(chunks, b": heartbeat\n\n: heartbeat\n\n: heartbeat\n\n")
            assert read_events(first) == [Event("message", "one", "")]
            gate.open("1")
            rest = b"".join(chunks)
        assert read_events(rest) == [Event("message", '{"two":2}', ""), Event("end", "", "")]


@each_runtime
@each_handler
def test_a_failure_is_told_and_fails_the_invocation(source, runtime, serve, gate):
    function = serve(source, command=RUNTIMES[runtime])
    with httpx.stream("GET", f"{function.url}/fails", timeout=15) as response:
        chunks = response.iter_raw()
        read_until(chunks, b"data: one\n\n")
        gate.open("1")
        two, error = read_events(b"".join(chunks))
    assert two.data == '{"two":2}'
    assert error.type == "error"
    assert json.loads(error.data) == {
        "message": "the stream failed",
        "requestId": response.headers["x-amzn-requestid"],
    }
    assert "ValueError" in function.wait_for_log("secret")


PAGE = """
    from penstock import ServerSentEvent, sse
    from penstock.server_sent_events import last_event_id

    PAGE = '''<!doctype html><meta charset="utf-8"><p id="shown"><script>
        const show = (text) => document.getElementById("shown").append(text + "; ");
        const source = new EventSource("/events" + location.search);
        source.onopen = () => show("open");
        source.onmessage = (event) => show(event.data.replaceAll("\\\\n", "|"));
        source.addEventListener("token", (event) => show(event.lastEventId + "=" + event.data));
        source.addEventListener("end", () => { source.close(); show("end"); });
        source.addEventListener("error", (event) => {
            if (event.data) {
                source.close();
                show(JSON.parse(event.data).message);
            } else
                show("connects again");
        });
    </script>'''

    @streamify_response
    def page(event, response_stream, context):
        HttpResponseStream.from_(response_stream, {"headers": {"content-type": "text/html"}})
        response_stream.write(PAGE)

    @streamify_response
    @sse(heartbeat_seconds=0.02)
    def events(event, context):
        again = last_event_id(event)
        if again:
            yield f"after {again}"
        else:
            yield "a\\nb"
            yield ServerSentEvent("Zoë", event="token", id="é7", retry=1)
            pass_gate("1")
            if event["rawQueryString"] == "fails":
                raise ValueError("secret")
            if event["rawQueryString"] == "cut":
                os._exit(1)

    def handler(event, context):
        return (events if event["rawPath"] == "/events" else page)(event, context)
"""


@pytest.mark.chromium
@pytest.mark.parametrize(
    ("query", "last"),
    [
        ("", "end;"),
        ("fails", "the stream failed;"),
        ("cut", "connects again; open; after é7; end;"),
    ],
)
def test_a_browser_hears_events_and_how_they_ended(query, last, serve, gate, browse):
    function = serve(PAGE)
    page = browse()
    page.get(f"{function.url}/?{query}")
    begun = "open; a|b; é7=Zoë;"
    wait_for(lambda: text_of(page) == begun, "the first events on the page")
    gate.open("1")
    wait_for(lambda: text_of(page) == f"{begun} {last}", "the end on the page")
