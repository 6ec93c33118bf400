"""The log: whole lines, the tail, and the REPORT line."""

from __future__ import annotations

import pytest

from penstock.emulator.log import Lines, Log, LogTail

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


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_the_tail_is_the_last_bytes(size):
    tail = LogTail(10)
    data = bytes(range(65, 91))
    for start in range(0, len(data), size):
        tail.add(data[start : start + size])
    assert tail.last() == data[-10:]
