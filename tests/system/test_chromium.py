"""Chromium against the emulator: what one sees of a stream, and what other sites cannot do."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from math import ceil, floor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image, ImageChops, ImageStat

from tests.tools import PATIENCE, needs, only_in_ci, wait_for

pytestmark = pytest.mark.chromium

ROOT = Path(__file__).parents[2]
PHOTOGRAPH = ROOT / "examples" / "photograph" / "mountains.jpg"
SCREENSHOTS = ROOT / "test-output"

Browse = Callable[..., Any]


@pytest.fixture
def browse(tmp_path, monkeypatch) -> Iterator[Browse]:
    """Start Chromium, with flags besides those that keep it on this machine."""
    from selenium import webdriver

    chromium, chromedriver = needs("chromium"), needs("chromedriver")
    drivers: list[Any] = []
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")

    def browse(*flags: str) -> Any:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        # get() returns at once: a page that streams is not loaded before it has ended.
        options.page_load_strategy = "none"
        for flag in (
            *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run"),
            *("disable-background-networking", "disable-component-update", "disable-sync"),
            *("disable-dev-shm-usage", "no-proxy-server", "hide-scrollbars"),
            *("window-size=900,700", "force-device-scale-factor=1"),
            f"user-data-dir={tmp_path / f'chromium{len(drivers)}'}",
            *flags,
        ):
            options.add_argument(f"--{flag}")
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
        drivers.append(driver)
        driver.set_script_timeout(PATIENCE)
        return driver

    yield browse
    for driver in drivers:
        driver.quit()


def text_of(page: Any) -> str:
    """The text that one sees now."""
    return page.execute_script("return document.body ? document.body.innerText : ''")


# A picture


def screenshot(page: Any) -> Image.Image:
    return Image.open(BytesIO(page.get_screenshot_as_png())).convert("RGB")


def place_of_picture(page: Any) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the only picture on the page."""
    box = page.execute_script(
        "const place = document.images[0].getBoundingClientRect();"
        "return [place.left, place.top, place.right, place.bottom]"
    )
    left, top, right, bottom = box
    return ceil(left), ceil(top), floor(right), floor(bottom)


def rows(picture: Image.Image, start: float, stop: float) -> Image.Image:
    """A part of the picture, from one share of its height to another."""
    return picture.crop(
        (0, round(picture.height * start), picture.width, round(picture.height * stop))
    )


