"""The trailers that carry an error: always whole, always short enough, always one line each."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode

import pytest

from penstock.wire.trailers import MAX_BLOCK, decode_error_body, error_trailers

FRAMES = [f'  File "app.py", line {number}, in f{number}\n    go()\n' for number in range(100)]


def read(block):
    """The type and the error of a trailer block, read as a server would."""
    match = re.fullmatch(
        rb"Lambda-Runtime-Function-Error-Type: ([!-~]+)\r\n"
        rb"Lambda-Runtime-Function-Error-Body: ([A-Za-z0-9+/]+=*)\r\n"
        rb"\r\n",
        block,
    )
    assert match is not None, block
    return match[1].decode(), json.loads(b64decode(match[2], validate=True))


def test_an_error_is_two_trailers_and_an_empty_line():
    body = b'{"errorType":"ValueError","errorMessage":"half-way","stackTrace":["one","two"]}'

    assert error_trailers("ValueError", "half-way", iter(["one", "two"])) == (
        b"Lambda-Runtime-Function-Error-Type: ValueError\r\n"
        b"Lambda-Runtime-Function-Error-Body: " + b64encode(body) + b"\r\n"
        b"\r\n"
    )


def test_what_is_sent_is_what_is_read():
    block = error_trailers("KeyError", "'ключ' 😀 \r\n\0", FRAMES[:3])

    error_type, error = read(block)

    assert error_type == "KeyError"
    assert error == {
        "errorType": "KeyError",
        "errorMessage": "'ключ' 😀 \r\n\0",
        "stackTrace": FRAMES[:3],
    }
    assert decode_error_body(block.split(b"\r\n")[1].partition(b": ")[2].decode()) == error


@pytest.mark.parametrize(
    ("error_type", "sent"),
    [
        ("", "Error"),
        ("My Error", "My_Error"),
        ("A\r\nB: c", "A__B:_c"),
        ("Größe", "Gr__e"),
        ("\x7f\0\t", "___"),
        ("E" * 200, "E" * 128),
    ],
)
def test_the_type_is_made_one_word_for_the_header_and_stays_itself_in_the_body(error_type, sent):
    header, error = read(error_trailers(error_type, "", []))

    assert header == sent
    assert error["errorType"] == error_type


@pytest.mark.parametrize(
    "error_type", ["E", "E" * 127, "E" * 128, "E" * 5000, "😀" * 5000, "\0" * 500]
)
@pytest.mark.parametrize("message", ["", "m", "m" * 10_000, "😀" * 10_000, "\0" * 10_000])
@pytest.mark.parametrize(
    "frames", [[], FRAMES, ["x" * 10_000], ["x" * 10_000, "y"], ["\0" * 999] * 9]
)
def test_the_block_is_never_over_4096_bytes(error_type, message, frames):
    block = error_trailers(error_type, message, frames)

    assert len(block) <= MAX_BLOCK == 4096
    read(block)


def test_a_surrogate_without_its_half_does_no_harm():
    _, error = read(error_trailers("E", "\ud800", ["\udfff"]))

    assert error["errorMessage"] == "\ud800"


def test_the_outermost_frames_are_cut_first():
    _, error = read(error_trailers("ValueError", "half-way", FRAMES))

    kept = error["stackTrace"]
    assert 10 < len(kept) < 100
    assert kept == FRAMES[-len(kept) :]
    assert error["errorMessage"] == "half-way"
    assert error["errorType"] == "ValueError"


def test_the_end_of_the_message_is_cut_last():
    _, error = read(error_trailers("ValueError", "begin" + "x" * 5000, FRAMES))

    assert error["stackTrace"] == []
    assert error["errorMessage"].startswith("beginxxx")
    assert error["errorMessage"].endswith("x...")
    assert len(error["errorMessage"]) > 1000
    assert error["errorType"] == "ValueError"


@pytest.mark.parametrize("error_type", ["E", "ValueError", "My Error"])
def test_what_fits_is_never_cut(error_type):
    cut = set()

    for length in range(2800, 3000):
        body = json.dumps(
            {"errorType": error_type, "errorMessage": "x" * length, "stackTrace": []},
            separators=(",", ":"),
        ).encode()
        whole = b"Lambda-Runtime-Function-Error-Type: %s\r\n" % error_type.replace(
            " ", "_"
        ).encode() + b"Lambda-Runtime-Function-Error-Body: %s\r\n\r\n" % b64encode(body)
        is_whole = error_trailers(error_type, "x" * length, []) == whole
        assert is_whole is (len(whole) <= 4096)
        cut.add(is_whole)

    assert cut == {True, False}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "no base64!",
        b64encode(b"no JSON").decode(),
        b64encode(b"[1]").decode(),
        b64encode(b'"text"').decode(),
        b64encode(b"\xff").decode(),
        b64encode(b"{}").decode()[:-1],
        "e3!0=",
        "{}",
        "é",
    ],
)
def test_a_body_that_cannot_be_read_is_none(value):
    assert decode_error_body(value) is None


def test_a_body_of_another_runtime_is_read_as_it_is():
    value = b64encode(b'{"errorType":"TypeError","trace":["a"]}').decode()

    assert decode_error_body(value) == {"errorType": "TypeError", "trace": ["a"]}


def test_a_body_that_is_nested_without_end_is_none():
    assert decode_error_body(b64encode(b"[" * 100_000).decode()) is None
