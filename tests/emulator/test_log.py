"""The log: whole lines, the tail, and the REPORT line."""

from __future__ import annotations

import pytest

from penstock.emulator.log import Lines, Log, LogTail
from penstock.emulator.platform_events import PlatformEvent

TEXT = "first\nsecond \N{AUTOMOBILE}\nthird"


@pytest.mark.parametrize("cut", range(len(TEXT.encode()) + 1))
def test_only_whole_lines_go_on_wherever_the_output_is_cut(cut):
    written: list[str] = []
    lines = Lines(written.append)
    lines.add(TEXT.encode()[:cut])
    lines.add(TEXT.encode()[cut:])
    assert all(text.endswith("\n") for text in written)
    lines.flush()
    lines.flush()
    assert "".join(written) == TEXT + "\n"


def test_carriage_returns_that_hold_a_message_together_become_line_ends():
    written: list[str] = []
    Log(written.append).write("[ERROR] E: no\rTraceback\r\n")
    assert written == ["[ERROR] E: no\nTraceback\n"]


def test_lines_say_whose_they_are_as_soon_as_there_is_a_second_function():
    written: list[str] = []
    log = Log(written.append)
    log.add_function("one")
    log.write_of("one", "a\nb\n")
    log.add_function("one")
    log.write_of("one", "c\n")
    log.add_function("two")
    log.write_of("one", "d\re\n")
    log.line("slow", "two")
    log.line("stopping")
    assert "".join(written) == (
        "a\nb\nc\n[one] d\n[one] e\n[two] penstock: slow\npenstock: stopping\n"
    )


def test_every_line_of_the_emulator_s_own_is_an_event():
    log, heard = Log(lambda text: None), []
    log.line("before anybody listens")
    log.events.subscribe(heard.append)
    log.line("of one", "app", "0123")
    log.line("of none")
    assert all(isinstance(event, PlatformEvent) for event in heard)
    assert [event[:4] for event in heard] == [
        ("penstock.log", "of one", "app", "0123"),
        ("penstock.log", "of none", "", ""),
    ]


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_the_tail_is_the_last_bytes(size):
    tail = LogTail(10)
    data = bytes(range(65, 91))
    for start in range(0, len(data), size):
        tail.add(data[start : start + size])
    assert tail.last() == data[-10:]


def test_a_line_without_an_end_goes_on_in_parts_that_break_no_character():
    written: list[str] = []
    lines = Lines(written.append)
    text = "x" + "\N{AUTOMOBILE}" * 600_000
    data = text.encode()
    for start in range(0, len(data), 65536):
        lines.add(data[start : start + 65536])
    assert len(written) == 2
    lines.add(b"!\nnext\n")
    assert "".join(written).replace("\n", "", 2) == text + "!\nnext\n"
    assert all(len(part.encode()) < 1024 * 1024 + 65536 for part in written)


def test_of_a_line_that_has_gone_on_whole_nothing_is_left():
    written: list[str] = []
    lines = Lines(written.append)
    lines.add(b"x" * 1024 * 1024)
    lines.flush()
    assert written == ["x" * 1024 * 1024 + "\n"]