def is_like(seen: Image.Image, original: Image.Image) -> bool:
    """Whether two pictures of one size are the same to the eye."""
    small = (seen.width // 20, max(1, seen.height // 20))
    difference = ImageChops.difference(seen.resize(small), original.resize(small))
    return max(high for _, high in difference.getextrema()) < 32


def is_blank(seen: Image.Image) -> bool:
    """Whether all of it is of one colour."""
    return max(ImageStat.Stat(seen).stddev) == 0


def test_half_a_photograph_is_seen_while_the_handler_has_the_other_half(serve, gate, browse):
    function = serve(
        """
        @streamify_response
        def handler(event, response_stream, context):
            if event["rawPath"] != "/mountains.jpg":
                HttpResponseStream.from_(response_stream, {"statusCode": 404}).end()
                return
            with open(os.environ["PHOTOGRAPH"], "rb") as file:
                photograph = file.read()
            response_stream.content_type = "image/jpeg"
            half = len(photograph) // 2
            response_stream.write(photograph[:half])
            pass_gate("half")
            response_stream.write(photograph[half:])
        """,
        environment={"PHOTOGRAPH": str(PHOTOGRAPH)},
    )
    page = browse()
    page.get(f"{function.url}/mountains.jpg")
    size = "return document.images[0]?.naturalHeight"
    wait_for(lambda: page.execute_script(size) == 2667, "a frame for the picture")
    place = place_of_picture(page)
    with Image.open(PHOTOGRAPH) as photograph:
        assert photograph.size == (4000, 2667)
        original = photograph.resize((place[2] - place[0], place[3] - place[1]))

    def seen() -> Image.Image:
        return screenshot(page).crop(place)

    wait_for(lambda: is_like(rows(seen(), 0, 0.45), rows(original, 0, 0.45)), "the upper half")
    half = screenshot(page)
    SCREENSHOTS.mkdir(exist_ok=True)
    half.save(SCREENSHOTS / "photograph-half-way.png")
    assert "END RequestId" not in function.log
    assert is_like(rows(half.crop(place), 0, 0.45), rows(original, 0, 0.45))
    assert is_blank(rows(half.crop(place), 0.6, 1))
    assert page.execute_script("return document.images[0].complete") is False

    gate.open("half")
    wait_for(lambda: is_like(seen(), original), "the whole photograph")
    wait_for(lambda: page.execute_script("return document.images[0].complete"), "its end")
    whole = screenshot(page)
    whole.save(SCREENSHOTS / "photograph-whole.png")
    assert is_like(whole.crop(place), original)


# Text

PAGES = """
    PAGE = '''<!doctype html><title>A stream</title><p id="text"></p><script>
        const show = (text) => document.getElementById("text").append(text);
        %s
        </script>'''

    EVENT_SOURCE = '''
        const source = new EventSource("/stream");
        source.onmessage = (event) => show(event.data + "; ");
        source.addEventListener("end", () => { source.close(); show("end") });
    '''

    FETCH = '''
        (async () => {
            const response = await fetch("/stream", {method: "POST", body: "{}"});
            const chunks = response.body.pipeThrough(new TextDecoderStream());
            for await (const chunk of chunks) show(chunk + "; ");
            show("end");
        })();
    '''

    @streamify_response
    def handler(event, context):
        path = event["rawPath"]
        if path == "/event-source":
            yield Prelude(200, {"content-type": "text/html"})
            yield PAGE % EVENT_SOURCE
        elif path == "/fetch":
            yield Prelude(200, {"content-type": "text/html"})
            yield PAGE % FETCH
        elif path == "/page":
            yield Prelude(200, {"content-type": "text/html"})
            yield "<!doctype html><title>A stream</title><p>chunk one; "
            pass_gate("1")
            yield "chunk two; "
            pass_gate("2")
            yield "end"
        elif event["requestContext"]["http"]["method"] == "POST":
            yield Prelude(200, {"content-type": "text/plain"})
            yield "chunk one"
            pass_gate("1")
            yield "chunk two"
            pass_gate("2")
        elif path == "/stream":
            yield Prelude(200, {"content-type": "text/event-stream"})
            yield "data: chunk one\\n\\n"
            pass_gate("1")
            yield "data: chunk two\\n\\n"
            pass_gate("2")
            yield "event: end\\ndata:\\n\\n"
        else:
            yield Prelude(404, {"content-type": "text/plain"})
            yield "nothing here"
"""


@pytest.mark.parametrize("way", ["event-source", "fetch", "page"])
def test_text_is_seen_while_the_handler_is_held(way, serve, gate, browse):
    function = serve(PAGES)
    page = browse()
    page.get(f"{function.url}/{way}")
    wait_for(lambda: text_of(page) == "chunk one;", "the first chunk on the page")
    gate.open("1")
    wait_for(lambda: text_of(page) == "chunk one; chunk two;", "the second chunk on the page")
    gate.open("2")
    wait_for(lambda: text_of(page) == "chunk one; chunk two; end", "the end on the page")


def test_chromium_finds_a_function_url_by_its_own_name(serve, browse):
    function = serve("""
        @streamify_response
        def handler(event, context):
            yield Prelude(200, {"content-type": "text/html"})
            yield "<p>Welcome to " + event["requestContext"]["domainName"]
    """)
    page = browse()
    page.get(f"http://app.lambda-url.localhost:{function.port}/")
    wait_for(lambda: text_of(page) == "Welcome to app.lambda-url.localhost", "the page")


# Other sites

# Prints which attempt made it run, and lets every page read the answer.
ATTACKED = """
    def handler(event, context):
        method = event["requestContext"]["http"]["method"] if "requestContext" in event else "RIE"
        # In one piece, whatever else is logged at the same time.
        print(f"RAN {method} {event.get('attack') or event['rawQueryString']}\\n", end="")
        return {
            "statusCode": 200,
            "headers": {
                "access-control-allow-origin": "*",
                "access-control-allow-methods": "*",
                "access-control-allow-headers": "authorization, content-type, x-amz-log-type",
                "content-type": "text/plain",
            },
        }
"""

# Every way in which a page can make its browser send something to another site. Each is
# tried on each target in turn, and the page notes what has become of it.
ATTACKS = """<!doctype html><title>Another site</title><body><script>
const send = (options) => (url, body) =>
  fetch(url, {...options, ...(options.method === "POST" ? {body} : {})});

const element = (tag, attribute, properties = {}) => (url) =>
  new Promise((resolve) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.onload = made.onerror = resolve;
    made[attribute] = url;
    document.body.append(made);
  });

const form = (method, enctype, sandbox) => (url, body) =>
  new Promise((resolve) => {
    const frame = Object.assign(document.createElement("iframe"), {name: "frame" + Math.random()});
    if (sandbox) frame.sandbox = sandbox;
    document.body.append(frame);
    const made = document.createElement("form");
    Object.assign(made, {method, enctype, action: url, target: frame.name});
    // Sent as text/plain, this is JSON.
    const field = Object.assign(document.createElement("input"), {
      name: body.slice(0, -1) + ', "padding": "', value: '"}',
    });
    for (const [name, value] of new URL(url).searchParams)
      made.append(Object.assign(document.createElement("input"), {name, value}));
    if (enctype === "text/plain") made.replaceChildren();
    made.append(field);
    document.body.append(made);
    frame.onload = resolve;
    made.submit();
  });

// Nothing tells that it was answered but the browser's list of what it has loaded.
const untold = (start) => (url, body) =>
  new Promise((resolve) => {
    const observer = new PerformanceObserver((entries) => {
      if (entries.getEntriesByName(url).length) resolve(observer.disconnect());
    });
    observer.observe({type: "resource"});
    start(url, body);
  });

const listener = (kind, address) => (url) =>
  new Promise((resolve) => {
    const made = new kind(address(url));
    made.onerror = made.onopen = () => resolve(made.close());
  });

const redirected = (url) => "/redirect?to=" + encodeURIComponent(url);

const attacks = {
  "fetch": send({}),
  "fetch-no-cors": send({mode: "no-cors"}),
  "fetch-no-cors-with-header": send({mode: "no-cors", headers: {"X-Amz-Log-Type": "Tail"}}),
  "fetch-without-referrer": send({mode: "no-cors", referrerPolicy: "no-referrer"}),
  "fetch-with-cookies": send({mode: "no-cors", credentials: "include"}),
  "fetch-with-header": send({headers: {"X-Amz-Log-Type": "Tail"}}),
  "fetch-signed": send({headers: {"Authorization": "AWS4-HMAC-SHA256 x"}}),
  "fetch-redirected": (url) => fetch(redirected(url), {mode: "no-cors"}),
  "post": send({method: "POST"}),
  "post-no-cors": send({method: "POST", mode: "no-cors"}),
  "post-no-cors-signed":
    send({method: "POST", mode: "no-cors", headers: {"Authorization": "AWS4-HMAC-SHA256 x"}}),
  "post-without-referrer":
    send({method: "POST", mode: "no-cors", referrerPolicy: "no-referrer"}),
  "post-json": send({method: "POST", headers: {"Content-Type": "application/json"}}),
  "post-signed": send({method: "POST", headers: {"Authorization": "AWS4-HMAC-SHA256 x"}}),
  "post-redirected":
    (url, body) => fetch(redirected(url), {method: "POST", mode: "no-cors", body}),
  "delete": send({method: "DELETE"}),
  "beacon": untold((url, body) => navigator.sendBeacon(url, body)),
  "event-source": listener(EventSource, (url) => url),
  "web-socket": listener(WebSocket, (url) => url.replace("http:", "ws:")),
  "image": element("img", "src"),
  "image-without-referrer": element("img", "src", {referrerPolicy: "no-referrer"}),
  "image-redirected": (url) => element("img", "src")(redirected(url)),
  "image-with-cors": element("img", "src", {crossOrigin: "anonymous"}),
  "script": element("script", "src"),
  "module": element("script", "src", {type: "module"}),
  "stylesheet": element("link", "href", {rel: "stylesheet"}),
  "prefetch": element("link", "href", {rel: "prefetch"}),
  "video": element("video", "src"),
  "object": element("object", "data"),
  "iframe": element("iframe", "src"),
  "iframe-redirected": (url) => element("iframe", "src")(redirected(url)),
  "iframe-in-sandbox": element("iframe", "src", {sandbox: "allow-scripts"}),
  "form-get": form("get", "application/x-www-form-urlencoded"),
  "form-post": form("post", "application/x-www-form-urlencoded"),
  "form-post-text": form("post", "text/plain"),
  "form-post-multipart": form("post", "multipart/form-data"),
  "worker": (url) => new Promise((resolve) => {
    const source = `importScripts(${JSON.stringify(url)})`;
    new Worker(URL.createObjectURL(new Blob([source]))).onerror = resolve;
    setTimeout(resolve, 500);
  }),
  "page-in-sandbox": (url, body) => new Promise((resolve) => {
    const frame = Object.assign(document.createElement("iframe"), {sandbox: "allow-scripts"});
    frame.srcdoc = `<script>
      fetch(${JSON.stringify(url)}, {method: "POST", mode: "no-cors",
                                     body: ${JSON.stringify(body)}})
        .finally(() => parent.postMessage("done", "*"))
      <` + `/script>`;
    window.addEventListener("message", resolve, {once: true});
    document.body.append(frame);
  }),
};

(async () => {
  const outcomes = {};
  for (const target of TARGETS)
    for (const [name, attack] of Object.entries(attacks)) {
      const url = `${target}?attack=${name}`;
      const late = new Promise((resolve) => setTimeout(resolve, 10000, "no answer"));
      const answer = attack(url, JSON.stringify({attack: `attack=${name}`}))
        .then((value) => (value instanceof Response && value.ok ? "read" : "refused"))
        .catch(() => "refused");
      outcomes[url] = await Promise.race([answer, late]);
    }
  window.outcomes = outcomes;
})();
</script>"""


class OtherSite:
    """A web server on a port of its own, as any page in the browser's other tab has one."""

    def __init__(self) -> None:
        site = self
        self.page = ""

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                target = parse_qs(urlsplit(self.path).query).get("to")
                body = b"" if target else site.page.encode()
                self.send_response(307 if target else 200)
                if target:
                    self.send_header("Location", target[0])
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,)).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def other_site() -> Iterator[OtherSite]:
    site = OtherSite()
    yield site
    site.stop()


def outcomes_of_attacks(
    page: Any, site: OtherSite, host: str, targets: list[str]
) -> dict[str, str]:
    """What became of every attempt of a page that another site has served."""
    site.page = ATTACKS.replace("TARGETS", json.dumps(targets))
    page.get(f"http://{host}:{site.port}/")
    wait_for(lambda: page.execute_script("return window.outcomes"), "the attempts", 40)
    return page.execute_script("return window.outcomes")


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


def attacks_that_ran(log: str, *methods: str) -> set[str]:
    """The names of the attempts that made the function run."""
    lines = re.findall(r"^RAN (\w+) attack=([\w-]+)", log, re.MULTILINE)
    return {name for method, name in lines if method in methods or not methods}


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
