"""Chromium against the emulator: what one sees of a stream."""

from __future__ import annotations

from io import BytesIO
from math import ceil, floor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

from tests.system.conftest import text_of
from tests.tools import wait_for

pytestmark = pytest.mark.chromium

ROOT = Path(__file__).parents[2]
PHOTOGRAPH = ROOT / "examples" / "photograph" / "mountains.jpg"
SCREENSHOTS = ROOT / "test-output"


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
