"""The log as frames on a descriptor, in AWS's format."""

from __future__ import annotations

import os
import threading

import pytest

from penstock.runtime.telemetry_log import (
    JSON_FRAME,
    TEXT_FRAME,
    FramedTelemetryLog,
    frame_type,
)
from tests.runtime.clients import frames_in


@pytest.fixture
def pipe():
    """A pipe's both ends; what the test has not closed is closed afterwards."""
    readable, writable = os.pipe()
    yield readable, writable
    for descriptor in (readable, writable):
        try:
            os.close(descriptor)
        except OSError:
            pass


@pytest.mark.parametrize(
    ("level", "text", "json"),
    [
        (-5, "a55a0003", "a55a0002"),
        (0, "a55a0003", "a55a0002"),
        (9, "a55a0003", "a55a0002"),
        (10, "a55a000b", "a55a000a"),
        (20, "a55a000f", "a55a000e"),
        (29, "a55a000f", "a55a000e"),
        (30, "a55a0013", "a55a0012"),
        (40, "a55a0017", "a55a0016"),
        (50, "a55a001b", "a55a001a"),
        (99, "a55a001b", "a55a001a"),
    ],
)
def test_the_type_of_a_frame_has_the_level_in_its_low_bits(level, text, json):
    assert frame_type(TEXT_FRAME, level).hex() == text
    assert frame_type(JSON_FRAME, level).hex() == json


def test_a_frame_is_its_type_its_length_its_time_and_its_message(pipe):
    readable, writable = pipe
    FramedTelemetryLog(writable, TEXT_FRAME).log("größe\nin two lines")

    frame = os.read(readable, 1000)
    message = "größe\nin two lines".encode()
    assert frame[:8] == bytes.fromhex("a55a0003") + len(message).to_bytes(4, "big")
    assert frame[16:] == message
    assert frames_in(frame) == [("a55a0003", "größe\nin two lines")]


def test_a_message_may_bring_the_type_of_its_frame(pipe):
    readable, writable = pipe
    FramedTelemetryLog(writable, TEXT_FRAME).log("", frame_type(JSON_FRAME, 20))

    assert frames_in(os.read(readable, 1000)) == [("a55a000e", "")]


def test_half_of_a_character_is_escaped(pipe):
    readable, writable = pipe
    FramedTelemetryLog(writable, TEXT_FRAME).log("caf\udce9")

    assert frames_in(os.read(readable, 1000)) == [("a55a0003", r"caf\udce9")]


@pytest.mark.parametrize(("base", "kind"), [(TEXT_FRAME, "a55a0017"), (JSON_FRAME, "a55a0016")])
def test_the_lines_of_a_failure_are_one_message(pipe, base, kind):
    readable, writable = pipe
    FramedTelemetryLog(writable, base).log_error(["[ERROR] KeyError", "Traceback"])

    assert frames_in(os.read(readable, 1000)) == [(kind, "[ERROR] KeyError\nTraceback")]


def test_frames_of_threads_do_not_mix(pipe):
    readable, writable = pipe
    log = FramedTelemetryLog(writable, TEXT_FRAME)
    received = bytearray()

    def read():
        while data := os.read(readable, 65536):
            received.extend(data)

    reader = threading.Thread(target=read)
    # More than a pipe takes at once: a write that blocks half-way lets another one in.
    writers = [
        threading.Thread(target=lambda letter=letter: [log.log(letter * 200_000) for _ in "123"])
        for letter in "abcdefgh"
    ]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    os.close(writable)
    reader.join()

    messages = [text for _, text in frames_in(bytes(received))]
    assert len(messages) == 24
    assert all(set(text) <= {text[0]} and len(text) == 200_000 for text in messages)


def test_a_process_that_is_forked_in_the_middle_of_a_message_can_log(pipe):
    readable, writable = pipe
    log = FramedTelemetryLog(writable, TEXT_FRAME)

    with log._writing:  # as when another thread writes at this moment
        child = os.fork()
        if not child:
            log.log("of the child")
            os._exit(0)
        os.waitpid(child, 0)

    assert frames_in(os.read(readable, 1000)) == [("a55a0003", "of the child")]


def test_a_descriptor_that_is_not_open_fails_at_once(pipe):
    _, writable = pipe
    os.close(writable)

    with pytest.raises(OSError, match="Bad file descriptor"):
        FramedTelemetryLog(writable, TEXT_FRAME)
