"""The log: whole lines, the tail, and the REPORT line."""

from __future__ import annotations

import pytest

from penstock.emulator.log import Lines, Log, LogTail, report_line

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


def test_the_report_line():
    line = report_line(
        "id",
        duration=0.15354,
        memory_size=128,
        memory_used=77,
        init=0.0815,
        first_byte=0.00109,
        status=None,
    )
    assert line == (
        "REPORT RequestId: id\tDuration: 153.54 ms\tBilled Duration: 154 ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 77 MB\tInit Duration: 81.50 ms\t"
        "First Byte: 1.09 ms\t\n"
    )
