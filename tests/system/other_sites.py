"""Pages of another site, and all that they try to make a function run."""

from __future__ import annotations

import http.server
import json
import re
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.tools import wait_for

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


def outcomes_of_attacks(
    page: Any, site: OtherSite, host: str, targets: list[str]
) -> dict[str, str]:
    """What became of every attempt of a page that another site has served."""
    site.page = ATTACKS.replace("TARGETS", json.dumps(targets))
    page.get(f"http://{host}:{site.port}/")
    wait_for(lambda: page.execute_script("return window.outcomes"), "the attempts", 40)
    return page.execute_script("return window.outcomes")


def attacks_that_ran(log: str, *methods: str) -> set[str]:
    """The names of the attempts that made the function run."""
    lines = re.findall(r"^RAN (\w+) attack=([\w-]+)", log, re.MULTILINE)
    return {name for method, name in lines if method in methods or not methods}
